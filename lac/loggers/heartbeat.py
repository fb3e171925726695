"""Lines that show that a program is at work, printed while nothing else is."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SILENCE = 9.0
"""Seconds without output after which a line is printed, so that there is one in any ten seconds."""


class Heartbeat:
    """Prints a line, from a thread, whenever there has been no output for :data:`SILENCE` seconds.

    Args:
        text: The line, or None if there is none to print now.
        say: Prints it.
    """

    def __init__(self, text: Callable[[], str | None], say: Callable[[str], object]) -> None:
        self._text, self._say = text, say
        self._last_output = time.monotonic()
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def note_output(self) -> None:
        """Note that something has been printed."""
        self._last_output = time.monotonic()

    def end(self) -> None:
        """Print nothing more."""
        self._has_ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=1)

    def _beat(self) -> None:
        # The program itself reports an output that is closed, at its next line.
        with suppress(OSError, ValueError):
            while not self._has_ended.wait(max(0.0, self._last_output + SILENCE - time.monotonic())):
                if time.monotonic() < self._last_output + SILENCE:
                    continue
                self.note_output()
                text = self._text()
                if text is not None:
                    self._say(text)


@contextmanager
def heartbeat(text: Callable[[], str]) -> Iterator[None]:
    """A context in which the text and the seconds since its start are printed again and again, to standard error."""
    start = time.monotonic()
    beat = Heartbeat(
        lambda: f"  {text()}, {time.monotonic() - start:.0f} s",
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    try:
        yield
    finally:
        beat.end()
