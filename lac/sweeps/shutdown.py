"""Early end of a sweep and its jobs: on Ctrl-C or SIGTERM, by ``fail_fast``, or if the sweep's process dies."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lac.runs.ending import SIGNALS
from lac.sweeps.folder import is_busy, is_stopped, request_stop

_POLL_SECONDS = 0.5
_SECONDS_TO_END = 20.0  # for a job to save its policy, draw its figure and close its W&B run


class Terminated(SystemExit):
    """Raised in a job or a sweep that has to end."""


# In the sweep's own process


@contextmanager
def graceful_shutdown(folder: Path) -> Iterator[None]:
    """On a signal, let the jobs in other processes save their results and end.

    Without it, launchers kill the jobs or leave them running. A second signal ends the sweep at once.

    Args:
        folder: The sweep folder.

    Raises:
        SystemExit: A signal was received; its status is that of the signal.
    """
    left, jobs_ended = threading.Event(), threading.Event()
    received: list[tuple[int, float]] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if not jobs_ended.is_set() and not received:
            received.append((number, time.monotonic()))
            request_stop(folder)
        # The same signal may arrive twice, once for the process and once for its group.
        elif jobs_ended.is_set() or time.monotonic() - received[0][1] > 1.0:
            raise Terminated

    def watch() -> None:
        while not is_stopped(folder):
            if left.wait(_POLL_SECONDS):
                return
        end = time.monotonic() + _SECONDS_TO_END
        while is_busy(folder) and time.monotonic() < end:
            if left.wait(0.1):
                return
        # Otherwise the launcher would still start each job in its queue, which would end at once.
        jobs_ended.set()
        _interrupt_main_thread()

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        try:
            yield
        finally:
            left.set()
            watcher.join()
    except Terminated:
        pass
    finally:
        for number, handler in before.items():
            # A later signal must not raise in the clean-up of the interpreter.
            signal.signal(number, signal.SIG_DFL if received else handler)
    if received:
        raise SystemExit(128 + received[0][0])


# In a worker process


@contextmanager
def stopped_with_sweep(folder: Path) -> Iterator[None]:
    """End a job in a worker process when the sweep is stopped, on a signal, or when the sweep's process dies.

    Args:
        folder: The sweep folder.

    Raises:
        Terminated: In the main thread, at any line of the job.
    """
    _end_with_the_parent()
    left = threading.Event()

    def watch() -> None:
        while not left.wait(_POLL_SECONDS):
            if is_stopped(folder):
                _interrupt_main_thread()
                return

    before = {number: signal.signal(number, _terminate) for number in SIGNALS}
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        with _busy:
            yield
    finally:
        try:
            left.set()
            watcher.join()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_busy = threading.Lock()
"""Held while this process runs a job."""


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    ignore_signals()  # the job must finish writing its files
    raise Terminated(128 + number)


def ignore_signals() -> None:
    """Ignore Ctrl-C and SIGTERM; unlike SIG_IGN, without an error message of Python if one is already pending."""
    for number in SIGNALS:
        signal.signal(number, lambda _number, _frame: None)


@cache
def _end_with_the_parent() -> None:
    """Make this worker of a process pool end when its parent ends; jobs on a cluster intentionally continue."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    # Ctrl-C reaches every process of a terminal; the parent decides when the workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent.pid:
            time.sleep(_POLL_SECONDS)
        if _busy.locked():
            _interrupt_main_thread()
        _busy.acquire(timeout=_SECONDS_TO_END)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _interrupt_main_thread() -> None:
    identity = threading.main_thread().ident
    assert identity is not None
    signal.pthread_kill(identity, signal.SIGTERM)
