"""Builds and wraps environments for training and evaluation."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.spaces import Box, Space
from gymnasium.vector import VectorEnv
from gymnasium.wrappers import FlattenObservation, TimeLimit

from lac.envs.boundary import Boundary
from lac.envs.costs import RewardAsCost, reward_maximum
from lac.envs.disturbances import disturbed
from lac.settings.rules import ArgumentError, nearest

AnyEnv = gymnasium.Env[Any, Any]
AnyVectorEnv = VectorEnv[Any, Any, Any]


class HasSpaces(Protocol):
    """The part of an environment that an agent uses."""

    @property
    def observation_space(self) -> Space[Any]:
        """Space of observations."""

    @property
    def action_space(self) -> Space[Any]:
        """Space of actions."""


def environment_factory(env: Mapping[str, Any], disturbance: Mapping[str, Any] | None = None) -> Callable[[], AnyEnv]:
    """A function that builds the environment of a config, under a disturbance if there is one.

    Args:
        env: The group ``env`` of a config.
        disturbance: The group ``disturbance``.
    """
    declared = env["reward_max"], env.get("goal_tolerance")  # a config of the version before lacks the latter
    make = partial(make_env, env["id"], env["max_episode_steps"], env["kwargs"], *declared)
    return make if disturbance is None else partial(_make_disturbed, make, disturbance)


def _make_disturbed(make: Callable[[], AnyEnv], disturbance: Mapping[str, Any]) -> AnyEnv:
    return disturbed(flattened(make()), disturbance)


def make_env(
    env_id: str,
    max_episode_steps: int | None = None,
    kwargs: Mapping[str, Any] | None = None,
    reward_max: float | None = None,
    goal_tolerance: float | Sequence[float] | None = None,
) -> AnyEnv:
    """A registered environment.

    Args:
        env_id: Its id.
        max_episode_steps: Time limit; None is its own.
        kwargs: Arguments of its constructor.
        reward_max: Declares the bound of its reward, for ``opt_type=maximize``.
        goal_tolerance: Declares its goal set, see :class:`lac.envs.system.System`.
    """
    limit = {} if max_episode_steps is None else {"max_episode_steps": max_episode_steps}
    # The checker slows down every step, so environments are checked in tests instead.
    env = gymnasium.make(env_id, disable_env_checker=True, **limit, **(kwargs or {}))
    if reward_max is not None:
        env.unwrapped.reward_max = reward_max  # type: ignore[attr-defined]
    if goal_tolerance is not None:
        env.unwrapped.goal_tolerance = goal_tolerance  # type: ignore[attr-defined]
    return env


def flattened(env: AnyEnv) -> AnyEnv:
    """An environment whose observations are one-dimensional boxes."""
    is_flat = isinstance(env.observation_space, Box) and len(env.observation_space.shape) == 1
    return env if is_flat else FlattenObservation(env)


def wrap_env(env: AnyEnv | AnyVectorEnv, opt_type: str = "minimize", max_ep_len: int | None = None) -> AnyEnv:
    """Wrap an environment for an agent: flat observations, a cost instead of a reward, a time limit, nothing shared.

    Args:
        env: Any environment with continuous actions.
        opt_type: Whether its scalar is a cost (``minimize``) or a reward (``maximize``).
        max_ep_len: Time limit in steps that is set in addition to the environment's own.

    Raises:
        ValueError: ``max_ep_len`` exceeds the environment's own limit, ``maximize`` finds no bound, or ``env`` is a
            vector environment.
    """
    if isinstance(env, VectorEnv):
        raise ValueError(
            "env_fn makes a vector environment, which can be used for training but not for test episodes; set "
            "num_test_episodes=0, or let env_fn make a single environment and set num_envs"
        )
    own_limit = env.spec.max_episode_steps if env.spec is not None else None
    if max_ep_len is not None and own_limit is not None and max_ep_len > own_limit:
        raise ArgumentError(
            "max_ep_len",
            f"is {max_ep_len}, but the environment ends its episodes after {own_limit} steps; "
            "raise env.max_episode_steps (max_episode_steps of gymnasium.make) instead",
        )
    if opt_type == "maximize":
        bound = reward_maximum(env)
        env = RewardAsCost(Boundary(flattened(env), "reward"), bound)
    else:
        env = Boundary(flattened(env))
    if max_ep_len is not None:
        env = TimeLimit(env, max_ep_len)
    return env


def validate_spaces(env: HasSpaces) -> tuple[Box, Box]:
    """The observation and action space of an environment, if agents support them.

    Raises:
        ValueError: They are not one-dimensional boxes, or the action box is not bounded or holds whole numbers.
    """
    observations, actions = env.observation_space, env.action_space
    if not isinstance(observations, Box) or len(observations.shape) != 1:
        raise ValueError(
            f"the observation space is {observations}; it must be a one-dimensional Box "
            "(gymnasium.wrappers.FlattenObservation makes one of most spaces)"
        )
    if not isinstance(actions, Box) or len(actions.shape) != 1:
        raise ValueError(
            f"the action space is {actions}; it must be a one-dimensional Box: actions are continuous here"
        )
    if not np.issubdtype(actions.dtype, np.floating):
        raise ValueError(
            f"the action space is {actions}; its dtype must be float32 or float64: actions are continuous here"
        )
    if not np.all(np.isfinite(actions.low) & np.isfinite(actions.high)):
        raise ValueError(
            f"the action space is {actions}; it must be bounded (gymnasium.wrappers.ClipAction does not bound it, "
            "RescaleAction does)"
        )
    return observations, actions


def env_errors(env_id: str, kwargs: Mapping[str, Any]) -> list[str]:
    """Errors in an environment's id or constructor arguments, found without building it."""
    module = env_id.rpartition(":")[0]
    try:
        if module:
            import_module(module)
    except Exception as error:  # whatever the code of a module raises, and what its name makes Python raise
        return [
            f"env.id is {env_id!r}, but its module {module!r} cannot be imported: {error}; install it, or put its "
            "folder on PYTHONPATH"
        ]
    spec = registered_spec(env_id)
    if spec is None:
        advice = "" if module else " (MODULE:ID imports the module that registers it)"
        hint = nearest(env_id, gymnasium.registry)
        return [f"env.id is {env_id!r}, which is not registered with Gymnasium{advice}.{hint}"]
    if spec.entry_point is None:
        return []
    try:
        creator = spec.entry_point if callable(spec.entry_point) else load_env_creator(spec.entry_point)
        parameters = dict(inspect.signature(creator).parameters)
    except Exception as error:  # as above
        return [f"env.id is {env_id!r}, which cannot be loaded: {error}"]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return []
    taken = ", ".join(parameters)
    return [
        f"env.kwargs.{name} is not an argument of {env_id}; it takes {taken}.{nearest(name, parameters)}"
        for name in kwargs
        if name not in parameters
    ]


def registered_spec(env_id: str) -> EnvSpec | None:
    """What is registered with Gymnasium under an id, with or without the module that registers it; None if nothing."""
    try:
        return gymnasium.spec(env_id.rpartition(":")[2])
    except gymnasium.error.Error:
        return None
