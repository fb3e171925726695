"""What stands in a run folder, and how a run's state is told from outside."""

import json
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lac.files import write_json

CONFIG, METRICS, SUMMARY = "config.yaml", "metrics.jsonl", "summary.json"
PICTURE, LOG, EVALUATION = "learning_curve.png", "train.log", "evaluation.json"
RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"


def run_lock(folder: Path) -> FileLock:
    """The lock that a run holds while it lives; the system releases it when the process ends, however it ends."""
    return FileLock(folder / ".lock")


def is_locked(lock: FileLock) -> bool:
    """Whether another process holds the lock."""
    if not Path(lock.lock_file).exists():
        return False
    try:
        with lock.acquire(timeout=0):
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


def status(folder: Path) -> str | None:
    """``running``, ``finished``, ``failed``, ``interrupted``, or None where none has begun.

    A run that says ``running`` while no process holds its lock has been killed: ``interrupted``.
    """
    said: str | None = read_summary(folder).get("status")
    if said == RUNNING and not is_locked(run_lock(folder)):
        return INTERRUPTED
    return said


def mark_failed(folder: Path, error: str) -> None:
    """Say in the summary of a run that it failed, where it could not say so itself."""
    write_json(folder / SUMMARY, read_summary(folder) | {"status": FAILED, "error": error})
