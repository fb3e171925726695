"""How runs of ``scripts/train.py`` end: failures, Ctrl-C, termination, W&B dying."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from run_support import SIZE, TINY_RUN, Running, lines_of_metrics, metrics_of, summary_of, wandb_files, wandb_records

import lac

ENDLESS = [*TINY_RUN, "train.epochs=100000", "hydra.run.dir=run"]
FAILING = [
    "env=gym",
    "env.id=failing_env:Failing-v0",
    "tuned=none",
    "train.epochs=2",
    "train.num_test_episodes=1",
    "wandb.mode=disabled",
]


def test_training_that_fails_says_why(train_here, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    end = train_here(*FAILING, *SIZE, "train.steps_per_epoch=50", "hydra.run.dir=run")
    assert end.status == 1
    run = tmp_path / "run"
    summary = summary_of(run)
    assert summary["status"] == "failed"
    for text in (summary["error"], (run / "train.log").read_text()):
        assert "Traceback" in text
        assert "the simulator fell over" in text
    assert "the simulator fell over" in end.stdout + end.stderr
    assert [row["epoch"] for row in metrics_of(run)] == [1]
    assert (run / "policy" / "final.safetensors").is_file()


def epochs_after(run: Path, number: int) -> Callable[[], bool]:
    """Tells whether a run has logged so many epochs more than it had."""
    goal = lines_of_metrics(run) + number
    return lambda: lines_of_metrics(run) >= goal


def assert_interrupted(running: Running, run: Path, number: int) -> None:
    assert running.end() == 128 + number
    summary, rows = summary_of(run), metrics_of(run)
    assert summary["status"] == "interrupted"
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    # A signal may arrive while the last epoch is being written down.
    assert summary["final"]["env_steps"] in [row["env_steps"] for row in rows[-2:]]
    lac.load_agent(run)
    assert "interrupted" in running.console
    assert "Traceback" not in running.console


def test_ctrl_c_keeps_what_there_is(start, tmp_path):
    run, running = tmp_path / "run", start(*ENDLESS, "wandb.mode=disabled")
    running.wait_alive_until(epochs_after(run, 2))
    assert summary_of(run)["status"] == "running"
    running.process.send_signal(signal.SIGINT)
    assert_interrupted(running, run, signal.SIGINT)


def test_termination_keeps_what_there_is(start, clean_environment, tmp_path):
    run, running = tmp_path / "run", start(*ENDLESS, "wandb.mode=offline")
    running.wait_alive_until(epochs_after(run, 2))
    running.process.send_signal(signal.SIGTERM)
    assert_interrupted(running, run, signal.SIGTERM)
    (file,) = wandb_files(run)
    records = wandb_records(file, clean_environment)
    logged = [record["item"]["epoch"] for record in records["history"] if "epoch" in record["item"]]
    epochs = [row["epoch"] for row in metrics_of(run)]
    assert logged in (epochs, epochs[:-1])
    assert records["exit"][0]["exit_code"] != 0


def descendants(pid: int) -> list[int]:
    children = [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]
    return children + [found for child in children for found in descendants(child)]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds W&B's process in /proc")
def test_training_goes_on_when_the_process_of_wandb_dies(start, tmp_path):
    run, running = tmp_path / "run", start(*ENDLESS, "wandb.mode=offline")
    running.wait_alive_until(lambda: wandb_files(run) != [])
    ours = descendants(running.process.pid)
    services = [pid for pid in ours if "wandb-core" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert services
    for pid in services:
        os.kill(pid, signal.SIGKILL)
    running.wait_alive_until(epochs_after(run, 3))
    running.process.send_signal(signal.SIGINT)
    assert_interrupted(running, run, signal.SIGINT)
    warnings = [line for line in (run / "train.log").read_text().splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert "W&B" in warnings[0]
