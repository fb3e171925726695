"""Groups of test environments that step together: one after the other, or our own systems as a batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import compress
from typing import Any, NamedTuple, Protocol, cast

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from lac.envs import AnyEnv
from lac.envs.boundary import Boundary
from lac.envs.disturbances import Parameters, Push, Reference, added
from lac.envs.system import System

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


class Step(NamedTuple):
    """The result of one step of ``R`` environments."""

    observations: Array
    """``[R, obs_dim]``"""
    costs: FloatArray
    """``[R]``"""
    terminated: BoolArray
    """``[R]``"""
    ended: BoolArray
    """Terminated or truncated, ``[R]``."""


class StepOfGroup(NamedTuple):
    """A step of ``R`` episodes that run side by side; the first axis of each part is theirs."""

    episodes: npt.NDArray[np.int64]
    """Their numbers, ``[R]``."""
    observations: Array
    """Before the step, ``[R, obs_dim]``."""
    actions: Array
    """``[R, act_dim]``"""
    observations_next: Array
    """``[R, obs_dim]``"""
    costs: FloatArray
    """``[R]``"""
    terminated: BoolArray
    """``[R]``"""
    ended: BoolArray
    """Terminated or truncated, ``[R]``."""
    infos: Sequence[Mapping[str, Any]]
    """What each environment said."""


Observer = Callable[[StepOfGroup], None]


class Present(NamedTuple):
    """The present state and signals of ``R`` environments, ``[R, ...]`` each; empty rows where there are none."""

    states: Array
    references: Array
    states_of_interest: Array


class Stepper(Protocol):
    """Environments with an episode each, of which ``R`` are running."""

    def reset(self, seeds: Sequence[int]) -> Array:
        """Start an episode in each; the observations ``[R, obs_dim]``."""

    def step(self, actions: Array) -> Step:
        """One step of each that is running."""

    def keep(self, mask: BoolArray) -> None:
        """Leave those running for which ``mask`` ``[R]`` is true."""

    def present(self) -> Present:
        """States and signals after :meth:`reset` or the last :meth:`step`."""

    def in_goal(self) -> BoolArray | None:
        """Whether each is in its goal set now, ``[R]``; None where there is none."""

    def infos(self) -> Sequence[Mapping[str, Any]]:
        """What each that is running said in the last step; empty where they step as a batch."""


class _SerialStepper:
    """Any environments, which step one after the other."""

    def __init__(self, envs: Sequence[AnyEnv]) -> None:
        self._envs = list(envs)
        self._infos: list[Mapping[str, Any]] = [{}] * len(envs)
        space = envs[0].observation_space
        self._obs_shape, self._obs_dtype = space.shape or (), space.dtype

    def reset(self, seeds: Sequence[int]) -> Array:
        observations = self._empty_observations()
        for i, (env, seed) in enumerate(zip(self._envs, seeds, strict=True)):
            observations[i], self._infos[i] = env.reset(seed=seed)
        return observations

    def step(self, actions: Array) -> Step:
        observations, costs = self._empty_observations(), np.empty(len(self._envs))
        terminated, ended = np.empty((2, len(self._envs)), np.bool_)
        for i, (env, action) in enumerate(zip(self._envs, actions, strict=True)):
            observations[i], cost, is_terminated, is_truncated, self._infos[i] = env.step(action)
            costs[i] = cost
            terminated[i], ended[i] = is_terminated, is_terminated or is_truncated
        return Step(observations, costs, terminated, ended)

    def keep(self, mask: BoolArray) -> None:
        self._envs, self._infos = list(compress(self._envs, mask)), list(compress(self._infos, mask))

    def present(self) -> Present:
        states = [_state(env) for env in self._envs]
        references, interests = (
            [np.ravel(info.get(name, ())) for info in self._infos] for name in ("reference", "state_of_interest")
        )
        return Present(np.stack(states), np.stack(references), np.stack(interests))

    def in_goal(self) -> BoolArray | None:
        tolerances = [goal_tolerance(env) for env in self._envs]
        if any(tolerance is None for tolerance in tolerances):
            return None
        if not all("reference" in info and "state_of_interest" in info for info in self._infos):
            return None
        errors = [np.ravel(info["state_of_interest"]) - np.ravel(info["reference"]) for info in self._infos]
        return np.array([(np.abs(e) <= limit).all() for e, limit in zip(errors, tolerances, strict=True)])

    def infos(self) -> Sequence[Mapping[str, Any]]:
        return list(self._infos)

    def _empty_observations(self) -> Array:
        """An array for the observations, with the dtype in which training stores them."""
        return np.empty((len(self._envs), *self._obs_shape), self._obs_dtype)


class _BatchStepper:
    """Equal systems with equal time limits and disturbances around them, which take each step as a batch."""

    def __init__(self, envs: Sequence[AnyEnv]) -> None:
        layers = _layers(envs[0])
        self._envs, self._time_limit = envs, layers[0] if layers is not None else None
        self._systems = [cast(System, env.unwrapped) for env in envs]
        self._pushes = [push for env in envs if (push := _push_around(env)) is not None]
        self._states: FloatArray = np.zeros(0)
        self._num_steps = 0

    def reset(self, seeds: Sequence[int]) -> Array:
        observations = np.stack([env.reset(seed=seed)[0] for env, seed in zip(self._envs, seeds, strict=True)])
        self._states = np.stack([system.get_state()["state"] for system in self._systems])
        return observations

    def step(self, actions: Array) -> Step:
        first = self._systems[0]
        noise = np.stack([system.draw_noise() for system in self._systems])
        with self._disturbed(actions) as applied:
            self._states, costs, terminated = first.step_batch(self._states, applied, noise)
        self._num_steps += 1
        is_truncated = self._num_steps == self._time_limit
        ended = np.ones(len(costs), np.bool_) if is_truncated else terminated
        observations = self._observed(first.observe(self._states)).astype(first.observation_space.dtype, copy=False)
        return Step(observations, costs, terminated, ended)

    @contextmanager
    def _disturbed(self, actions: Array) -> Iterator[Array]:
        """The actions as they reach the systems; what else is added to these is added within the block."""
        pushes = [
            push.next_push(action, partial(self._states.__getitem__, i))
            for i, (push, action) in enumerate(zip(self._pushes, actions, strict=bool(self._pushes)))
        ]
        due = [push for push in pushes if push is not None]
        if not due:  # all are at the same step
            yield actions
        elif self._pushes[0].channel == "action":
            yield actions + np.stack(due)
        else:
            with added(self._systems[0], self._pushes[0].channel, np.stack(due)):
                yield actions

    def _observed(self, observations: Array) -> Array:
        if not self._pushes:
            return observations
        return np.stack([push.observed(obs) for push, obs in zip(self._pushes, observations, strict=True)])

    def keep(self, mask: BoolArray) -> None:
        self._systems = list(compress(self._systems, mask))
        self._pushes = list(compress(self._pushes, mask))
        self._states = self._states[mask]

    def present(self) -> Present:
        return Present(self._states, *self._systems[0].signals(self._states))

    def in_goal(self) -> BoolArray | None:
        return self._systems[0].in_goal(self._states)

    def infos(self) -> Sequence[Mapping[str, Any]]:
        return []


def goal_tolerance(env: AnyEnv) -> FloatArray | None:
    """How far the state of interest may be from its reference in the goal set, ``[k]`` or ``[]``; None without one."""
    tolerance = getattr(env.unwrapped, "goal_tolerance", None)
    return None if tolerance is None else np.asarray(tolerance, np.float64)


def started(envs: Sequence[AnyEnv], seeds: Sequence[int], with_infos: bool = False) -> tuple[Stepper, Array]:
    """A stepper with an episode begun in each environment, and the observations ``[R, obs_dim]``.

    Both kinds of stepper give the same episodes. Equal systems with nothing but equal time limits and a disturbance
    around them step as a batch, unless a reset has drawn constants of their own.

    Args:
        envs: At least one, as :func:`lac.envs.wrap_env` makes them.
        seeds: Of the reset of each.
        with_infos: Whether :meth:`Stepper.infos` is used, which those that step as a batch do not have.
    """
    if can_step_as_batch(envs) and not with_infos:
        stepper: Stepper = _BatchStepper(envs)
        observations = stepper.reset(seeds)
        if can_step_as_batch(envs):
            return stepper, observations
    stepper = _SerialStepper(envs)
    return stepper, stepper.reset(seeds)


def can_step_as_batch(envs: Sequence[AnyEnv]) -> bool:
    """Whether one batched step is a step of each: equal systems, with equal time limits and a disturbance at most."""
    first, layers = envs[0].unwrapped, _layers(envs[0])
    if not isinstance(first, System) or layers is None:
        return False
    return all(_layers(env) == layers and first.has_dynamics_of(env.unwrapped) for env in envs)


_TRANSPARENT = {Boundary, OrderEnforcing, PassiveEnvChecker, TimeLimit, Parameters, Reference}
"""Wrappers that change nothing of a step but its number; parameters and references are constants of the system."""


def _layers(env: AnyEnv) -> tuple[int, type[Push] | None] | None:
    """The time limit and the kind of push around a system; None if there is no limit, or something else around it."""
    limits, pushes = [], []
    while type(env) in _TRANSPARENT or isinstance(env, Push):
        if isinstance(env, TimeLimit):
            limits.append(env._max_episode_steps)
        if isinstance(env, Push):
            pushes.append(type(env))
        env = cast(gymnasium.Wrapper, env).env
    is_simple = env is env.unwrapped and len(pushes) <= 1 and bool(limits)
    return (min(limits), pushes[0] if pushes else None) if is_simple else None


def _push_around(env: AnyEnv) -> Push | None:
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, Push):
            return env
        env = env.env
    return None


def _state(env: AnyEnv) -> Array:
    get_state = getattr(env.unwrapped, "get_state", None)
    state = None if get_state is None else get_state()
    # An environment from elsewhere may use this name for something else.
    return np.ravel(state["state"]) if isinstance(state, Mapping) and "state" in state else np.zeros(0)
