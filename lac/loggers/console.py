"""The console output of a run: a summary at the start, a progress bar, a line per epoch, a summary at the end."""

import logging
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

logger = logging.getLogger("lac")

# metric: (heading, format)
COLUMNS = {
    "epoch": ("epoch", "{:.0f}"),
    "env_steps": ("steps", "{:.0f}"),
    "train/cost_mean": ("train cost", "{:.1f}"),
    "test/cost_mean": ("test cost", "{:.1f}"),
    "test/cost_std": ("± std", "{:.1f}"),
    "test/ep_len_mean": ("length", "{:.0f}"),
    "test/death_rate": ("terminated", "{:.0%}"),
    "train/labda": ("labda", "{:.3g}"),
    "train/alpha": ("alpha", "{:.3g}"),
    "train/decrease": ("decrease", "{:.3g}"),
    "train/entropy": ("entropy", "{:.2f}"),
    "time/seconds": ("seconds", "{:.1f}"),
    "time/steps_per_second": ("steps/s", "{:.0f}"),
}


class ConsoleLogger:
    """Writes to standard output and to ``train.log``; a terminal also shows a progress bar at the bottom.

    Args:
        log_file: Receives a copy of the console output.
        quiet: Whether to print nothing on the console; the file is written in either case.
        columns: Names of the metrics in the table; None selects those of ``COLUMNS``.
    """

    def __init__(self, log_file: Path, quiet: bool = False, columns: Sequence[str] | None = None) -> None:
        self._columns = list(columns) if columns else list(COLUMNS)
        self._is_quiet = quiet
        self._bar: tqdm | None = None
        self._handlers: list[logging.Handler] = [logging.FileHandler(log_file, encoding="utf-8")]
        if not quiet:
            self._handlers.append(_ConsoleHandler(logging.INFO))
        for handler in self._handlers:
            logger.addHandler(handler)
        self._restored = (logger.level, logger.propagate)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        self._has_heading = False

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
        if not self._is_quiet:  # a hidden bar still leaks a semaphore if the process is killed
            self._bar = tqdm(total=total_steps, unit="step", leave=False, dynamic_ncols=True, disable=None)

    def progress(self, env_steps: int, values: Mapping[str, float]) -> None:
        """Update the progress bar."""
        if self._bar is not None and not self._bar.disable:
            self._bar.set_postfix({name: f"{value:.4g}" for name, value in values.items()}, refresh=False)
            self._bar.update(env_steps - self._bar.n)

    def log(self, metrics: Mapping[str, float]) -> None:
        """Print one row of the table."""
        if not self._has_heading:
            self._choose_columns(metrics)
            logger.info(" ".join(f"{_heading(name):>10}" for name in self._columns))
            self._has_heading = True
        logger.info(" ".join(f"{_cell(name, metrics[name]):>10}" for name in self._columns))

    def _choose_columns(self, metrics: Mapping[str, float]) -> None:
        unknown = [name for name in self._columns if name not in metrics and name not in COLUMNS]
        if unknown:
            self.warn(f"{', '.join(unknown)} is not a metric of this run; the metrics are {', '.join(metrics)}")
        self._columns = [name for name in self._columns if name in metrics]

    def stop(self) -> None:
        """Remove the progress bar."""
        if self._bar is not None:
            self._bar.close()

    def close(self) -> None:
        """Close the log file."""
        logger.level, logger.propagate = self._restored
        for handler in self._handlers:
            logger.removeHandler(handler)
            handler.close()


class _ConsoleHandler(logging.Handler):
    """Prints above the progress bar, to the current ``sys.stdout``."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()


def _heading(name: str) -> str:
    return COLUMNS[name][0] if name in COLUMNS else name.rpartition("/")[2][:10]


def _cell(name: str, value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return COLUMNS[name][1].format(value) if name in COLUMNS else f"{value:.4g}"
