"""A study from its first test to its files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from lac.robust.presenting import draw
from lac.robust.results import PICTURE, Results
from lac.robust.running import Study, outcomes
from lac.robust.summary import Summary, summarize


@dataclass(frozen=True)
class Conducted:
    """A study that has been made.

    Attributes:
        rows: One for each policy, variant and reset, as in ``results.csv``.
        content: What ``results.json`` holds.
        summary: The same as arrays.
        failures: A sentence for each test that could not be made.
    """

    rows: list[dict[str, Any]]
    content: dict[str, Any]
    summary: Summary
    failures: list[str]


class NothingMeasuredError(RuntimeError):
    """Every test has failed; ``errors`` are sentences."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


def conduct(
    study: Study, described: Mapping[str, Any], folder: Path | None, workers: int | None, title: str
) -> Conducted:
    """Make the tests of a study that are not in its folder yet, and write the results.

    Args:
        study: The study.
        described: See :class:`~lac.robust.results.Results`.
        folder: Folder of the results; None writes nothing.
        workers: See :func:`~lac.robust.running.outcomes`.
        title: Title of the picture.

    Raises:
        OtherSettingsError: The folder has results of other settings.
        NothingMeasuredError: Every test has failed.
        filelock.Timeout: Another process uses the folder.
        OSError: The results cannot be written.
    """
    if folder is None:
        return _conducted(study, Results(None, study, described), workers)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock").acquire(timeout=0):
        made = _conducted(study, Results(folder, study, described), workers)
        draw(study, made.summary, folder / PICTURE, title)
    return made


def _conducted(study: Study, results: Results, workers: int | None) -> Conducted:
    results.begin()
    number = len(study.subjects) * len(study.variants)
    for outcome in outcomes(study, results.remaining, workers, number - len(results.remaining)):
        results.add(outcome)
    if len(results.remaining) == number:
        raise NothingMeasuredError(results.failures)
    summary = summarize(study, results)
    content = results.finish(summary.content)
    return Conducted(results.table(), content, summary, results.failures)
