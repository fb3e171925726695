"""The contract of the Python API: which settings are arguments of agents and training functions, in which order.

Types, defaults and meanings are those of the settings; what stands here is the order alone. ``tools/write_stub.py``
writes the same signatures to ``lac/__init__.pyi`` for editors and type checkers.
"""

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature
from typing import Any, TypeVar

from lac.settings.algorithms import AgentSettings, Algorithm
from lac.settings.commands import TrainCommand, config_keys
from lac.settings.fields import Settings, argument_name
from lac.settings.rules import plain, raise_if_any, value_error
from lac.settings.training import DeviceSettings, EnvSettings, LoopSettings, ScheduleSettings

S = TypeVar("S", bound=Settings)

POSITIONAL = (
    *("opt_type", "max_ep_len", "epochs", "steps_per_epoch", "start_steps", "update_every", "update_after"),
    *("steps_per_update", "num_test_episodes", "alpha", "alpha3", "labda", "gamma", "polyak", "target_entropy"),
    *("adaptive_temperature", "lr_a", "lr_c", "lr_alpha", "lr_labda", "lr_a_final", "lr_c_final", "lr_alpha_final"),
    *("lr_labda_final", "lr_decay_type", "lr_a_decay_type", "lr_c_decay_type", "lr_alpha_decay_type"),
    *("lr_labda_decay_type", "lr_decay_ref", "batch_size", "replay_size", "horizon_length", "seed", "device"),
    *("logger_kwargs", "save_freq", "start_policy", "export"),
)
"""Arguments after the environment and the actor-critic, in the order of the reference implementation."""

KEYWORD_ONLY = (
    *("critic_loss", "anti_windup", "labda_min", "twin_drift", "drift_weights"),
    *("time_limit_is_terminal", "termination_cost", "final_test_episodes", "num_envs", "engine"),
    *("stop_below", "patience", "callbacks"),
)
"""Arguments that the reference implementation does not have."""

_ONLY_FOR_LABDA = ("lr_labda_final", "lr_labda_decay_type")


def agent_fields(settings: type[AgentSettings]) -> "dict[str, Field[Any]]":
    """The settings that are arguments of an agent's constructor, by argument."""
    return _by_argument(settings) | _by_argument(DeviceSettings, "name", "engine")


def training_fields(algorithm: type[Algorithm]) -> "dict[str, Field[Any]]":
    """The settings that are arguments of a training function, by argument."""
    found = _by_argument(algorithm) | _by_argument(LoopSettings) | _by_argument(ScheduleSettings)
    found |= _by_argument(EnvSettings, "termination_cost", "num_envs") | _by_argument(DeviceSettings, "name", "engine")
    found |= _by_argument(TrainCommand, "seed")
    if "labda" not in found:
        found = {name: f for name, f in found.items() if name not in _ONLY_FOR_LABDA}
    return found


def signature(
    first: Iterable[Parameter],
    settings: "Mapping[str, Field[Any]]",
    returns: Any = None,
    others: Mapping[str, Parameter] | None = None,
) -> Signature:
    """The signature of a constructor or a training function.

    Args:
        first: Parameters before the settings.
        settings: Settings by argument.
        returns: Return annotation.
        others: Parameters that are not settings, by name.
    """
    known = {name: _parameter(name, f) for name, f in settings.items()} | dict(others or {})
    later = [known[name] for name in POSITIONAL if name in known]
    later += [known[name].replace(kind=Parameter.KEYWORD_ONLY) for name in KEYWORD_ONLY if name in known]
    return Signature([*first, *later], return_annotation=returns)


def described(settings: "Mapping[str, Field[Any]]") -> str:
    """The arguments as the ``Args:`` section of a docstring."""
    names = [name for name in (*POSITIONAL, *KEYWORD_ONLY) if name in settings]
    lines = [f"{name}: {_sentence(settings[name].metadata['meaning'])}" for name in names]
    wrapped = ["\n".join(textwrap.wrap(line, 100, subsequent_indent="    ")) for line in lines]
    return textwrap.indent("\n".join(wrapped), "        ")


def from_arguments(settings: type[S], arguments: Mapping[str, Any]) -> S:
    """The settings that are given as arguments of the Python API; those without an argument have their default."""
    given = {f.name: arguments[argument_name(f)] for f in fields(settings) if argument_name(f) in arguments}
    return settings(**given)


def allowed(settings: "Mapping[str, Field[Any]]", arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, those that are settings as plain data, if all of these have values that are allowed.

    Raises:
        ValueError: Some values are not allowed; all of them are named.
    """
    errors = [value_error(name, arguments[name], f.metadata["rule"]) for name, f in settings.items()]
    raise_if_any(error for error in errors if error is not None)
    return {**arguments, **{name: plain(arguments[name]) for name in settings}}


def key_of_argument(argument: str) -> str:
    """The key of the command line for an argument of the Python API; the argument itself where there is none."""
    keys = [key for key, leaf in config_keys("train").items() if leaf.argument == argument]
    return keys[0] if keys else argument


def _by_argument(settings: type[Settings], *names: str) -> "dict[str, Field[Any]]":
    """The settings of a dataclass by argument: those named, or all but the name of an algorithm."""
    chosen = [f for f in fields(settings) if (f.name in names if names else f.name != "name")]
    return {argument_name(f): f for f in chosen}


def _parameter(name: str, f: "Field[Any]") -> Parameter:
    default = f.default if f.default is not MISSING else Parameter.empty
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=f.type)


def _sentence(meaning: str) -> str:
    return meaning.replace("null", "None") + "."
