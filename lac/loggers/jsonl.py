"""The metrics of a run as a file: one JSON object per line."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from lac.files import json_text


class JsonlLogger:
    """Appends metrics to a file, flushed at once; a value that is not finite is written as null.

    Args:
        path: The file.
        position: Bytes of it that are kept; what lies behind is removed.
    """

    def __init__(self, path: Path, position: int = 0) -> None:
        self._path = path
        self._file = path.open("a", encoding="utf-8")
        self._file.truncate(position)

    @property
    def position(self) -> int:
        """The length of the file in bytes."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def content(self) -> bytes:
        """What is in the file."""
        return self._path.read_bytes()

    def sync(self) -> None:
        """Have the file written to the disk."""
        os.fsync(self._file.fileno())

    def log(self, metrics: Mapping[str, float]) -> None:
        """Write one line."""
        self._file.write(json_text(metrics) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_metrics(path: Path) -> list[dict[str, float | None]]:
    """The lines of a metrics file; an incomplete last line, as a crash leaves it, is skipped.

    Raises:
        OSError: The file cannot be read.
        ValueError: Any other line is not a JSON object of numbers.
    """
    rows = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise ValueError(f"line {number} is not JSON: {error}") from error
        except (ValueError, RecursionError) as error:  # more digits or brackets than Python reads
            raise ValueError(f"line {number} cannot be read: {error}") from error
        problem = row_error(row)
        if problem is not None:
            raise ValueError(f"line {number}: {problem}")
        rows.append(row)
    return rows


def row_error(row: object) -> str | None:
    """What is wrong with a row of metrics, which has to be an object of numbers and null; None where nothing is."""
    if not isinstance(row, dict):
        return f"{_shortened(row)} is not a JSON object"
    wrong = next((name for name, value in row.items() if not _is_number(value)), None)
    return None if wrong is None else f"{wrong} is {_shortened(row[wrong])} instead of a number"


def _is_number(value: object) -> bool:
    """Whether it is a number that a float can hold, or null, which stands for one that was not finite."""
    if value is None or isinstance(value, float):
        return True
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < sys.float_info.max


def _shortened(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
