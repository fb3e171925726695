"""The folder of a sweep: its lock, the request to stop its jobs, and the archive of earlier attempts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout

from lac.config.checks import ConfigError
from lac.runs.folder import (
    ATTEMPTS,
    FAILED,
    INTERRUPTED,
    RUNNING,
    RunError,
    has_checkpoint,
    read_summary,
    status,
)

_STOP = ".stop"


def sweep_lock(folder: Path) -> AcquireReturnProxy[FileLock]:
    """A context in which no other process runs the sweep; the stop request to an earlier process is cleared.

    Args:
        folder: The sweep folder; it is created if it does not exist.

    Raises:
        ConfigError: Another process runs the sweep.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder / ".lock").acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            [f"hydra.sweep.dir is {folder}: this sweep is running already; wait for it, stop it, or choose another"]
        ) from None
    clear_stop_request(folder)
    return lock


def job_status(folder: Path) -> str | None:
    """The status of a job's run; one whose summary is damaged has failed, and is run again with the sweep."""
    try:
        return status(folder)
    except RunError:
        return FAILED


def job_report(folder: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The summary of a job's run and the report in it of its last epoch, each empty where there is none."""
    try:
        summary = read_summary(folder)
    except RunError:
        return {}, {}
    final = summary.get("final")
    return summary, final if isinstance(final, Mapping) else {}


def goes_on(folder: Path) -> bool:
    """Whether the run of a job goes on: it was interrupted or had no space, and it or one of its seeds a checkpoint."""
    runs, state = [folder, *folder.glob("seed-*")], job_status(folder)
    can_go_on = state == INTERRUPTED or (state == FAILED and any(map(_had_no_space, runs)))
    return can_go_on and any(map(has_checkpoint, runs))


def _had_no_space(folder: Path) -> bool:
    return job_report(folder)[0].get("had_no_space") is True


def is_busy(folder: Path) -> bool:
    """Whether a job of the sweep is running, on this machine or elsewhere."""
    return any(run.is_dir() and job_status(run) == RUNNING for run in folder.glob("[0-9]*"))


def archive_attempt(folder: Path, name: str) -> Path:
    """Move the run folder of an earlier attempt at a job to ``attempts/``; returns its new folder.

    Args:
        folder: The sweep folder.
        name: Name of the job's run folder, which exists.
    """
    attempts = folder / ATTEMPTS
    attempts.mkdir(exist_ok=True)
    number = 1
    while (attempts / f"{name}-{number}").exists():
        number += 1
    return (folder / name).rename(attempts / f"{name}-{number}")


def request_stop(folder: Path) -> None:
    """Ask the jobs of a sweep to end."""
    (folder / _STOP).touch()


def is_stopped(folder: Path) -> bool:
    """Whether the jobs of a sweep are asked to end."""
    return (folder / _STOP).exists()


def clear_stop_request(folder: Path) -> None:
    """Withdraw the request of :func:`request_stop`."""
    (folder / _STOP).unlink(missing_ok=True)
