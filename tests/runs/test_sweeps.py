"""Real sweeps of ``scripts/train.py``: killed and continued, with jobs that fail, and on every launcher there is."""

import hashlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lac.sweep import sweep_lock

TRAIN = Path(__file__).parents[2] / "scripts" / "train.py"

TINY = [
    "-m",
    "env=oscillator",
    "tuned=none",
    "network=small",
    "train.epochs=2",
    "train.steps_per_epoch=60",
    "train.update_after=40",
    "train.update_every=20",
    "train.steps_per_update=2",
    "train.batch_size=32",
    "train.num_test_episodes=1",
    "wandb.mode=disabled",
]
FAILING = [*TINY, "env=gym", "env.id=failing_env:Failing-v0", "hydra.sweep.dir=sweep"]
ENDLESS = [*TINY, "train.epochs=100000", "seed=0,1,2,3", "hydra.sweep.dir=sweep"]

needs_joblib = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None, reason="the extra [sweep] is not installed"
)
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")


def jobs_of(sweep: Path) -> list[Path]:
    found = [path for path in sweep.glob("[0-9]*") if path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.partition("-")[0]))


def summary_of(run: Path) -> dict:
    file = run / "summary.json"
    return json.loads(file.read_text()) if file.exists() else {}


def statuses(sweep: Path) -> list[str | None]:
    return [summary_of(job).get("status") for job in jobs_of(sweep)]


def finished(sweep: Path) -> list[Path]:
    return [job for job in jobs_of(sweep) if summary_of(job).get("status") == "finished"]


def lines_of_metrics(run: Path) -> int:
    file = run / "metrics.jsonl"
    return file.read_text().count("\n") if file.exists() else 0


def metrics_without_times(run: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def contents(run: Path) -> dict[str, str]:
    return {str(file.relative_to(run)): checksum(file) for file in run.rglob("*") if file.is_file()}


def table_of(console: str) -> list[list[str]]:
    """The table at the end, without its seconds."""
    rows = [re.split(r"  +", line.strip()) for line in console.splitlines()]
    (start,) = [number for number, row in enumerate(rows) if row[0] == "status"]
    return [[*row[:4], row[-1]] for row in rows[start + 2 :]]


def processes_of_session(leader: int) -> list[int]:
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, _group, session = file.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(session) == leader and state != "Z":
            found.append(int(file.parent.name))
    return found


@dataclass
class Running:
    """A sweep in a session of its own."""

    process: subprocess.Popen
    console_file: Path

    @property
    def console(self) -> str:
        return self.console_file.read_text()

    def wait_until(self, happened: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, f"nothing happens:\n{self.console}"
            time.sleep(0.01)

    def wait_in_sweep_until(self, happened: Callable[[], bool]) -> None:
        def happened_in_time() -> bool:
            assert self.process.poll() is None, f"the sweep has ended:\n{self.console}"
            return happened()

        self.wait_until(happened_in_time)

    def end(self) -> int:
        return self.process.wait(timeout=120)

    def kill(self) -> None:
        """Kill the process that was started, and wait for what it has left."""
        self.process.kill()
        self.process.wait()
        self.wait_until_alone()

    def wait_until_alone(self) -> None:
        self.wait_until(lambda: processes_of_session(self.process.pid) == [])


@pytest.fixture
def start(clean_environment, tmp_path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def begin(*arguments: str) -> Running:
        console = tmp_path / f"console{len(started)}"
        with console.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, str(TRAIN), *arguments],
                cwd=tmp_path,
                env=clean_environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(Running(process, console))
        return started[-1]

    yield begin
    for running in started:
        for pid in processes_of_session(running.process.pid):
            os.kill(pid, signal.SIGKILL)
        running.process.wait()


# Killed and continued


@needs_proc
@pytest.mark.parametrize("launcher", ["basic", pytest.param("joblib", marks=[needs_joblib, pytest.mark.slow])], ids=str)
def test_sweep_that_is_killed_three_times_ends_as_one_that_is_not(launcher, start, train_here, tmp_path):
    twelve = [*TINY, "seed=0,1,2,3", "algo.alpha3=0.1,0.2,0.3"]
    sweep, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    command = [*twelve, f"hydra/launcher={launcher}", "hydra.sweep.dir=killed"]

    def two_have_finished() -> bool:
        return len(finished(sweep)) >= 2

    def one_is_in_the_middle() -> bool:
        running = [job for job in jobs_of(sweep) if summary_of(job).get("status") == "running"]
        return len(finished(sweep)) >= 5 and any(lines_of_metrics(job) == 1 for job in running)

    def one_has_just_begun() -> bool:
        return len(finished(sweep)) >= 8 and len(finished(sweep)) < len(jobs_of(sweep))

    ends: dict[Path, tuple[int, int]] = {}
    left: list[tuple[str, dict[str, str]]] = []
    consoles = []
    for moment in (two_have_finished, one_is_in_the_middle, one_has_just_begun):
        running = start(*command)
        running.wait_in_sweep_until(moment)
        running.kill()
        consoles.append(running.console)
        ends |= {job / "summary.json": fingerprint(job / "summary.json") for job in finished(sweep)}
        begun = [job for job in jobs_of(sweep) if (job / ".lock").exists() and job not in finished(sweep)]
        left += [(job.name, contents(job)) for job in begun]
        manifest = (sweep / "sweep.json").read_text()
    last = start(*command)
    assert last.end() == 0, last.console
    consoles.append(last.console)

    whole = train_here(*twelve, "hydra.sweep.dir=undisturbed")
    assert whole.status == 0
    assert [job.name for job in jobs_of(sweep)] == [job.name for job in jobs_of(undisturbed)]
    for job, other in zip(jobs_of(sweep), jobs_of(undisturbed), strict=True):
        assert metrics_without_times(job) == metrics_without_times(other)
        assert summary_of(job)["final"] == summary_of(other)["final"]
        assert checksum(job / "policy" / "final.safetensors") == checksum(other / "policy" / "final.safetensors")
    assert table_of(last.console) == table_of(whole.stdout)

    assert (sweep / "sweep.json").read_text() == manifest
    assert [entry["number"] for entry in json.loads(manifest)["jobs"]] == list(range(12))
    assert len(ends) >= 8, "each sweep came further"
    assert {file: fingerprint(file) for file in ends} == ends, "what had finished was not touched again"
    ended = [line.partition(":")[0] for text in consoles for line in text.splitlines() if ": finished after" in line]
    assert len(ended) == len(set(ended)), "no job was run twice to its end"
    attempts = sorted(sweep.glob("attempts/*"))
    assert "finished" not in {summary_of(attempt).get("status") for attempt in attempts}
    kept = [contents(attempt) for attempt in attempts]
    assert left
    assert [name for name, files in left if files not in kept] == [], "what was left is kept as it was"


def fingerprint(file: Path) -> tuple[int, int]:
    return file.stat().st_mtime_ns, file.stat().st_ino


@needs_joblib
@needs_proc
@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)],
    ids=lambda number: number.name,
)
def test_joblib_leaves_no_process(number, start, tmp_path):
    """Ctrl-C comes to all processes of a terminal, the others to one."""
    sweep = tmp_path / "sweep"
    running = start(*ENDLESS, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "device.threads=2")
    running.wait_in_sweep_until(lambda: sum(lines_of_metrics(job) > 0 for job in jobs_of(sweep)) == 2)
    assert len(processes_of_session(running.process.pid)) >= 3
    if number == signal.SIGINT:
        os.killpg(running.process.pid, number)
    else:
        running.process.send_signal(number)
    status = running.end()
    running.wait_until_alone()
    assert statuses(sweep)[:2] == ["interrupted", "interrupted"], "each has ended by itself and told so"
    assert [summary_of(job)["machine"]["threads"] for job in jobs_of(sweep)[:2]] == [2, 2]
    assert all((job / "policy" / "final.safetensors").exists() for job in jobs_of(sweep)[:2])
    assert "Traceback" not in running.console
    assert "Exception ignored" not in running.console
    if number == signal.SIGKILL:
        assert status == -number
    else:
        assert status == 128 + number
        assert "2 interrupted, 2 not run; the same command continues the sweep" in running.console


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)], ids=lambda number: number.name
)
def test_sweep_in_one_process_is_ended_by_a_signal(number, start, tmp_path):
    running = start(*ENDLESS)
    running.wait_in_sweep_until(lambda: any(lines_of_metrics(job) for job in jobs_of(tmp_path / "sweep")))
    os.killpg(running.process.pid, number)
    assert running.end() == 128 + number
    assert statuses(tmp_path / "sweep") == ["interrupted"]
    assert "1 interrupted, 3 not run; the same command continues the sweep" in running.console
    assert "Traceback" not in running.console


# Jobs that fail


def test_failed_job_keeps_its_traceback_and_the_others_finish(train_here, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    end = train_here(*FAILING, "+env.kwargs.fail_at=30,100000,50")
    sweep = tmp_path / "sweep"
    assert end.status == 1
    assert statuses(sweep) == ["failed", "finished", "failed"]
    failed = jobs_of(sweep)[0]
    for text in ((failed / "train.log").read_text(), summary_of(failed)["error"]):
        assert "Traceback" in text
        assert "RuntimeError: the simulator fell over" in text
    assert f"{failed.name}: failed, RuntimeError: the simulator fell over" in end.stdout
    assert f"see sweep/{failed.name}/train.log" in end.stdout
    assert [(row[0], row[-1]) for row in table_of(end.stdout)] == [
        ("failed", "0-fail_at_30"),
        ("finished", "1-fail_at_100000"),
        ("failed", "2-fail_at_50"),
    ]
    assert "Traceback" not in end.stdout + end.stderr


def test_job_whose_environment_cannot_be_built_fails_by_itself(train_here, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    end = train_here(*FAILING, "+env.kwargs.fail_at=100000", "network.observation_scale=1,[1]")
    assert end.status == 1
    assert statuses(tmp_path / "sweep") == ["finished", "failed"]
    assert "network.observation_scale" in (jobs_of(tmp_path / "sweep")[1] / "train.log").read_text()


def test_fail_fast_stops_at_the_first_failure(train_here, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    command = [*FAILING, "+env.kwargs.fail_at=100000,30,200000"]
    end = train_here(*command, "fail_fast=true")
    assert end.status == 1
    assert statuses(tmp_path / "sweep") == ["finished", "failed"], "the third has not even a folder"
    assert [row[0] for row in table_of(end.stdout)] == ["finished", "failed", "not run"]
    end = train_here(*command)
    assert statuses(tmp_path / "sweep") == ["finished", "failed", "finished"]
    assert "1 of them done already" in end.stdout


@needs_joblib
@needs_proc
@pytest.mark.slow
def test_killed_worker_does_not_lose_the_other_jobs(start, clean_environment, tmp_path):
    clean_environment["PYTHONPATH"] = f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"
    running = start(
        *FAILING, "+env.kwargs.kill=true", "+env.kwargs.fail_at=100001,30,100002,100003", "hydra/launcher=joblib"
    )
    assert running.end() == 1, running.console
    assert statuses(tmp_path / "sweep") == ["finished", "failed", "finished", "finished"]
    failed = jobs_of(tmp_path / "sweep")[1]
    assert "killed" in summary_of(failed)["error"]
    assert "killed" in (failed / "train.log").read_text()
    assert [row[0] for row in table_of(running.console)] == ["finished", "failed", "finished", "finished"]


# What is to be run


def test_duplicates_run_once(train_here, tmp_path):
    end = train_here(*TINY, "seed=0,1,0", "hydra.sweep.dir=sweep")
    assert end.status == 0
    assert "1 of 3 jobs are duplicates, which run once" in end.stdout
    assert [job.name for job in jobs_of(tmp_path / "sweep")] == ["0-seed_0", "1-seed_1"]


def test_dry_run_tells_the_jobs_and_creates_nothing(train_here, tmp_path):
    command = [*TINY, "train.epochs=1,3", "seed=0,1"]
    end = train_here(*command, "dry_run=true")
    assert end.status == 0, end.stderr
    assert list(tmp_path.iterdir()) == []
    rows = [re.split(r"  +", line.strip()) for line in end.stdout.splitlines()]
    # Rounds of two updates after the steps 40 and 60, and 80 to 180.
    assert [row for row in rows if row[0].isdigit()] == [
        ["0", "to run", "60", "4", "train.epochs=1 seed=0"],
        ["1", "to run", "60", "4", "train.epochs=1 seed=1"],
        ["2", "to run", "180", "16", "train.epochs=3 seed=0"],
        ["3", "to run", "180", "16", "train.epochs=3 seed=1"],
    ]
    assert "to run: 480 environment steps, 40 updates" in end.stdout
    assert "outputs/multirun/" in end.stdout
    assert train_here(*TINY, "seed=0", "train.epochs=1", "hydra.sweep.dir=sweep").status == 0
    end = train_here(*command, "dry_run=true", "hydra.sweep.dir=sweep")
    assert "to run: 420 environment steps, 36 updates" in end.stdout, "what is done is not counted"


def test_sweep_takes_more_jobs_and_goes_on_counting(train_here, tmp_path):
    sweep = tmp_path / "sweep, the 'second'"
    folder = f'hydra.sweep.dir="{sweep.name}"'
    assert train_here(*TINY, "seed=5,6", folder).status == 0
    before = [contents(job) for job in jobs_of(sweep)]
    end = train_here(*TINY, "seed=6,7", folder)
    assert end.status == 0, end.stderr
    assert [job.name for job in jobs_of(sweep)] == ["0-seed_5", "1-seed_6", "2-seed_7"]
    assert [contents(job) for job in jobs_of(sweep)][:2] == before
    assert [row[-1] for row in table_of(end.stdout)] == ["1-seed_6", "2-seed_7"]


def test_same_command_has_the_same_folder(train_here, tmp_path):
    assert train_here(*TINY, "seed=0,1").status == 0
    end = train_here(*TINY[:1], "seed=0,1", *TINY[1:], "fail_fast=true", "wandb.mode=offline")
    assert "2 of them done already" in end.stdout
    assert [len(jobs_of(folder)) for folder in (tmp_path / "outputs" / "multirun").iterdir()] == [2]


# What is refused


def test_two_sweeps_in_one_folder_are_refused(train_here, tmp_path):
    with sweep_lock(tmp_path / "sweep"):
        end = train_here(*TINY, "seed=0,1", "hydra.sweep.dir=sweep")
    assert end.status == 2
    assert "sweep: this sweep is running already" in end.stderr
    assert jobs_of(tmp_path / "sweep") == []


@pytest.mark.parametrize("wrong", ["algo.gamma=0.9,2", "algo.gamma=0.9,abc", "train.epochs=1,0"])
def test_wrong_value_is_refused_before_the_first_job(wrong, train_here, tmp_path):
    end = train_here(*TINY, wrong, "hydra.sweep.dir=sweep")
    assert end.status == 2
    key, _, values = wrong.partition("=")
    assert f"{key} is" in end.stderr
    assert values.partition(",")[2] in end.stderr
    assert list(tmp_path.iterdir()) == []


def test_misspelt_launcher_is_told_the_options(train_here, tmp_path):
    end = train_here(*TINY, "seed=0,1", "hydra/launcher=jobli")
    assert end.status == 2
    (line,) = [line for line in end.stderr.splitlines() if "hydra/launcher" in line]
    assert "'jobli'" in line
    assert "Did you mean 'joblib'" in line
    assert all(name in line for name in ("basic", "ray", "ray_cluster", "submitit_local", "submitit_slurm"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("launcher", "extra"), [("joblib", "sweep"), ("submitit_slurm", "slurm"), ("ray", "ray")])
def test_launcher_that_is_not_installed_says_what_to_install(launcher, extra, train_here, monkeypatch, tmp_path):
    monkeypatch.setattr("hydra_plugins.lac_sweepers.find_spec", lambda _name: None)
    end = train_here(*TINY, "seed=0,1", f"hydra/launcher={launcher}")
    assert end.status == 2
    assert f"hydra/launcher is '{launcher}'" in end.stderr
    assert f"pip install -c constraints.txt -e '.[{extra}]'" in end.stderr
    assert list(tmp_path.iterdir()) == []
