"""Runs as lines of one file, with what a comparison needs of them, to be shared and kept without their folders."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from lac.files import json_text, relative_to_cwd, write_bytes
from lac.loggers.jsonl import row_error
from lac.runs.folder import FINISHED, present_file, unreadable
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

    def __str__(self) -> str:
        return f"{relative_to_cwd(self.folder)} in {relative_to_cwd(self.file)}"

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


def set_aside(file: Path, records: Iterable[Mapping[str, Any]]) -> Path | None:
    """Rename a file that has runs which are not among the records that are to be written in its place.

    Returns:
        Its new name; None where nothing would be lost.
    """
    new = {json_text(each["config"]) for each in records}
    earlier, _ = read_records(file) if file.exists() else ([], [])
    if all(json_text(run.config) in new for run in earlier):
        return None
    numbered = (file.with_stem(f"{file.stem}-{number}") for number in count(2))
    kept = next(name for name in numbered if not name.exists())
    return file.rename(kept)


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
    """The runs in a file that :func:`write_records` has written, and what cannot be read of it.

    What cannot be read of a file is one sentence, which names the first line of it.
    """
    try:
        lines = present_file(file).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        return [], [LeftOut(file, str(unreadable(file, error)), None)]
    runs: list[Run] = []
    problems = []
    for number, line in enumerate(lines, start=1):
        try:
            runs += [_recorded(line, file)] if line.strip() else []
        except ValueError as error:
            problems.append(f"line {number} {error}")
    if not runs:
        first = f": {problems[0]}" if problems else ""
        return [], [LeftOut(file, f"{file} is no runs.jsonl of a report{first}; give one, or a folder of runs", None)]
    if problems:
        more = f", and so are {len(problems) - 1} others" if len(problems) > 1 else ""
        return runs, [LeftOut(file, f"{file} is damaged ({problems[0]}{more}); make the report again", None)]
    return runs, []


def _recorded(line: str, file: Path) -> RecordedRun:
    """The run in a line.

    Raises:
        ValueError: The line is damaged, or something else; the message says what it is.
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from error
    parts: Mapping[str, Any] = content if isinstance(content, dict) else {}
    kinds = {"folder": str, "config": dict, "summary": dict, "metrics": list}
    wrong = [name for name, kind in kinds.items() if not isinstance(parts.get(name), kind) or not parts[name]]
    if wrong:
        raise ValueError(f"is no run: it lacks {', '.join(wrong)}")
    status = parts["summary"].get("status")
    if status != FINISHED:
        raise ValueError(f"is no run: its status is {status!r} instead of {FINISHED!r}")
    problem = next(filter(None, map(row_error, parts["metrics"])), None)
    if problem is not None:
        raise ValueError(f"has a row of metrics in which {problem}")
    return RecordedRun(Path(parts["folder"]), parts["config"], parts["summary"], FINISHED, parts["metrics"], file)
