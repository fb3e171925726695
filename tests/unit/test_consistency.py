"""Settings against each other: what is refused, what is told as unused, and its name in both doors."""

import pytest

from lac.settings.commands import config_keys
from lac.settings.consistency import Given, contradictions, unused
from lac.settings.rules import SEED

DEFAULTS = {key: leaf.default for key, leaf in config_keys("train", "lac").items()} | {"algo.name": "lac"}


def given(**changes):
    """A training with the defaults, except for keys written with two underscores instead of a dot."""
    return Given(DEFAULTS | {key.replace("__", "."): value for key, value in changes.items()})


def test_the_defaults_are_consistent_and_all_used():
    assert contradictions(given()) == []
    assert unused(given()) == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"algo__labda": 0.1, "algo__labda_min": 0.9}, ["algo.labda_min is 0.9", "algo.labda=0.1"]),
        (
            {"lr_schedule__decay_type": "exponential", "lr_schedule__lr_c_final": 0.0},
            ["lr_schedule.lr_c_final is 0.0", "lr_schedule.lr_c_decay_type=linear"],
        ),
        (
            {"lr_schedule__lr_labda_decay_type": "exponential", "lr_schedule__lr_labda_final": 0},
            ["lr_schedule.lr_labda_final is 0"],
        ),
        ({"train__batch_size": 101, "train__replay_size": 100}, ["train.batch_size is 101", "train.replay_size=100"]),
        ({"seed": int(SEED.high) - 1, "train__seeds": 3}, ["train.seeds is 3", "seed="]),
        (
            {"env__num_envs": 7, "train__epochs": 2, "train__steps_per_epoch": 3},
            ["env.num_envs is 7", "the run has 6 steps"],
        ),
        ({"train__patience": 5, "train__num_test_episodes": 0}, ["train.patience is 5", "train.num_test_episodes=0"]),
        (
            {"env__termination_cost": "absorbing", "algo__gamma": 1.0},
            ["env.termination_cost is absorbing", "algo.gamma=1.0"],
        ),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_with_its_keys(changes, named):
    (sentence,) = contradictions(given(**changes))
    assert sentence.startswith(named[0])
    assert all(words in sentence for words in named)


@pytest.mark.parametrize(
    "changes",
    [
        {"algo__labda": 0.1, "algo__labda_min": 0.1},
        {"lr_schedule__decay_type": "exponential", "lr_schedule__lr_c_final": 1e-30},
        {"lr_schedule__decay_type": "exponential", "lr_schedule__lr_c_final": 0.0, "algo__lr_c": 0.0},
        {
            "lr_schedule__decay_type": "exponential",
            "lr_schedule__lr_c_final": 0.0,
            "lr_schedule__lr_c_decay_type": "linear",
        },
        {"train__batch_size": 100, "train__replay_size": 100},
        {"env__termination_cost": "absorbing", "algo__gamma": 1.0, "algo__horizon_length": 5},
        {"env__termination_cost": 5, "algo__gamma": 1.0},
        {"seed": None, "train__seeds": 3},
        {"env__num_envs": 6, "train__epochs": 2, "train__steps_per_epoch": 3},
        # A value that breaks its own rule is told by that rule, and is no number to compare with.
        {"algo__labda": "much", "algo__labda_min": 0.9},
    ],
)
def test_what_can_be_meant_is_not_refused(changes):
    assert contradictions(given(**changes)) == []


SHORT = {"train__epochs": 2, "train__steps_per_epoch": 50}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"algo__horizon_length": 5, "algo__gamma": 0.5}, ["algo.gamma=0.5", "algo.horizon_length=5"]),
        ({"algo__adaptive_temperature": False, "algo__target_entropy": -1.0}, ["algo.target_entropy=-1.0"]),
        ({"algo__adaptive_temperature": False, "algo__lr_alpha": 1e-3}, ["algo.lr_alpha=0.001"]),
        ({"algo__horizon_length": 5, "algo__polyak": 0.9}, ["algo.polyak=0.9", "algo.horizon_length=5"]),
        ({"algo__horizon_length": 5, "algo__time_limit_is_terminal": True}, ["algo.time_limit_is_terminal=True"]),
        ({"algo__lr_alpha": 0.0, "algo__target_entropy": -1.0}, ["algo.target_entropy=-1.0", "algo.lr_alpha=0.0"]),
        ({"algo__lr_labda": 0.0, "algo__alpha3": 0.3}, ["algo.alpha3=0.3", "algo.lr_labda=0.0"]),
        ({"algo__twin_drift": "asymmetric"}, ["algo.twin_drift=asymmetric", "one critic"]),
        (
            {"env__termination_cost": "absorbing", "algo__horizon_length": 5},
            ["env.termination_cost=absorbing", "algo.horizon_length=5"],
        ),
        ({"env__reward_max": 1.0}, ["env.reward_max=1.0", "algo.opt_type=minimize"]),
        ({"lr_schedule__decay_type": "constant", "lr_schedule__lr_a_final": 1e-5}, ["lr_schedule.lr_a_final=1e-05"]),
        ({"algo__lr_a": 0.0, "lr_schedule__lr_a_final": 1e-5}, ["lr_schedule.lr_a_final=1e-05", "algo.lr_a=0.0"]),
        ({"lr_schedule__decay_type": "constant", "lr_schedule__decay_ref": "step"}, ["lr_schedule.decay_ref=step"]),
        ({"train__save_freq": 101}, ["train.save_freq=101", "epoch 100"]),
        ({"train__patience": 99}, ["train.patience=99", "100 epochs"]),
        ({**SHORT, "train__replay_size": 5000}, ["train.replay_size=5000", "100 steps"]),
        ({**SHORT, "train__batch_size": 101}, ["train.batch_size=101", "100 steps"]),
        ({**SHORT, "train__start_steps": 101}, ["train.start_steps=101", "100 steps"]),
        ({"train__epochs": 1, "lr_schedule__lr_a_final": 1e-5}, ["lr_schedule.lr_a_final=1e-05"]),
        (
            {"network__hidden_sizes__actor": [8], "network__activation__actor": "tanh"},
            ["network.activation.actor=tanh", "output_activation"],
        ),
        ({"wandb__mode": "disabled", "wandb__group": "mine"}, ["wandb.group=mine", "wandb.mode=disabled"]),
    ],
)
def test_what_has_no_effect_is_told_with_the_reason(changes, words):
    (phrase,) = unused(given(**changes))
    assert all(word in phrase for word in words)


def test_without_the_reason_the_same_settings_are_used():
    used = {"algo__gamma": 0.5, "algo__polyak": 0.9, "algo__time_limit_is_terminal": True, "algo__alpha3": 0.3}
    used |= {"algo__target_entropy": -1.0, "lr_schedule__lr_a_final": 1e-5}
    used |= {
        "train__save_freq": 100,
        "train__patience": 98,
        "train__replay_size": 5000,
        "network__activation__actor": "tanh",
    }
    assert unused(given(**used, wandb__group="mine")) == []


def test_rates_of_labda_are_unused_without_labda():
    keys = config_keys("train", "sac")
    values = {key: leaf.default for key, leaf in keys.items()} | {"lr_schedule.lr_labda_final": 1e-5}
    (phrase,) = unused(Given(values))
    assert phrase.startswith("lr_schedule.lr_labda_final=1e-05 (")


def test_arguments_are_called_by_their_names():
    arguments = {"labda": 0.1, "labda_min": 0.9, "horizon_length": 5, "gamma": 0.5}
    (sentence,) = contradictions(Given.as_arguments(arguments))
    assert sentence.startswith("labda_min is 0.9, above the initial labda=0.1;")
    assert unused(Given.as_arguments(arguments)) == ["gamma=0.5 (the horizon is finite: horizon_length=5)"]
    drift = {"twin_drift": "asymmetric"}
    assert unused(Given.as_arguments(drift, "lac")) == ["twin_drift=asymmetric (lac has one critic)"]
    assert unused(Given.as_arguments(drift, "latc")) == unused(Given.as_arguments(drift)) == []
