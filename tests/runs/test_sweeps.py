"""Real sweeps of ``scripts/train.py``: jobs that fail, what is to be run, and what is refused."""

import os
import re
from importlib import import_module
from pathlib import Path

import pytest
from run_support import contents, summary_of
from sweep_support import TINY_SWEEP, jobs_of, needs_joblib, needs_proc, statuses, table_of

from lac.sweeps.folder import sweep_lock

FAILING = [*TINY_SWEEP, "env=gym", "env.id=failing_env:Failing-v0", "hydra.sweep.dir=sweep"]


# Jobs that fail


def test_failed_job_keeps_its_traceback_and_the_others_finish(train_here, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    end = train_here(*FAILING, "+env.kwargs.fail_at=30,100000,50")
    sweep = tmp_path / "sweep"
    assert end.status == 1
    assert statuses(sweep) == ["failed", "finished", "failed"]
    failed = jobs_of(sweep)[0]
    for text in ((failed / "train.log").read_text(), summary_of(failed)["error"]):
        assert "Traceback" in text
        assert "RuntimeError: the simulator fell over" in text
    assert f"{failed.name}: failed, RuntimeError: the simulator fell over" in end.stdout
    assert f"see sweep/{failed.name}/train.log" in end.stdout
    assert [(row[0], row[-1]) for row in table_of(end.stdout)] == [
        ("failed", "0-fail_at_30"),
        ("finished", "1-fail_at_100000"),
        ("failed", "2-fail_at_50"),
    ]
    assert "Traceback" not in end.stdout + end.stderr


def test_job_whose_environment_cannot_be_built_fails_by_itself(train_here, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    end = train_here(*FAILING, "+env.kwargs.fail_at=100000", "network.observation_scale=1,[1]")
    assert end.status == 1
    assert statuses(tmp_path / "sweep") == ["finished", "failed"]
    assert "network.observation_scale" in (jobs_of(tmp_path / "sweep")[1] / "train.log").read_text()


@pytest.mark.slow
def test_a_sweep_is_evaluated_by_its_finished_jobs(train_here, script_here, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    train_here(*FAILING, "+env.kwargs.fail_at=100000,30", "train.seeds=1,2")
    end = script_here("evaluate.py", "run_dir=sweep", "episodes=2")
    assert end.status == 0, end.stderr
    results = sorted(path.parent.relative_to(tmp_path) for path in (tmp_path / "sweep").rglob("evaluation.json"))
    whole, several = (Path("sweep") / job.name for job in jobs_of(tmp_path / "sweep")[:2])
    assert results == [whole, several / "seed-0", several / "seed-1"]
    assert [line.split()[-1] for line in end.stdout.splitlines()[1:-1]] == [str(path) for path in results]
    folders = [line.removeprefix("not evaluated: ").partition(" is failed")[0] for line in end.stderr.splitlines()]
    one, several = (Path("sweep") / job.name for job in jobs_of(tmp_path / "sweep")[2:])
    assert sorted(folders) == [str(one), str(several), str(several / "seed-0")]
    assert "has no run of the seeds 1" in end.stderr
    end = script_here("evaluate.py", "run_dir=[sweep,elsewhere]")
    assert (end.status, "elsewhere does not exist" in end.stderr) == (2, True)


@pytest.mark.slow
def test_fail_fast_stops_at_the_first_failure(train_here, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    command = [*FAILING, "+env.kwargs.fail_at=100000,30,200000"]
    end = train_here(*command, "fail_fast=true")
    assert end.status == 1
    assert statuses(tmp_path / "sweep") == ["finished", "failed"], "the third has not even a folder"
    assert [row[0] for row in table_of(end.stdout)] == ["finished", "failed", "not run"]
    end = train_here(*command)
    assert statuses(tmp_path / "sweep") == ["finished", "failed", "finished"]
    assert "1 of them already finished" in end.stdout


@needs_joblib
@needs_proc
@pytest.mark.slow
def test_killed_worker_does_not_lose_the_other_jobs(start, clean_environment, tmp_path):
    clean_environment["PYTHONPATH"] = f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"
    running = start(
        *FAILING, "+env.kwargs.kill=true", "+env.kwargs.fail_at=100001,30,100002,100003", "hydra/launcher=joblib"
    )
    assert running.end() == 1, running.console
    assert statuses(tmp_path / "sweep") == ["finished", "failed", "finished", "finished"]
    failed = jobs_of(tmp_path / "sweep")[1]
    assert "killed" in summary_of(failed)["error"]
    assert "killed" in (failed / "train.log").read_text()
    assert [row[0] for row in table_of(running.console)] == ["finished", "failed", "finished", "finished"]


# What is to be run


def test_duplicates_run_once(train_here, tmp_path):
    end = train_here(*TINY_SWEEP, "seed=0,1,0", "hydra.sweep.dir=sweep")
    assert end.status == 0
    assert "1 of 3 jobs are duplicates, which run once" in end.stdout
    assert [job.name for job in jobs_of(tmp_path / "sweep")] == ["0-seed_0", "1-seed_1"]


@pytest.mark.parametrize(("seeds", "repeated"), [("0,1", "1 trainings are repeated"), ("0,2", None)])
def test_seeds_that_two_jobs_of_several_train_are_said(train_here, seeds, repeated):
    end = train_here(*TINY_SWEEP, f"seed={seeds}", "train.seeds=2", "dry_run=true")
    assert end.status == 0, end.stderr
    assert ("are repeated" in end.stdout) == (repeated is not None)
    assert (repeated or "") in end.stdout


def test_dry_run_lists_the_jobs_and_creates_nothing(train_here, tmp_path):
    command = [*TINY_SWEEP, "train.epochs=1,3", "seed=0,1"]
    end = train_here(*command, "dry_run=true")
    assert end.status == 0, end.stderr
    assert list(tmp_path.iterdir()) == []
    rows = [re.split(r"  +", line.strip()) for line in end.stdout.splitlines()]
    # Rounds of two updates after the steps 40 and 60, and 80 to 180.
    assert [row for row in rows if row[0].isdigit()] == [
        ["0", "to run", "60", "4", "train.epochs=1 seed=0"],
        ["1", "to run", "60", "4", "train.epochs=1 seed=1"],
        ["2", "to run", "180", "16", "train.epochs=3 seed=0"],
        ["3", "to run", "180", "16", "train.epochs=3 seed=1"],
    ]
    assert "to run: 480 environment steps, 40 updates" in end.stdout
    assert "outputs/multirun/" in end.stdout
    assert train_here(*TINY_SWEEP, "seed=0", "train.epochs=1", "hydra.sweep.dir=sweep").status == 0
    end = train_here(*command, "dry_run=true", "hydra.sweep.dir=sweep")
    assert "to run: 420 environment steps, 36 updates" in end.stdout, "what is done is not counted"


@pytest.mark.slow
def test_jobs_that_are_added_to_a_sweep_get_the_next_numbers(train_here, tmp_path):
    sweep = tmp_path / "sweep, the 'second'"
    folder = f'hydra.sweep.dir="{sweep.name}"'
    assert train_here(*TINY_SWEEP, "seed=5,6", folder).status == 0
    before = [contents(job) for job in jobs_of(sweep)]
    end = train_here(*TINY_SWEEP, "seed=6,7", folder)
    assert [job.name for job in jobs_of(sweep)] == ["0-seed_5", "1-seed_6", "2-seed_7"]
    assert [contents(job) for job in jobs_of(sweep)][:2] == before
    assert [row[-1] for row in table_of(end.stdout)] == ["1-seed_6", "2-seed_7"]


def test_same_command_has_the_same_folder(train_here, tmp_path):
    assert train_here(*TINY_SWEEP, "seed=0,1").status == 0
    end = train_here(*TINY_SWEEP[:1], "seed=0,1", *TINY_SWEEP[1:], "fail_fast=true", "wandb.mode=offline")
    assert "2 of them already finished" in end.stdout
    assert [len(jobs_of(folder)) for folder in (tmp_path / "outputs" / "multirun").iterdir()] == [2]


# What is refused


def test_two_sweeps_in_one_folder_are_refused(train_here, tmp_path):
    with sweep_lock(tmp_path / "sweep"):
        end = train_here(*TINY_SWEEP, "seed=0,1", "hydra.sweep.dir=sweep")
    assert end.status == 2
    assert "sweep: this sweep is running already" in end.stderr
    assert jobs_of(tmp_path / "sweep") == []


@pytest.mark.parametrize("wrong", ["algo.gamma=0.9,2", "algo.gamma=0.9,abc", "train.epochs=1,0"])
def test_wrong_value_is_refused_before_the_first_job(wrong, train_here, tmp_path):
    end = train_here(*TINY_SWEEP, wrong, "hydra.sweep.dir=sweep")
    assert end.status == 2
    key, _, values = wrong.partition("=")
    assert f"{key} is" in end.stderr
    assert values.partition(",")[2] in end.stderr
    assert list(tmp_path.iterdir()) == []


def test_error_of_a_misspelt_launcher_lists_the_options(train_here, tmp_path):
    end = train_here(*TINY_SWEEP, "seed=0,1", "hydra/launcher=jobli")
    assert end.status == 2
    (line,) = [line for line in end.stderr.splitlines() if "hydra/launcher" in line]
    assert "'jobli'" in line
    assert "Did you mean 'joblib'" in line
    assert all(name in line for name in ("basic", "ray", "ray_cluster", "submitit_local", "submitit_slurm"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("launcher", "extra"), [("joblib", "sweep"), ("submitit_slurm", "slurm"), ("ray", "ray")])
def test_launcher_that_is_not_installed_says_what_to_install(launcher, extra, train_here, monkeypatch, tmp_path):
    monkeypatch.setattr(import_module("hydra_plugins.lac_sweepers"), "find_spec", lambda _name: None)
    end = train_here(*TINY_SWEEP, "seed=0,1", f"hydra/launcher={launcher}")
    assert end.status == 2
    assert f"hydra/launcher is '{launcher}'" in end.stderr
    assert f"pip install -c constraints.txt -e '.[{extra}]'" in end.stderr
    assert list(tmp_path.iterdir()) == []


def test_sweep_tells_that_it_is_running(train_here, monkeypatch):
    monkeypatch.setattr("lac.loggers.heartbeat.SILENCE", 0.02)
    end = train_here(*TINY_SWEEP, "seed=0,1", "hydra.sweep.dir=sweep")
    assert end.status == 0
    assert "the sweep is running, 0 jobs in its folder have ended" in end.stderr
    assert "the sweep is running, 1 jobs in its folder have ended" in end.stderr
