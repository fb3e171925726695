"""The console output of a run: a summary at the start, a progress bar, a line per epoch, a summary at the end."""

import logging
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakMethod

from tqdm import tqdm

from lac.loggers.heartbeat import Heartbeat

logger = logging.getLogger("lac")

WIDTH = 80
"""Columns of a terminal that a row of the table takes at most."""


_COUNT = "{:.0f}"


@dataclass(frozen=True)
class Column:
    """How a metric is shown in the table.

    Attributes:
        heading: Its heading.
        format: Its values; one that is wider than the column gets an exponent, unless it is a count.
        width: Number of characters, at least that of the heading.
    """

    heading: str
    format: str
    width: int

    def cell(self, value: float) -> str:
        """A value as text that fits the column."""
        if not math.isfinite(value):
            return "-"
        text = self.format.format(value)
        return text if len(text) <= self.width or self.format == _COUNT else f"{value:.1e}"


COLUMNS = {
    "epoch": Column("epoch", _COUNT, 5),
    "env_steps": Column("steps", _COUNT, 8),
    "train/cost_mean": Column("train cost", "{:.1f}", 10),
    "test/cost_mean": Column("test cost", "{:.1f}", 9),
    "test/ep_len_mean": Column("length", _COUNT, 6),
    "test/death_rate": Column("terminated", "{:.0%}", 10),
    "test/settled": Column("settled", "{:.0%}", 8),
    "train/labda": Column("labda", "{:.2g}", 7),
    "train/decrease": Column("decrease", "{:.2g}", 8),
    "test/cost_std": Column("± std", "{:.1f}", 8),
    "train/alpha": Column("alpha", "{:.2g}", 7),
    "train/entropy": Column("entropy", "{:.2f}", 8),
    "time/seconds": Column("seconds", _COUNT, 7),
    "time/steps_per_second": Column("steps/s", _COUNT, 7),
}
"""The columns by their metric; a run shows the first ones that it has and that fit."""


class ConsoleLogger:
    """Writes to standard output and to ``train.log``; a terminal also shows a progress bar at the bottom.

    Where there is no bar, as in a file or in Jupyter, a line says at least every ten seconds how far the run is.

    Args:
        log_file: Receives a copy of the console output.
        quiet: Whether to print nothing on the console; the file is written in either case.
        columns: Names of the metrics in the table; None selects the first of ``COLUMNS`` that fit a line.
    """

    def __init__(self, log_file: Path, quiet: bool = False, columns: Sequence[str] | None = None) -> None:
        self._wanted = columns
        self._names: list[str] | None = None
        self._is_quiet = quiet
        self._bar: tqdm | None = None
        self._heartbeat: Heartbeat | None = None
        self._started, self._steps, self._total_steps = time.monotonic(), 0, 0
        self._phase = "starting"
        self._handlers: list[logging.Handler] = [_LogFile(log_file, encoding="utf-8")]
        if not quiet:
            # A weak reference, so that the thread does not go on for a run that could not begin.
            text = WeakMethod(self._progress_text)
            self._heartbeat = Heartbeat(lambda: (method := text()) and method(), logger.info)
            self._handlers.append(_ConsoleHandler(self._heartbeat.note_output))
        for handler in self._handlers:
            logger.addHandler(handler)
        self._restored = (logger.level, logger.propagate)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False

    def info(self, text: str) -> None:
        """Print lines of text."""
        for line in text.splitlines():
            logger.info(line)

    def debug(self, text: str) -> None:
        """Write text to the log file only."""
        logger.debug(text)

    def warn(self, text: str) -> None:
        """Print a warning."""
        logger.warning("warning: %s", text)

    def start(self, total_steps: int) -> None:
        """Show the progress bar if the output is a terminal."""
        self._phase, self._total_steps = "", total_steps
        if not self._is_quiet:  # a hidden bar still leaks a semaphore if the process is killed
            self._bar = tqdm(total=total_steps, unit="step", leave=False, dynamic_ncols=True, disable=None)

    def progress(self, env_steps: int, values: Mapping[str, float]) -> None:
        """Update the progress bar."""
        self._steps = env_steps
        if self._bar is not None and not self._bar.disable:
            self._bar.set_postfix({name: f"{value:.4g}" for name, value in values.items()}, refresh=False)
            self._bar.update(env_steps - self._bar.n)

    def log(self, metrics: Mapping[str, float]) -> None:
        """Print one row of the table."""
        self._steps = int(metrics.get("env_steps", self._steps))
        if self._names is None:
            self._names = self._chosen_columns(metrics)
            _print_row({name: _column(name).heading for name in self._names})
        _print_row({name: _column(name).cell(metrics[name]) for name in self._names})

    def _chosen_columns(self, metrics: Mapping[str, float]) -> list[str]:
        if not self._wanted:
            return next(_lines([name for name in COLUMNS if name in metrics]), [])
        unknown = [name for name in self._wanted if name not in metrics and name not in COLUMNS]
        if unknown:
            self.warn(f"{', '.join(unknown)} is not a metric of this run; the metrics are {', '.join(metrics)}")
        return [name for name in self._wanted if name in metrics]

    def _progress_text(self) -> str | None:
        """How far the run is; None while a bar shows it."""
        if self._bar is not None and not self._bar.disable and not self._phase:
            return None
        seconds = time.monotonic() - self._started
        return f"  {self._phase or f'past step {self._steps} of {self._total_steps}'}, {seconds:.0f} s"

    def begin(self, phase: str) -> None:
        """Show from now on that the run is in this phase, instead of the step that it is past."""
        self._phase = phase

    def stop(self) -> None:
        """Remove the progress bar, since what follows is the end of the run."""
        self._phase = "finishing"
        if self._bar is not None:
            self._bar.close()

    def close(self) -> None:
        """Close the log file."""
        if self._heartbeat is not None:
            self._heartbeat.end()
        logger.level, logger.propagate = self._restored
        for handler in self._handlers:
            logger.removeHandler(handler)
            handler.close()


class _LogFile(logging.FileHandler):
    """A copy of what is printed; on a full disk lines are left out, without the traceback that Python would print."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name of the base class)
        """Leave out a line that cannot be written."""


class _ConsoleHandler(logging.Handler):
    """Prints above the progress bar, to the current ``sys.stdout``.

    Args:
        on_output: Called when something has been printed.
    """

    def __init__(self, on_output: Callable[[], None]) -> None:
        super().__init__(logging.INFO)
        self._on_output = on_output

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()
        self._on_output()


def _print_row(cells: Mapping[str, str]) -> None:
    """Print the cells of metrics, on several lines where one does not hold them."""
    for line in _lines(list(cells)):
        logger.info(" ".join(f"{cells[name]:>{_column(name).width}}" for name in line))


def _column(name: str) -> Column:
    return COLUMNS.get(name) or Column(name.rpartition("/")[2][:10], "{:.4g}", 10)


def _lines(names: Sequence[str]) -> Iterator[list[str]]:
    """The names of columns, cut into lines of at most ``WIDTH`` characters; at least one name a line."""
    line: list[str] = []
    width = 0
    for name in names:
        needed = _column(name).width + 1
        if line and width + needed - 1 > WIDTH:
            yield line
            line, width = [], 0
        line.append(name)
        width += needed
    if line:
        yield line
