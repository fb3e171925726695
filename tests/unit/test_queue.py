"""The supervisor of jobs, with a source that is neither a grid nor a search."""

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import pytest

from lac.runs.folder import run_lock
from lac.sweeps.queue import Job, Supervisor


def job_of(number: int) -> Job:
    return Job(number, f"{number}-job", (f"seed={number}",))


class Source:
    """Gives batches of jobs and records the reports; it refuses to be called by two threads at once."""

    def __init__(self, *batches: Sequence[int], must_end: bool) -> None:
        self.must_end = must_end
        self.reports: list[tuple[int, str]] = []
        self._batches = [[job_of(number) for number in batch] for batch in batches]
        self._calls = threading.Lock()

    def next(self) -> Sequence[Job]:
        with self._one_call():
            return self._batches.pop(0) if self._batches else []

    def report(self, job: Job, status: str) -> None:
        with self._one_call():
            self.reports.append((job.number, status))

    @contextmanager
    def _one_call(self) -> Iterator[None]:
        assert self._calls.acquire(blocking=False), "two threads at once"
        threading.Event().wait(0.01)
        yield
        self._calls.release()


class Launcher:
    """Ends the attempts of each job with the statuses given; an exception is raised, None does not begin the job.

    The last one counts for all further attempts; jobs that are not listed finish.
    """

    def __init__(self, folder: Path, **attempts: Sequence[str | Exception | None]) -> None:
        self.calls: list[list[int]] = []
        self._folder, self._attempts = folder, {int(name[1:]): list(ends) for name, ends in attempts.items()}

    def __call__(self, jobs: Sequence[Job]) -> None:
        self.calls.append([job.number for job in jobs])
        for job in jobs:
            ends = self._attempts.get(job.number, ["finished"])
            end = ends.pop(0) if len(ends) > 1 else ends[0]
            if isinstance(end, Exception):
                raise end
            if end is not None:
                write_status(self._folder / job.folder, end)


def write_status(folder: Path, status: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with run_lock(folder):
        (folder / "summary.json").write_text(json.dumps({"status": status}))


def run(folder: Path, source: Source, launcher: Launcher, slots: int = 1) -> None:
    Supervisor(folder, source, launcher, lambda _text: None).run(slots)


@pytest.mark.parametrize("slots", [1, 3])
def test_each_final_status_is_reported_once(tmp_path, slots):
    source = Source([0], [1, 2], [3], [4], [5], must_end=True)
    run(tmp_path, source, Launcher(tmp_path, j2=["failed"], j4=["pruned"]), slots)
    assert sorted(source.reports) == [
        (0, "finished"),
        (1, "finished"),
        (2, "failed"),
        (3, "finished"),
        (4, "pruned"),
        (5, "finished"),
    ]


def test_a_finished_job_is_reported_and_not_launched(tmp_path):
    write_status(tmp_path / "0-job", "finished")
    source, launcher = Source([0, 1], must_end=False), Launcher(tmp_path)
    run(tmp_path, source, launcher)
    assert launcher.calls == [[1]]
    assert source.reports == [(0, "finished"), (1, "finished")]


@pytest.mark.parametrize("status", ["interrupted", "running"])
def test_a_job_that_must_end_has_a_second_attempt_after_all_others(tmp_path, status):
    for last, expected in (("finished", "finished"), (status, "failed")):
        folder = tmp_path / last
        source, launcher = Source([0], [1], must_end=True), Launcher(folder, j0=[status, last])
        folder.mkdir()
        run(folder, source, launcher)
        assert launcher.calls == [[0], [1], [0]]
        assert source.reports == [(1, "finished"), (0, expected)]
    assert "killed, twice" in (tmp_path / status / "0-job" / "train.log").read_text()


def test_an_interrupted_job_that_need_not_end_is_left_to_the_next_sweep(tmp_path):
    source, launcher = Source([0, 1], must_end=False), Launcher(tmp_path, j0=["interrupted"])
    run(tmp_path, source, launcher)
    assert launcher.calls == [[0, 1]]
    assert source.reports == [(1, "finished")]


def test_a_batch_that_a_broken_pool_has_refused_is_launched_again_if_slots_share_the_pool(tmp_path):
    refused = BrokenProcessPool("a neighbour was killed")
    source, launcher = Source([0], must_end=True), Launcher(tmp_path, j0=[refused, "finished"])
    run(tmp_path, source, launcher, slots=2)
    assert (launcher.calls, source.reports) == ([[0], [0]], [(0, "finished")])
    alone = Launcher(tmp_path, j1=[refused, "finished"])
    with pytest.raises(BrokenProcessPool, match="a neighbour"):
        run(tmp_path, Source([1], must_end=True), alone)
    assert alone.calls == [[1]]


def test_a_launcher_that_fails_in_the_second_attempt_is_reported_as_an_error(tmp_path):
    launcher = Launcher(tmp_path, j0=["running", ConnectionError("no cluster")])
    with pytest.raises(ConnectionError, match="no cluster"):
        run(tmp_path, Source([0], must_end=True), launcher)


def test_only_the_attempts_of_this_sweep_count(tmp_path, monkeypatch):
    """A job that a cluster still runs when the sweep begins, and that is killed there, gets both its attempts."""
    write_status(tmp_path / "0-job", "running")
    lock = run_lock(tmp_path / "0-job")
    lock.acquire()
    monkeypatch.setattr("lac.sweeps.queue.time.sleep", lambda _seconds: lock.release())
    source, launcher = Source([0], must_end=True), Launcher(tmp_path, j0=["running", "finished"])
    run(tmp_path, source, launcher)
    assert (launcher.calls, source.reports) == ([[0], [0]], [(0, "finished")])
    assert sorted(path.name for path in (tmp_path / "attempts").iterdir()) == ["0-job-1", "0-job-2"]
