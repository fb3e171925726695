"""Runs as lines of one file, with what a comparison needs of them, to be shared and kept without their folders."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lac.files import json_text, relative_to_cwd, write_bytes
from lac.loggers.jsonl import row_error
from lac.runs.folder import FINISHED, RunError, present_file, unreadable
from lac.runs.loading import Run
from lac.runs.scanning import LeftOut

RECORDS = "runs.jsonl"


@dataclass(frozen=True)
class RecordedRun(Run):
    """A finished run read from a line of a file.

    Attributes:
        rows: Its metrics.
        file: The file.
        folder: Where it was when the line was written; nothing is read from there.
    """

    is_recorded: ClassVar[bool] = True
    rows: Sequence[Mapping[str, float | None]]
    file: Path

    @property
    def metrics(self) -> Sequence[Mapping[str, float | None]]:
        """The rows of its metrics, one for each epoch."""
        return self.rows

    @property
    def summary_file(self) -> Path:
        """The file with its line."""
        return self.file

    @property
    def evaluation(self) -> Mapping[str, Any]:
        """Nothing: a later test is the final result of its line."""
        return {}


def write_records(file: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write a file of runs, one for each line.

    Args:
        file: The file.
        records: As of :func:`record`.
    """
    write_bytes(file, "".join(json_text(each) + "\n" for each in records).encode())


def record(
    run: Run, config: Mapping[str, Any], summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A run as a line of a file.

    Args:
        run: The run, which is finished.
        config: What is kept of its config.
        summary: Likewise of its summary.
        rows: Likewise of its metrics.
    """
    folder = str(relative_to_cwd(run.folder))
    return {"folder": folder, "config": config, "summary": {"status": FINISHED, **summary}, "metrics": rows}


def read_records(file: Path) -> tuple[list[Run], list[LeftOut]]:
    """The runs in a file that :func:`write_records` has written, and the lines that are none, with the reason.

    A file without lines, or one that cannot be read, is left out as a whole.
    """
    try:
        lines = present_file(file).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        return [], [LeftOut(file, str(unreadable(file, error)), None)]
    if not lines:
        return [], [LeftOut(file, f"{file} is empty: there is no run in it", None)]
    runs: list[Run] = []
    left_out = []
    for number, line in enumerate(lines, start=1):
        try:
            runs.append(_recorded(line, file, number))
        except RunError as error:
            left_out.append(LeftOut(file, str(error), None))
    return runs, left_out


def _recorded(line: str, file: Path, number: int) -> RecordedRun:
    """The run in a line.

    Raises:
        RunError: The line is damaged, or something else.
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise unreadable(file, f"line {number} is not JSON: {error}") from error
    parts: Mapping[str, Any] = content if isinstance(content, dict) else {}
    kinds = {"folder": str, "config": dict, "summary": dict, "metrics": list}
    wrong = [name for name, kind in kinds.items() if not isinstance(parts.get(name), kind) or not parts[name]]
    if wrong:
        raise unreadable(file, f"line {number} is no record of a run: it lacks {', '.join(wrong)}")
    problem = next(filter(None, map(row_error, parts["metrics"])), None)
    if parts["summary"].get("status") != FINISHED:
        problem = f"its status is {parts['summary'].get('status')!r} instead of {FINISHED!r}"
    if problem is not None:
        raise unreadable(file, f"line {number}: {problem}")
    return RecordedRun(Path(parts["folder"]), parts["config"], parts["summary"], FINISHED, parts["metrics"], file)
