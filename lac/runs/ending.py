"""The end of a run, which nothing may disturb: a failing step does not end it, and a signal waits for it."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from lac.envs.checks import OffendingTransitionError
from lac.files import space_advice, write_bytes
from lac.runs.folder import FAILED, FINISHED, INTERRUPTED

TRANSITION = "offending_transition.json"

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Those that ask a process to end."""
_OF_SCHEDULERS = [getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name)]
_REPEATED_AFTER = 1.0  # seconds; a scheduler may send a signal to the process and to its group


def status_after(error: BaseException | None) -> str:
    """The status of a run that has ended with an error, or without one."""
    return FINISHED if error is None else FAILED if isinstance(error, Exception) else INTERRUPTED


def run_steps(steps: Mapping[str, Callable[[], object]], warn: Callable[[str], None]) -> None:
    """Run steps in their order; one that fails is reported, and the next ones run all the same.

    Args:
        steps: The steps by what they are for, as in "the picture".
        warn: Called with a sentence about a step that has failed.
    """
    for name, step in steps.items():
        try:
            step()
        except Exception as error:
            warn(f"{name} failed at the end of the run ({type(error).__name__}: {error})")


def add_notes(error: BaseException | None, folder: Path, shown: Path, to_continue: str) -> None:
    """Add to the error of a run what helps: where the transition is that it names, or how to go on on a full disk.

    Args:
        error: The error; None if the run has none.
        folder: The run folder, in which the transition is written.
        shown: The run folder as it is shown.
        to_continue: A command that continues the run; empty if there is none.
    """
    if isinstance(error, OffendingTransitionError):
        # With NaN and Infinity where they are, in the notation of Python's json.
        write_bytes(folder / TRANSITION, json.dumps(error.transition, indent=2).encode())
        error.add_note(f"The transition is in {shown / TRANSITION}")
    advice = space_advice(error, shown)
    if error is not None and advice is not None:
        error.add_note(f"{advice}, then go on with: {to_continue}" if to_continue else advice)


class HeldSignals:
    """Signals that have arrived while they were held."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._started = time.monotonic()
        self._is_repeated = False

    def hold(self, number: int, _frame: FrameType | None) -> None:
        """A signal handler that keeps a signal for later."""
        self.number = self.number or number
        self._is_repeated = self._is_repeated or time.monotonic() - self._started > _REPEATED_AFTER

    def is_impatient(self) -> bool:
        """Whether someone asks the process to end, although its end has already begun."""
        return self._is_repeated


@contextmanager
def held_signals(is_ending: bool) -> Iterator[HeldSignals]:
    """Keep Ctrl-C and SIGTERM waiting until the block has ended; then the process gets them.

    Only the main thread can do so; in another one signals do not disturb it.

    Args:
        is_ending: Whether the process is ending because of a signal, so that a further one changes nothing.
    """
    held = HeldSignals()
    if threading.current_thread() is not threading.main_thread():
        yield held
        return
    before = {number: signal.signal(number, held.hold) for number in SIGNALS}
    try:
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if held.number is not None and not is_ending:
        signal.raise_signal(held.number)


class Interruption:
    """Keeps signals that ask the process to end until the training is between two steps, where its state is whole.

    These are Ctrl-C and SIGTERM, and those that a scheduler's package handles before it takes the machine away. The
    same signal again, more than a second later, is not kept. Only the main thread can keep signals.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._arrived = 0.0
        self._before: dict[int, Any] = {}

    @property
    def is_pending(self) -> bool:
        """Whether a signal has arrived."""
        return self._number is not None

    def begin(self) -> None:
        """Keep signals from now on."""
        if threading.current_thread() is not threading.main_thread():
            return
        handlers = {number: signal.getsignal(number) for number in (*SIGNALS, *_OF_SCHEDULERS)}
        for number, handler in handlers.items():
            if callable(handler) or (number in SIGNALS and handler is signal.SIG_DFL):
                self._before[number] = signal.signal(number, self._keep)

    def end(self) -> int | None:
        """Keep no more signals; returns the one that has arrived, which nobody has seen yet."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        arrived, self._number = self._number, None
        return arrived

    def end_and_deliver(self) -> None:
        """Keep no more signals, and let the process have the one that has arrived."""
        number = self.end()
        if number is not None:
            signal.raise_signal(number)

    def deliver(self) -> None:
        """Let the process have the signal that has arrived; if it goes on, signals are kept again."""
        self.end_and_deliver()
        self.begin()

    def _keep(self, number: int, _frame: FrameType | None) -> None:
        if self._number is None:
            self._number, self._arrived = number, time.monotonic()
        elif time.monotonic() - self._arrived > _REPEATED_AFTER:
            self.deliver()
