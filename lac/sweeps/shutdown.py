"""How a sweep and its jobs end early: by Ctrl-C or SIGTERM, by ``fail_fast``, or since the sweep's process has died."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lac.sweeps.queue import is_stopped, request_stop

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_TO_END = 20.0  # a job saves its policy, draws its picture and closes its W&B run


class Terminated(SystemExit):
    """A job or a sweep is asked to end."""


def exit_on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    """A signal handler that lets everything clean up."""
    raise SystemExit(128 + number)


# In the sweep's own process


@contextmanager
def graceful_shutdown(folder: Path, is_busy: Callable[[], bool]) -> Iterator[None]:
    """Lets jobs in other processes end by themselves, and keep what they have, when the sweep is to end.

    Launchers would kill them, or leave them alone. A second signal ends the sweep at once.

    Args:
        folder: The sweep folder.
        is_busy: Whether a job is running.

    Raises:
        SystemExit: A signal has come; its status is that of the signal.
    """
    over, ended = threading.Event(), threading.Event()
    received: list[tuple[int, float]] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if not ended.is_set() and not received:
            received.append((number, time.monotonic()))
            request_stop(folder)
        # One request may come twice: to the process, and to its group.
        elif ended.is_set() or time.monotonic() - received[0][1] > 1.0:
            raise Terminated

    def watch() -> None:
        while not is_stopped(folder):
            if over.wait(_SECONDS_BETWEEN_LOOKS):
                return
        end = time.monotonic() + _SECONDS_TO_END
        while is_busy() and time.monotonic() < end:
            if over.wait(0.1):
                return
        # Jobs in the launcher's queue would still be begun, one after the other, to end at once.
        ended.set()
        _interrupt_main_thread()

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        try:
            yield
        finally:
            over.set()
            watcher.join()
    except Terminated:
        pass
    finally:
        for number, handler in before.items():
            # What still comes must not break into the clean-up of the interpreter.
            signal.signal(number, signal.SIG_DFL if received else handler)
    if received:
        raise SystemExit(128 + received[0][0])


# In a worker process


@contextmanager
def stopped_with_sweep(folder: Path) -> Iterator[None]:
    """Ends a job in a worker process when the sweep is stopped, with a signal, or when the sweep's process has died.

    Args:
        folder: The sweep folder.

    Raises:
        Terminated: In the job, wherever it is.
    """
    _end_with_the_parent()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_SECONDS_BETWEEN_LOOKS):
            if is_stopped(folder):
                _interrupt_main_thread()
                return

    before = {number: signal.signal(number, _terminate) for number in _SIGNALS}
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        with _busy:
            yield
    finally:
        try:
            over.set()
            watcher.join()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_busy = threading.Lock()
"""Held while this process runs a job."""


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    for each in _SIGNALS:
        signal.signal(each, _ignore)  # what the job writes down now must not be cut short
    raise Terminated(128 + number)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Unlike SIG_IGN, without a complaint of Python where a signal is on its way already."""


@cache
def _end_with_the_parent() -> None:
    """From now on a worker of a process pool does not outlive its parent; jobs of a cluster do, on purpose."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    # Ctrl-C reaches every process of a terminal; what it means for the workers is the parent's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent.pid:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        if _busy.locked():
            _interrupt_main_thread()
        _busy.acquire(timeout=_SECONDS_TO_END)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _interrupt_main_thread() -> None:
    identity = threading.main_thread().ident
    assert identity is not None
    signal.pthread_kill(identity, signal.SIGTERM)
