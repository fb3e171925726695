"""Test episodes of a policy, batched over environments: nothing else steps a test environment."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, count
from typing import Any, NamedTuple, Protocol, cast

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import OrderEnforcing, TimeLimit

from lac.envs import AnyEnv
from lac.envs.system import System

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Policy = Callable[[npt.NDArray[np.floating]], npt.NDArray[np.floating]]

FIRST_TEST_SEED = 2**31
"""Test episodes start from resets with this seed and the following ones, in every run and at every epoch:
what differs between two tests is the policy. Training seeds are usually small numbers."""


@dataclass(frozen=True)
class Rollouts:
    """``n`` episodes of a policy, of which the first ``m`` are recorded step by step.

    Arrays end with the longest episode, which has ``T`` steps (recorded: ``Tm``); the rest of a shorter one is NaN.
    Row 0 of observations, states and signals is the reset, row ``t`` follows step ``t``.

    Attributes:
        costs: Cost of each step, ``[n, T]``.
        lengths: Number of steps, ``[n]``.
        terminated: Whether the episode was terminated, which is a failure in the cost environments; a time limit is
            not. ``[n]``.
        observations: ``[m, Tm + 1, obs_dim]``.
        actions: As the policy gave them, ``[m, Tm, act_dim]``.
        states: ``get_state()["state"]``, ``[m, Tm + 1, state_dim]``; ``state_dim`` is 0 where there is no such method.
        references: What the state of interest is to follow, ``[m, Tm + 1, k]``; ``k`` is 0 where ``info`` has none.
        states_of_interest: ``[m, Tm + 1, k]``.
    """

    costs: FloatArray
    lengths: IntArray
    terminated: BoolArray
    observations: FloatArray
    actions: FloatArray
    states: FloatArray
    references: FloatArray
    states_of_interest: FloatArray

    @property
    def total_costs(self) -> FloatArray:
        """Sum of the costs of each episode, in the order of its steps, ``[n]``."""
        # Not numpy's sum, which adds in another order.
        return np.cumsum(self.costs, axis=1)[np.arange(len(self.lengths)), self.lengths - 1]

    def summary(self) -> dict[str, float]:
        """Mean, spread and range of the cost, mean length, and the share of terminated episodes."""
        totals = self.total_costs
        return {
            "cost_mean": float(totals.mean()),
            "cost_std": float(totals.std()),
            "cost_min": float(totals.min()),
            "cost_max": float(totals.max()),
            "ep_len_mean": float(self.lengths.mean()),
            "death_rate": float(self.terminated.mean()),
        }


def evaluate(policy: Policy, envs: Sequence[AnyEnv], num_episodes: int, first_seed: int = FIRST_TEST_SEED) -> Rollouts:
    """Costs and lengths of the episodes with the seeds ``first_seed``, ``first_seed + 1``, ...; nothing is recorded."""
    return rollout(policy, envs, range(first_seed, first_seed + num_episodes), record=0)


def rollout(
    policy: Policy,
    envs: Sequence[AnyEnv],
    seeds: Sequence[int],
    steps: int | None = None,
    record: int | None = None,
) -> Rollouts:
    """Run one episode for each seed.

    Episodes run side by side in the environments given, so that the policy acts on all of them at once. Equal systems
    of ours with nothing but time limits around them take their steps as a batch, with the same result.

    Args:
        policy: Actions ``[B, act_dim]`` for observations ``[B, obs_dim]``.
        envs: Environments as :func:`lac.envs.wrap_env` makes them; at least one.
        seeds: Reset seed of each episode; at least one.
        steps: Largest number of steps of an episode, at least 1; None leaves it to the environments' own limit.
        record: Number of episodes that are recorded; None records all, and 0 saves the time and memory.
    """
    log = _Log(len(seeds), len(seeds) if record is None else min(record, len(seeds)))
    make_stepper = _BatchStepper if _can_step_as_batch(envs) else _SerialStepper
    for start in range(0, len(seeds), len(envs)):
        group = seeds[start : start + len(envs)]
        _run_group(policy, make_stepper(envs[: len(group)]), group, steps, start, log)
    return log.rollouts()


def _run_group(
    policy: Policy, stepper: "_Stepper", seeds: Sequence[int], steps: int | None, first: int, log: "_Log"
) -> None:
    """Run an episode in each environment of a stepper to its end; the first of them is episode number ``first``."""
    last = math.inf if steps is None else steps
    running = np.arange(first, first + len(seeds))
    is_recorded = first < log.num_recorded
    observations = stepper.reset(seeds)
    if is_recorded:
        log.add_present(running, 0, observations, stepper.present())
    for step in count(1):
        actions = policy(observations)
        if is_recorded:
            # A copy, since policies and environments may write into theirs.
            log.actions.append((running, step - 1, np.array(actions)))
        observations, costs, terminated, ended = stepper.step(actions)
        log.costs.append((running, step - 1, costs))
        if is_recorded:
            log.add_present(running, step, observations, stepper.present())
        if ended.any():
            log.terminated[running[terminated]] = True
            running, observations = running[~ended], observations[~ended]
            stepper.keep(~ended)
        if len(running) == 0 or step >= last:
            break


# Environments that step together ---------------------------------------------------------------------


class _Step(NamedTuple):
    """The result of one step of ``R`` environments."""

    observations: Array
    """``[R, obs_dim]``"""
    costs: FloatArray
    """``[R]``"""
    terminated: BoolArray
    """``[R]``"""
    ended: BoolArray
    """Terminated or truncated, ``[R]``."""


class _Present(NamedTuple):
    """The present state and signals of ``R`` environments, ``[R, ...]`` each; empty rows where there are none."""

    states: Array
    references: Array
    states_of_interest: Array


class _Stepper(Protocol):
    """Environments with an episode each, of which ``R`` are running."""

    def reset(self, seeds: Sequence[int]) -> Array:
        """Start an episode in each; the observations ``[R, obs_dim]``."""

    def step(self, actions: Array) -> _Step:
        """One step of each that is running."""

    def keep(self, mask: BoolArray) -> None:
        """Leave those running for which ``mask`` ``[R]`` is true."""

    def present(self) -> _Present:
        """States and signals after :meth:`reset` or the last :meth:`step`."""


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

    def step(self, actions: Array) -> _Step:
        observations, costs = self._empty_observations(), np.empty(len(self._envs))
        terminated, ended = np.empty((2, len(self._envs)), np.bool_)
        for i, (env, action) in enumerate(zip(self._envs, actions, strict=True)):
            observations[i], cost, terminated[i], truncated, self._infos[i] = env.step(action)
            costs[i] = float(cost)
            ended[i] = terminated[i] or truncated
        return _Step(observations, costs, terminated, ended)

    def keep(self, mask: BoolArray) -> None:
        self._envs, self._infos = list(compress(self._envs, mask)), list(compress(self._infos, mask))

    def present(self) -> _Present:
        states = [_state(env) for env in self._envs]
        references, interests = (
            [np.ravel(info.get(name, ())) for info in self._infos] for name in ("reference", "state_of_interest")
        )
        return _Present(np.stack(states), np.stack(references), np.stack(interests))

    def _empty_observations(self) -> Array:
        """Room for the observations, with the dtype in which training stores them."""
        return np.empty((len(self._envs), *self._obs_shape), self._obs_dtype)


class _BatchStepper:
    """Equal systems of ours with time limits around them, which take each step as a batch."""

    def __init__(self, envs: Sequence[AnyEnv]) -> None:
        self._envs, self._time_limit = envs, _time_limit(envs[0])
        self._systems = [cast(System, env.unwrapped) for env in envs]
        self._states: FloatArray = np.zeros(0)
        self._num_steps = 0

    def reset(self, seeds: Sequence[int]) -> Array:
        observations = np.stack([env.reset(seed=seed)[0] for env, seed in zip(self._envs, seeds, strict=True)])
        self._states = np.stack([system.get_state()["state"] for system in self._systems])
        return observations

    def step(self, actions: Array) -> _Step:
        first = self._systems[0]
        noise = np.stack([system.draw_noise() for system in self._systems])
        self._states, costs, terminated = first.step_batch(self._states, actions, noise)
        self._num_steps += 1
        is_truncated = self._num_steps == self._time_limit
        ended = np.ones(len(costs), np.bool_) if is_truncated else terminated
        return _Step(first.observe(self._states), costs, terminated, ended)

    def keep(self, mask: BoolArray) -> None:
        self._systems = list(compress(self._systems, mask))
        self._states = self._states[mask]

    def present(self) -> _Present:
        return _Present(self._states, *self._systems[0].signals(self._states))


def _can_step_as_batch(envs: Sequence[AnyEnv]) -> bool:
    """Whether one batched step is a step of each: equal systems, with nothing but equal time limits around them."""
    first = envs[0].unwrapped
    return isinstance(first, System) and all(
        _time_limit(env) == _time_limit(envs[0]) > 0 and first.has_dynamics_of(env.unwrapped) for env in envs
    )


def _time_limit(env: AnyEnv) -> int:
    """Steps of an episode; 0 without a time limit, or where there is another wrapper around the environment."""
    limits = []
    while type(env) in {OrderEnforcing, TimeLimit}:
        if isinstance(env, TimeLimit):
            limits.append(env._max_episode_steps)
        env = cast(gymnasium.Wrapper, env).env
    return min(limits, default=0) if env is env.unwrapped else 0


def _state(env: AnyEnv) -> Array:
    get_state = getattr(env.unwrapped, "get_state", None)
    state = None if get_state is None else get_state()
    # An environment of others may mean something else by this name.
    return np.ravel(state["state"]) if isinstance(state, Mapping) and "state" in state else np.zeros(0)


# What is kept of episodes -----------------------------------------------------------------------------

# A quantity of some episodes ``[R]`` at one step: their numbers, the step counted from 0, and the values ``[R, ...]``.
_Entry = tuple[IntArray, int, Array]


class _Log:
    """The episodes of a rollout so far.

    Args:
        num_episodes: Number of episodes.
        num_recorded: Number of those whose recordings are kept at the end.
    """

    def __init__(self, num_episodes: int, num_recorded: int) -> None:
        self.num_recorded = num_recorded
        self.terminated = np.zeros(num_episodes, np.bool_)
        self.costs: list[_Entry] = []
        self.actions: list[_Entry] = []
        self._observations: list[_Entry] = []
        self._states: list[_Entry] = []
        self._references: list[_Entry] = []
        self._states_of_interest: list[_Entry] = []

    def add_present(self, episodes: IntArray, step: int, observations: Array, present: _Present) -> None:
        """Record observations, states and signals after a step; step 0 is the reset."""
        self._observations.append((episodes, step, observations))
        self._states.append((episodes, step, present.states))
        self._references.append((episodes, step, present.references))
        self._states_of_interest.append((episodes, step, present.states_of_interest))

    def rollouts(self) -> Rollouts:
        """The episodes as arrays."""
        recordings = (self._observations, self.actions, self._states, self._references, self._states_of_interest)
        return Rollouts(
            _padded(self.costs, len(self.terminated)),
            np.bincount(np.concatenate([episodes for episodes, *_ in self.costs])),
            self.terminated,
            *(_padded(entries, self.num_recorded) for entries in recordings),
        )


def _padded(entries: Sequence[_Entry], num_episodes: int) -> FloatArray:
    """The values of the first episodes, ``[num_episodes, T, ...]``; NaN after the end of an episode."""
    if num_episodes == 0:
        return np.zeros((0, 0, 0))
    members, at_steps, parts = zip(*entries, strict=True)
    episodes, values = np.concatenate(members), np.concatenate(parts)
    steps = np.repeat(at_steps, [len(part) for part in parts])
    is_kept = episodes < num_episodes
    episodes, steps, values = episodes[is_kept], steps[is_kept], values[is_kept]
    padded = np.full((num_episodes, steps.max() + 1, *values.shape[1:]), np.nan)
    padded[episodes, steps] = values
    return padded
