"""What stands in a run folder, and how a run's state is told from outside."""

import json
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lac.files import write_json

CONFIG, METRICS, SUMMARY = "config.yaml", "metrics.jsonl", "summary.json"
PICTURE, LOG, EVALUATION = "learning_curve.png", "train.log", "evaluation.json"
RUNNING, FINISHED, FAILED, INTERRUPTED, PRUNED = "running", "finished", "failed", "interrupted", "pruned"
ATTEMPTS = "attempts"
"""Folder of a sweep that keeps what earlier attempts at its jobs left."""
_LOCK = ".lock"


def run_lock(folder: Path) -> FileLock:
    """The lock that a run holds while it lives; the system releases it when the process ends, however it ends.

    Within a process it is the same object for the same folder, and may be taken again.
    """
    return FileLock(folder / _LOCK, is_singleton=True)


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock of a run."""
    try:
        # A lock of its own, which a lock held by this process keeps out, too.
        with FileLock(folder / _LOCK).acquire(timeout=0):
            return False
    except Timeout:
        return True


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of a run; empty where none has begun."""
    try:
        summary: dict[str, Any] = json.loads((folder / SUMMARY).read_text())
    except FileNotFoundError:
        return {}
    return summary


def is_multi_seed(folder: Path) -> bool:
    """Whether it is a job of several seeds, which holds a run for each."""
    return "seeds" in read_summary(folder)


def status(folder: Path) -> str | None:
    """``running``, ``finished``, ``failed``, ``interrupted``, ``pruned``, or None where none has begun.

    A run that has begun, has not told its end and is not held by a process has been killed: ``interrupted``.
    """
    said: str | None = read_summary(folder).get("status")
    if said not in {None, RUNNING}:
        return said
    if not (folder / _LOCK).exists():
        return said and INTERRUPTED
    return RUNNING if is_locked(folder) else INTERRUPTED


def was_killed(folder: Path) -> bool:
    """Whether a run has ended without a word."""
    return status(folder) == INTERRUPTED and read_summary(folder).get("status") != INTERRUPTED


def mark_failed(folder: Path, error: str) -> None:
    """Say in the summary and in the log of a run that it failed, where it could not say so itself."""
    write_json(folder / SUMMARY, read_summary(folder) | {"status": FAILED, "error": error})
    with (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(f"{error.rstrip()}\n")
