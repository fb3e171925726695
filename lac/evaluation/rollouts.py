"""Test episodes of a policy; every test, evaluation and picture takes its episodes from here."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from lac.envs import AnyEnv
from lac.envs.checks import (
    MAX_EPISODE_STEPS,
    OffendingTransitionError,
    are_usable,
    are_valid_costs,
    cost_problem,
    observation_problem,
)
from lac.envs.time_limits import has_time_limit
from lac.envs.vector import TRAINING_SEEDS
from lac.evaluation.limits import without_time_limits
from lac.evaluation.settling import has_settled
from lac.evaluation.steppers import (
    Array,
    BoolArray,
    FloatArray,
    Observer,
    Present,
    StepOfGroup,
    Stepper,
    can_step_as_batch,
    started,
)

MAX_TEST_ENVS = 50
"""Episodes side by side in a test of a run: the same number everywhere, so that the numbers are the same to the bit."""
_MAX_COPIES = 200
IntArray = npt.NDArray[np.int64]
Policy = Callable[[npt.NDArray[np.floating]], npt.NDArray[np.floating]]

FIRST_TEST_SEED = TRAINING_SEEDS
"""Test episodes start from resets with this seed and the following ones, in every run and at every epoch:
what differs between two tests is the policy."""


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
        unfinished: Whether the environment had not ended the episode when the rollout ended it, ``[n]``.
        observations: ``[m, Tm + 1, obs_dim]``.
        actions: As the policy gave them, ``[m, Tm, act_dim]``.
        states: ``get_state()["state"]``, ``[m, Tm + 1, state_dim]``; ``state_dim`` is 0 where there is no such method.
        references: What the state of interest is to follow, ``[m, Tm + 1, k]``; ``k`` is 0 where ``info`` has none.
        states_of_interest: ``[m, Tm + 1, k]``.
        settling_steps: Steps after which the error stays in the goal set to the end, at least for the last tenth of
            the episode; 0 if it never leaves it, ``[n]``. NaN where it does not, or the episode was terminated; None
            where the environment has no goal set.
        signal_names: Names of the entries of the state of interest, with units; empty where the environment has none.
    """

    costs: FloatArray
    lengths: IntArray
    terminated: BoolArray
    unfinished: BoolArray
    observations: FloatArray
    actions: FloatArray
    states: FloatArray
    references: FloatArray
    states_of_interest: FloatArray
    settling_steps: FloatArray | None = None
    signal_names: Sequence[str] = ()

    @property
    def total_costs(self) -> FloatArray:
        """Sum of the costs of each episode, in the order of its steps, ``[n]``."""
        # Not numpy's sum, which adds in another order.
        return np.cumsum(self.costs, axis=1)[np.arange(len(self.lengths)), self.lengths - 1]

    def summary(self) -> dict[str, float]:
        """Mean, spread and range of the cost, mean length, and the share of terminated episodes.

        Where there is a goal set, also the share of episodes that settle in it, and their median settling time in
        steps, NaN if there are none.
        """
        totals = self.total_costs
        settling: dict[str, float] = {}
        if self.settling_steps is not None:
            times = self.settling_steps[np.isfinite(self.settling_steps)]
            settling["settled"] = len(times) / len(self.lengths)
            settling["settling_steps"] = float(np.median(times)) if len(times) else math.nan
        return {
            "cost_mean": float(totals.mean()),
            "cost_std": float(totals.std()),
            "cost_min": float(totals.min()),
            "cost_max": float(totals.max()),
            "ep_len_mean": float(self.lengths.mean()),
            "death_rate": float(self.terminated.mean()),
            **settling,
        }


def deterministic(policy: Any) -> Policy:
    """The function from observations to deterministic actions of an agent, a controller, or a function itself."""
    get_action = getattr(policy, "get_action", None)
    return policy if get_action is None else partial(get_action, deterministic=True)


def evaluate(
    policy: Policy,
    envs: Sequence[AnyEnv],
    num_episodes: int,
    first_seed: int = FIRST_TEST_SEED,
    observer: Observer | None = None,
) -> Rollouts:
    """Costs and lengths of the episodes with the seeds ``first_seed``, ``first_seed + 1``, ...; nothing is recorded."""
    return rollout(policy, envs, range(first_seed, first_seed + num_episodes), record=0, observer=observer)


def rollout(
    policy: Policy,
    envs: Sequence[AnyEnv],
    seeds: Sequence[int],
    steps: int | None = None,
    record: int | None = None,
    beyond_limits: bool = False,
    observer: Observer | None = None,
) -> Rollouts:
    """Run one episode for each seed.

    Episodes run side by side in the environments given, so that the policy acts on all of them at once.

    Args:
        policy: Actions ``[B, act_dim]`` for observations ``[B, obs_dim]``.
        envs: Environments as :func:`lac.envs.wrap_env` makes them; at least one.
        seeds: Reset seed of each episode; at least one.
        steps: Largest number of steps of an episode, at least 1; None leaves it to the environments' own limit, and is
            ``MAX_EPISODE_STEPS`` where they have none.
        record: Number of episodes that are recorded; None records all, and 0 saves the time and memory.
        beyond_limits: Whether episodes go on to ``steps`` where a time limit of Gymnasium would end them before.
        observer: Called after each step of the episodes that run side by side.

    Raises:
        OffendingTransitionError: An environment gave an observation or a cost that cannot be used.
    """
    if steps is None and not has_time_limit(envs[0]):
        steps = MAX_EPISODE_STEPS
    log = _Log(len(seeds), len(seeds) if record is None else min(record, len(seeds)))
    with without_time_limits(envs if beyond_limits else []):
        for start in range(0, len(seeds), len(envs)):
            group = seeds[start : start + len(envs)]
            begun = started(envs[: len(group)], group, with_infos=observer is not None)
            _run_group(policy, *begun, group, steps, start, log, observer)
    return replace(log.rollouts(), signal_names=getattr(envs[0].unwrapped, "signal_names", ()))


def side_by_side(envs: Sequence[AnyEnv], number: int) -> Sequence[AnyEnv]:
    """Environments for that many episodes at once: copies, where systems of our own can step as a batch.

    Args:
        envs: At least one, as :func:`lac.envs.wrap_env` makes them.
        number: Number of episodes.
    """
    if len(envs) >= number or not can_step_as_batch(envs):
        return envs
    return [*envs, *(deepcopy(envs[0]) for _ in range(min(number, _MAX_COPIES) - len(envs)))]


def _run_group(
    policy: Policy,
    stepper: Stepper,
    observations: Array,
    seeds: Sequence[int],
    steps: int | None,
    first: int,
    log: "_Log",
    observer: Observer | None,
) -> None:
    """Run the episodes that have begun in a stepper to their ends; the first of them is episode number ``first``."""
    last = math.inf if steps is None else steps
    running = np.arange(first, first + len(seeds))
    is_recorded = first < log.num_recorded
    if not are_usable(observations):
        _raise_for_reset(seeds, observations)
    if is_recorded:
        log.add_present(running, 0, observations, stepper.present())
    log.note_goal(running, 0, stepper.in_goal())
    for step in count(1):
        actions = policy(observations)
        if is_recorded:
            # A copy, since environments may write into theirs.
            log.actions.append((running, step - 1, np.array(actions)))
        before = observations
        observations, costs, terminated, ended = stepper.step(actions)
        if not (are_usable(observations) and are_valid_costs(costs)):
            _raise_for_step([seeds[i] for i in (running - first).tolist()], step, actions, observations, costs)
        if observer is not None:
            infos = stepper.infos()
            observer(StepOfGroup(running, before, np.asarray(actions), observations, costs, terminated, ended, infos))
        log.costs.append((running, step - 1, costs))
        if is_recorded:
            log.add_present(running, step, observations, stepper.present())
        log.note_goal(running, step, stepper.in_goal())
        if ended.any():
            log.terminated[running[terminated]] = True
            running, observations = running[~ended], observations[~ended]
            stepper.keep(~ended)
        if len(running) == 0 or step >= last:
            log.unfinished[running] = True
            break


def _raise_for_reset(seeds: Sequence[int], observations: Array) -> None:
    """Raise an error for the first observation that cannot be used."""
    for seed, obs in zip(seeds, observations, strict=True):
        problem = observation_problem(obs, f"the reset with seed {seed} of a test")
        if problem is not None:
            raise OffendingTransitionError(problem, {"seed": seed, "obs": obs.tolist()})


def _raise_for_step(seeds: Sequence[int], step: int, actions: Array, observations: Array, costs: FloatArray) -> None:
    """Raise an error for the first episode whose observation or cost cannot be used."""
    for seed, act, obs, cost in zip(seeds, actions, observations, costs.tolist(), strict=True):
        source = f"step {step} of the test episode with seed {seed}"
        problem = cost_problem(cost, source) or observation_problem(obs, source)
        if problem is not None:
            transition = {"act": np.asarray(act).tolist(), "cost": cost, "obs_next": obs.tolist()}
            raise OffendingTransitionError(problem, {"seed": seed, "step": step, **transition})


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
        self.terminated, self.unfinished = np.zeros((2, num_episodes), np.bool_)
        self._last_outside: IntArray | None = np.full(num_episodes, -1)
        self.costs: list[_Entry] = []
        self.actions: list[_Entry] = []
        self._observations: list[_Entry] = []
        self._states: list[_Entry] = []
        self._references: list[_Entry] = []
        self._states_of_interest: list[_Entry] = []

    def add_present(self, episodes: IntArray, step: int, observations: Array, present: Present) -> None:
        """Record observations, states and signals after a step; step 0 is the reset."""
        # A copy, since policies may write into theirs.
        self._observations.append((episodes, step, observations.copy()))
        self._states.append((episodes, step, present.states))
        self._references.append((episodes, step, present.references))
        self._states_of_interest.append((episodes, step, present.states_of_interest))

    def note_goal(self, episodes: IntArray, step: int, is_inside: BoolArray | None) -> None:
        """Note which episodes are outside of their goal set after a step; None is that there is no such set."""
        if is_inside is None:
            self._last_outside = None
        elif self._last_outside is not None:
            self._last_outside[episodes[~is_inside]] = step

    def rollouts(self) -> Rollouts:
        """The episodes as arrays."""
        recorded = (self._observations, self.actions, self._states, self._references, self._states_of_interest)
        observations, actions, states, references, interests = (_padded(e, self.num_recorded) for e in recorded)
        lengths = np.bincount(np.concatenate([episodes for episodes, *_ in self.costs]))
        return Rollouts(
            _padded(self.costs, len(self.terminated)),
            lengths,
            self.terminated,
            self.unfinished,
            observations,
            actions,
            states,
            references,
            interests,
            self._settling_steps(lengths),
        )

    def _settling_steps(self, lengths: IntArray) -> FloatArray | None:
        if self._last_outside is None:
            return None
        is_settled = ~self.terminated & has_settled(self._last_outside, lengths)
        return np.where(is_settled, self._last_outside + 1.0, np.nan)


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
