import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from lac.agents.policy_files import policy_path, read_policy, write_policy
from lac.files import write_bytes, write_json

TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([0.1, -0.2]), "scalar": torch.tensor(3.0)}
DESCRIPTION = {"alg_name": "LAC", "sizes": [1, 2], "nested": {"a": None, "b": 1.5}}


class Trap:
    """Unpickling one runs code that makes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_round_trip(tmp_path):
    path = tmp_path / "a" / "b" / "policy.safetensors"
    write_policy(path, TENSORS, DESCRIPTION)
    tensors, description = read_policy(path)
    assert description == DESCRIPTION
    assert set(tensors) == set(TENSORS)
    for name, tensor in tensors.items():
        assert torch.equal(tensor, TENSORS[name])
        assert tensor.dtype == TENSORS[name].dtype


def test_views_and_parameters_are_written_as_they_look(tmp_path):
    parameter = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    write_policy(tmp_path / "p.safetensors", {"transposed": parameter.T}, {})
    assert torch.equal(read_policy(tmp_path / "p.safetensors")[0]["transposed"], TENSORS["weight"].T)


def test_the_file_holds_tensors_and_json_only(tmp_path):
    write_policy(tmp_path / "p.safetensors", TENSORS, DESCRIPTION)
    content = (tmp_path / "p.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header.pop("__metadata__")["lac"]) == DESCRIPTION
    assert set(header) == set(TENSORS)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("run", "run/policy/final.safetensors"),
        ("run-to-be", "run-to-be/policy/final.safetensors"),
        ("file.safetensors", "file.safetensors"),
        ("file-to-be.pt", "file-to-be.pt"),
        ("suffixless", "suffixless"),
        ("run.with.dots", "run.with.dots/policy/final.safetensors"),
    ],
)
def test_a_path_means_a_file_or_the_final_policy_of_a_run_folder(tmp_path, given, meant):
    for folder in ("run", "run.with.dots"):
        (tmp_path / folder).mkdir()
    for file in ("file.safetensors", "suffixless"):
        (tmp_path / file).touch()
    assert policy_path(tmp_path / given) == tmp_path / meant


def test_a_run_folder_holds_policies_by_name(tmp_path):
    assert policy_path(tmp_path, "best") == tmp_path / "policy" / "best.safetensors"
    assert policy_path(str(tmp_path)) == tmp_path / "policy" / "final.safetensors"


# Whole or not at all ---------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def fail(*_args, **_kwargs):
        raise OSError("no space left")

    # pathlib and plain code both end in these two functions of os.
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="no space"):
        write_bytes(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert files_in(tmp_path) == ["file"]


def test_the_content_is_complete_before_it_gets_its_name(tmp_path, monkeypatch):
    path, seen = tmp_path / "file", []
    replace = os.replace

    def watch(source, target):
        with open(source, "rb") as stream:
            seen.append((stream.read(), path.exists()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    write_bytes(path, b"content")
    assert seen == [(b"content", False)]
    assert files_in(tmp_path) == ["file"]


def test_an_existing_file_is_replaced(tmp_path):
    for content in (b"a long first content", b"second"):
        write_bytes(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == b"second"


def test_write_json(tmp_path):
    write_json(tmp_path / "new" / "file.json", {"a": [1, None], "b": "text"})
    assert json.loads((tmp_path / "new" / "file.json").read_text()) == {"a": [1, None], "b": "text"}


# What is refused -------------------------------------------------------------------------------------


def a_policy_file(folder):
    write_policy(folder / "good.safetensors", TENSORS, DESCRIPTION)
    return (folder / "good.safetensors").read_bytes()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"garbage",
        lambda _: b"PK\x03\x04 is how a zip file starts",
        lambda _: os.urandom(1000),
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda _: pickle.dumps({"weight": [1.0, 2.0]}),
    ],
    ids=["empty", "text", "zip", "noise", "half", "one byte short", "pickle"],
)
def test_garbage_is_no_policy(tmp_path, spoil):
    path = tmp_path / "spoilt.safetensors"
    path.write_bytes(spoil(a_policy_file(tmp_path)))
    with pytest.raises(ValueError, match=r"spoilt\.safetensors is not a policy"):
        read_policy(path)


def test_tensors_without_a_description_are_no_policy(tmp_path):
    save_file(TENSORS, tmp_path / "bare.safetensors")
    with pytest.raises(ValueError, match="not a policy"):
        read_policy(tmp_path / "bare.safetensors")


@pytest.mark.parametrize("content", [[1.0, 2.0], torch.zeros(3), 5.0], ids=["list", "tensor", "number"])
def test_a_torch_file_that_is_no_state_dict_is_no_policy(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="not a policy"):
        read_policy(tmp_path / "other.pt")


@pytest.mark.parametrize("where", ["nothing", "nothing.safetensors", "folder", "folder/policy/best.safetensors"])
def test_a_missing_policy_is_a_missing_file(tmp_path, where):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileNotFoundError, match="no policy at"):
        read_policy(tmp_path / where)


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
@pytest.mark.parametrize("wrap", [lambda trap: trap, lambda trap: {"weight": torch.zeros(2), "extra": trap}])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, write, wrap):
    marker, path = tmp_path / "marker", tmp_path / "evil.pt"
    write(wrap(Trap(marker)), path)
    with pytest.raises(ValueError, match="not a policy"):
        read_policy(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Trap(marker))).close()
    assert marker.exists(), "the trap itself does not work"


def test_a_state_dict_of_the_reference_implementation_is_read(tmp_path):
    torch.save({**TENSORS, "alg_name": "LAC", "note": "text"}, tmp_path / "model_state.pt")
    tensors, description = read_policy(tmp_path / "model_state.pt")
    assert set(tensors) == set(TENSORS)
    assert description == {"alg_name": "LAC"}
