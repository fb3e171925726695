"""The runs that a command tests, and those that it passes over."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lac.cli.folders import without_runs
from lac.runs import Run, scan
from lac.runs.folder import FINISHED


@dataclass(frozen=True)
class Found:
    """What was found in the given folders.

    Attributes:
        runs: The runs to test.
        passed_over: A sentence for each run that is not finished and is one of several.
        unusable: A sentence for each run that cannot be read, and for each folder without runs.
    """

    runs: Sequence[Run]
    passed_over: Sequence[str]
    unusable: Sequence[str]


def find_runs(folders: Sequence[Path]) -> Found:
    """The runs to test: whatever their status if their own folder is given, the finished ones of several."""
    own = {os.path.realpath(folder) for folder in folders}
    readable, left_out = scan(folders)
    runs: list[Run] = []
    passed_over: list[str] = []
    unusable: list[str] = []
    for run in readable:
        if run.status == FINISHED or os.path.realpath(run.folder) in own:
            runs.append(run)
        else:
            passed_over.append(f"{run.folder} is {run.status}")
    for item in left_out:
        is_unusable = item.status in {None, FINISHED} or os.path.realpath(item.folder) in own
        (unusable if is_unusable else passed_over).append(item.reason)
    folders_with_runs = [run.folder for run in readable] + [item.folder for item in left_out]
    unusable += without_runs(folders, folders_with_runs)
    return Found(runs, passed_over, unusable)
