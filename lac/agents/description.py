"""The description of an agent, which together with the weights suffices to rebuild it, as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from torch import nn

from lac.networks import ACTIVATIONS, LyapunovActorCritic, LyapunovActorTwinCritic, SoftActorCritic
from lac.settings.rules import COUNT, Choice, Numbers, Rule, Text, plain, raise_if_wrong, shown

_ACTOR_CRITICS = {cls.__name__: cls for cls in (LyapunovActorCritic, LyapunovActorTwinCritic, SoftActorCritic)}
_RULES: Mapping[str, Rule] = {
    "obs_dim": COUNT,
    "action_low": Numbers(),
    "action_high": Numbers(),
    "action_dtype": Choice(("float16", "float32", "float64")),
}
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
