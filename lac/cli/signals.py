"""Ctrl-C and SIGTERM in a command: while it starts they end it at once, and then they let it clean up."""

import signal
from types import FrameType
from typing import NoReturn


def end_at_once() -> None:
    """Let Ctrl-C end this process as it ends any other, without a traceback: nothing has begun that needs an end.

    Python would raise an exception in the middle of an import, which libraries turn into errors of their own.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def end_with_cleanup() -> None:
    """Let Ctrl-C and SIGTERM raise an exception from now on, so that all open contexts clean up."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
