"""The description of an agent, which together with the weights suffices to rebuild it, as JSON."""

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from torch import nn

from lac.networks import ACTIVATIONS, LyapunovActorCritic, LyapunovActorTwinCritic, SoftActorCritic
from lac.settings.rules import COUNT, Choice, Numbers, Rule, Text, plain, raise_if_wrong, shown
from lac.settings.training import NetworkSettings

_ACTOR_CRITICS = {cls.__name__: cls for cls in (LyapunovActorCritic, LyapunovActorTwinCritic, SoftActorCritic)}
_RULES: Mapping[str, Rule] = {
    "obs_dim": COUNT,
    "action_low": Numbers(),
    "action_high": Numbers(),
    "action_dtype": Choice(("float16", "float32", "float64")),
}
_SPACES = ("obs_dim", "action_low", "action_high")
_PARTS = {
    "hidden_sizes": ("actor", "critic"),
    "activation": ("actor", "critic"),
    "output_activation": ("actor",),
}
"""Arguments of actor-critics that are given for all parts or for each, with the parts that use them."""
_ACTIVATION_NAMES = {cls: name for name, cls in ACTIVATIONS.items()}


@dataclass(frozen=True)
class Spaces:
    """The observation and action space of an environment."""

    observation_space: Box
    action_space: Box


def describe(
    observation_space: Box, action_space: Box, actor_critic: type[nn.Module], ac_kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Spaces, actor-critic and its arguments in JSON types; activation classes become their names."""
    return {
        "obs_dim": int(observation_space.shape[0]),
        "action_low": action_space.low.tolist(),
        "action_high": action_space.high.tolist(),
        "action_dtype": np.dtype(action_space.dtype).name,
        "actor_critic": actor_critic.__name__,
        "ac_kwargs": _to_json(ac_kwargs),
    }


def written_out(actor_critic: type[nn.Module] | None, ac_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The networks as the group ``network`` of a config has them, with the defaults of :class:`NetworkSettings`.

    Args:
        actor_critic: The class of the actor-critic; None is the default of the algorithm. Another one has a key of its
            own, and no defaults: what it takes is its own affair.
        ac_kwargs: Its arguments.
    """
    given = _to_json(ac_kwargs)
    if actor_critic is not None:
        return {"actor_critic": actor_critic.__name__, **given}
    parts = {name: dict.fromkeys(_PARTS[name], given[name]) for name in _PARTS.keys() & given.keys()}
    return asdict(NetworkSettings()) | {
        name: parts[name] if name in parts and not isinstance(value, Mapping) else value
        for name, value in given.items()
    }


def described_spaces(description: Mapping[str, Any]) -> Spaces:
    """The spaces of a description; a description does not contain the bounds of the observations.

    Raises:
        ValueError: The description of the spaces is incomplete or damaged.
    """
    raise_if_wrong(**{key: (description.get(key), rule) for key, rule in _RULES.items()})
    low, high = (np.atleast_1d(description[key]) for key in ("action_low", "action_high"))
    if low.shape != high.shape:
        raise ValueError(f"action_low has {low.size} numbers and action_high {high.size}")
    dtype = np.dtype(description["action_dtype"]).type
    return Spaces(
        observation_space=Box(-np.inf, np.inf, (description["obs_dim"],)),
        action_space=Box(low.astype(dtype), high.astype(dtype), dtype=dtype),
    )


def described_networks(description: Mapping[str, Any]) -> dict[str, Any]:
    """The ``actor_critic`` and ``ac_kwargs`` of a description.

    Raises:
        ValueError: The actor-critic is not a class of this package, so the caller has to provide it.
    """
    name, ac_kwargs = description.get("actor_critic"), description.get("ac_kwargs")
    raise_if_wrong(actor_critic=(name, Text()))
    if name not in _ACTOR_CRITICS:
        raise ValueError(
            f"the policy uses the actor-critic {name}, not one of lac's; build the agent with it and call restore"
        )
    return {"actor_critic": _ACTOR_CRITICS[name], "ac_kwargs": ac_kwargs}


def description_differences(own: Mapping[str, Any], saved: Mapping[str, Any]) -> list[str]:
    """What an agent has otherwise than a saved one, as phrases.

    What only one of the descriptions contains is no difference: an actor-critic of a user has its own arguments.
    """
    here, there = _comparable(own), _comparable(saved)
    return [
        f"{name} is {there[name]} there and {here[name]} here"
        for name in here
        if name in there and not _agree(here[name], there[name])
    ]


def _comparable(description: Mapping[str, Any]) -> dict[str, Any]:
    """Everything in a description that gives the weights their meaning, with the defaults written out."""
    result = {name: description[name] for name in _SPACES if name in description}
    given = description.get("ac_kwargs", {})
    actor_critic = _ACTOR_CRITICS.get(str(description.get("actor_critic")))
    if actor_critic is not None:
        parameters = inspect.signature(actor_critic).parameters.values()
        given = _to_json({p.name: p.default for p in parameters if p.default is not p.empty}) | given
    for name, value in given.items():
        if name in _PARTS:
            per_part = value if isinstance(value, Mapping) else dict.fromkeys(_PARTS[name], value)
            result |= {f"{name}.{part}": per_part[part] for part in _PARTS[name] if part in per_part}
        elif name == "observation_scale":
            numbers = {1.0} if value is None else set(np.ravel(value).tolist())
            result[name] = numbers.pop() if len(numbers) == 1 else value
        else:
            result[name] = value
    return result


def _agree(one: Any, other: Any) -> bool:
    """Whether two entries of descriptions mean the same; numbers may have passed through single precision."""
    try:
        first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
        return first.shape == second.shape and bool(np.allclose(first, second, rtol=1e-6))
    except (TypeError, ValueError):
        return bool(one == other)


def _to_json(value: Any) -> Any:
    """A value in JSON types; objects of a user's own actor-critic, which is not rebuilt from them, as text."""
    value = plain(value)
    if isinstance(value, Mapping):
        return {str(key): _to_json(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(entry) for entry in value]
    if isinstance(value, type):
        return _ACTIVATION_NAMES.get(value, value.__name__)
    return value if isinstance(value, (str, int, float, bool, type(None))) else shown(value)
