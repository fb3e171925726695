"""The parameters of searches, and their studies on Optuna: samplers, pruners, database."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from omegaconf import OmegaConf

optuna = pytest.importorskip("optuna")

from optuna.pruners import MedianPruner, NopPruner, PercentilePruner  # noqa: E402
from optuna.trial import TrialState  # noqa: E402
from search_support import LEVEL, SAMPLER, levels, parameter, plan_of, study_of  # noqa: E402

from lac.settings.search import PrunerSettings  # noqa: E402
from lac.sweeps.search.settings import search_setting_errors  # noqa: E402
from lac.sweeps.search.space import Parameter  # noqa: E402
from lac.sweeps.search.study import PRUNERS, SAMPLERS, Proposals, open_storage, pruning_callback, storage_url  # noqa: E402

PRUNER = PrunerSettings(n_startup_trials=2, n_warmup_steps=1, percentile=25.0, min_resource=2, reduction_factor=3)

# The search space


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


def test_names_that_the_settings_allow_have_samplers_and_pruners():
    for name in (*SAMPLERS, *PRUNERS, "unknown"):
        for node, known in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
            given = OmegaConf.create({node: {"name": name}})
            assert (search_setting_errors(given) == []) == (name in known)
