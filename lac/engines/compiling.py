"""Compiles the functions of :mod:`lac.engines.kernel`, once for all processes of a user.

Numba keeps what it compiled beside the package, or in the user's cache if it cannot write there, or in the folder
``NUMBA_CACHE_DIR``. It replaces files atomically, so that processes may start at the same time.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from lac.devices import limit_loaded_libraries


@cache
def why_no_compiler() -> str | None:
    """Why nothing can be compiled here, which is printed once; None if it can."""
    try:
        import lac.engines.blas  # noqa: F401, PLC0415 (imports numba, which takes a while)
    except Exception as error:  # a numba that does not fit numpy or the platform raises errors of many kinds
        _print(f"numba cannot be used ({error}): updates run in torch, which is several times slower\n")
        return f"numba cannot be used ({error})"
    limit_loaded_libraries()
    return None


def compiled(name: str, arguments: tuple[Any, ...]) -> Callable[..., Any]:
    """A function of the kernel, ready for arguments of these types; a compilation is reported."""
    with _reported("policy" if name == "actions" else "update"):
        try:
            return _compiled(name, arguments, cached=True)
        except Exception:  # no folder can be written, the disk is full, a file is damaged
            return _compiled(name, arguments, cached=False)


def _compiled(name: str, arguments: tuple[Any, ...], cached: bool) -> Callable[..., Any]:
    from numba import typeof  # noqa: PLC0415

    types = tuple(typeof(argument) for argument in arguments)  # type: ignore[no-untyped-call]
    # The function for these types itself: to find them out anew at each call takes longer than to pass them.
    return _function(name, cached).compile(types)  # type: ignore[no-any-return]


@cache
def _function(name: str, cached: bool) -> Any:
    from numba import njit  # noqa: PLC0415

    from lac.engines import kernel  # noqa: PLC0415

    return njit(error_model="numpy", cache=cached)(getattr(kernel, name))


@contextmanager
def _reported(what: str) -> Iterator[None]:
    """Print that something is compiled inside the context, and how long it took."""
    from numba.core import event  # noqa: PLC0415

    class Reporter(event.Listener):
        started: float | None = None

        def on_start(self, event: object) -> None:
            if self.started is None:
                self.started = time.monotonic()
                _print(f"compiling the {what}, once: ")

        def on_end(self, event: object) -> None:
            """Functions that a function calls end before it; the context prints the time."""

    reporter = Reporter()
    try:
        with event.install_listener("numba:compile", reporter):
            yield
    finally:
        if reporter.started is not None:
            _print(f"{time.monotonic() - reporter.started:.0f} s\n")


def _print(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)
