"""The supervisor of a sweep: it launches jobs, waits for them, and detects those whose process was killed.

It is independent of grids and searches: a :class:`JobSource` provides the jobs and receives the status of each.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lac.runs.folder import (
    FAILED,
    FINISHED,
    INTERRUPTED,
    PRUNED,
    RUNNING,
    SUMMARY,
    mark_failed,
    mark_interrupted,
    was_killed,
)
from lac.sweeps.folder import archive_attempt, goes_on, is_stopped, job_status, request_stop

ENDED = frozenset({FINISHED, PRUNED, FAILED})
"""The statuses after which a job is not launched again in the same sweep."""

_POLL_SECONDS = 0.5
_SECONDS_TO_END = 30.0  # for the jobs of all slots, once they are asked to end


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        number: Its number in the sweep, which stays the same.
        folder: Name of its run folder in the sweep folder.
        overrides: Its overrides as on the command line.
    """

    number: int
    folder: str
    overrides: tuple[str, ...]


class JobSource(Protocol):
    """Provides the jobs of a supervisor; never called by two threads at once."""

    @property
    def must_end(self) -> bool:
        """Whether each job needs a final status in this sweep.

        If true, an interrupted job is run again alone, and fails if it is interrupted again. If false, it stays
        interrupted until the next sweep; a killed job fails at once, unless a broken pool hides which process died.
        """

    def next(self) -> Sequence[Job]:
        """The jobs to launch together, as one batch; empty if there are no more.

        The supervisor runs each of them unless it is finished or running elsewhere.
        """

    def report(self, job: Job, status: str) -> None:
        """Receive the final status of a job, one of :data:`ENDED`."""


Launch = Callable[[Sequence[Job]], object]


class Supervisor:
    """Runs the jobs of a source; a job that fails or is killed does not stop the others.

    Args:
        folder: The sweep folder; this process holds its lock.
        source: Provides the jobs.
        launch: Runs a batch of jobs and returns when all have ended; it may raise if a worker process has died.
            With several slots it is called from several threads at once.
        message: Prints a message for the user.
    """

    def __init__(self, folder: Path, source: JobSource, launch: Launch, message: Callable[[str], None]) -> None:
        self._folder, self._source, self._launch_jobs, self._message = folder, source, launch, message
        self._source_lock = threading.Lock()
        self._errors: list[BaseException] = []
        self._suspects: list[Job] = []
        self._left: dict[Job, bytes] = {}  # the summaries of jobs that go on, as they were before the launch

    def run(self, slots: int = 1) -> None:
        """Run all jobs; after a stop request, start no more jobs.

        Args:
            slots: Number of batches at a time.

        Raises:
            Exception: The launcher has run no job of a batch.
        """
        if slots == 1:
            self._fill_slot(is_shared=False)
        else:
            self._fill_slots(slots)
        # A worker that dies breaks its pool and ends the other jobs; running each alone shows which one it was.
        for job in self._suspects:
            if is_stopped(self._folder):
                break
            self._run_alone(job)

    def _fill_slots(self, slots: int) -> None:
        threads = [threading.Thread(target=self._fill_slot_and_keep_error, daemon=True) for _ in range(slots)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            # Ctrl-C and SIGTERM reach the main thread; the jobs end when they detect the request.
            request_stop(self._folder)
            deadline = time.monotonic() + _SECONDS_TO_END
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            raise
        if self._errors:
            raise self._errors[0]

    def _fill_slot_and_keep_error(self) -> None:
        try:
            self._fill_slot(is_shared=True)
        except BaseException as error:
            self._errors.append(error)

    def _fill_slot(self, is_shared: bool) -> None:
        while jobs := self._next_batch():
            self._run_batch(jobs, is_shared)
            self._report(jobs)

    def _next_batch(self) -> Sequence[Job]:
        with self._source_lock:
            if self._errors or is_stopped(self._folder):
                return []
            return self._source.next()

    def _report(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            final = self._status(job)
            if final in ENDED:
                with self._source_lock:
                    self._source.report(job, final)

    def _run_batch(self, jobs: Sequence[Job], is_shared: bool) -> None:
        """Run jobs until each has ended or is a suspect, or the sweep is stopped."""
        waiting = jobs
        while waiting and not is_stopped(self._folder):
            # After a sweep was killed, its workers may still be ending; those on a cluster continue.
            statuses = {job: self._status(job) for job in waiting}
            elsewhere = [job for job in waiting if statuses[job] == RUNNING]
            idle = [job for job in waiting if statuses[job] not in {RUNNING, FINISHED}]
            if idle:
                self._run_together(idle, is_shared)
            else:
                time.sleep(_POLL_SECONDS)
            waiting = [job for job in idle if self._status(job) in {None, RUNNING}]
            waiting += [job for job in elsewhere if self._status(job) not in ENDED]

    def _run_together(self, jobs: Sequence[Job], is_shared: bool) -> None:
        error = self._launch(jobs)
        if error is not None and is_shared and self._none_has_begun(jobs):
            error = self._launch(jobs)  # a worker of another slot may have broken the pool before the batch started
        if error is not None:
            self._wait(jobs)
        self._raise_if_none_has_begun(jobs, error)
        if self._source.must_end or isinstance(error, BrokenProcessPool):
            self._suspects += self._lost(jobs)
        else:
            self._mark_failed(self._lost(jobs), "its process was killed")

    def _run_alone(self, job: Job) -> None:
        error = self._launch([job])
        self._wait([job])
        self._raise_if_none_has_begun([job], error)
        self._mark_failed(self._lost([job]), "its process was killed, twice")
        self._report([job])

    def _launch(self, jobs: Sequence[Job]) -> Exception | None:
        """Launch jobs; returns the exception of the launcher, if any."""
        for job in jobs:
            self._make_ready(job)
        try:
            self._launch_jobs(jobs)
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            prefix = f"{jobs[0].folder}: " if len(jobs) == 1 else ""
            self._message(f"{prefix}the launcher ended with {type(error).__name__}: {lines[0]}")
            return error
        return None

    def _make_ready(self, job: Job) -> None:
        """Let a job that was interrupted go on, where it can; move what an earlier attempt has left otherwise."""
        folder = self._folder / job.folder
        if goes_on(folder):
            mark_interrupted(folder)
            self._left[job] = (folder / SUMMARY).read_bytes()
        elif self._status(job) is not None:
            archive_attempt(self._folder, job.folder)

    def _wait(self, jobs: Sequence[Job]) -> None:
        while any(self._status(job) == RUNNING for job in jobs) and not is_stopped(self._folder):
            time.sleep(_POLL_SECONDS)

    def _raise_if_none_has_begun(self, jobs: Sequence[Job], error: Exception | None) -> None:
        if self._none_has_begun(jobs) and not is_stopped(self._folder):
            raise error or RuntimeError("the launcher has run none of the jobs")

    def _none_has_begun(self, jobs: Sequence[Job]) -> bool:
        return not any(self._has_begun(job) for job in jobs)

    def _has_begun(self, job: Job) -> bool:
        """Whether a job has begun, or has gone on, since it was launched."""
        summary = self._folder / job.folder / SUMMARY
        before = self._left.get(job)
        return self._status(job) is not None and (before is None or before != summary.read_bytes())

    def _lost(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs whose process ended without a status that the source accepts; none once the sweep is stopped."""
        if self._source.must_end:
            lost = [job for job in jobs if self._status(job) == INTERRUPTED]
        else:
            lost = [job for job in jobs if was_killed(self._folder / job.folder)]
        # Checked last: a stop request during the checks above explains why jobs have ended.
        return [] if is_stopped(self._folder) else lost

    def _mark_failed(self, jobs: Sequence[Job], error: str) -> None:
        for job in jobs:
            mark_failed(self._folder / job.folder, error)

    def _status(self, job: Job) -> str | None:
        return job_status(self._folder / job.folder)
