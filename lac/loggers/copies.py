"""Copies of the metrics for other programs: a table and TensorBoard."""

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

Row = Mapping[str, float | None]


class Copy(Protocol):
    """Takes the lines of a metrics file, in their order."""

    def log(self, row: Row) -> None:
        """Take one line; None stands for a number that is not finite."""

    def close(self) -> None:
        """Close the copy."""


class CsvCopy:
    """A table with a line of names; a number that is not finite is an empty cell, as is one that a line lacks.

    Args:
        path: The file; what is there is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+", encoding="utf-8", newline="")
        self._names: list[str] = []

    def log(self, row: Row) -> None:
        """Write one line, at once."""
        new = [name for name in row if name not in self._names]
        if new:
            self._add_columns(new)
        csv.DictWriter(self._file, self._names, lineterminator="\n").writerow(row)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _add_columns(self, names: list[str]) -> None:
        """Write the table again with more columns; the lines before have no cells for them."""
        self._file.seek(0)
        rows = list(csv.DictReader(self._file))
        self._names += names
        self._file.seek(0)
        self._file.truncate()
        writer = csv.DictWriter(self._file, self._names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


class TensorboardCopy:
    """Events for TensorBoard over environment steps, which keep numbers as float32.

    Args:
        folder: The folder of the events; what is there is replaced.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboardX import SummaryWriter  # noqa: PLC0415 (from an extra)

        if folder.exists():
            shutil.rmtree(folder)
        self._writer = SummaryWriter(str(folder))

    def log(self, row: Row) -> None:
        """Write one line, at once; numbers that are not finite are left out."""
        for name, value in row.items():
            if value is not None:
                self._writer.add_scalar(name, value, row["env_steps"])
        self._writer.flush()

    def close(self) -> None:
        """Close the events."""
        self._writer.close()


def missing_package(tensorboard: bool) -> str | None:
    """A phrase that says what to install for the copies that are asked for, or None."""
    if not tensorboard:
        return None
    try:
        import tensorboardX  # noqa: F401, PLC0415 (from an extra)
    except ImportError as error:
        return f'is true, but tensorboardX cannot be used ({error}); install it with: pip install -e ".[tensorboard]"'
    return None
