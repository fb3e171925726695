"""The files of a run folder, and the status of a run as other processes see it."""

import json
import stat
from itertools import chain, count
from pathlib import Path
from types import NoneType
from typing import Any

from filelock import FileLock, Timeout

from lac.files import write_json

CONFIG, METRICS, SUMMARY = "config.yaml", "metrics.jsonl", "summary.json"
PICTURE, LOG, EVALUATION = "learning_curve.png", "train.log", "evaluation.json"
RUNNING, FINISHED, FAILED, INTERRUPTED, PRUNED = "running", "finished", "failed", "interrupted", "pruned"
FROM_PYTHON, UNMADE = "from_python", "unmade_environment"
"""Entries of a summary: whether Python has begun the run, and why its environment cannot be made from its config."""
ATTEMPTS = "attempts"
"""Folder of a sweep that keeps the results of earlier attempts at its jobs."""
CHECKPOINTS = "checkpoints"
_CHECKPOINT, _SUFFIX = "step-", ".safetensors"
_LOCK = ".lock"


class RunError(ValueError):
    """A run folder that cannot be used; the message is one sentence that names the file and what to do."""


def run_lock(folder: Path) -> FileLock:
    """The lock that a run holds while it lives; the system releases it when the process ends, however it ends.

    Within a process it is the same object for the same folder, and may be taken again.
    """
    return FileLock(folder / _LOCK, is_singleton=True)


def locked_run(folder: Path) -> FileLock:
    """The lock of a run that goes on, which is held.

    Raises:
        RunError: Another process has it.
    """
    lock = run_lock(folder)
    try:
        lock.acquire(timeout=1)  # a process that tests whether it is free holds it for a moment
    except Timeout:
        raise RunError(f"{folder} is used by another process; wait for its end, or stop it") from None
    return lock


def claimed_folder(folder: Path) -> FileLock:
    """Make a folder this process's own; returns its lock, which is held.

    Raises:
        FileExistsError: It already contains a run, or another process has claimed it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = run_lock(folder)
    try:
        lock.acquire(timeout=1)  # a process that tests whether it is free holds it for a moment
    except Timeout:
        raise FileExistsError(f"{folder} is used by another process; give another output folder") from None
    if (folder / SUMMARY).exists():
        lock.release()
        raise FileExistsError(f"{folder} already contains a run; give another output folder{_or_resume(folder)}")
    return lock


def _or_resume(folder: Path) -> str:
    try:
        is_over = status(folder) == FINISHED
    except RunError:
        is_over = True
    return "" if is_over else f", or go on with it: resume={folder} (logger_kwargs={{'resume': ...}} from Python)"


def abandon_claim(folder: Path) -> None:
    """Give a claimed folder back, since no run begins in it."""
    if run_lock(folder).is_locked:
        (folder / _LOCK).unlink(missing_ok=True)
        run_lock(folder).release(force=True)


def new_folder(wanted: Path) -> Path:
    """Make a folder that did not exist, with a number after its name if there is one already."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    numbered = (wanted.with_name(f"{wanted.name}-{number}") for number in count(2))
    return next(folder for folder in chain([wanted], numbered) if _is_made(folder))


def _is_made(folder: Path) -> bool:
    """Make a folder; false if it is there already."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock of a run, as far as this process can find out."""
    try:
        # Not the singleton, which this process could take a second time.
        with FileLock(folder / _LOCK).acquire(timeout=0):
            return False
    except OSError:  # that of a lock which is held; or of one of another user, which cannot be tried
        return True


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of a run; empty where none has begun.

    Raises:
        RunError: The file is empty or damaged.
    """
    return read_object(folder / SUMMARY) if (folder / SUMMARY).exists() else {}


def read_object(file: Path) -> dict[str, Any]:
    """The object in a JSON file of a run folder.

    Raises:
        RunError: The file is missing, empty or damaged.
    """
    try:
        content = json.loads(present_file(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(file, error) from error
    if not isinstance(content, dict):
        raise unreadable(file, f"it holds {type(content).__name__} instead of an object")
    return content


def present_file(file: Path) -> Path:
    """A file of a run folder, which is there and can be read to its end.

    Raises:
        OSError: It is missing or something else, such as a pipe, in which a reader would wait for a writer.
    """
    if stat.S_ISREG(file.stat().st_mode):
        return file
    raise OSError("it is not a file")


def unreadable(file: Path, reason: object) -> RunError:
    """The error for a file of a run folder that cannot be read."""
    if isinstance(reason, PermissionError):
        return RunError(f"{file} may not be read ({reason.strerror}); change its permissions or those of its folder")
    if isinstance(reason, FileNotFoundError):
        problem = "is missing"
    elif file.is_file() and file.stat().st_size == 0:
        problem = "is empty"
    else:
        problem = f"is damaged ({one_line(reason)})"
    return RunError(f"{file} {problem}; restore it or train the run again")


def one_line(reason: object) -> str:
    """A reason, such as the message of an exception, as one line; never empty."""
    return " ".join(str(reason).split()) or type(reason).__name__


def checkpoint_name(env_steps: int) -> str:
    """Name of the file of a checkpoint."""
    return f"{_CHECKPOINT}{env_steps:012d}{_SUFFIX}"


def checkpoint_files(folder: Path) -> list[Path]:
    """The files of the checkpoints of a run, the oldest first."""
    return sorted((folder / CHECKPOINTS).glob(f"{_CHECKPOINT}*{_SUFFIX}"))


def has_checkpoint(folder: Path) -> bool:
    """Whether a run has a checkpoint, whole or not."""
    return bool(checkpoint_files(folder))


def is_multi_seed(folder: Path) -> bool:
    """Whether it is a job of several seeds, which holds a run for each."""
    return "seeds" in read_summary(folder)


def status(folder: Path) -> str | None:
    """``running``, ``finished``, ``failed``, ``interrupted``, ``pruned``, or None where none has begun.

    A run that has begun, has recorded no end and is not held by a process has been killed: ``interrupted``.
    """
    recorded = read_summary(folder).get("status")
    if not isinstance(recorded, (str, NoneType)):
        raise unreadable(folder / SUMMARY, f"its status is {recorded!r} instead of a word")
    if recorded not in {None, RUNNING}:
        return recorded
    if not (folder / _LOCK).exists():
        return recorded and INTERRUPTED
    return RUNNING if is_locked(folder) else INTERRUPTED


def was_killed(folder: Path) -> bool:
    """Whether a run has ended without recording its end."""
    return status(folder) == INTERRUPTED and read_summary(folder).get("status") != INTERRUPTED


def mark_failed(folder: Path, error: str) -> None:
    """Record in the summary and in the log of a run that it failed, where it could not do so itself."""
    write_json(folder / SUMMARY, read_summary(folder) | {"status": FAILED, "error": error})
    with (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(f"{error.rstrip()}\n")


def mark_interrupted(folder: Path) -> None:
    """Record in the summary of a run that it was interrupted, where it was killed before it could do so itself."""
    write_json(folder / SUMMARY, read_summary(folder) | {"status": INTERRUPTED})
