"""Exported policies: what they compute, what is kept, and what the manifest says."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch
from export_support import FLAGS, HIGH, LOW, SPACES, actions, an_agent, c_function, observations
from torch import nn

import lac
from lac import LAC, LATC, SAC
from lac.exporting import exporter
from lac.networks import ACTIVATIONS

CASES = [
    pytest.param(LAC, [8], "relu", "relu", id="LAC one layer"),
    pytest.param(LATC, [5, 7, 3], "tanh", "silu", id="LATC three layers"),
    pytest.param(SAC, [6, 4], "gelu", "softplus", id="SAC"),
    pytest.param(LAC, [4, 6], "identity", "elu", id="LAC linear"),
]
HALF_WIDTH = (HIGH - LOW) / 2
NEEDS_GCC = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")


def difference(found, expected):
    return np.max(np.abs(found.astype(np.float64) - expected) / HALF_WIDTH)


def manifest_of(folder):
    return json.loads((folder / "export" / "manifest.json").read_text())["exports"]


@pytest.fixture
def agent():
    return an_agent(LAC, [8, 8], "relu", "relu")


def test_the_cases_have_every_activation():
    assert {name for case in CASES for name in case.values[2:]} == set(ACTIVATIONS)


@NEEDS_GCC
@pytest.mark.parametrize(("cls", "widths", "activation", "output_activation"), CASES)
def test_c_in_double(cls, widths, activation, output_activation, tmp_path):
    agent, obs = an_agent(cls, widths, activation, output_activation), observations()
    file = agent.export(tmp_path)
    assert file == tmp_path / "export" / "policy.c"
    expected = actions(agent, obs, activation, output_activation)
    assert np.all(np.ptp(expected, axis=0) > 0.5 * (HIGH - LOW))
    assert difference(c_function(file, tmp_path)(obs), expected) < 1e-12
    assert difference(agent.get_action(obs, deterministic=True), expected) < 1e-5


@NEEDS_GCC
def test_c_in_float(agent, tmp_path):
    file = agent.export(tmp_path, format="c", c_type="float")
    assert file.name == "policy-float.c"
    found = c_function(file, tmp_path, np.float32)(observations())
    assert difference(found, actions(agent, observations(), "relu", "relu")) < 1e-5


@pytest.mark.parametrize(("cls", "widths", "activation", "output_activation"), CASES)
def test_onnx(cls, widths, activation, output_activation, tmp_path):
    onnxruntime, _ = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx")
    agent, obs = an_agent(cls, widths, activation, output_activation), observations()
    session = onnxruntime.InferenceSession(agent.export(tmp_path / "policy.onnx"))
    expected = actions(agent, obs, activation, output_activation)
    (found,) = session.run(None, {"observation": obs.astype(np.float32)})
    assert difference(found, expected) < 1e-5
    (one,) = session.run(["action"], {"observation": obs[:1].astype(np.float32)})
    assert difference(one, expected[:1]) < 1e-5


def test_onnx_is_a_chain_of_plain_nodes(agent, tmp_path):
    onnx, _ = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    model = onnx.load(agent.export(tmp_path / "policy.onnx"))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == ["Sub", "Mul", *["Gemm", "Relu"] * 2, "Gemm", "Tanh", "Mul", "Add", "Max", "Min"]
    assert {opset.version for opset in model.opset_import} == {13}


def test_pt2(tmp_path):
    agent, obs = an_agent(LATC, [5, 7, 3], "tanh", "silu"), observations()
    generator = torch.get_rng_state()
    program = torch.export.load(agent.export(tmp_path / "policy.pt2")).module()
    assert torch.equal(torch.get_rng_state(), generator)
    expected = actions(agent, obs, "tanh", "silu")
    for rows in (1, len(obs)):
        found = program(torch.tensor(obs[:rows], dtype=torch.float32))
        assert difference(found.detach().numpy(), expected[:rows]) < 1e-5


@pytest.mark.parametrize("format", ["c", "onnx", "pt2"])
def test_the_same_policy_gives_the_same_bytes(format, tmp_path):
    if format == "onnx":
        pytest.importorskip("onnxruntime")
    files = [an_agent(SAC, [4], "tanh", "tanh").export(tmp_path / name, format) for name in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_no_action_leaves_its_box_by_rounding(tmp_path):
    onnxruntime, _ = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx")
    assert np.float32(-0.1) < LOW[0]  # so that this bound rounds to the outside
    agent = an_agent(LAC, [8], "relu", "relu", steepness=1e5)
    session = onnxruntime.InferenceSession(agent.export(tmp_path / "policy.onnx"))
    found = session.run(None, {"observation": observations().astype(np.float32)})[0].astype(np.float64)
    assert np.all((found >= LOW) & (found <= HIGH))
    assert found.min(axis=0) == pytest.approx(LOW, abs=1e-6)


@NEEDS_GCC
def test_what_is_no_number_makes_no_action(agent, tmp_path):
    obs = observations(3)
    obs[1, 2] = np.nan
    found = c_function(agent.export(tmp_path), tmp_path)(obs)
    assert np.isnan(found).tolist() == [[False, False], [True, True], [False, False]]


@NEEDS_GCC
def test_two_policies_are_linked_under_names_of_their_own(agent, tmp_path):
    file = agent.export(tmp_path / "left.c")
    main = "void left(const double *, double *); void right(const double *, double *);\n" + (
        "int main(void) { double o[3] = {0}, a[2], b[2]; left(o, a); right(o, b); return a[0] != b[0]; }\n"
    )
    (tmp_path / "main.c").write_text(main)
    for name in ("left", "right"):
        words = ["gcc", *FLAGS, f"-DLAC_POLICY={name}", "-c", str(file), "-o", str(tmp_path / f"{name}.o")]
        subprocess.run(words, check=True, timeout=60)
    program = str(tmp_path / "both")
    objects = [str(tmp_path / f"{name}.o") for name in ("left", "right")]
    subprocess.run(["gcc", str(tmp_path / "main.c"), *objects, "-o", program, "-lm"], check=True, timeout=60)
    assert subprocess.run([program], timeout=60, check=False).returncode == 0


# What is kept ----------------------------------------------------------------------------------------


def slightly_wrong(policy, *arguments):
    weight = policy.layers[0].weight.copy()
    weight[0, 0] += 1e-3
    layers = (replace(policy.layers[0], weight=weight), *policy.layers[1:])
    return replace(policy, layers=layers), *arguments


WRITERS = {"c": "c_source", "onnx": "onnx_bytes", "pt2": "pt2_bytes"}


@pytest.mark.parametrize("format", WRITERS)
def test_a_file_that_computes_something_else_is_not_kept(format, agent, tmp_path, monkeypatch):
    if format == "onnx":
        pytest.importorskip("onnxruntime")
    write = getattr(exporter, WRITERS[format])
    monkeypatch.setattr(exporter, WRITERS[format], lambda *given: write(*slightly_wrong(*given)))
    with pytest.raises(ValueError, match=r"differs from the policy by .*; it was not kept"):
        agent.export(tmp_path, format)
    assert list(tmp_path.iterdir()) == []


DAMAGES = {
    "c cut off": ("c", lambda text: text[: len(text) // 2], "cannot be compiled"),
    "c with a warning": ("c", lambda text: text.replace("int i, j;", "int i, j, k;"), "unused variable"),
    "c that aborts": (
        "c",
        lambda text: "#include <stdlib.h>\n" + text.replace("int i, j;", "int i, j;\n    abort();"),
        "cannot be run",
    ),
    "onnx cut off": ("onnx", lambda model: model[: len(model) // 2], "cannot be run"),
    "pt2 cut off": ("pt2", lambda saved: saved[: len(saved) // 2], "cannot be run"),
}


@NEEDS_GCC
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_kept_and_an_earlier_one_stays(damage, agent, tmp_path, monkeypatch):
    format, spoil, said = DAMAGES[damage]
    if format == "onnx":
        pytest.importorskip("onnxruntime")
    kept = agent.export(tmp_path, "c")
    before = {path: path.read_bytes() for path in kept.parent.iterdir()}
    write = getattr(exporter, WRITERS[format])
    monkeypatch.setattr(exporter, WRITERS[format], lambda *given: spoil(write(*given)))
    with pytest.raises(ValueError, match=said):
        agent.export(tmp_path, format)
    assert {path: path.read_bytes() for path in kept.parent.iterdir()} == before


def test_without_a_compiler_it_is_kept_and_said(agent, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.warns(UserWarning, match=r"policy\.c was not verified: no C compiler"):
        agent.export(tmp_path)
    verification = manifest_of(tmp_path)["policy.c"]["verification"]
    assert (verification["largest_difference"], verification["runtime"]) == (None, None)


def test_a_manifest_that_cannot_be_written_leaves_no_file(agent, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(exporter, "write_json", full)
    with pytest.raises(OSError, match="no space left"):
        agent.export(tmp_path)
    assert list((tmp_path / "export").iterdir()) == []


# The manifest ----------------------------------------------------------------------------------------


def test_the_manifest_of_an_agent(agent, tmp_path):
    file = agent.export(tmp_path)
    saved = agent.save(tmp_path / "saved.safetensors")
    entry = manifest_of(tmp_path)["policy.c"]
    assert entry["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert entry["policy"] == {
        "file": None,
        "sha256": hashlib.sha256(saved.read_bytes()).hexdigest(),
        "algorithm": "LAC",
    }
    assert (entry["format"], entry["number_type"]) == ("c", "double")
    assert (entry["observation"]["shape"], entry["action"]["shape"]) == ([3], [2])
    assert (entry["action"]["low"], entry["action"]["high"]) == (LOW.tolist(), HIGH.tolist())
    assert entry["observation"]["scale"] == pytest.approx([0.5, 2.0, 30.0])
    assert [layer["activation"] for layer in entry["network"]] == ["relu", "relu", "identity"]
    verification = entry["verification"]
    assert (verification["observations"], verification["limit"]) == (10_000, 1e-12)
    assert 0 <= verification["largest_difference"] <= 1e-12
    assert {"lac", "torch", "numpy"} <= set(entry["versions"])


def test_the_manifest_names_the_files_that_are_there(agent, tmp_path):
    agent.export(tmp_path, "pt2").unlink()
    agent.export(tmp_path, c_type="float", format="c")
    agent.export(tmp_path)
    assert set(manifest_of(tmp_path)) == {"policy-float.c", "policy.c"}
    (tmp_path / "export" / "manifest.json").write_text("{")
    agent.export(tmp_path)
    assert set(manifest_of(tmp_path)) == {"policy.c"}


def test_a_file_of_a_given_name_has_a_manifest_of_its_own(agent, tmp_path):
    (tmp_path / "manifest.json").write_text("of something else")
    assert lac.export(agent, tmp_path / "mine.c") == tmp_path / "mine.c"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "mine.c", "mine.c.manifest.json"]
    assert (tmp_path / "manifest.json").read_text() == "of something else"


# What cannot be exported -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "arguments", "said"),
    [
        ("policy.onx", {}, r"must be a folder, or end with .onnx, .c, .pt2. Did you mean 'onnx'"),
        ("policy.c", {"format": "onnx"}, "format=onnx has files that end with .onnx"),
        ("", {"format": "torch"}, "format is 'torch'"),
        ("", {"c_type": "half"}, "c_type is 'half'"),
    ],
)
def test_wrong_arguments(path, arguments, said, agent, tmp_path):
    with pytest.raises(ValueError, match=said):
        agent.export(tmp_path / path, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_activation_of_ones_own_is_named(tmp_path):
    with pytest.raises(ValueError, match="the activation LeakyReLU cannot be exported"):
        an_agent(LAC, [4, 4], nn.LeakyReLU, "relu").export(tmp_path)


def test_weights_that_are_not_finite_are_refused(agent, tmp_path):
    with torch.no_grad():
        agent.ac.pi.net[0].bias[1] = torch.inf
    with pytest.raises(ValueError, match="not finite"):
        agent.export(tmp_path)


def test_an_agent_that_acts_otherwise_than_its_layers_is_refused(tmp_path):
    class Halved(LAC):
        def get_action(self, s, deterministic=False):
            return super().get_action(s, deterministic) * 0.5 + 0.5 * LOW

    torch.manual_seed(0)
    with pytest.raises(ValueError, match="differs from what the layers of the policy compute"):
        Halved(SPACES, ac_kwargs={"hidden_sizes": [4]}).export(tmp_path)


def test_a_missing_extra_is_one_sentence(agent, tmp_path, monkeypatch):
    monkeypatch.setattr("lac.exporting.onnx_file.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r'onnx and onnxruntime are not installed; pip install .*"\.\[export\]"'):
        agent.export(tmp_path, "onnx")
    assert list(tmp_path.iterdir()) == []
