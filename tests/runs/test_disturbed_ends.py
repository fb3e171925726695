"""How runs end when their end is disturbed: signals, a full disk, folders that are removed, left or shared."""

import errno
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gymnasium
import pytest
from run_support import SIZE, TINY_RUN, TRAIN, contents, lines_of_metrics, metrics_of, summary_of
from sweep_support import TINY_SWEEP, jobs_of

import lac
from lac.runs.folder import new_folder
from lac.runs.recorder import RunRecorder

ENDLESS = [*TINY_RUN, "train.epochs=100000", "wandb.mode=disabled", "hydra.run.dir=run"]
RUDE = ["env=gym", "env.id=rude_env:Rude-v0", "train.epochs=2", "train.num_test_episodes=1", "wandb.mode=disabled"]
RUDE += [*SIZE, "hydra.run.dir=run"]
SMALL = {"hidden_sizes": {"actor": [8], "critic": [8]}}


@pytest.fixture
def train_rude(train_here, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return lambda *arguments: train_here(*RUDE, *arguments)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_further_signals_do_not_disturb_the_end(start, tmp_path, number):
    run, running = tmp_path / "run", start(*ENDLESS)
    running.wait_alive_until(lambda: lines_of_metrics(run) > 0)
    while running.process.poll() is None:
        running.process.send_signal(number)
        time.sleep(0.05)
    assert summary_of(run)["status"] == "interrupted"
    assert (run / "learning_curve.png").is_file()
    lac.load_agent(run)
    assert "Traceback" not in running.console


@pytest.mark.slow
def test_a_signal_while_wandb_finishes_comes_after_the_end(start, tmp_path):
    run = tmp_path / "run"
    running = start(*TINY_RUN, "train.epochs=1", "wandb.mode=offline", "hydra.run.dir=run")
    running.wait_alive_until((run / "learning_curve.png").exists)
    running.process.send_signal(signal.SIGTERM)
    running.end()
    assert summary_of(run)["status"] == "finished"


@pytest.mark.parametrize("policies", ["no policy", pytest.param("the second policy", marks=pytest.mark.slow)])
def test_a_full_disk_ends_a_run_with_a_sentence(clean_environment, tmp_path, policies):
    """A limit on the size of files, below or a little above that of a policy, stands for a disk that fills."""
    size = {"no policy": 10_000, "the second policy": 60_000}[policies]
    arguments = [*TINY_RUN, "train.epochs=400", "network.hidden_sizes.actor=[32]", "network.hidden_sizes.critic=[32]"]
    end = subprocess.run(
        [
            sys.executable,
            str(TRAIN),
            *arguments,
            "hydra.output_subdir=null",
            "hydra.run.dir=run",
            "wandb.mode=disabled",
        ],
        cwd=tmp_path,
        env=clean_environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    assert end.returncode == 1
    assert "Traceback" not in end.stdout + end.stderr
    assert "This failed: OSError: [Errno 27] File too large" in end.stderr
    assert "a file would be larger than the limit (ulimit -f): free space for run, then go on with" in end.stderr
    assert "resume=run" in end.stderr
    run = tmp_path / "run"
    assert summary_of(run)["status"] == "failed"
    assert "File too large" in summary_of(run)["error"]
    assert summary_of(run)["had_no_space"] is True
    assert list(run.rglob("*.tmp")) == []
    if policies == "the second policy":
        lac.load_agent(run)


def test_a_run_that_goes_on_names_its_own_folder_where_the_disk_is_full(train_here, trained, tmp_path):
    """Hydra writes into it before the run begins, and knows it late."""
    shutil.copytree(trained.folder, tmp_path / "run", symlinks=True)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, most))
    try:
        end = train_here("resume=run", "train.epochs=3")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert end.status == 2
    assert f"free space for {tmp_path / 'run'}" in end.stderr


@pytest.mark.slow
def test_a_sweep_goes_on_with_a_job_whose_disk_was_full(train_here, monkeypatch, tmp_path):
    command = [*TINY_SWEEP, "seed=0,1", "train.checkpoint_seconds=0.001", "hydra.sweep.dir=sweep"]
    with monkeypatch.context() as patch:
        save, full = RunRecorder.epoch, OSError(errno.ENOSPC, "No space left on device")

        def fill(self, metrics, agent):
            if metrics["epoch"] == 2:
                raise full
            return save(self, metrics, agent)

        patch.setattr(RunRecorder, "epoch", fill)
        assert train_here(*command).status == 1
    jobs = jobs_of(tmp_path / "sweep")
    assert [summary_of(job)["status"] for job in jobs] == ["failed"] * 2
    end = train_here(*command)
    assert end.status == 0, end.stdout + end.stderr
    for job in jobs:
        assert summary_of(job)["resumptions"][0]["env_steps"] > 0
        assert [row["epoch"] for row in metrics_of(job)] == [1, 2]
        assert not {"error", "had_no_space"} & summary_of(job).keys()
    assert not list((tmp_path / "sweep").glob("attempts/*"))


def test_an_environment_may_change_the_working_directory(train_rude, monkeypatch, tmp_path):
    (tmp_path / "other").mkdir()
    assert train_rude(f"+env.kwargs.move_to={tmp_path / 'other'}").status == 0
    assert Path.cwd() == tmp_path
    assert list((tmp_path / "other").iterdir()) == []
    run = tmp_path / "run"
    assert summary_of(run)["status"] == "finished"
    assert len(metrics_of(run)) == 2
    assert (run / "learning_curve.png").is_file()


def test_an_environment_may_change_the_working_directory_of_python(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parent)
    (tmp_path / "other").mkdir()
    lac.lac(
        lambda: gymnasium.make("rude_env:Rude-v0", move_to=str(tmp_path / "other")),
        ac_kwargs=SMALL,
        epochs=2,
        steps_per_epoch=50,
        update_after=100,
        logger_kwargs={"output_dir": "run", "quiet": True},
    )
    assert Path.cwd() == tmp_path
    assert list((tmp_path / "other").iterdir()) == []
    assert summary_of(tmp_path / "run")["status"] == "finished"


def test_a_run_whose_folder_is_removed_fails(train_rude, tmp_path):
    end = train_rude(f"+env.kwargs.remove={tmp_path / 'run'}")
    assert end.status == 1
    assert "run was removed while the run was writing to it" in end.stderr
    assert summary_of(tmp_path / "run")["status"] == "failed"


@pytest.mark.parametrize("name", ["cost in $", "$x^$", r"\frac{$_$", "_private"])
def test_names_are_no_formulas(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parent)
    lac.lac(
        lambda: gymnasium.make("rude_env:Rude-v0"),
        ac_kwargs=SMALL,
        epochs=1,
        steps_per_epoch=50,
        update_after=100,
        logger_kwargs={"output_dir": "run", "exp_name": name, "quiet": True},
    )
    assert summary_of(tmp_path / "run")["status"] == "finished"
    assert (tmp_path / "run" / "learning_curve.png").is_file()


def test_a_step_of_the_end_that_fails_does_not_keep_the_others(train_rude, monkeypatch, tmp_path):
    def fails(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr("lac.runs.recorder.learning_curve", fails)
    end = train_rude()
    assert end.status == 0
    assert "the picture failed at the end of the run (RuntimeError: no ink)" in end.stdout
    assert summary_of(tmp_path / "run")["status"] == "finished"
    lac.load_agent(tmp_path / "run")


def test_folders_of_one_second_are_different(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: new_folder(tmp_path / "day" / "12-00-00-lac"), range(24)))
    assert len(set(folders)) == 24
    assert all(folder.is_dir() for folder in folders)


def test_a_second_process_changes_nothing_in_a_folder(start, tmp_path):
    run, running = tmp_path / "run", start(*ENDLESS)
    running.wait_alive_until(lambda: lines_of_metrics(run) > 0)
    before = contents(run / ".hydra")
    second = start(*TINY_RUN, "seed=7", "wandb.mode=disabled", "hydra.run.dir=run")
    assert second.end() == 2
    assert "hydra.run.dir is 'run'" in second.console
    assert "used by another process" in second.console
    running.process.send_signal(signal.SIGINT)
    running.end()
    assert contents(run / ".hydra") == before
    third = start(*TINY_RUN, "seed=7", "wandb.mode=disabled", "hydra.run.dir=run")
    assert third.end() == 2
    assert "already contains a run" in third.console
    assert contents(run / ".hydra") == before


def test_relative_paths_hold_where_hydra_changes_the_working_directory(train_rude, tmp_path):
    end = train_rude("hydra.job.chdir=true")
    assert end.status == 0
    assert "run_dir=run\n" in end.stdout
    assert summary_of(tmp_path / "run")["status"] == "finished"
    again = train_rude("hydra.job.chdir=true", "hydra.run.dir=again", "train.start_policy=run")
    assert again.status == 0, again.stderr
    config = json.dumps((tmp_path / "again" / "config.yaml").read_text())
    assert str(tmp_path / "run") in config
