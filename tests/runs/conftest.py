"""Runs and sweeps in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from run_support import TINY_RUN, TRAIN, Running, processes_of_session


@dataclass(frozen=True)
class Trained:
    folder: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def trained(train_once) -> Trained:
    """One run in a process of its own, its output piped."""
    folder, end = train_once("trained", *TINY_RUN, "wandb.mode=offline", "hydra.run.dir=run")
    assert end.status == 0, end.stderr
    return Trained(folder / "run", end.stdout, end.stderr)


@pytest.fixture
def start(clean_environment, tmp_path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def begin(*arguments: str) -> Running:
        console = tmp_path / f"console{len(started)}"
        with console.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, str(TRAIN), *arguments],
                cwd=tmp_path,
                env=clean_environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(Running(process, console))
        return started[-1]

    yield begin
    for running in started:
        for pid in processes_of_session(running.process.pid):
            os.kill(pid, signal.SIGKILL)
        running.process.wait()


@pytest.fixture
def bare_home(monkeypatch, tmp_path) -> Path:
    """No settings of W&B, and an empty home folder."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [*filter(lambda name: name.startswith("WANDB_"), os.environ), "NETRC"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def search(train_here, monkeypatch):
    """Runs a search of a level in this process; gives how it ended."""
    from level_searches import SEARCH  # noqa: PLC0415 (imports optuna)

    monkeypatch.syspath_prepend(Path(__file__).parent)
    # Pictures take longer than these runs; other tests look at them.
    monkeypatch.setattr("lac.runs.recorder.learning_curve", lambda *arguments: None)
    return lambda *arguments: train_here(*SEARCH, *arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of that search."""
    return tmp_path / "outputs" / "search"
