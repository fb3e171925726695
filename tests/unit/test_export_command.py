"""The command export, and exports of runs: whatever was trained, by whichever door, and what is said of the rest."""

import hashlib
import json
import shutil

import pytest

import lac
from lac.runs import RunError
from lac.runs.exporting import export_run

FILES = ["manifest.json", "policy.c"]


@pytest.fixture
def run(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "sweep" / "good")


@pytest.fixture
def export(script_here):
    return lambda *arguments: script_here("export.py", *arguments)


def exported(run):
    return sorted(path.name for path in (run / "export").iterdir())


def entry(run, name="policy.c"):
    return json.loads((run / "export" / "manifest.json").read_text())["exports"][name]


def test_formats_of_a_run(export, run):
    pytest.importorskip("onnxruntime")
    end = export(f"run_dir={run}", "format=[onnx,c,pt2]")
    assert (end.status, end.stderr) == (0, "")
    assert exported(run) == ["manifest.json", "policy.c", "policy.onnx", "policy.pt2"]
    lines = end.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [f"sweep/good/export/policy.{name}" for name in ("onnx", "c", "pt2")]
    assert all("10000 observations" in line for line in lines)


def test_the_manifest_of_a_run(export, run):
    assert export(f"run_dir={run}", "c_type=float").status == 0
    described = entry(run, "policy-float.c")
    policy = run / "policy" / "final.safetensors"
    assert described["policy"] == {
        "file": "policy/final.safetensors",
        "sha256": hashlib.sha256(policy.read_bytes()).hexdigest(),
        "algorithm": "LAC",
    }
    assert described["environment"] == "lac/CartPoleCost-v1"
    assert described["observation"]["names"] == ["x [m]", "v [m/s]", "theta [rad]", "omega [rad/s]"]
    assert described["observation"]["high"][:2] == [20.0, 50.0]
    assert described["action"]["names"] == ["force [N]"]
    assert (described["action"]["low"], described["action"]["high"]) == ([-20.0], [20.0])
    assert described["verification"]["limit"] == 1e-5
    assert "observations: x [m], v [m/s], theta [rad], omega [rad/s]" in (run / "export/policy-float.c").read_text()


def test_one_damaged_run_does_not_keep_the_others_from_it(export, run):
    other = shutil.copytree(run, run.with_name("other"))
    (other / "policy" / "final.safetensors").write_bytes(b"nothing")
    end = export(f"run_dir={run.parent}", "format=[c,pt2]")
    assert end.status == 1
    (line,) = end.stderr.splitlines()
    assert line.startswith("not exported: ")
    assert "other" in line
    assert exported(run) == [*FILES, "policy.pt2"]
    assert not (other / "export").exists()
    assert export(f"run_dir={other}").status == 2


def test_a_run_that_is_not_finished_is_exported_where_it_is_named_itself(export, run):
    (run / "summary.json").write_text('{"status": "failed"}')
    end = export(f"run_dir={run.parent}")
    assert end.status == 2
    assert "is failed" in end.stderr
    assert export(f"run_dir={run}").status == 0
    assert exported(run) == FILES


def test_the_best_policy_has_a_file_of_its_own(export, run):
    assert "best.safetensors is missing" in export(f"run_dir={run}", "policy=best").stderr
    shutil.copy(run / "policy" / "final.safetensors", run / "policy" / "best.safetensors")
    assert export(f"run_dir={run}", "policy=best").status == 0
    assert exported(run) == ["manifest.json", "policy-best.c"]


@pytest.mark.parametrize("lacking", [["config.yaml"], ["config.yaml", "metrics.jsonl", "summary.json"]])
def test_a_run_without_a_config_and_a_saved_agent_are_exported(lacking, export, run):
    for name in lacking:
        (run / name).unlink()
    end = export(f"run_dir={run}")
    assert (end.status, end.stderr) == (0, "")
    assert "note" not in end.stdout
    assert (entry(run)["environment"], entry(run)["observation"]["names"]) == (None, None)


def test_an_environment_that_cannot_be_built_is_said_and_no_error(export, run):
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("lac/CartPoleCost-v1", "lac/Nowhere-v1"))
    end = export(f"run_dir={run}")
    assert (end.status, end.stderr) == (0, "")
    (note,) = end.stdout.splitlines()[1:]
    assert "note: names and bounds of the observations" in note
    assert "lac/Nowhere-v1" in note
    assert entry(run)["environment"] is None


def test_a_missing_extra_is_one_sentence(export, run, monkeypatch):
    monkeypatch.setattr("lac.exporting.onnx_file.find_spec", lambda _: None)
    end = export(f"run_dir={run}", "format=[c,onnx]")
    assert (end.status, end.stdout) == (2, "")
    (sentence,) = end.stderr.splitlines()[1:]
    assert sentence.endswith('not installed; pip install -c constraints.txt -e ".[export]" installs them')
    assert not (run / "export").exists()


def test_from_python(run, tmp_path):
    file = lac.export(run, tmp_path / "mine.c")
    assert file == tmp_path / "mine.c"
    assert lac.export(str(run)) == run / "export" / "policy.c"
    assert file.read_bytes() == (run / "export" / "policy.c").read_bytes()
    from_file = lac.export(run / "policy" / "final.safetensors", tmp_path / "elsewhere", format="pt2")
    assert from_file == tmp_path / "elsewhere" / "export" / "policy.pt2"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"run_or_agent": 5}, "run_or_agent is 5"),
        ({"run_or_agent": "nowhere"}, "final.safetensors is missing"),
        ({"run_or_agent": "nowhere", "policy": "worst"}, "policy is 'worst'"),
        ({"run_or_agent": __file__}, "path is None"),
    ],
)
def test_wrong_arguments_from_python(arguments, said):
    with pytest.raises(ValueError, match=said):
        lac.export(**arguments)


TINY = [
    *("env=cartpole_cost", "tuned=none", "network=small", "wandb.mode=disabled", "train.epochs=1", "seed=0"),
    *("train.steps_per_epoch=60", "train.update_after=20", "train.update_every=20", "train.steps_per_update=1"),
    *("train.batch_size=8", "train.num_test_episodes=0", "train.export=true", "hydra.run.dir=run"),
]


def test_a_training_exports_at_its_end(train_here, tmp_path, monkeypatch):
    monkeypatch.setattr("lac.runs.recorder.learning_curve", lambda *_: None)
    end = train_here(*TINY)
    assert end.status == 0, end.stderr
    assert "exported run/export/policy.c" in end.stdout
    run = tmp_path / "run"
    assert exported(run) == FILES
    assert entry(run)["environment"] == "lac/CartPoleCost-v1"
    policy = (run / "policy" / "final.safetensors").read_bytes()
    assert entry(run)["policy"]["sha256"] == hashlib.sha256(policy).hexdigest()


def test_an_export_that_fails_is_a_warning_and_the_run_is_finished(train_here, tmp_path, monkeypatch):
    def fail(*_):
        raise RunError("the policy differs from itself")

    monkeypatch.setattr("lac.runs.recorder.learning_curve", lambda *_: None)
    monkeypatch.setattr("lac.runs.recorder.export_run", fail)
    end = train_here(*TINY)
    assert end.status == 0, end.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["warnings"] == ["the export failed: the policy differs from itself"]
    assert "the export failed" in end.stdout + end.stderr
    assert (tmp_path / "run" / "policy" / "final.safetensors").is_file()
    assert export_run(tmp_path / "run").file == tmp_path / "run" / "export" / "policy.c"
