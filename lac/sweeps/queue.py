"""Sweeps that survive: which jobs there are, which are done, and what became of them.

A sweep folder holds one run folder a job, and ``sweep.json``, which keeps the number and the folder of each
config for good. So the same sweep, started again, runs what is missing and nothing twice.
"""

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout
from tabulate import tabulate

from lac.files import write_json
from lac.runs.folder import (
    ATTEMPTS,
    FAILED,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    mark_failed,
    read_summary,
    status,
    was_killed,
)

MANIFEST = "sweep.json"
_STOP = ".stop"
_NO_PART_OF_A_RESULT = ("wandb", "dry_run", "fail_fast")
_NOT_RUN = "not run"
_SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        number: Its number in the sweep, for good.
        folder: Name of its run folder.
        digest: Of its resolved config.
        overrides: What is given on the command line for it.
        differences: Those overrides in which the jobs of the sweep differ.
    """

    number: int
    folder: str
    digest: str
    overrides: tuple[str, ...]
    differences: tuple[str, ...]


def config_digest(config: Mapping[str, Any]) -> str:
    """What tells apart configs with different results."""
    relevant = {name: value for name, value in config.items() if name not in _NO_PART_OF_A_RESULT}
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()[:16]


class Sweep:
    """The jobs of a sweep folder.

    Args:
        folder: The sweep folder; what it holds already is kept.
        wanted: The overrides and the digest of each job that is to be done, in order, without duplicates.
        name: Gives the folder name of a job from its differences.
    """

    def __init__(
        self, folder: Path, wanted: Sequence[tuple[Sequence[str], str]], name: Callable[[Sequence[str]], str]
    ) -> None:
        self.folder = folder
        self._known = self._read_manifest()
        given = [overrides for overrides, _ in wanted] + [entry["overrides"] for entry in self._known.values()]
        shared = set.intersection(*map(set, given)) if len(given) > 1 else set()
        number = self._first_free_number()
        self.jobs: list[Job] = []
        for overrides, digest in wanted:
            differences = tuple(text for text in overrides if text not in shared)
            known = self._known.get(digest)
            if known is None:
                known = {"number": number, "folder": f"{number}-{name(differences or overrides)}"}
                number += 1
            self.jobs.append(Job(known["number"], known["folder"], digest, tuple(overrides), differences))

    def _read_manifest(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads((self.folder / MANIFEST).read_text())
        except FileNotFoundError:
            return {}
        return {entry["digest"]: entry for entry in content["jobs"]}

    def _write_manifest(self) -> None:
        entries = self._known | {
            job.digest: {"number": job.number, "folder": job.folder, "digest": job.digest, "overrides": job.overrides}
            for job in self.jobs
        }
        write_json(self.folder / MANIFEST, {"jobs": sorted(entries.values(), key=lambda entry: entry["number"])})

    def _first_free_number(self) -> int:
        """Folders of other sweeps count, so that nothing is written over."""
        found = [re.match(r"\d+", path.name) for path in self.folder.glob("[0-9]*")]
        numbers = [entry["number"] for entry in self._known.values()] + [int(match[0]) for match in found if match]
        return max(numbers, default=-1) + 1

    def locked(self) -> AcquireReturnProxy[FileLock]:
        """A context in which this process alone works on the sweep.

        Raises:
            RuntimeError: Another process does.
        """
        return sweep_lock(self.folder)

    def status(self, job: Job) -> str | None:
        """The status of the job's run, None where it has not begun."""
        return status(self.folder / job.folder)

    def is_busy(self) -> bool:
        """Whether a job is running, here or elsewhere."""
        return any(self.status(job) == RUNNING for job in self.jobs)

    def run(self, launch: Callable[[Sequence[Job]], object], say: Callable[[str], None]) -> None:
        """Run what is not finished; one job's end, whatever it is, does not keep others from running.

        Args:
            launch: Runs jobs, some at a time; it may raise where a worker process has died.
            say: Takes what the user should know.

        Raises:
            Exception: The launcher does not run any job.
        """
        self._write_manifest()
        waiting = [job for job in self.jobs if self.status(job) != FINISHED]
        suspects: list[Job] = []
        while waiting and not is_stopped(self.folder):
            # Workers of a sweep that was killed may still be ending, and those of a cluster go on.
            elsewhere = [job for job in waiting if self.status(job) == RUNNING]
            todo = [job for job in waiting if job not in elsewhere]
            if todo:
                suspects += self._run_together(todo, launch, say)
            else:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            waiting = [job for job in todo if self.status(job) in {None, RUNNING}]
            waiting += [job for job in elsewhere if self.status(job) not in {FINISHED, FAILED}]
        # A dead worker takes those beside it along: which one it was shows when each runs by itself.
        for job in suspects:
            if is_stopped(self.folder):
                break
            self._launch([job], launch, say)
            self._tell_killed([job], "its process was killed, twice")

    def _run_together(
        self, jobs: Sequence[Job], launch: Callable[[Sequence[Job]], object], say: Callable[[str], None]
    ) -> list[Job]:
        """Run jobs until all have ended or the launcher has given up; returns those that may have made it."""
        error = self._launch(jobs, launch, say)
        while error and any(self.status(job) == RUNNING for job in jobs) and not is_stopped(self.folder):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        if is_stopped(self.folder):
            return []
        if all(self.status(job) is None for job in jobs):
            raise error or RuntimeError("the launcher has run none of the jobs")
        if isinstance(error, BrokenProcessPool):
            return [job for job in jobs if was_killed(self.folder / job.folder)]
        self._tell_killed(jobs, "its process was killed")
        return []

    def _launch(
        self, jobs: Sequence[Job], launch: Callable[[Sequence[Job]], object], say: Callable[[str], None]
    ) -> Exception | None:
        for job in jobs:
            if self.status(job) is not None:
                archive_attempt(self.folder, job.folder)
        try:
            launch(jobs)
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            say(f"the launcher ended with {type(error).__name__}: {lines[0]}")
            return error
        return None

    def _tell_killed(self, jobs: Sequence[Job], error: str) -> None:
        for job in jobs:
            if was_killed(self.folder / job.folder) and not is_stopped(self.folder):
                mark_failed(self.folder / job.folder, error)

    def counts(self) -> str:
        """How many jobs have which status, in words."""
        counted = Counter(self.status(job) or _NOT_RUN for job in self.jobs)
        return ", ".join(
            f"{counted[name]} {name}" for name in (FINISHED, FAILED, INTERRUPTED, RUNNING, _NOT_RUN) if counted[name]
        )

    def table(self) -> str:
        """All jobs with what became of them."""
        headings = ("status", "test cost", "length", "deaths", "seconds", f"folder in {self.folder}")
        table: str = tabulate([self._row(job) for job in self.jobs], headings, floatfmt=".1f", missingval="-")
        return table

    def _row(self, job: Job) -> tuple[Any, ...]:
        summary = read_summary(self.folder / job.folder)
        final = summary.get("final", {})
        length, deaths = final.get("ep_len_mean"), final.get("death_rate")
        return (
            self.status(job) or _NOT_RUN,
            final.get("cost_mean"),
            None if length is None else f"{length:.0f}",
            None if deaths is None else f"{deaths:.0%}",
            summary.get("wall_time"),
            job.folder,
        )


def sweep_lock(folder: Path) -> AcquireReturnProxy[FileLock]:
    """A context in which this process alone works on the sweep of a folder; what stopped an earlier one is over.

    Raises:
        RuntimeError: Another process does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder / ".lock").acquire(timeout=0)
    except Timeout:
        raise RuntimeError(f"{folder}: this sweep is running already; wait for it, or stop it first") from None
    clear_stop_request(folder)
    return lock


def archive_attempt(folder: Path, name: str) -> Path:
    """Keep what an earlier attempt left under ``attempts/``, out of the way of the next one; returns where."""
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
    """Take back what :func:`request_stop` asked for."""
    (folder / _STOP).unlink(missing_ok=True)
