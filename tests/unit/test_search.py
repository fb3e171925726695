"""The trials of a search, with a launcher that only writes the summary of a run."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

optuna = pytest.importorskip("optuna")

from optuna.trial import TrialState  # noqa: E402
from search_support import LEVEL, levels, plan_of, study_of  # noqa: E402

from lac.files import write_json  # noqa: E402
from lac.runs.folder import run_lock  # noqa: E402
from lac.sweeps.folder import is_stopped, sweep_lock  # noqa: E402
from lac.sweeps.queue import Job, Launch, Supervisor  # noqa: E402
from lac.sweeps.search.result import ended, is_complete, search_result  # noqa: E402
from lac.sweeps.search.space import Parameter  # noqa: E402
from lac.sweeps.search.trials import Trials  # noqa: E402


class Runs:
    """A launcher whose runs cost ten times the level."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.launched = folder, []
        self.end: Callable[[int, float], str] = lambda number, level: "finished"

    def __call__(self, jobs: Sequence[Job]) -> None:
        (job,) = jobs
        values = dict(text.split("=", 1) for text in job.overrides)
        level = float(values["env.level"])
        self.launched.append((job.number, level))
        self.write(job.folder, self.end(job.number, level), level)

    def write(self, name: str, status: str, level: float) -> None:
        final = {"cost_mean": 10 * level, "death_rate": 0.0, "env_steps": 100}
        write_json(self.folder / name / "summary.json", {"status": status, "wall_time": 1.0, "final": final})


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "sweep")


def search(runs: Runs, n_trials: int, slots: int = 1, space: Sequence[Parameter] = (LEVEL,)) -> list[Any]:
    """Run a search to its end; gives its trials."""
    study = study_of(runs.folder, space)
    with sweep_lock(runs.folder):
        supervise(runs, Trials(plan_of(runs.folder, n_trials, space), study), slots)
    return study.trials


def supervise(runs: Runs, trials: Trials, number: int, launch: Launch | None = None) -> None:
    Supervisor(runs.folder, trials, launch or runs, lambda text: None).run(number)


def test_each_trial_is_run_once_and_its_result_recorded(runs):
    trials = search(runs, 4)
    assert [(trial.number, trial.value) for trial in trials] == [
        (number, 10 * level) for number, level in runs.launched
    ]
    assert [number for number, _ in runs.launched] == [0, 1, 2, 3]
    for trial in trials:
        assert trial.user_attrs["folder"] == f"{trial.number}-env.level_{trial.params['env.level']:.4g}"
        assert (runs.folder / trial.user_attrs["folder"]).is_dir()


def test_a_search_continues_as_if_it_had_never_ended(runs, tmp_path):
    whole = levels(search(Runs(tmp_path / "whole"), 8))
    for number in (2, 5, 8, 8):
        assert levels(search(runs, number)) == whole[:number]
    assert len(runs.launched) == 8


def test_an_interrupted_trial_keeps_its_number_and_its_point(runs, tmp_path):
    whole = levels(search(Runs(tmp_path / "whole"), 6))

    def interrupt(number: int, level: float) -> str:
        runs.write(f"{number}-env.level_{level:.4g}", "running", level)
        raise KeyboardInterrupt

    runs.end = interrupt
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            search(runs, 6)
        assert [trial.state for trial in study_of(runs.folder).trials] == [TrialState.RUNNING]
    runs.end = lambda number, level: "finished"
    assert levels(search(runs, 6)) == whole
    assert [number for number, _ in runs.launched] == [0, 0, 0, 1, 2, 3, 4, 5]
    assert len(list((runs.folder / "attempts").iterdir())) == 2


def test_a_trial_that_was_being_asked_is_asked_to_the_end(runs):
    space = [LEVEL, Parameter("b", 0, 5)]
    study = study_of(runs.folder, space)
    begun = LEVEL.suggest(study.ask())
    trials = search(runs, 2, space=space)
    assert [set(trial.params) for trial in trials] == [{"env.level", "b"}] * 2
    assert trials[0].params["env.level"] == begun
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 2


def test_a_trial_that_ended_without_the_search_is_recorded_and_not_run_again(runs):
    runs.end = lambda number, level: "running"
    study = study_of(runs.folder)
    (job,) = Trials(plan_of(runs.folder, 1), study).next()
    for status, state in (("finished", TrialState.COMPLETE), ("pruned", TrialState.PRUNED)):
        runs.write(job.folder, status, 3.0)
        assert search(runs, study.trials[-1].number + 1)[-1].state == state
        (job,) = Trials(plan_of(runs.folder, 9), study).next()
    assert runs.launched == []


def test_states_of_runs_become_states_of_trials(runs):
    ends = ["finished", "pruned", "failed", "finished"]
    runs.end = lambda number, level: ends[number]
    trials = search(runs, 4)
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "FAIL", "COMPLETE"]
    result = search_result(plan_of(runs.folder, 4), study_of(runs.folder))
    assert result["states"] == {"complete": 2, "pruned": 1, "fail": 1}
    assert (ended(result), is_complete(result)) == (4, True)
    assert (result["env_steps"], result["env_steps_without_pruning"]) == (400, 1600)
    assert result["best"]["value"] == min(trials[0].value, trials[3].value)
    assert json.loads(json.dumps(result)) == result


def test_a_search_without_a_result_is_not_complete(runs):
    runs.end = lambda number, level: "failed"
    search(runs, 2)
    result = search_result(plan_of(runs.folder, 2), study_of(runs.folder))
    assert (ended(result), is_complete(result), result["best"]) == (2, False, None)


def test_a_killed_trial_is_run_again_by_itself_and_fails_the_second_time(runs):
    # A run that says it is running while nobody holds its lock has been killed.
    runs.end = lambda number, level: "running" if number == 1 else "finished"
    trials = search(runs, 3)
    assert [number for number, _ in runs.launched] == [0, 1, 2, 1]
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert "killed, twice" in (runs.folder / trials[1].user_attrs["folder"] / "summary.json").read_text()


def test_a_trial_that_still_runs_elsewhere_is_waited_for(runs):
    def still_running(number: int, level: float) -> str:
        name = f"{number}-env.level_{level:.4g}"
        lock = run_lock(runs.folder / name)
        (runs.folder / name).mkdir(parents=True)
        lock.acquire()

        def finish() -> None:
            runs.write(name, "finished", level)
            lock.release()

        threading.Timer(0.3, finish).start()
        return "running"

    runs.end = still_running
    assert [trial.state.name for trial in search(runs, 1)] == ["COMPLETE"]
    assert len(runs.launched) == 1


def test_free_slots_are_filled_at_once(runs):
    both, third = threading.Barrier(2), threading.Event()

    def end(number: int, level: float) -> str:
        if number < 2:
            both.wait(timeout=60)  # passes only if two run at the same time
        if number == 2:
            third.set()
        if number == 1:
            assert third.wait(timeout=60), "the third trial has to wait for the second"
        return "finished"

    runs.end = end
    trials = search(runs, 6, slots=2)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 6
    assert len(set(levels(trials))) == 6


def test_a_launcher_that_does_not_work_ends_the_search(runs):
    def broken(jobs: Sequence[Job]) -> None:
        raise RuntimeError("no cluster")

    for number in (1, 2):
        trials = Trials(plan_of(runs.folder, 50), study_of(runs.folder))
        with pytest.raises(RuntimeError, match="no cluster"):
            supervise(runs, trials, number, broken)
    assert len(study_of(runs.folder).trials) <= 2


def test_ctrl_c_stops_the_jobs_of_all_slots(runs, monkeypatch):
    begun = threading.Event()

    def wait_for_stop(number: int, level: float) -> str:
        begun.set()
        while not is_stopped(runs.folder):
            threading.Event().wait(0.01)
        return "interrupted"

    def interrupted(thread: threading.Thread) -> None:
        begun.wait(10)
        monkeypatch.undo()
        raise KeyboardInterrupt

    runs.end = wait_for_stop
    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(runs, 6, slots=2)
    assert {trial.state for trial in study_of(runs.folder).trials} == {TrialState.RUNNING}
    runs.end = lambda number, level: "finished"
    assert {trial.state.name for trial in search(runs, 6)} == {"COMPLETE"}


def test_another_search_is_refused(runs):
    search(runs, 1)
    for plan in (plan_of(runs.folder, 2, fixed=["a=1"]), plan_of(runs.folder, 2, [Parameter("env.level", 1.0, 9.0)])):
        with pytest.raises(ValueError, match="another search"):
            Trials(plan, study_of(runs.folder))
