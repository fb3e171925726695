"""Checks of what an agent is built from: the environment, and the actor-critic of a user."""

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from gymnasium.vector import VectorEnv
from torch import Tensor, nn

from lac.settings.rules import shown

_ROWS = 3
"""Observations of the trial; a number that no width is taken for."""


def raise_if_no_environment(env: object) -> None:
    """Raise an error for anything that has not the spaces of a single environment."""
    if isinstance(env, VectorEnv):
        raise ValueError(
            f"env is a vector environment of {env.num_envs}; give a single one, as gymnasium.make(...) makes it: the "
            "agent acts in any number of them, since get_action takes a batch of observations, too"
        )
    if not (hasattr(env, "observation_space") and hasattr(env, "action_space")):
        raise ValueError(
            f"env is {shown(env)}; it must be an environment, as gymnasium.make(...) makes it, with an "
            "observation_space and an action_space"
        )


def raise_if_not_buildable(actor_critic: object, ac_kwargs: object) -> None:
    """Raise an error for an actor-critic that is no class of modules, or that has not these arguments."""
    if not (isinstance(actor_critic, type) and issubclass(actor_critic, nn.Module)):
        raise ValueError(
            f"actor_critic is {shown(actor_critic)}; it must be a class that inherits from torch.nn.Module"
        )
    if not isinstance(ac_kwargs, Mapping) or not all(isinstance(name, str) for name in ac_kwargs):
        raise ValueError(f"ac_kwargs is {shown(ac_kwargs)}; it must be a dict of arguments by name")
    try:
        inspect.signature(actor_critic).bind(None, None, **ac_kwargs)
    except TypeError as error:
        raise ValueError(f"ac_kwargs does not fit the actor-critic {actor_critic.__name__}: {error}") from error


def raise_if_not_trainable(actor_critic: nn.Module, critics: Sequence[str]) -> None:
    """Raise an error for an actor-critic without ``act``, or whose policy or critics are no modules with parameters."""
    name = type(actor_critic).__name__
    if not callable(getattr(actor_critic, "act", None)):
        raise ValueError(f"the actor_critic {name} has no method act(obs), which gives the actions of observations")
    for part in ("pi", *critics):
        module = getattr(actor_critic, part, None)
        if not isinstance(module, nn.Module):
            kind = "missing" if module is None else "a method" if callable(module) else f"a {type(module).__name__}"
            raise ValueError(
                f"the actor_critic {name} cannot be trained: {part} is {kind}, and it must be an nn.Module with a "
                f"forward method, since its parameters are trained apart from the others; set self.{part} in __init__"
            )
        if not any(True for _ in module.parameters()):
            raise ValueError(f"the actor_critic {name} cannot be trained: {part} has no parameters")


@torch.no_grad()
def try_actor_critic(actor_critic: nn.Module, critics: Sequence[str], obs_dim: int, act_dim: int) -> None:
    """Call policy, critics and ``act`` of a copy once, without touching the generators of noise.

    Raises:
        ValueError: One of them fails, or returns another shape than it has to.
    """
    trial: Any = copy.deepcopy(actor_critic)
    device = next(trial.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        obs = torch.rand(_ROWS, obs_dim, device=device)
        action, _ = _tried(trial, "pi", [obs], ((_ROWS, act_dim), (_ROWS,)))
        for name in critics:
            _tried(trial, name, [obs, action], (_ROWS,))
        _tried(trial, "act", [obs[0]], (act_dim,))


def _tried(actor_critic: nn.Module, part: str, inputs: Sequence[Tensor], shape: tuple[Any, ...]) -> Any:
    """What a part of an actor-critic returns, if it has this shape, or these shapes."""
    name = type(actor_critic).__name__
    try:
        output = getattr(actor_critic, part)(*inputs)
        found = tuple(map(_shape, output)) if isinstance(output, tuple) else _shape(output)
    except Exception as error:  # the code of a user
        raise ValueError(
            f"the actor_critic {name} cannot be used: {part} failed with {type(error).__name__}: {error}"
        ) from error
    if found != shape:
        given = " and ".join(str(_shape(value)) for value in inputs)
        raise ValueError(
            f"the actor_critic {name} cannot be used: {part} made the shape {found} of {given}, and must make {shape}"
        )
    return output


def _shape(output: Any) -> tuple[int, ...]:
    return tuple(output.shape)
