"""Grids and the supervisor of jobs: digests, numbers, and the status of each job when launchers fail."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from lac.config.checks import ConfigError
from lac.runs.folder import run_lock, status
from lac.sweeps.folder import goes_on, is_busy, is_stopped, request_stop, sweep_lock
from lac.sweeps.grid import Grid
from lac.sweeps.manifest import config_digest
from lac.sweeps.queue import Job, Launch, Supervisor

CONFIG = {"algo": {"alpha3": 0.1}, "seed": 0, "wandb": {"mode": "online"}, "dry_run": False, "fail_fast": False}

Grids = Callable[..., Grid]


@pytest.fixture
def grid(tmp_path: Path) -> Grids:
    """Grids of jobs that differ in their seeds, all in one folder."""

    def make(*seeds: int, others: Sequence[str] = ("env=oscillator",)) -> Grid:
        requested = [((*others, f"seed={seed}"), f"digest of {seed}") for seed in seeds]
        return Grid(tmp_path / "sweep", requested, lambda texts: "-".join(texts).replace("=", "_"))

    return make


def begin(folder: Path, state: str | None = "running") -> None:
    """What a run leaves until its process dies."""
    folder.mkdir(parents=True)
    with run_lock(folder):
        pass
    if state is not None:
        (folder / "summary.json").write_text(json.dumps({"status": state}))


class Launcher:
    """Ends each job as given, and raises where a job is killed, as process pools do."""

    def __init__(self, folder: Path, ends: dict[int, str] | None = None, error: type[Exception] | None = None) -> None:
        self.calls: list[list[int]] = []
        self._folder, self._ends, self._error = folder, ends or {}, error

    def __call__(self, jobs: Sequence[Job]) -> None:
        self.calls.append([job.number for job in jobs])
        for job in jobs:
            end = self._ends.get(job.number, "finished")
            if end == "nothing":
                continue
            begin(self._folder / job.folder, "running" if end == "killed" else end)
            if end == "killed" and self._error is not None:
                raise self._error("a worker has died")


def ignore(_text: str) -> None:
    pass


def run(grid: Grid, launch: Launch, message: Callable[[str], None] = ignore) -> None:
    Supervisor(grid.folder, grid, launch, message).run()


def statuses(grid: Grid) -> list[str | None]:
    return [grid.status(job) for job in grid.jobs]


def folders(path: Path) -> list[str]:
    return sorted(folder.name for folder in path.iterdir() if folder.is_dir())


# Jobs and their numbers


@pytest.mark.parametrize("change", [{"seed": 1}, {"algo": {"alpha3": 0.2}}, {"seed": None}])
def test_configs_with_other_results_have_other_digests(change):
    assert config_digest(CONFIG | change) != config_digest(CONFIG)


@pytest.mark.parametrize("change", [{"wandb": {"mode": "off"}}, {"dry_run": True}, {"train": {"keep_checkpoints": 1}}])
def test_where_and_how_a_sweep_is_run_is_no_part_of_the_digest(change):
    assert config_digest(CONFIG | {"train": {}} | change) == config_digest(CONFIG | {"train": {}})


def test_order_of_keys_is_no_part_of_the_digest():
    assert config_digest(dict(reversed(CONFIG.items()))) == config_digest(CONFIG)


def test_jobs_are_named_after_what_they_differ_in(grid):
    jobs = grid(3, 4).jobs
    assert [job.folder for job in jobs] == ["0-seed_3", "1-seed_4"]
    assert [job.differences for job in jobs] == [("seed=3",), ("seed=4",)]
    assert grid(3).jobs[0].folder == "0-env_oscillator-seed_3", "a single job differs from none"


def test_numbers_and_folders_are_kept(grid):
    first = grid(0, 1, 2)
    run(first, Launcher(first.folder))
    second = grid(3, 2, 0)
    assert [(job.number, job.folder) for job in second.jobs] == [(3, "3-seed_3"), (2, "2-seed_2"), (0, "0-seed_0")]
    run(second, Launcher(second.folder))
    assert [job.number for job in grid(4, 3, 1).jobs] == [4, 3, 1], "job 1 is known though the second sweep had none"


def test_folders_of_others_keep_their_numbers(grid):
    begin(grid(0).folder / "6-something_else", "finished")
    assert [job.number for job in grid(0, 1).jobs] == [7, 8]


def test_what_is_no_part_of_the_digest_is_taken_from_the_newest_command(grid):
    first = grid(0, 1, others=["wandb.mode=online"])
    run(first, Launcher(first.folder))
    assert grid(0, 1, others=["wandb.mode=disabled"]).jobs[0].overrides == ("wandb.mode=disabled", "seed=0")


# What is run


def test_finished_jobs_are_never_touched_again(grid):
    first = grid(0, 1)
    run(first, Launcher(first.folder, {1: "failed"}))
    finished = first.folder / "0-seed_0" / "summary.json"
    before = finished.stat()
    again = Launcher(first.folder)
    run(grid(0, 1, 2), again)
    assert again.calls == [[1, 2]]
    after = finished.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("state", ["running", "failed", "interrupted", None])
def test_an_earlier_attempt_is_archived(state, grid):
    jobs = grid(0, 1)
    run(jobs, Launcher(jobs.folder, {0: "failed"}))
    for attempt in (1, 2):
        (jobs.folder / "0-seed_0" / "summary.json").unlink()
        if state is not None:
            (jobs.folder / "0-seed_0" / "summary.json").write_text(json.dumps({"status": state}))
        (jobs.folder / "0-seed_0" / f"mark{attempt}").touch()
        run(grid(0, 1), Launcher(jobs.folder, {0: "failed"}))
    attempts = jobs.folder / "attempts"
    assert folders(attempts) == ["0-seed_0-1", "0-seed_0-2"]
    assert (attempts / "0-seed_0-1" / "mark1").exists()
    assert (attempts / "0-seed_0-2" / "mark2").exists()


def test_job_of_another_process_is_waited_for_and_not_run(grid, monkeypatch):
    jobs = grid(0, 1)
    folder = jobs.folder / "0-seed_0"
    begin(folder)
    lock = run_lock(folder)
    lock.acquire()
    assert is_busy(jobs.folder)

    def end_elsewhere(_seconds: float) -> None:
        (folder / "summary.json").write_text('{"status": "finished"}')
        lock.release()

    monkeypatch.setattr("lac.sweeps.queue.time.sleep", end_elsewhere)
    launcher = Launcher(jobs.folder)
    run(jobs, launcher)
    assert launcher.calls == [[1]]
    assert statuses(jobs) == ["finished", "finished"]


def test_job_that_another_process_has_abandoned_is_run_in_the_end(grid, monkeypatch):
    jobs = grid(0, 1)
    begin(jobs.folder / "0-seed_0")
    lock = run_lock(jobs.folder / "0-seed_0")
    lock.acquire()
    monkeypatch.setattr("lac.sweeps.queue.time.sleep", lambda _seconds: lock.release())
    launcher = Launcher(jobs.folder)
    run(jobs, launcher)
    assert launcher.calls == [[1], [0]]
    assert statuses(jobs) == ["finished", "finished"]


# Launchers that fail


def test_killed_worker_of_a_pool_is_identified_among_its_neighbours(grid):
    jobs = grid(0, 1, 2, 3)

    class Pool(Launcher):
        def __call__(self, todo: Sequence[Job]) -> None:
            if len(todo) == 4:
                self.calls.append([job.number for job in todo])
                begin(self._folder / "0-seed_0")
                begin(self._folder / "1-seed_1")
                raise BrokenProcessPool("job 1 was killed, and job 0 with it")
            super().__call__(todo)

    printed: list[str] = []
    pool = Pool(jobs.folder, {1: "killed"}, BrokenProcessPool)
    run(jobs, pool, printed.append)
    assert pool.calls == [[0, 1, 2, 3], [2, 3], [0], [1]]
    assert statuses(jobs) == ["finished", "failed", "finished", "finished"]
    summary = json.loads((jobs.folder / "1-seed_1" / "summary.json").read_text())
    assert "killed, twice" in summary["error"]
    assert "killed, twice" in (jobs.folder / "1-seed_1" / "train.log").read_text()
    assert any("BrokenProcessPool: job 1 was killed" in text for text in printed)
    assert jobs.counts() == "3 finished, 1 failed"


def test_other_launchers_do_not_train_again_what_was_killed(grid):
    jobs = grid(0, 1, 2)
    launcher = Launcher(jobs.folder, {1: "killed"}, RuntimeError)
    run(jobs, launcher)
    assert launcher.calls == [[0, 1, 2], [2]]
    assert statuses(jobs) == ["finished", "failed", "finished"]


def test_launcher_that_runs_no_job_ends_the_sweep(grid):
    def broken(_jobs: Sequence[Job]) -> None:
        raise ConnectionError("no cluster at 10.0.0.1")

    with pytest.raises(ConnectionError, match=r"no cluster at 10\.0\.0\.1"):
        run(grid(0, 1), broken)
    with pytest.raises(RuntimeError, match="none of the jobs"):
        run(grid(0, 1), Launcher(grid(0).folder, {0: "nothing", 1: "nothing"}))


def test_job_that_was_terminated_by_itself_does_not_stop_the_others(grid):
    jobs = grid(0, 1)
    launcher = Launcher(jobs.folder, {0: "interrupted"})
    run(jobs, launcher)
    assert launcher.calls == [[0, 1]]
    assert statuses(jobs) == ["interrupted", "finished"]


# The end


def test_stopped_sweep_launches_nothing_more_and_the_next_one_continues(grid):
    jobs = grid(0, 1, 2)

    def stopped(_jobs: Sequence[Job]) -> None:
        begin(jobs.folder / "0-seed_0", "failed")
        begin(jobs.folder / "1-seed_1")
        request_stop(jobs.folder)
        raise BrokenProcessPool

    run(jobs, stopped)
    assert is_stopped(jobs.folder)
    assert statuses(jobs) == ["failed", "interrupted", None]
    assert jobs.counts() == "1 failed, 1 interrupted, 1 not run"
    launcher = Launcher(jobs.folder)
    with sweep_lock(jobs.folder):
        assert not is_stopped(jobs.folder)
        run(grid(0, 1, 2), launcher)
    assert launcher.calls == [[0, 1, 2]]


def test_a_sweep_is_worked_on_by_one_process(grid):
    folder = grid(0).folder
    with sweep_lock(folder), pytest.raises(ConfigError, match="running already"):
        sweep_lock(folder)
    with sweep_lock(folder):
        pass


def test_table_lists_every_job(grid):
    jobs = grid(0, 1)
    begin(jobs.folder / "0-seed_0", "finished")
    final = {"cost_mean": 104.26, "ep_len_mean": 400.0, "death_rate": 0.25}
    summary = {"status": "finished", "wall_time": 41.5, "final": final}
    (jobs.folder / "0-seed_0" / "summary.json").write_text(json.dumps(summary))
    first, second = jobs.table().splitlines()[2:]
    assert first.split() == ["finished", "104.3", "400", "25%", "41.5", "0-seed_0"]
    assert second.split() == ["not", "run", "-", "-", "-", "-", "1-seed_1"]


# The status of a run


def test_status_of_a_run_as_its_process_lives_and_dies(tmp_path):
    folder = tmp_path / "run"
    assert status(folder) is None
    folder.mkdir()
    assert status(folder) is None, "Hydra has made the folder, nothing has begun"
    with run_lock(folder):
        assert status(folder) == "running", "it is being built"
        with run_lock(folder):
            (folder / "summary.json").write_text('{"status": "running"}')
        assert status(folder) == "running"
    assert status(folder) == "interrupted"
    (folder / "summary.json").write_text('{"status": "finished"}')
    assert status(folder) == "finished"


@pytest.mark.parametrize("text", ["", "[]", '{"status": [1]}'])
def test_a_job_whose_summary_is_damaged_counts_as_failed(text: str, grid: Grids) -> None:
    jobs = grid(0, 1)
    for job in jobs.jobs:
        begin(jobs.folder / job.folder, "finished")
    (jobs.folder / jobs.jobs[0].folder / "summary.json").write_text(text)
    assert jobs.counts() == "1 finished, 1 failed"
    assert "failed" in jobs.table()
    assert list(jobs.next()) == [jobs.jobs[0]]


@pytest.mark.parametrize("run", [".", "seed-1"])
@pytest.mark.parametrize("has_checkpoint", [False, True])
@pytest.mark.parametrize("end", [("interrupted", False), ("failed", True), ("failed", False), ("finished", False)])
def test_the_jobs_that_go_on(tmp_path, run, has_checkpoint, end):
    for folder in (tmp_path, tmp_path / run):
        folder.mkdir(exist_ok=True)
        (folder / "summary.json").write_text(json.dumps({"status": end[0]}))
    (tmp_path / run / "summary.json").write_text(json.dumps({"status": end[0], "had_no_space": end[1]}))
    if has_checkpoint:
        (tmp_path / run / "checkpoints").mkdir()
        (tmp_path / run / "checkpoints" / "step-000000000001.safetensors").touch()
    assert goes_on(tmp_path) == (has_checkpoint and end in {("interrupted", False), ("failed", True)})
