"""The commands evaluate and report over folders in which a run is damaged: the others are not affected."""

import json
import re
import shutil
from pathlib import Path

import pytest
from saved_run_support import SUMMARY

from lac.cli import testing


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
    monkeypatch.setattr("lac.figures.trajectories", lambda _rollouts, path, *_: path.touch())
    return lambda *arguments: script_here("evaluate.py", "episodes=2", *arguments)


def runs_in_table(end):
    """The last word of each row, which may be on a line of its own, with the folder in which the command ran."""
    rows = end.stdout[: end.stdout.index("wrote ")].splitlines()[1:]
    return [str(Path.cwd() / row.split()[-1]) for row in rows if not row.split()[-1].isdigit()]


def rename(run, old, new):
    config = (run / "config.yaml").read_text()
    assert old in config
    (run / "config.yaml").write_text(config.replace(old, new))


DAMAGES = {
    "summary.json": lambda run: (run / "summary.json").write_text(""),
    "config.yaml": lambda run: (run / "config.yaml").unlink(),
    "final.safetensors": lambda run: shutil.rmtree(run / "policy"),
    "lac/Nowhere-v1": lambda run: rename(run, "lac/CartPoleCost-v1", "lac/Nowhere-v1"),
}


@pytest.mark.parametrize("problem", DAMAGES)
@pytest.mark.parametrize(
    "arguments", [[], ["disturbance=impulse", "disturbance.at_step=2"]], ids=["nominal", "disturbed"]
)
def test_a_run_that_cannot_be_tested_is_named_and_the_others_are_tested(problem, arguments, evaluate, sweep):
    DAMAGES[problem](sweep / "other")
    end = evaluate(f"run_dir={sweep}", *arguments)
    assert end.status == 1
    assert "sweep/good" in end.stdout
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


def test_runs_that_are_passed_over_and_folders_without_runs_are_named(evaluate, sweep, tmp_path):
    (sweep / "other" / "summary.json").write_text('{"status": "failed"}')
    end = evaluate(f"run_dir={sweep}")
    assert (end.status, end.stderr) == (0, f"not evaluated: {sweep / 'other'} is failed\n")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").touch()
    end = evaluate(f"run_dir=[{sweep / 'good'},{tmp_path / 'foreign'}]")
    assert (end.status, end.stderr) == (1, f"not evaluated: {tmp_path / 'foreign'} has no runs in it\n")
    end = evaluate(f"run_dir={tmp_path / 'foreign'}")
    assert (end.status, end.stdout) == (2, "")


def test_a_run_whose_environment_fails_in_a_test_is_named(evaluate, sweep, monkeypatch):
    rollout, folders = testing.rollout, iter(["good", "other"])

    def failing(*arguments, **options):
        if next(folders) == "good":
            raise KeyError("from the environment's own code")
        return rollout(*arguments, **options)

    monkeypatch.setattr(testing, "rollout", failing)
    end = evaluate(f"run_dir={sweep}")
    assert (end.status, runs_in_table(end)) == (1, [str(sweep / "other")])
    assert f"{sweep / 'good' / 'config.yaml'} failed in a test: KeyError" in end.stderr


def test_a_result_that_cannot_be_written_is_named(evaluate, sweep):
    (sweep / "good" / "evaluation.json").mkdir()
    end = evaluate(f"run_dir={sweep}")
    assert (end.status, runs_in_table(end)) == (1, [str(sweep / "other")])
    assert f"the results of {sweep / 'good'} cannot be written" in end.stderr


def test_episodes_go_on_to_the_given_number_of_steps(evaluate, sweep):
    usual, longer = evaluate(f"run_dir={sweep / 'good'}"), evaluate(f"run_dir={sweep / 'good'}", "steps=9")
    assert (usual.status, longer.status, longer.stderr) == (0, 0, "")
    results = [json.loads((sweep / "good" / f"evaluation{name}.json").read_text()) for name in ("", "-steps=9")]
    assert [result["ep_len_mean"] for result in results] == [7.0, 9.0]  # the run was trained with max_ep_len=7
    assert [result["steps"] for result in results] == [None, 9]
    impulse = ["disturbance=impulse", "disturbance.at_step=8"]
    assert evaluate(f"run_dir={sweep / 'good'}", "steps=9", *impulse).status == 0
    end = evaluate(f"run_dir={sweep / 'good'}", "steps=8", *impulse)
    assert (end.status, "disturbance.at_step is 8, but steps=8 ends episodes before it" in end.stderr) == (2, True)


def test_the_table_has_at_most_100_columns(evaluate, sweep):
    deep = shutil.copytree(sweep / "good", sweep / ("a" * 30) / ("b" * 30))
    end = evaluate(f"run_dir=[{sweep / 'good'},{deep}]")
    assert max(map(len, end.stdout[: end.stdout.index("wrote ")].splitlines())) <= 100
    assert set(runs_in_table(end)) == {str(sweep / "good"), str(deep)}


@pytest.mark.slow
def test_no_test_replaces_a_test_of_something_else(evaluate, sweep):
    run = sweep / "good"
    shutil.copy(run / "policy/final.safetensors", run / "policy/best.safetensors")
    impulse = ["disturbance=impulse", "disturbance.at_step=2"]
    words = ["disturbance.magnitude=5", "disturbance.magnitude=[5]", "disturbance.magnitude=-5", "policy=best"]
    tests = [[], ["policy=best"], impulse, *([*impulse, word] for word in words)]
    tests += [["disturbance=parameters", f"disturbance.values.{name}=1.5"] for name in ("gravity", "length")]
    for arguments in tests:
        end = evaluate(f"run_dir={run}", *arguments)
        assert end.status == 0, end.stderr
    results = [json.loads(file.read_text()) for file in run.glob("evaluation*.json")]
    assert len(results) == len(tests)
    evaluate(f"run_dir={run}", *impulse, "disturbance.magnitude=5.0")
    assert len(list(run.glob("evaluation*.json"))) == len(tests)
    assert json.loads((run / "evaluation.json").read_text())["policy"] == "final"


REPORT_DAMAGES = DAMAGES | {
    "no test": lambda run: (run / "summary.json").write_text('{"status": "finished", "final": [1]}'),
    "cost_mean is nan": lambda run: (run / "summary.json").write_text(
        json.dumps({"status": "finished", "final": SUMMARY["final"] | {"cost_mean": float("nan")}})
    ),
    "cost_mean is 'low'": lambda run: (run / "evaluation.json").write_text(
        json.dumps(SUMMARY["final"] | {"policy": "final", "cost_mean": "low"})
    ),
    "names of environment": lambda run: rename(run, "name: cartpole_cost", "name: [a]"),
    "env_steps is": lambda run: (run / "metrics.jsonl").write_text('{"env_steps": [1], "test/cost_mean": 1}\n'),
    "metrics.jsonl": lambda run: (run / "metrics.jsonl").unlink(),
    "line 1": lambda run: (run / "metrics.jsonl").write_text("{\n{}\n"),
    "evaluation.json": lambda run: (run / "evaluation.json").write_text("{"),
    "no test episodes": lambda run: (run / "metrics.jsonl").write_text('{"env_steps": 1}\n'),
}


@pytest.mark.parametrize("problem", REPORT_DAMAGES)
def test_a_report_leaves_out_damaged_runs_and_names_them(problem, script_here, sweep):
    REPORT_DAMAGES[problem](sweep / "other")
    end = script_here("report.py", f"runs={sweep}", "yardsticks=false")
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


@pytest.mark.parametrize("arguments", [[], ["disturbance=impulse", "disturbance.at_step=2"]])
def test_evaluate_says_what_it_wrote(arguments, evaluate, sweep):
    before = set(sweep.rglob("*"))
    end = evaluate(f"run_dir={sweep / 'good'}", *arguments)
    written = set(sweep.rglob("*")) - before
    assert {path.suffix for path in written} >= {".json"}
    (line,) = [line for line in end.stdout.splitlines() if line.startswith("wrote ")]
    assert set(line.removeprefix("wrote ").split(" and ")) == {str(path.relative_to(sweep.parent)) for path in written}
    end = evaluate(f"run_dir={sweep}", *arguments)
    (line,) = [line for line in end.stdout.splitlines() if line.startswith("wrote ")]
    assert set(line.removeprefix("wrote ").split(" and ")) == {f"{path.name} into 2 run folders" for path in written}
