"""Searches with ``hydra/sweeper=optuna``, of an environment whose best value is known beforehand."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

optuna = pytest.importorskip("optuna")

from level_searches import ANY_LEVEL, LEVEL, SEARCH, study_of  # noqa: E402
from run_support import lines_of_metrics  # noqa: E402

from lac.runs.folder import read_summary  # noqa: E402

HERE = Path(__file__).parent
TRAIN = HERE.parents[1] / "scripts" / "train.py"


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.trials]


def test_a_search_leaves_a_study_a_table_and_a_run_folder_a_trial(search, folder):
    end = search(ANY_LEVEL, "hydra.sweeper.n_trials=3", "hydra.sweeper.pruner.name=none", "algo.alpha3=0.1,0.3")
    assert end.status == 0, end.stderr
    study = study_of(folder)
    assert states(study) == ["COMPLETE"] * 3
    for trial in study.trials:
        assert trial.value == pytest.approx(10 * trial.params["env.kwargs.level"])
        assert trial.intermediate_values == pytest.approx(dict.fromkeys((1, 2, 3, 4), trial.value))
        run = folder / trial.user_attrs["folder"]
        assert run.name.startswith(f"{trial.number}-level_")
        assert read_summary(run)["status"] == "finished"
        assert f"level: {trial.params['env.kwargs.level']!r}" in (run / "config.yaml").read_text()
    result = json.loads((folder / "search.json").read_text())
    best = min(study.trials, key=lambda trial: trial.value)
    assert result["best"]["number"] == best.number
    assert result["env_steps"] == result["env_steps_without_pruning"] == 3 * 40
    for text in (result["best"]["command"], end.stdout):
        assert f"env.kwargs.level={best.params['env.kwargs.level']!r}" in text
        assert f"algo.alpha3={best.params['algo.alpha3']}" in text


def test_a_poor_trial_ends_early_and_is_recorded_as_pruned(search, folder):
    arguments = ["hydra.sweeper.n_trials=5", "hydra.sweeper.sampler.name=random", "hydra.sweeper.pruner.name=halving"]
    end = search("env.kwargs.level=choice(1,2,3,4,5)", *arguments, "hydra.sweeper.pruner.min_resource=2")
    assert end.status == 0, end.stderr
    # Successive halving: after two tests, a trial that is not the best so far is pruned; costs are exact.
    best, expected = 6, []
    for trial in study_of(folder).trials:
        level = trial.params["env.kwargs.level"]
        best = min(best, level)
        expected.append(("COMPLETE", 40) if level == best else ("PRUNED", 20))
        summary = read_summary(folder / trial.user_attrs["folder"])
        assert (trial.state.name, summary["final"]["env_steps"]) == expected[-1]
        assert summary["status"] == {"COMPLETE": "finished", "PRUNED": "pruned"}[trial.state.name]
        assert trial.value == 10 * level
    assert ("PRUNED", 20) in expected
    result = json.loads((folder / "search.json").read_text())
    assert result["env_steps"] == sum(steps for _, steps in expected)
    assert (folder / result["best"]["folder"] / "policy" / "final.safetensors").exists()
    assert "pruned" in end.stdout


def test_a_search_is_continued_and_its_failures_are_recorded(search, folder):
    levels = "env.kwargs.level=1,2,900"
    assert search(levels, "hydra.sweeper.n_trials=2").status == 0
    end = search(levels, "hydra.sweeper.n_trials=50")
    assert end.status == 0, end.stderr
    assert "search of 3 trials" in end.stdout
    assert "2 of them already done" in end.stdout
    found = {trial.params["env.kwargs.level"]: trial for trial in study_of(folder).trials}
    assert {level: trial.state.name for level, trial in found.items()} == {1: "COMPLETE", 2: "COMPLETE", 900: "FAIL"}
    assert "fell over" in (folder / found[900].user_attrs["folder"] / "train.log").read_text()
    assert len(study_of(folder).trials) == 3


def test_a_search_without_a_result_ends_with_1(search, folder):
    assert search("env.kwargs.level=900,901", "hydra.sweeper.n_trials=1").status == 1
    assert json.loads((folder / "search.json").read_text())["best"] is None


def test_early_termination_is_penalised(search, folder):
    search("env.kwargs.dies=true,false", "env.kwargs.level=5", "hydra.sweeper.n_trials=2")
    found = {trial.params["env.kwargs.dies"]: trial for trial in study_of(folder).trials}
    assert read_summary(folder / found[True].user_attrs["folder"])["final"]["cost_mean"] == 5
    assert found[True].value == pytest.approx(5 + 1e6)
    assert study_of(folder).best_params == {"env.kwargs.dies": False}


def test_dry_run_describes_the_search_and_leaves_nothing(search, folder):
    end = search(ANY_LEVEL, "hydra.sweeper.n_trials=7", "dry_run=true")
    assert end.status == 0, end.stderr
    assert "7 trials" in end.stdout
    assert "env.kwargs.level=1 to 100" in end.stdout.replace("++", "")
    assert f"{7 * 40} environment steps" in end.stdout
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (
            [
                *("hydra.sweeper.sampler.name=tep", "hydra.sweeper.pruner.name=medan", "hydra.sweeper.n_trials=0"),
                ANY_LEVEL,
            ],
            [
                *("hydra.sweeper.sampler.name is 'tep'", "tpe, random", "'tpe'?"),
                *("median, percentile, halving, none", "'median'?"),
                *("hydra.sweeper.n_trials is 0", "of at least 1"),
            ],
        ),
        (["hydra.sweeper.n_jobs=2", ANY_LEVEL], ["the launcher runs 1 at a time", "hydra/launcher=joblib"]),
        (["seed=1"], ["nothing is searched for"]),
        (["algo.gamma=interval(0.5,2.0)"], ["algo.gamma is 2.0", "from 0 to 1"]),
        (["train.batch_size=interval(16,64)"], ["train.batch_size is a whole number", "int(interval(16,64))"]),
        (["train.num_test_episodes=0", ANY_LEVEL], ["a search needs test episodes"]),
        (["algo.alpha4=0.1", ANY_LEVEL], ["algo.alpha4 is not a key"]),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(search, folder, arguments, sentences):
    end = search(*arguments)
    assert end.status == 2, end.stdout
    for sentence in sentences:
        assert sentence in end.stderr
    assert "level" not in end.stderr, "nothing is wrong with that parameter"
    assert not folder.exists()


def test_several_seeds_are_averaged_in_a_trial(search, folder):
    size = ["train.steps_per_epoch=20", "train.epochs=2", "train.seeds=3", "seed=7"]
    end = search(
        "env=gym",
        "env.id=Pendulum-v1",
        "algo.opt_type=maximize",
        "env.reward_max=0",
        "train.max_ep_len=20",
        "algo.alpha3=0.1,0.2",
        "hydra.sweeper.n_trials=1",
        *size,
    )
    assert end.status == 0, end.stderr
    (trial,) = study_of(folder).trials
    run = folder / trial.user_attrs["folder"]
    costs = []
    for seed in (7, 8, 9):
        summary = read_summary(run / f"seed-{seed}")
        assert (summary["status"], summary["seed"]) == ("finished", seed)
        costs.append(summary["final"]["cost_mean"])
    assert len(set(costs)) == 3
    assert trial.value == pytest.approx(sum(costs) / 3)
    rows = [json.loads(line)["test/cost_mean"] for line in (run / "seed-8" / "metrics.jsonl").read_text().splitlines()]
    assert trial.intermediate_values[3] == pytest.approx((costs[0] + rows[0]) / 2)
    assert trial.intermediate_values[6] == pytest.approx(trial.value)
    assert read_summary(run)["final"]["env_steps"] == 3 * 40


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(TRAIN), *SEARCH, *arguments]


@pytest.mark.slow
def test_killed_searches_are_continued_without_a_trial_too_many(clean_environment, folder, tmp_path):
    often = "train.checkpoint_seconds=0"
    arguments = command(ANY_LEVEL, "hydra.sweeper.n_trials=6", "+env.kwargs.seconds=0.1", often)
    environment = clean_environment | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    for trials in (2, 4):
        process = subprocess.Popen(arguments, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 240
        while not is_running(folder, trials) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert states(study_of(folder))[-1] == "RUNNING"
    before = [trial.params for trial in study_of(folder).trials]
    end = subprocess.run(
        arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert end.returncode == 0, end.stderr
    trials = study_of(folder).trials
    assert set(states(study_of(folder))) <= {"COMPLETE", "PRUNED"}
    assert len(trials) == 6
    assert [trial.params for trial in trials[: len(before)]] == before
    assert len({trial.params["env.kwargs.level"] for trial in trials}) == 6
    runs = [path for path in folder.iterdir() if (path / "summary.json").exists()]
    assert len(runs) == 6
    assert sum(len(read_summary(run).get("resumptions", [])) for run in runs) == 2, "trials go on where they were"
    assert not (folder / "attempts").exists()


def is_running(folder: Path, trial: int) -> bool:
    """Whether the run of a trial has ended an epoch."""
    return any(lines_of_metrics(run) > 0 for run in folder.glob(f"{trial}-*"))


@pytest.mark.slow
def test_free_slots_of_worker_processes_are_filled_at_once(clean_environment, folder, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    options = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_trials=4"]
    arguments = command(ANY_LEVEL, *options, "+env.kwargs.seconds=interval(0.0,0.05)", "hydra.sweeper.pruner.name=none")
    environment = clean_environment | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    end = subprocess.run(
        arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert end.returncode == 0, end.stderr
    assert states(study_of(folder)) == ["COMPLETE"] * 4
    assert [set(trial.intermediate_values) for trial in study_of(folder).trials] == [{1, 2, 3, 4}] * 4
    lengths = [trial.params["env.kwargs.seconds"] for trial in study_of(folder).trials]
    assert abs(lengths[0] - lengths[1]) > 0.005, "the first two end a second apart: there are over 200 resets"
    with sqlite3.connect(folder / "study.db") as database:
        times = database.execute("select datetime_start, datetime_complete from trials order by number").fetchall()
    first, second, third, _ = times
    assert second[0] < first[1], "the second trial begins before the first has ended"
    assert third[0] < max(first[1], second[1]), "the third does not wait for both"


def test_seeds_without_a_search(train_here, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(HERE)
    end = train_here(*LEVEL, "train.seeds=2", "seed=4", "hydra.run.dir=run")
    assert end.status == 0, end.stderr
    summary = read_summary(tmp_path / "run")
    assert (summary["status"], summary["seeds"], summary["costs"]) == ("finished", [4, 5], [10.0, 10.0])
    assert "seed: 5" in (tmp_path / "run" / "seed-5" / "config.yaml").read_text()
    assert "seeds: 1" in (tmp_path / "run" / "seed-5" / "config.yaml").read_text()


def test_a_grid_of_a_range_is_refused_with_what_to_do(train_here):
    end = train_here("-m", "algo.alpha3=interval(0.1,0.5)")
    assert (end.status, "hydra/sweeper=optuna" in end.stderr) == (2, True)
