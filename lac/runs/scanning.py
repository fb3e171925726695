"""The runs in folders: which there are, and which cannot be read."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lac.runs.folder import (
    ATTEMPTS,
    CONFIG,
    FINISHED,
    METRICS,
    SUMMARY,
    RunError,
    is_multi_seed,
    read_summary,
    status,
    unreadable,
)
from lac.runs.loading import Run, load

_NO_RUNS = {ATTEMPTS, "wandb"}
"""Folders without runs that count: earlier attempts, and the offline runs of W&B, which have a ``config.yaml``, too."""


@dataclass(frozen=True)
class LeftOut:
    """A run folder, or a folder that may hold some, that was left out.

    Attributes:
        folder: The folder.
        reason: A sentence that names it.
        status: Status of the run; None where it cannot be read.
    """

    folder: Path
    reason: str
    status: str | None


def scan(folders: Iterable[str | Path]) -> tuple[list[Run], list[LeftOut]]:
    """The runs in folders, sorted by path within each, and what cannot be read; each run once.

    Args:
        folders: Run folders, or folders that hold some at any depth: sweeps, jobs of several seeds, links to runs.
            One without runs gives nothing.
    """
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    visited: set[str] = set()
    for found in (item for given in folders for item in _run_folders(Path(given), visited)):
        if isinstance(found, LeftOut):
            left_out.append(found)
            continue
        try:
            runs.append(load(found))
        except RunError as error:
            state = _status_if_readable(found)
            # What a run lacks before its end is no damage.
            reason = str(error) if state in {None, FINISHED} else f"{found} is {state}"
            left_out.append(LeftOut(found, reason, state))
    return runs, left_out


def _run_folders(folder: Path, visited: set[str], in_run: bool = False) -> Iterator[Path | LeftOut]:
    """The run folders in a folder, readable or not, and what may hold some but cannot be entered or is empty.

    Args:
        folder: The folder.
        visited: Folders that are passed over, without links; those that are visited are added. Links may lead in a
            circle, and many to one folder.
        in_run: Whether it lies in a run folder; what is empty there is no run that was left out.
    """
    here = os.path.realpath(folder)
    if here in visited:
        return
    visited.add(here)
    if not os.path.isdir(folder):
        if folder.is_symlink() and not os.path.exists(folder) and not in_run:
            yield LeftOut(folder, f"{folder} is a link to {os.readlink(folder)}, which is not there; remove it", None)
        return
    try:
        children = [child for child in sorted(folder.iterdir()) if not child.name.startswith(".")]
        os.stat(os.path.join(folder, "."))  # a folder may be listed without the right to enter it
    except OSError as error:
        yield LeftOut(folder, f"{folder} cannot be read ({error.strerror}); change its permissions", None)
        return
    is_run = False
    if not children and not in_run:
        yield LeftOut(folder, f"{folder} is empty: there is no run in it", None)
    elif any((folder / name).exists() for name in (SUMMARY, METRICS, CONFIG)):
        is_run = not _is_known_multi_seed(folder)
        yield from [folder] if is_run else _missing_seeds(folder)
    for child in children:
        if child.name not in _NO_RUNS:
            yield from _run_folders(child, visited, in_run or is_run)


def _is_known_multi_seed(folder: Path) -> bool:
    try:
        return is_multi_seed(folder)
    except RunError:
        return False


def _missing_seeds(folder: Path) -> Iterator[LeftOut]:
    """A job of several seeds, if it has no run for some of them."""
    seeds, state = read_summary(folder)["seeds"], _status_if_readable(folder)
    if not isinstance(seeds, list):
        yield LeftOut(folder, str(unreadable(folder / SUMMARY, f"its seeds are {seeds!r} instead of a list")), None)
        return
    missing = ", ".join(str(seed) for seed in seeds if not (folder / f"seed-{seed}").is_dir())
    if missing:
        yield LeftOut(folder, f"{folder} is {state} and has no run of the seeds {missing}", state)


def _status_if_readable(folder: Path) -> str | None:
    try:
        return status(folder)
    except RunError:
        return None
