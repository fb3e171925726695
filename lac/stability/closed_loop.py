"""The closed loop of a policy and a system of our own, as a map of many states at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lac.envs.system import BatchStep, BoolArray, FloatArray, System
from lac.evaluation.settling import has_settled

Policy = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
_BATCH = 20_000


class Traces(NamedTuple):
    """Trajectories of ``n`` starts over ``T`` steps; what follows a termination is NaN."""

    states: FloatArray
    """``[n, T + 1, state_dim]``"""
    costs: FloatArray
    """Of each step, ``[n, T]``."""
    terminated: BoolArray
    """``[n]``"""


class Outcome(NamedTuple):
    """How ``n`` trajectories ended, without their states."""

    terminated: BoolArray
    """``[n]``"""
    settling_steps: FloatArray
    """Steps after which the error stays in the goal set to the end, at least for the last tenth of the steps; infinite
    where it does not, ``[n]``."""
    total_costs: FloatArray
    """``[n]``"""
    peak_costs: FloatArray
    """``[n]``"""
    overshoot: FloatArray
    """Largest error on the other side of the reference than at the start, in the units of the error; the largest of
    its entries, ``[n]``."""
    late_rmse: FloatArray
    """Root mean square of the largest error entry over the last quarter, NaN where terminated, ``[n]``."""
    steps: int


@dataclass(frozen=True)
class ClosedLoop:
    """A frozen deterministic policy in a system: ``x' = f(x, pi(x), w)``.

    Attributes:
        system: Whose constants are those that are examined.
        policy: Actions ``[B, act_dim]`` for observations ``[B, obs_dim]``.
        rng: Draws the noise of the system, where it has some.
    """

    system: System
    policy: Policy
    rng: np.random.Generator

    @property
    def is_noisy(self) -> bool:
        """Whether the system draws noise."""
        return bool(np.any(self.system.draw_noise(8) != self.system.draw_noise(8)))

    def actions(self, states: FloatArray) -> FloatArray:
        """The actions in these states, in their box, ``[B, act_dim]``."""
        parts = [self._actions(part) for part in np.split(states, range(_BATCH, len(states), _BATCH))]
        return np.concatenate(parts)

    def _actions(self, states: FloatArray) -> FloatArray:
        # As training and tests do it: the policy sees what the observation space declares.
        observations = self.system.observe(states).astype(self.system.observation_space.dtype, copy=False)
        return np.asarray(self.system.bounded(np.asarray(self.policy(observations), np.float64)))

    def step(self, states: FloatArray) -> FloatArray:
        """The states after one step, ``[B, state_dim]``."""
        return np.asarray(self.system.dynamics(states, self.actions(states), self._noise(len(states))))

    def costs(self, states: FloatArray) -> tuple[FloatArray, BoolArray]:
        """The cost of being in these states, ``[B]``, and whether an episode terminates there."""
        return self.system._cost(states, self.actions(states))

    def simulate(self, starts: FloatArray, steps: int, terminates: bool = True) -> Traces:
        """Trajectories from these starts ``[n, state_dim]``, all recorded.

        Args:
            starts: ``[n, state_dim]``.
            steps: Their length.
            terminates: Whether a trajectory ends where an episode terminates.
        """
        states = np.full((len(starts), steps + 1, starts.shape[1]), np.nan)
        costs = np.full((len(starts), steps), np.nan)
        states[:, 0] = starts
        running = np.arange(len(starts))
        for step in range(steps):
            after, cost, terminated = self._episode_step(states[running, step])
            states[running, step + 1], costs[running, step] = after, cost
            if terminates:
                running = running[~terminated]
            if not len(running):
                break
        return Traces(states, costs, np.isin(np.arange(len(starts)), running, invert=True))

    def run(self, starts: FloatArray, steps: int, push: "Push | None" = None) -> Outcome:
        """The outcomes of trajectories from these starts ``[n, state_dim]``; memory does not grow with the steps."""
        n = len(starts)
        states, running = starts, np.arange(n)
        tracker = _Tracker(n, steps, *self._error_and_tolerance(starts))
        for step in range(steps):
            force = push.forces[running] if push is not None and step == push.at_step else 0.0
            states, costs, terminated = self._episode_step(states, force)
            tracker.note(running, step + 1, costs, self._error_and_tolerance(states)[0])
            running, states = running[~terminated], states[~terminated]
            if not len(running):
                break
        return tracker.outcome(np.isin(np.arange(n), running, invert=True))

    def _episode_step(self, states: FloatArray, force: float | FloatArray = 0.0) -> BatchStep:
        """A step of an episode, with an external force in addition."""
        own = self.system.external_force
        try:
            self.system.external_force = own + force
            actions = self.actions(states)
            return self.system.step_batch(states, actions, self._noise(len(states)))
        finally:
            self.system.external_force = own

    def _noise(self, size: int) -> FloatArray:
        self.system.np_random = self.rng
        return self.system.draw_noise(size)

    def _error_and_tolerance(self, states: FloatArray) -> tuple[FloatArray, FloatArray]:
        reference, interest = self.system.signals(states)
        tolerance = np.inf if self.system.goal_tolerance is None else self.system.goal_tolerance
        return interest - reference, np.broadcast_to(np.asarray(tolerance, np.float64), interest.shape[-1:])


def tick(system: System, state: FloatArray) -> float:
    """By how much a step from a state ``[state_dim]`` advances the clock of a system; 1 where it has none."""
    if system.clock is None:
        return 1.0
    action = system.bounded(np.zeros((1, *(system.action_space.shape or ()))))
    after = system.dynamics(state[None], action, np.zeros_like(system.draw_noise(1)))
    return float(after[0, system.clock] - state[system.clock])


class Push(NamedTuple):
    """An external force in one step."""

    at_step: int
    forces: FloatArray
    """Of each trajectory, ``[n, n_forces]``."""


class _Tracker:
    """What is kept of trajectories while they run."""

    def __init__(self, n: int, steps: int, errors: FloatArray, tolerance: FloatArray) -> None:
        self._steps, self._tolerance, self._late = steps, tolerance, steps - max(1, steps // 4)
        self._sides = np.sign(errors)
        self._last_outside = np.where(self._is_outside(errors), 0, -1)
        self._totals, self._squares, self._overshoot = np.zeros((3, n))
        self._peaks = np.full(n, -np.inf)

    def note(self, running: npt.NDArray[np.int64], step: int, costs: FloatArray, errors: FloatArray) -> None:
        self._totals[running] += costs
        self._peaks[running] = np.maximum(self._peaks[running], costs)
        self._last_outside[running[self._is_outside(errors)]] = step
        beyond = np.maximum(-errors * self._sides[running], 0.0).max(axis=1)
        self._overshoot[running] = np.maximum(self._overshoot[running], beyond)
        if step > self._late:
            self._squares[running] += np.abs(errors).max(axis=1) ** 2

    def outcome(self, terminated: BoolArray) -> Outcome:
        is_settled = ~terminated & has_settled(self._last_outside, self._steps)
        rmse = np.sqrt(self._squares / (self._steps - self._late))
        return Outcome(
            terminated,
            np.where(is_settled, self._last_outside + 1.0, np.inf),
            self._totals,
            self._peaks,
            self._overshoot,
            np.where(terminated, np.nan, rmse),
            self._steps,
        )

    def _is_outside(self, errors: FloatArray) -> BoolArray:
        # NaN, of a state that has overflowed, is outside.
        return np.asarray(~(np.abs(errors) <= self._tolerance).all(axis=1))
