"""Sweeps of ``scripts/train.py`` that are killed or ended by a signal, and continued."""

import json
import os
import signal
from pathlib import Path

import pytest
from run_support import checksum, contents, lines_of_metrics, metrics_without_times, processes_of_session, summary_of
from sweep_support import ENDLESS, SLOWER_SWEEP, finished, jobs_of, needs_joblib, needs_proc, statuses, table_of

from lac.runs.folder import has_checkpoint


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", pytest.param("joblib", marks=needs_joblib)], ids=str)
def test_sweep_that_is_killed_three_times_has_the_results_of_one_that_is_not(launcher, start, train_here, tmp_path):
    twelve = [*SLOWER_SWEEP, "seed=0,1,2,3", "algo.alpha3=0.1,0.2,0.3"]
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
    goes_on: list[str] = []
    consoles = []
    for moment in (two_have_finished, one_is_in_the_middle, one_has_just_begun):
        running = start(*command)
        running.wait_alive_until(moment)
        running.kill()
        consoles.append(running.console)
        ends |= {job / "summary.json": fingerprint(job / "summary.json") for job in finished(sweep)}
        begun = [job for job in jobs_of(sweep) if summary_of(job) and job not in finished(sweep)]
        goes_on += [job.name for job in begun if has_checkpoint(job)]
        left += [(job.name, contents(job)) for job in begun if not has_checkpoint(job)]
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
    assert left or goes_on
    assert [name for name, files in left if files not in kept] == [], "what has no checkpoint is kept as it was"
    resumed = [job.name for job in jobs_of(sweep) for _ in summary_of(job).get("resumptions", [])]
    assert sorted(resumed) == sorted(goes_on), "what has one goes on from it"


def fingerprint(file: Path) -> tuple[int, int]:
    return file.stat().st_mtime_ns, file.stat().st_ino


@needs_joblib
@needs_proc
@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGKILL, signal.SIGTERM))],
    ids=lambda number: number.name,
)
def test_joblib_leaves_no_process(number, start, tmp_path):
    """Ctrl-C comes to all processes of a terminal, the others to one."""
    sweep = tmp_path / "sweep"
    running = start(*ENDLESS, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "device.threads=2")
    running.wait_alive_until(lambda: sum(lines_of_metrics(job) > 0 for job in jobs_of(sweep)) == 2)
    assert len(processes_of_session(running.process.pid)) >= 3
    if number == signal.SIGINT:
        os.killpg(running.process.pid, number)
    else:
        running.process.send_signal(number)
    status = running.end()
    running.wait_until_alone()
    assert statuses(sweep)[:2] == ["interrupted", "interrupted"], "each has ended by itself and recorded it"
    assert [summary_of(job)["machine"]["threads"] for job in jobs_of(sweep)[:2]] == [2, 2]
    assert all((job / "policy" / "final.safetensors").exists() for job in jobs_of(sweep)[:2])
    assert "Traceback" not in running.console
    assert "Exception ignored" not in running.console
    if number == signal.SIGKILL:
        assert status == -number
    else:
        assert status == 128 + number
        assert "2 interrupted, 2 not run; the same command continues the sweep" in running.console


@needs_joblib
@pytest.mark.slow
def test_sweep_that_was_stopped_is_continued(start, tmp_path):
    sweep = tmp_path / "sweep"
    command = [*ENDLESS, "train.epochs=100", "hydra/launcher=joblib"]
    running = start(*command)
    running.wait_alive_until(lambda: any(lines_of_metrics(job) for job in jobs_of(sweep)))
    running.process.send_signal(signal.SIGINT)
    assert running.end() == 128 + signal.SIGINT
    running = start(*command)
    assert running.end() == 0, running.console
    assert [len(metrics_without_times(job)) for job in jobs_of(sweep)] == [100] * 4
    assert any("resumptions" in summary_of(job) for job in jobs_of(sweep))
    attempts = [summary_of(attempt) for attempt in sweep.glob("attempts/*")]
    assert [summary for summary in attempts if summary.get("env_steps", 0) > 0] == [], "no step was taken twice"


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)], ids=lambda number: number.name
)
def test_sweep_in_one_process_is_ended_by_a_signal(number, start, tmp_path):
    running = start(*ENDLESS)
    running.wait_alive_until(lambda: any(lines_of_metrics(job) for job in jobs_of(tmp_path / "sweep")))
    os.killpg(running.process.pid, number)
    assert running.end() == 128 + number
    assert statuses(tmp_path / "sweep") == ["interrupted"]
    assert "1 interrupted, 3 not run; the same command continues the sweep" in running.console
    assert "Traceback" not in running.console
