"""The examination of a closed loop: pilot samples on which everything is chosen, fresh ones on which it is counted."""

import math
import time
from typing import Any

import numpy as np

from lac.agents import LAC
from lac.controllers.controller import nominal_system
from lac.envs import AnyEnv
from lac.envs.system import FloatArray, System
from lac.envs.time_limits import time_limit
from lac.evaluation.rollouts import deterministic, rollout, side_by_side
from lac.stability.bounds import proportion
from lac.stability.candidates import Learned
from lac.stability.closed_loop import ClosedLoop, Outcome, Policy, Traces
from lac.stability.convergence import failed, ladder, settling
from lac.stability.critic import honesty, mean_condition
from lac.stability.decrease import HORIZONS, Samples, decrease
from lac.stability.falsification import falsify
from lac.stability.findings import Effort, Examination, TrainedFor
from lac.stability.fitted import Fitted
from lac.stability.orbit import NoOrbitError, Orbit
from lac.stability.region import Region, core_cost, in_core
from lac.stability.wording import MAX_FAILURE

_NO_LIMIT_STEPS = 1000  # of an episode without a time limit


def examine(
    policy: Any,
    env: AnyEnv,
    seed: int = 0,
    confidence: float = 0.99,
    trained_for: TrainedFor | None = None,
    effort: Effort | None = None,
) -> Examination:
    """Examine a policy in an environment.

    Args:
        policy: A trained agent, a controller, or a function from observations ``[B, obs_dim]`` to actions.
        env: As :func:`lac.envs.wrap_env` makes it. Where it holds a system of ours, the nominal one is examined; of
            other environments there are trajectories from their own resets alone.
        seed: Of every sample.
        confidence: Of each bound.
        trained_for: What its Lyapunov function was trained to be; None takes it from an agent's own settings.
        effort: Numbers of states and trajectories.
    """
    effort = effort or Effort()
    system = nominal_system(env)
    act = deterministic(policy)
    if system is None or system.goal_tolerance is None:
        return _examine_rollouts(act, env, seed, confidence, effort)
    streams = iter(np.random.default_rng(seed).spawn(12))
    loop = ClosedLoop(system, act, next(streams))
    steps = effort.long * (time_limit(env) or _NO_LIMIT_STEPS)
    return _Examiner(policy, loop, steps, streams, seed, confidence, trained_for, effort).run()


def _examine_rollouts(act: Policy, env: AnyEnv, seed: int, confidence: float, effort: Effort) -> Examination:
    """Trajectories from the resets of an environment whose states cannot be set."""
    steps = effort.long * (time_limit(env) or _NO_LIMIT_STEPS)
    # As many as can support a claim at all if none fails, since such environments are slow.
    number = min(effort.rollouts, max(100, math.ceil(math.log(1 - confidence) / math.log(1 - MAX_FAILURE))))
    first = 10**6 + seed * 10**4
    result = rollout(act, side_by_side([env], number), range(first, first + number), steps, 0, beyond_limits=True)
    settled = result.settling_steps
    is_failed = result.terminated if settled is None else ~np.isfinite(settled)
    times = {} if settled is None else {"median": float(np.median(np.where(np.isnan(settled), np.inf, settled)))}
    # The environment may end its episodes before, by a rule of its own.
    steps = int(result.lengths[~result.terminated].min(initial=steps))
    return Examination(
        {"kind": "resets"}, steps, proportion(is_failed, confidence), int(result.terminated.sum()), times
    )


class _Examiner:
    """The examination of a system whose states can be set."""

    def __init__(
        self,
        policy: Any,
        loop: ClosedLoop,
        steps: int,
        streams: Any,
        seed: int,
        confidence: float,
        trained_for: TrainedFor | None,
        effort: Effort,
    ) -> None:
        self._policy, self._loop, self._steps = policy, loop, steps
        self._streams, self._seed, self._confidence, self._effort = streams, seed, confidence, effort
        self._trained_for = trained_for
        self._region = Region.of(loop.system)
        self._clock = time.perf_counter()
        self._seconds: dict[str, float] = {}

    def run(self) -> Examination:
        """All quantities, in the order in which they are chosen and counted."""
        effort, loop, region = self._effort, self._loop, self._region
        episode = self._steps // effort.long
        pilot = loop.simulate(region.starts(min(effort.pilot, 500), next(self._streams)), min(2 * episode, self._steps))
        rng = next(self._streams)
        some = (_visited(pilot, effort.fit, rng), region.states(effort.fit, rng, loop))
        core = core_cost(loop, np.concatenate(some))
        self._lap("pilot")
        outcome, starts = self._count_rollouts()
        found = Examination(
            region.described(),
            self._steps,
            proportion(failed(outcome), self._confidence),
            int(outcome.terminated.sum()),
            settling(outcome, self._confidence),
            goal_tolerance=float(np.min(np.asarray(loop.system.goal_tolerance, np.float64))),
            core=core,
            failures=starts[failed(outcome)],
            outcome=outcome,
            traces=pilot,
            loop=loop,
            seconds=self._seconds,
        )
        self._lap("rollouts")
        self._make_candidates(found, pilot, core)
        self._count_decrease(found, pilot, core)
        if isinstance(self._policy, LAC):
            self._judge_critic(found, pilot, core, self._trained_for or TrainedFor.of(self._policy))
        rng = next(self._streams)
        steps = self._pushed_steps(outcome, episode)
        found.rungs = ladder(loop, region.starts(effort.pushed, rng), steps, self._confidence, rng)
        self._lap("ladder")
        if found.best is not None and region.numbers is not None:
            found.falsification = falsify(found.functions[found.best], loop, region, core, self._seed)
            self._lap("falsification")
        return found

    def _count_rollouts(self) -> tuple[Outcome, FloatArray]:
        starts = self._region.starts(self._effort.rollouts, next(self._streams))
        return self._loop.run(starts, self._steps), starts

    def _pushed_steps(self, outcome: Outcome, episode: int) -> int:
        """Length of a trajectory that is pushed in its middle: one has the time to settle before and after."""
        times = outcome.settling_steps[np.isfinite(outcome.settling_steps)]
        slowest = int(times.max()) if len(times) else 0
        return min(max(episode, 3 * slowest), self._steps)

    def _make_candidates(self, found: Examination, pilot: Traces, core: float) -> None:
        loop, functions = self._loop, found.functions
        if isinstance(self._policy, LAC):
            functions["learned"] = Learned(self._policy, loop.system)
        else:
            found.missing["learned"] = "the policy was not trained with a Lyapunov function"
        rng = next(self._streams)
        num_visited = self._effort.fit // 4
        drawn = self._region.states(self._effort.fit - num_visited, rng, loop)
        states = np.concatenate((drawn, _visited(pilot, num_visited, rng)))
        functions["fitted"] = Fitted(loop, states, core, self._seed, self._effort.iterations)
        self._lap("fit")
        try:
            settled = _settled_state(loop, pilot)
            orbit = Orbit(loop, settled, states.std(axis=0))
            functions["orbit"], found.multipliers = orbit, np.abs(orbit.multipliers)
        except NoOrbitError as reason:
            found.missing["orbit"] = str(reason)
        self._lap("orbit")

    def _count_decrease(self, found: Examination, pilot: Traces, core: float) -> None:
        loop, effort, rng = self._loop, self._effort, next(self._streams)
        chosen_on = Samples(loop, self._region.states(effort.pilot, rng, loop), core)
        region = Samples(loop, self._region.states(effort.states, next(self._streams), loop), core)
        many = Samples(loop, self._region.states(effort.many_steps, next(self._streams), loop), core, max(HORIZONS))
        visited = Samples(loop, self._visited_once(core, next(self._streams)), core)
        found.sample = chosen_on
        violations = {}
        for name, function in found.functions.items():
            found.candidates[name] = decrease(function, region, visited, chosen_on, many, self._confidence)
            increases = ~(function(chosen_on.successors[0]) < function(chosen_on.states))
            violations[name] = int((increases & chosen_on.outside & ~chosen_on.in_core[0]).sum())
        found.best = min(violations, key=lambda name: violations[name])
        self._lap("decrease")

    def _visited_once(self, core: float, rng: np.random.Generator) -> FloatArray:
        """One state outside the core of each of some fresh trajectories, as far as they have one: independent draws."""
        episode = self._steps // self._effort.long
        traces = self._loop.simulate(self._region.starts(self._effort.rollouts, rng), episode)
        # The cost of a state is that of the step that led there; the last one before a termination is the latest.
        is_outside = np.isfinite(traces.costs) & ~in_core(self._loop.system, traces.states[:, 1:], traces.costs, core)
        is_outside[traces.terminated, np.isfinite(traces.costs).sum(axis=1)[traces.terminated] - 1] = False
        order = np.where(is_outside, rng.random(is_outside.shape), -1.0)
        drawn = order.argmax(axis=1)
        has_one = is_outside.any(axis=1)
        return np.asarray(traces.states[has_one, drawn[has_one] + 1])

    def _judge_critic(self, found: Examination, pilot: Traces, core: float, trained_for: TrainedFor) -> None:
        learned, rng = found.functions["learned"], next(self._streams)
        few = Traces(pilot.states[:200], pilot.costs[:200], pilot.terminated[:200])
        found.mean_condition = mean_condition(learned, few, trained_for.alpha3, self._confidence, rng)
        horizon = trained_for.horizon or min(round(7 / max(1 - trained_for.gamma, 0.01)), 700)
        states = self._region.states(self._effort.pilot, rng, self._loop)
        gamma = None if trained_for.horizon else trained_for.gamma
        found.critic, found.honesty = honesty(learned, self._loop, states, gamma, horizon, core)
        self._lap("critic")

    def _lap(self, name: str) -> None:
        now = time.perf_counter()
        self._seconds[name], self._clock = now - self._clock, now


def _visited(traces: Traces, number: int, rng: np.random.Generator) -> FloatArray:
    """States of trajectories, drawn among all their steps."""
    rows, steps = np.nonzero(np.isfinite(traces.costs))
    drawn = rng.integers(len(rows), size=number)
    return np.asarray(traces.states[rows[drawn], steps[drawn]])


def _settled_state(loop: ClosedLoop, traces: Traces) -> FloatArray:
    """The last state at phase 0 of a trajectory that has not terminated.

    Raises:
        NoOrbitError: All of them have.
    """
    survivors = traces.states[~traces.terminated]
    if not len(survivors):
        raise NoOrbitError("all trajectories terminate")
    system: System = loop.system
    period = round(system.period) if system.period is not None else 1
    last = (survivors.shape[1] - 1) // period * period
    # That with the lowest cost there: others may not have settled yet.
    states = survivors[:, last]
    states = states[np.isfinite(states).all(axis=1)]
    if not len(states):
        raise NoOrbitError("all trajectories terminate or diverge")
    return np.asarray(states[np.nanargmin(loop.costs(states)[0])])
