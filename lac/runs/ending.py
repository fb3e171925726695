"""The end of a run, which nothing may disturb: a failing step does not end it, and a signal waits for it."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Those that ask a process to end."""
_REPEATED_AFTER = 1.0  # seconds; a scheduler may send a signal to the process and to its group


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
