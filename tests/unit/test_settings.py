import math
import re
from dataclasses import fields

import pytest

from lac.settings.algorithms import LacAlgorithm
from lac.settings.arguments import allowed, training_fields
from lac.settings.commands import TrainCommand
from lac.settings.fields import setting_errors
from lac.settings.rules import Choice, Flag, Number, Numbers, Widths, nearest
from lac.settings.training import DeviceSettings, LoopSettings, NetworkSettings, ScheduleSettings

GROUPS = (LacAlgorithm, LoopSettings, ScheduleSettings, DeviceSettings, NetworkSettings, TrainCommand)


@pytest.mark.parametrize(
    ("rule", "accepted", "refused"),
    [
        (Number(), [0, -5, 1.5, 3e38], [None, 1e39, 10**400, math.inf, -math.inf, math.nan, True, "1", [1]]),
        (Number(low=0, high=1), [0, 1, 0.5], [-1e-9, 1.0001, None]),
        (Number(low=1, whole=True), [1, 2**53], [0, -1, 1.0, 2.5, True, 2**53 + 1, 10**400]),
        (Number(low=1, whole=True, optional=True), [None, 1], [0, "null"]),
        (Choice(("a", "b")), ["a", "b"], ["c", "", None, "A"]),
        (Choice(("a", "b"), optional=True), ["a", None], ["c"]),
        (Flag(), [True, False], [0, 1, None, "true"]),
        (
            Numbers(above=0, optional=True),
            [None, 1, 0.5, [1, 2.0]],
            [0, -1, 1e39, 1e-39, math.inf, [1, 0], [], True, "1", math.nan],
        ),
        (Widths(), [[1], [64, 64]], [[], [0], [1.5], 64, None, [True]]),
    ],
)
def test_rules(rule, accepted, refused):
    assert [value for value in accepted if not rule.accepts(value)] == []
    assert [value for value in refused if rule.accepts(value)] == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Number(), "a finite number"),
        (Number(low=0), "a finite number of at least 0"),
        (Number(low=0, high=1), "a finite number from 0 to 1"),
        (Number(low=1, whole=True, optional=True), "a whole number of at least 1 or null"),
        (Choice(("a", "b")), "one of a, b"),
        (Choice(("a",), optional=True), "one of a or null"),
    ],
)
def test_rules_describe_what_they_allow(rule, text):
    assert str(rule) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("opt_type", "minimise"),
        ("alpha", -0.1),
        ("alpha3", -1.0),
        ("alpha3", math.nan),
        ("labda", 1.1),
        ("labda", -0.1),
        ("gamma", 1.5),
        ("polyak", -0.5),
        ("polyak", 1.01),
        ("target_entropy", math.inf),
        ("target_entropy", "auto"),
        ("horizon_length", -1),
        ("horizon_length", 2.5),
        ("critic_loss", "huber"),
        ("labda_min", 2.0),
        ("twin_drift", "max"),
        ("drift_weights", "old"),
        ("lr_a", -1e-4),
        ("lr_c", "fast"),
        ("lr_alpha", None),
        ("lr_labda", math.nan),
        ("lr_a_final", -1.0),
        ("lr_decay_type", "cosine"),
        ("lr_decay_type", None),
        ("lr_a_decay_type", "cosine"),
        ("lr_decay_ref", "update"),
        ("decay_type", "cosine"),
        ("decay_ref", "update"),
        ("epochs", 0),
        ("steps_per_epoch", 0),
        ("start_steps", -1),
        ("update_every", 0),
        ("update_after", -1),
        ("steps_per_update", 0),
        ("batch_size", 0),
        ("replay_size", 0),
        ("num_test_episodes", -1),
        ("max_ep_len", 0),
        ("save_freq", 0),
        ("seed", -1),
        ("seed", 2**31),
        ("threads", 0),
    ],
)
def test_a_wrong_value_is_refused_with_name_and_value(name, value):
    arguments = training_fields(LacAlgorithm)
    group = next(group for group in GROUPS if name in {f.name for f in fields(group)} or name in arguments)
    if name in arguments:
        with pytest.raises(ValueError, match=f"^{name} is {re.escape(repr(value))}; it must be "):
            allowed({name: arguments[name]}, {name: value})
    if name in {f.name for f in fields(group)}:
        (error,) = setting_errors(group, {name: value})
        assert error.startswith(f"{name} is {value!r}; it must be ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("opt_type", "maximize"),
        ("alpha", 0.0),
        ("labda", 1.0),
        ("gamma", 1),
        ("polyak", 0.0),
        ("target_entropy", None),
        ("target_entropy", -3.5),
        ("horizon_length", 0),
        ("lr_a", 0.0),
        ("lr_a_decay_type", None),
        ("lr_decay_ref", "step"),
        ("update_after", 0),
        ("num_test_episodes", 0),
        ("max_ep_len", None),
        ("seed", None),
        ("seed", 2**31 - 1),
    ],
)
def test_an_allowed_value_passes(name, value):
    arguments = training_fields(LacAlgorithm)
    allowed({name: arguments[name]}, {name: value})


def test_a_group_of_settings_names_all_of_its_errors():
    with pytest.raises(ValueError, match=r"^alpha is -1; .*; horizon_length is 1.5; "):
        LacAlgorithm(alpha=-1, horizon_length=1.5)
    assert setting_errors(LacAlgorithm, {"alpha": -1, "gamma": 0.5, "polyak": 2}, "algo.") == [
        "algo.alpha is -1; it must be a finite number of at least 0",
        "algo.polyak is 2; it must be a finite number from 0 to 1",
    ]


def test_errors_of_groups_have_their_full_name():
    values = {"train": {"epochs": 0}, "network": {"hidden_sizes": {"actor": []}, "activation": {"critic": "rellu"}}}
    assert setting_errors(TrainCommand, values) == [
        "network.hidden_sizes.actor is []; it must be a list of at least one whole number above 0, as [64,64]",
        "network.activation.critic is 'rellu'; it must be one of relu, tanh, elu, gelu, silu, softplus, identity."
        " Did you mean 'relu'?",
        "train.epochs is 0; it must be a whole number of at least 1",
    ]


def test_the_nearest_option_is_hinted_at():
    assert nearest("use_wanb", ["use_wandb", "quiet"]) == " Did you mean 'use_wandb'?"
    assert nearest("xyz", ["use_wandb", "quiet"]) == ""
