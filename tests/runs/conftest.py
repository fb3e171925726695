"""Sweeps in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sweep_support import TRAIN, Running, processes_of_session


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
