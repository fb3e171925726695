"""The commands evaluate and report over folders in which a run is damaged: the others are not affected."""

import json
import re
import shutil

import pytest
from saved_run_support import compose_config, save_run


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "run"
    save_run(folder, compose_config())
    return folder


@pytest.fixture
def sweep(saved, tmp_path):
    """A folder of two runs, ``good`` and ``other``, which differ in their seed."""
    for seed, name in enumerate(("good", "other")):
        run = shutil.copytree(saved, tmp_path / "sweep" / name)
        config = (run / "config.yaml").read_text()
        (run / "config.yaml").write_text(re.sub(r"\nseed: \w+\n", f"\nseed: {seed}\n", config))
    return tmp_path / "sweep"


@pytest.fixture
def evaluate(script_here, monkeypatch):
    monkeypatch.setattr("lac.figures.trajectories", lambda _rollouts, path, _title: path.touch())
    return lambda *arguments: script_here("evaluate.py", "episodes=2", *arguments)


def runs_in_table(end):
    return [line.split()[0] for line in end.stdout.splitlines()[1:-1]]


def rename_environment(run):
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("lac/CartPoleCost-v1", "lac/Nowhere-v1"))


DAMAGES = {
    "summary.json": lambda run: (run / "summary.json").write_text(""),
    "config.yaml": lambda run: (run / "config.yaml").unlink(),
    "final.safetensors": lambda run: shutil.rmtree(run / "policy"),
    "lac/Nowhere-v1": rename_environment,
}


@pytest.mark.parametrize("problem", DAMAGES)
@pytest.mark.parametrize(
    "arguments", [[], ["disturbance=impulse", "disturbance.at_step=2"]], ids=["nominal", "disturbed"]
)
def test_a_run_that_cannot_be_tested_is_named_and_the_others_are_tested(problem, arguments, evaluate, sweep):
    DAMAGES[problem](sweep / "other")
    end = evaluate(f"run_dir={sweep}", *arguments)
    assert end.status == 1
    assert str(sweep / "good") in end.stdout
    (line,) = end.stderr.splitlines()
    assert problem in line
    assert "other" in line
    assert "other" not in end.stdout


@pytest.mark.parametrize("problem", DAMAGES)
def test_one_run_that_cannot_be_tested_is_refused_in_a_sentence(problem, evaluate, sweep):
    DAMAGES[problem](sweep / "other")
    end = evaluate(f"run_dir={sweep / 'other'}")
    assert (end.status, end.stdout) == (2, "")
    heading, sentence = end.stderr.splitlines()
    assert heading == "This cannot be run:"
    assert problem in sentence


def test_metrics_are_not_needed_for_a_test(evaluate, sweep):
    (sweep / "other" / "metrics.jsonl").write_text("")
    end = evaluate(f"run_dir=[{sweep},{sweep / 'good'}]")
    assert (end.status, end.stderr) == (0, "")
    assert runs_in_table(end) == [str(sweep / name) for name in ("good", "other")]


def test_runs_that_are_not_finished_are_tested_where_they_are_named_themselves(evaluate, sweep):
    (sweep / "other" / "summary.json").write_text('{"status": "failed"}')
    assert runs_in_table(evaluate(f"run_dir={sweep}")) == [str(sweep / "good")]
    assert runs_in_table(evaluate(f"run_dir={sweep / 'other'}")) == [str(sweep / "other")]


def test_a_job_that_failed_before_it_had_a_config_is_no_error(evaluate, sweep):
    (sweep / "other" / "summary.json").write_text('{"status": "failed"}')
    (sweep / "other" / "config.yaml").unlink()
    end = evaluate(f"run_dir={sweep}")
    assert (end.status, runs_in_table(end)) == (0, [str(sweep / "good")])


REPORT_DAMAGES = DAMAGES | {
    "metrics.jsonl": lambda run: (run / "metrics.jsonl").unlink(),
    "line 1": lambda run: (run / "metrics.jsonl").write_text("{\n{}\n"),
    "evaluation.json": lambda run: (run / "evaluation.json").write_text("{"),
    "no test episodes": lambda run: (run / "metrics.jsonl").write_text('{"env_steps": 1}\n'),
}


@pytest.mark.parametrize("problem", REPORT_DAMAGES)
def test_a_report_leaves_out_damaged_runs_and_names_them(problem, script_here, sweep):
    REPORT_DAMAGES[problem](sweep / "other")
    end = script_here("report.py", f"runs={sweep}")
    assert (end.status, end.stderr) == (0, "")
    data = json.loads((sweep / "report.json").read_text())
    reported = [run for group in data["groups"] for run in group["runs"]]
    if problem in {"final.safetensors", "lac/Nowhere-v1"}:  # neither policies nor environments are needed
        assert (len(reported), data["left out"]) == (2, [])
        return
    assert reported == [str(sweep / "good")]
    (reason,) = data["left out"]
    assert problem in reason
    assert "other" in reason
    assert f"left out: {reason}" in end.stdout
