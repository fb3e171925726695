"""Searches: space, study, settings, and trials with a launcher that only writes the summary of a run."""

import json
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

optuna = pytest.importorskip("optuna")

from optuna.pruners import MedianPruner, NopPruner, PercentilePruner  # noqa: E402
from optuna.trial import TrialState  # noqa: E402

from lac.config.checks import ConfigError  # noqa: E402
from lac.config.schemas import CONFIG_DIR  # noqa: E402
from lac.files import write_json  # noqa: E402
from lac.runs.folder import run_lock  # noqa: E402
from lac.sweeps.folder import is_stopped, sweep_lock  # noqa: E402
from lac.sweeps.launchers import number_of_slots  # noqa: E402
from lac.sweeps.queue import Job, Launch, Supervisor  # noqa: E402
from lac.sweeps.search.result import Plan, ended, is_complete, search_result  # noqa: E402
from lac.sweeps.search.settings import (  # noqa: E402
    PrunerSettings,
    SamplerSettings,
    SearchSettings,
    search_setting_errors,
    search_settings,
    trial_marker,
    trial_number,
)
from lac.sweeps.search.space import Parameter, parameter_of  # noqa: E402
from lac.sweeps.search.study import (  # noqa: E402
    PRUNERS,
    SAMPLERS,
    Proposals,
    open_storage,
    open_study,
    pruning_callback,
    storage_url,
)
from lac.sweeps.search.trials import Trials  # noqa: E402

JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
LEVEL = Parameter("env.level", 1.0, 100.0)
SAMPLER = SamplerSettings(n_startup_trials=3)
PRUNER = PrunerSettings(n_startup_trials=2, n_warmup_steps=1, percentile=25.0, min_resource=2, reduction_factor=3)


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


def plan_of(folder: Path, n_trials: int, space: Sequence[Parameter] = (LEVEL,), fixed: Sequence[str] = ()) -> Plan:
    return Plan(folder, space, fixed, fixed, n_trials, 400, lambda overrides: "-".join(overrides).replace("=", "_"))


def study_of(folder: Path, space: Sequence[Parameter] = (LEVEL,), sampler: str = "tpe", seed: int = 0) -> optuna.Study:
    proposals = Proposals(lambda own: SAMPLERS[sampler](own, SAMPLER), seed, space)
    return open_study(open_storage(storage_url(None, folder)), "study", proposals, NopPruner())


def search(runs: Runs, n_trials: int, slots: int = 1, space: Sequence[Parameter] = (LEVEL,)) -> list[Any]:
    """Run a search to its end; gives its trials."""
    study = study_of(runs.folder, space)
    with sweep_lock(runs.folder):
        supervise(runs, Trials(plan_of(runs.folder, n_trials, space), study), slots)
    return study.trials


def supervise(runs: Runs, trials: Trials, number: int, launch: Launch | None = None) -> None:
    Supervisor(runs.folder, trials, launch or runs, lambda text: None).run(number)


def levels(trials: Sequence[Any]) -> list[float]:
    return [trial.params["env.level"] for trial in trials]


# The search space


def parameter(text: str) -> Parameter:
    return parameter_of(OverridesParser.create().parse_override(text))


@pytest.mark.parametrize(
    ("text", "low", "high", "step", "log", "kind"),
    [
        ("algo.alpha3=interval(0.05,0.5)", 0.05, 0.5, None, False, float),
        ("algo.lr_a=tag(log,interval(1e-4,1e-2))", 1e-4, 1e-2, None, True, float),
        ("train.batch_size=int(interval(32,256))", 32, 256, None, False, int),
        ("algo.horizon_length=range(1,10)", 1, 9, 1, False, int),
        ("algo.horizon_length=range(1,10,4)", 1, 9, 4, False, int),
        ("algo.horizon_length=range(5,0,-2)", 1, 5, 2, False, int),
        ("algo.polyak=range(0.9,1.0,0.05)", 0.9, 0.95, 0.05, False, float),
    ],
)
def test_ranges_have_the_values_that_hydra_gives_them(text, low, high, step, log, kind):
    found = parameter(text)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.step == (step if step is None else pytest.approx(step))
    assert (found.log, type(found.distribution.low)) == (log, kind)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(0)).ask()
    value = found.suggest(trial)
    assert low <= value <= high
    assert found.override(value) == f"{text.partition('=')[0]}={value!r}"


def test_choices_keep_their_types_and_their_texts():
    found = parameter("++env.x=2,0.5,true,null,abc,'a b',[64,64]")
    assert found.name == "env.x"
    assert found.distribution.choices == (2, 0.5, True, None, "abc", "a b", "[64,64]")
    texts = [found.override(value) for value in found.distribution.choices]
    assert texts == [f"++env.x={text}" for text in ("2", "0.5", "True", "null", "abc", "'a b'", "[64,64]")]


@pytest.mark.parametrize(
    "text",
    [
        "seed=0,1",
        "train.seeds=1,2",
        "algo.lr_a=tag(low,interval(0.1,1))",
        "algo.lr_a=tag(log,choice(0.1,0.2))",
        "algo.lr_a=tag(log,interval(0,1))",
        "algo.lr_a=interval(2,1)",
        "algo.horizon_length=range(3,3)",
        "algo.horizon_length=shuffle(range(1,3))",
        "algo.alpha3=0.1,0.1",
    ],
)
def test_what_cannot_be_searched_for_is_refused_in_a_sentence_that_names_it(text):
    with pytest.raises(ValueError, match=r"^[\w.]+=.+: .+"):
        parameter(text)


def test_number_of_points():
    sizes = {"a=1,2,3": 3, "a=range(1,10,4)": 3, "a=int(interval(1,4))": 4, "a=interval(0.1,1)": math.inf}
    assert {text: parameter(text).size for text in sizes} == sizes
    assert plan_of(Path(), 50, [parameter("a=1,2,3"), parameter("b=range(0.0,1.0,0.25)")]).trial_count == 12


# The study


def test_the_database_is_created_with_its_folder(tmp_path):
    given = f"sqlite:///{tmp_path / 'a' / 'b' / 'my.db'}"
    assert storage_url(given, tmp_path) == given
    open_storage(given)
    assert (tmp_path / "a" / "b" / "my.db").exists()
    study_of(tmp_path / "new")
    assert (tmp_path / "new" / "study.db").exists()


def in_memory(space: Sequence[Parameter], sampler: str, seed: int = 0) -> optuna.Study:
    return optuna.create_study(sampler=Proposals(lambda own: SAMPLERS[sampler](own, SAMPLER), seed, space))


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_points_never_repeat_until_all_are_used(sampler):
    space = [parameter("a=1,2,3,4"), parameter("b=range(0,5)")]
    study = in_memory(space, sampler)
    for _ in range(20):
        trial = study.ask()
        study.tell(trial, sum(p.suggest(trial) for p in space))
    assert {tuple(trial.params.values()) for trial in study.trials} == {(a, b) for a in range(1, 5) for b in range(5)}


def test_samplers_have_a_seed_and_tpe_learns():
    best = {}
    for sampler in SAMPLERS:
        for seed in (1, 1, 2):
            study = in_memory([LEVEL], sampler, seed)
            for _ in range(25):
                trial = study.ask()
                study.tell(trial, abs(LEVEL.suggest(trial) - 70))
            best.setdefault(sampler, []).append([abs(level - 70) for level in levels(study.trials)])
    for first, again, other in best.values():
        assert first == again
        assert first != other
    mean = {sampler: sum(sum(values[10:]) for values in runs) for sampler, runs in best.items()}
    assert mean["tpe"] < 0.7 * mean["random"]


def test_pruners_get_their_settings():
    assert [type(make(PRUNER)) for make in PRUNERS.values()] == [
        MedianPruner,
        PercentilePruner,
        optuna.pruners.SuccessiveHalvingPruner,
        NopPruner,
    ]


@pytest.mark.parametrize(
    ("pruner", "answers"),
    [
        # Three complete trials have 1, 2 and 3 at each test: the median is 2, the 25th percentile 1.5; the first test
        # is for warming up.
        ("median", {1.9: [False, False], 2.1: [False, True]}),
        ("percentile", {1.4: [False, False], 1.6: [False, True]}),
        # The best third is one trial; the rungs are tests 2 and 6.
        ("halving", {0.9: [False, False], 1.1: [False, True]}),
        ("none", {9.0: [False, False]}),
    ],
)
def test_a_trial_is_pruned_by_the_rule_of_its_pruner(tmp_path, pruner, answers):
    url, study, rule = storage_url(None, tmp_path), study_of(tmp_path), PRUNERS[pruner](PRUNER)
    for result in (1.0, 2.0, 3.0):
        trial = study.ask()
        watch = pruning_callback(url, "study", rule, trial.number, 4)
        for test in (1, 2, 3, 4):
            watch(test, result)
        study.tell(trial, result)
    for result, expected in answers.items():
        trial = study.ask()
        watch = pruning_callback(url, "study", rule, trial.number, 4)
        assert [watch(test, result) for test in (1, 2)] == expected
        assert watch(4, result) is False, "nothing is saved by pruning at the last test"
        study.tell(trial, state=TrialState.FAIL)


def test_an_interrupted_trial_reports_anew(tmp_path):
    study = study_of(tmp_path)
    study.ask()
    for result in (5.0, 6.0):
        pruning_callback(storage_url(None, tmp_path), "study", NopPruner(), 0, 4)(1, result)
    assert study.trials[0].intermediate_values == {1: 6.0}


# Trials


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


# Settings


def test_the_file_that_users_copy_has_the_defaults_of_the_settings():
    given = OmegaConf.load(CONFIG_DIR / "hydra" / "sweeper" / "optuna.yaml")
    assert search_settings(given) == SearchSettings()
    launch_keys = {"_target_", "params"}
    assert OmegaConf.to_container(given).keys() - launch_keys == {f.name for f in fields(SearchSettings)}


def test_names_that_the_settings_allow_have_samplers_and_pruners():
    for name in (*SAMPLERS, *PRUNERS, "unknown"):
        for node, known in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
            given = search_settings(OmegaConf.create({node: {"name": name}}))
            assert (search_setting_errors(given) == []) == (name in known)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"n_trials": 0}, "hydra.sweeper.n_trials is 0"),
        ({"n_jobs": 1.5}, "hydra.sweeper.n_jobs is 1.5"),
        ({"sampler": {"seed": -1}}, "hydra.sweeper.sampler.seed is -1"),
        ({"pruner": {"percentile": 101}}, "hydra.sweeper.pruner.percentile is 101"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_its_key(given, named):
    (error,) = search_setting_errors(search_settings(OmegaConf.create(given)))
    assert named in error


def test_only_jobs_with_the_marker_are_trials():
    assert trial_number(OmegaConf.create({"_target_": "any", "params": None})) is None
    key, _, value = trial_marker(7).lstrip("+").removeprefix("hydra.sweeper.").partition("=")
    assert trial_number(OmegaConf.create({key: int(value)})) == 7


# Slots


@pytest.mark.parametrize(
    ("launcher", "n_jobs", "expected"),
    [
        ({"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}, None, 1),
        ({"_target_": JOBLIB, "n_jobs": 3}, None, 3),
        ({"_target_": JOBLIB, "n_jobs": 3}, 2, 2),
        ({"_target_": JOBLIB, "n_jobs": -2}, None, 7),
        ({"_target_": "somebody.elses.BasicLauncher"}, None, 8),
        ({"_target_": "somebody.elses.BasicLauncher"}, 20, 20),
    ],
)
def test_slots_are_those_of_the_launcher_unless_given(launcher, n_jobs, expected, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert number_of_slots(n_jobs, OmegaConf.create(launcher)) == expected


def test_more_slots_than_the_launcher_has_are_refused():
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.n_jobs is 4.* 3 at a time.*hydra\.launcher\.n_jobs"):
        number_of_slots(4, OmegaConf.create({"_target_": JOBLIB, "n_jobs": 3}))
