"""Sweeps that survive: which jobs there are, which are done, and what became of them.

A sweep folder holds one run folder a job, and ``sweep.json``, which keeps the number and the folder of each
config for good. So the same sweep, started again, runs what is missing and nothing twice.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tabulate import tabulate

from lac.files import write_json
from lac.run_folder import FAILED, FINISHED, RUNNING, mark_failed, read_summary, status

MANIFEST = "sweep.json"
ATTEMPTS = "attempts"
_STOP = ".stop"
_NO_PART_OF_A_RESULT = ("wandb", "dry_run", "fail_fast")


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
        self._known = {job.digest: job for job in self._read_manifest()}
        shared = set.intersection(*(set(overrides) for overrides, _ in wanted)) if len(wanted) > 1 else set()
        number = max((job.number + 1 for job in self._known.values()), default=0)
        self.jobs: list[Job] = []
        for overrides, digest in wanted:
            job = self._known.get(digest)
            if job is None:
                differences = tuple(text for text in overrides if text not in shared)
                folder_name = f"{number}-{name(differences or overrides)}"
                job = Job(number, folder_name, digest, tuple(overrides), differences)
                number += 1
            self.jobs.append(job)

    def _read_manifest(self) -> list[Job]:
        try:
            content = json.loads((self.folder / MANIFEST).read_text())
        except FileNotFoundError:
            return []
        return [
            Job(
                entry["number"],
                entry["folder"],
                entry["digest"],
                tuple(entry["overrides"]),
                tuple(entry["differences"]),
            )
            for entry in content["jobs"]
        ]

    def locked(self) -> FileLock:
        """A context in which this process alone works on the sweep.

        Raises:
            RuntimeError: Another process does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RuntimeError(f"{self.folder}: this sweep is running already; wait for it, or stop it first") from None
        return lock

    def status(self, job: Job) -> str | None:
        """The status of the job's run, None where it has not begun."""
        return status(self.folder / job.folder)

    def unfinished(self) -> list[Job]:
        """Jobs that are neither done nor being done by another process."""
        return [job for job in self.jobs if self.status(job) not in {FINISHED, RUNNING}]

    def run(self, launch: Callable[[Sequence[Job]], object], say: Callable[[str], None]) -> None:
        """Run what is not finished; one job's end, whatever it is, does not keep others from running.

        Args:
            launch: Runs jobs, some at a time; it may raise where a worker process has died.
            say: Takes what the user should know.
        """
        write_json(self.folder / MANIFEST, {"jobs": [asdict(job) for job in self._known_and_new()]})
        (self.folder / _STOP).unlink(missing_ok=True)
        todo = self.unfinished()
        for job in todo:
            self._set_aside(job)
        suspects: list[Job] = []
        while todo and not is_stopped(self.folder):
            error = self._launch(todo, launch, say)
            if error:
                # Launchers give up on all of their jobs with the first that is killed; others may go on.
                self._wait_for(todo)
            killed = [job for job in todo if self.status(job) not in {None, FINISHED, FAILED, RUNNING}]
            suspects += killed
            untouched = [job for job in todo if self.status(job) is None]
            if error and len(untouched) == len(todo):
                raise error  # the launcher itself does not work
            todo = untouched
        # A dead worker takes those beside it along: which one it was shows when each runs by itself.
        for job in suspects:
            if is_stopped(self.folder):
                break
            self._set_aside(job)
            self._launch([job], launch, say)
            if self.status(job) not in {FINISHED, FAILED, RUNNING}:
                mark_failed(self.folder / job.folder, "its process was killed, twice")

    def _known_and_new(self) -> list[Job]:
        jobs = self._known | {job.digest: job for job in self.jobs}
        return sorted(jobs.values(), key=lambda job: job.number)

    def _launch(
        self, jobs: Sequence[Job], launch: Callable[[Sequence[Job]], object], say: Callable[[str], None]
    ) -> Exception | None:
        try:
            launch(jobs)
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            say(f"the launcher ended with {type(error).__name__}: {lines[0]}")
            return error
        return None

    def _wait_for(self, jobs: Sequence[Job]) -> None:
        while any(self.status(job) == RUNNING for job in jobs) and not is_stopped(self.folder):
            time.sleep(1.0)

    def _set_aside(self, job: Job) -> None:
        """Keep what an earlier attempt left, out of the way of the next one."""
        folder = self.folder / job.folder
        if self.status(job) is None:
            return
        attempts = self.folder / ATTEMPTS
        attempts.mkdir(exist_ok=True)
        number = 1
        while (attempts / f"{job.folder}-{number}").exists():
            number += 1
        folder.rename(attempts / f"{job.folder}-{number}")

    def table(self) -> str:
        """All jobs with what became of them."""
        headings = ("job", "status", "test cost", "length", "deaths", "seconds", "differs in")
        table: str = tabulate([self._row(job) for job in self.jobs], headings, floatfmt=".1f", missingval="-")
        return table

    def _row(self, job: Job) -> tuple[Any, ...]:
        summary = read_summary(self.folder / job.folder)
        final = summary.get("final", {})
        deaths = final.get("death_rate")
        return (
            job.number,
            self.status(job) or "not run",
            final.get("cost_mean"),
            None if final.get("ep_len_mean") is None else f"{final['ep_len_mean']:.0f}",
            None if deaths is None else f"{deaths:.0%}",
            summary.get("wall_time"),
            " ".join(job.differences) or job.folder,
        )


def stop(folder: Path) -> None:
    """Ask the jobs of a sweep to end."""
    (folder / _STOP).touch()


def is_stopped(folder: Path) -> bool:
    """Whether the jobs of a sweep are asked to end."""
    return (folder / _STOP).exists()
