"""The training loop: collect, update, test, record."""

import math
from collections.abc import Mapping, Sequence
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lac.engines import choose_engine
from lac.envs.factory import validate_spaces
from lac.settings.rules import raise_if_any
from lac.training.callbacks import Callback
from lac.training.calling import Callbacks
from lac.training.collector import Collector, Transition
from lac.training.divergence import DivergenceError, divergence_of_loss, divergence_of_weights
from lac.training.environments import EnvFn, Environments
from lac.training.epoch import Clock, EpochDiagnostics
from lac.training.epoch_tests import EpochTests
from lac.training.memory import argument_of, memory_errors
from lac.training.plan import TrainingPlan
from lac.training.recording import Metrics, Recorder
from lac.training.scaling import with_scale
from lac.training.schedules import LearningRates
from lac.training.state import (
    continued_plan,
    engine_state,
    environments_state,
    extension_problem,
    global_generators,
    plan_state,
    raise_if_other_plan,
    seed_after,
    seed_everything,
    set_engine_state,
    set_environments_state,
    set_global_generators,
)
from lac.training.stopping import EarlyStopping, Stop, StopKind
from lac.training.termination import EscapeWatch, TerminationCost

MAX_TEST_ENVS = 16
"""Test episodes run side by side in at most this many environments."""


class Trainer:
    """One training run.

    All steps are counted in transitions. The transitions of a vector step are processed one after another, so update
    rounds and epochs occur at the same transition counts for any number of environments. Transitions of the last
    vector step beyond the end are left to a run that extends this one.

    Everything is built and checked before the first step. It is a context manager that closes the environments.

    Args:
        plan: The plan of the training.
        env_fn: Makes one environment; called ``num_envs`` times for training and once per parallel test episode.
            Alternatively it makes the vector environment of the training.
        state: What :meth:`state_dict` of another trainer returned, from which this one continues; None begins.
        callbacks: What the training calls, and gets further metrics from.

    Attributes:
        agent: The agent that is trained.
        buffer: Stores the transitions.
        environments: The environments of the training and of its tests.
        deviations: Sentences about why the training does not continue with the bits that the other would have had.

    Raises:
        TypeError, ValueError: The environments, or the plan with them, cannot be used, or the state is for others.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        env_fn: EnvFn,
        state: Mapping[str, Any] | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self._loop, self._callbacks = plan.loop, Callbacks(callbacks)
        plan = plan if state is None else continued_plan(plan, state["plan"])
        seeds, here = seed_everything(plan.seed), Path.cwd()
        num_test_envs = min(plan.loop.num_test_episodes, MAX_TEST_ENVS)
        self.environments = Environments(
            env_fn, plan.num_envs, num_test_envs, plan.algorithm.opt_type, plan.loop.max_ep_len
        )
        try:
            observations, actions = validate_spaces(self.environments.spaces)
            raise_if_any(memory_errors(plan, observations.shape[0], actions.shape[0], argument_of))
            with chdir(here):  # environments may have left the folder to which start_policy is relative
                plan = self._plan = with_scale(plan, self.environments.training, seeds["env"])
                self.agent = plan.build_agent(self.environments.spaces)
            self.buffer = plan.build_buffer(self.agent, self.environments.spaces, seeds["replay"])
            self._engine = choose_engine(self.agent)
            self._rates = LearningRates(self.agent, plan.schedule, plan.loop)
            self.environments.training.action_space.seed(seeds["actions"])
            self._collector = Collector(self.environments.training, seeds["env"])
            self._charge = TerminationCost(plan.termination_cost, plan.algorithm)
            self._escape = EscapeWatch(plan)
            self._stopping = EarlyStopping(plan.loop)
            self._tests = EpochTests(self.agent, self.environments.tests, plan.loop)
            self._updates = 0
            self._diagnostics = EpochDiagnostics(self.agent.DIAGNOSTICS, self.agent.device)
            self._clock = Clock()
            self.deviations: list[str] = []
            if state is not None:
                self.load_state_dict(state)
        except BaseException:
            self.environments.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.environments.close()

    def run(self, recorder: Recorder) -> Stop | None:
        """Train up to the last step, or to a test that ends the training early, and record it.

        Returns the reason if something else ends it.

        Raises:
            DivergenceError: Weights or losses are not finite.
            OffendingTransitionError: The environment gave an observation or a cost that cannot be used.
        """
        recorder.start(self.agent, self._plan, self._engine.name)
        for warning in self.environments.warnings:
            recorder.warn(warning)
        self._clock.begin()
        stop = self._run(recorder)
        if stop is not None and stop.kind is StopKind.EARLY:
            recorder.stopped(stop.reason, self._loop)
            stop = None
        if stop is None and self.environments.tests:
            recorder.trained(self.agent, self._tests.final, self._tests.designed)
        if stop is not None and stop.kind is StopKind.DIVERGED:
            raise DivergenceError(stop.reason, self._plan.algorithm)
        return stop

    def _run(self, recorder: Recorder) -> Stop | None:
        while not self.is_complete:
            for transition in self._collector.step(self._act):
                stop = self._take(transition, recorder)
                if stop is not None:
                    return stop
                if self.is_complete:
                    break
            recorder.between_steps(self)
        return self.early_stop

    @property
    def env_steps(self) -> int:
        """Environment steps so far."""
        return self._collector.env_steps

    @property
    def is_complete(self) -> bool:
        """Whether the last step has been taken, or the one after which the training stops early."""
        return self._collector.env_steps >= self._loop.total_steps or self.early_stop is not None

    @property
    def early_stop(self) -> Stop | None:
        """Why the training ends before its last step; None where it does not."""
        steps = self._collector.env_steps
        is_epoch_end = steps < self._loop.total_steps and steps % self._loop.steps_per_epoch == 0
        return (self._stopping.stop or self._callbacks.stop) if is_epoch_end else None

    def state_dict(self, with_rows: bool = True) -> dict[str, Any]:
        """Everything that the training needs to continue, between two vector steps.

        Args:
            with_rows: Whether the transitions of the replay buffer are in it.
        """
        return {
            "plan": plan_state(self._plan, self.agent),
            "agent": self.agent.state_dict(),
            "critic_optimizer": self.agent.critic_optimizer.state_dict(),
            "policy_optimizer": self.agent.policy_optimizer.state_dict(),
            "buffer": self.buffer.state_dict(with_rows),
            "collector": self._collector.state_dict(),
            "environments": environments_state(self.environments.training),
            "escape": self._escape.state_dict(),
            "stopping": self._stopping.state_dict(),
            "callbacks": self._callbacks.state_dict(),
            "rates": self._rates.state_dict(),
            "engine": engine_state(self._engine),
            "generators": global_generators(),
            "diagnostics": self._diagnostics.state_dict(),
            "clock": self._clock.state_dict(),
            "updates": self._updates,
            "has_warned_of_unfinished": self._tests.has_warned,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned, for the same plan, or for one with more epochs.

        Raises:
            ValueError: The state is that of another training.
        """
        env_steps = state["collector"]["env_steps"]
        raise_if_other_plan(self._plan, self.agent, state["plan"])
        self.agent.load_state_dict(state["agent"])
        self.agent.critic_optimizer.load_state_dict(state["critic_optimizer"])
        self.agent.policy_optimizer.load_state_dict(state["policy_optimizer"])
        self._rates.load_state_dict(state["rates"])  # into the optimisers, which had those of the old end
        self.buffer.load_state_dict(state["buffer"])
        self._collector.load_state_dict(state["collector"])
        self._escape.load_state_dict(state["escape"])
        if "stopping" in state:  # checkpoints of earlier versions have none
            self._stopping.load_state_dict(state["stopping"])
        self._diagnostics.load_state_dict(state["diagnostics"])
        self._clock.load_state_dict(state["clock"])
        self._updates = state["updates"]
        self._tests.has_warned = state["has_warned_of_unfinished"]
        extension = extension_problem(self._plan, state["plan"])
        self.deviations = [] if extension is None else [extension]
        self.deviations += self._callbacks.load_state_dict(state.get("callbacks", {}))
        seed = seed_after(self._plan, env_steps)
        self.deviations += set_engine_state(self._engine, state["engine"], seed)
        problem = set_environments_state(self.environments.training, state["environments"])
        if problem is not None:
            self._begin_new_episodes(problem, seed)
        # Last, since environments may draw from them while they are built and set.
        set_global_generators(state["generators"])

    def _begin_new_episodes(self, problem: str, seed: int) -> None:
        self._collector.begin_anew(seed)
        for i in range(self.environments.training.num_envs):
            self.buffer.finish_episode(i)
        self.deviations.append(f"new episodes begin, since {problem}")

    def _act(self, observations: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Actions ``[num_envs, act_dim]``; a vector step that begins within ``start_steps`` is random throughout."""
        actions: npt.NDArray[np.floating]
        if self._collector.env_steps < self._loop.start_steps:
            actions = self.environments.training.action_space.sample()
        elif len(observations) == 1:
            # Products with a vector are faster than with a matrix of one row, and give the same.
            actions = self._engine.get_action(observations[0])[None]
        else:
            actions = self._engine.get_action(observations)
        return actions

    def _take(self, transition: Transition, recorder: Recorder) -> Stop | None:
        """Store a transition, and run the updates and the end of the epoch that are due after it."""
        i, obs, act, cost, obs_next, terminated, truncated = transition
        is_terminal = terminated or (truncated and self._plan.algorithm.time_limit_is_terminal)
        self.buffer.store(obs, act, self._charge.stored_cost(transition), obs_next, is_terminal, i)
        if terminated or truncated:
            self.buffer.finish_episode(i, last=cost)
        env_steps, stop = self._collector.env_steps, None
        if self._callbacks.watch_steps:
            self._callbacks.step(transition, env_steps, self._collector.info(transition))
        if self._loop.is_update_round(env_steps) and len(self.buffer) > 0:
            stop = self._update_round(env_steps, recorder)
        if stop is None and env_steps % self._loop.steps_per_epoch == 0:
            stop = self._end_epoch(env_steps, recorder)
        return stop

    def _update_round(self, env_steps: int, recorder: Recorder) -> Stop | None:
        loop = self._loop
        with self._clock.updating():
            for batch in self.buffer.sample_batches(loop.steps_per_update, loop.batch_size):
                self._diagnostics.add(self._engine.update(batch))
        # Checked here, since an environment may accept a NaN action without an error.
        diverged = divergence_of_weights(self.agent, env_steps)
        if diverged is not None:
            return diverged
        self._updates += loop.steps_per_update
        if self._rates.decay_ref == "step":
            self._rates.advance(env_steps)
        finished = self._collector.finished
        cost, length = finished[-1][:2] if finished else (math.nan, math.nan)
        multipliers = {name: float(value) for name, value in self.agent.multipliers().items()}
        recorder.progress(env_steps, {"cost": cost, "length": length, **multipliers})
        return None

    def _end_epoch(self, env_steps: int, recorder: Recorder) -> Stop | None:
        steps_per_epoch = self._loop.steps_per_epoch
        metrics: Metrics = {"epoch": env_steps // steps_per_epoch, "env_steps": env_steps, "updates": self._updates}
        metrics |= self._training_metrics(recorder)
        if self._diagnostics:
            diverged = divergence_of_loss(metrics["train/critic_loss"], env_steps)
            if diverged is not None:
                return diverged
        metrics |= self._test_metrics(recorder, env_steps) | self._rates.metrics()
        metrics |= self._clock.metrics(steps_per_epoch, len(self._diagnostics))
        metrics |= self._callbacks.epoch(metrics, self._tests.policy, recorder.warn)
        self._diagnostics.clear()
        if self._rates.decay_ref == "epoch":
            self._rates.advance(env_steps)
        return recorder.epoch(metrics, self.agent)

    def _training_metrics(self, recorder: Recorder) -> Metrics:
        episodes = self._collector.take_finished()
        warning = self._escape.warning(episodes)
        if warning is not None:
            recorder.warn(warning)
        costs, lengths, _ = zip(*episodes, strict=True) if episodes else ((math.nan,), (math.nan,), ())
        metrics = {"cost_mean": float(np.mean(costs)), "ep_len_mean": float(np.mean(lengths))}
        metrics |= dict.fromkeys(self.agent.DIAGNOSTICS, math.nan) | self._diagnostics.means()
        # Multipliers are states: the metric is their current value, not a mean over the epoch.
        metrics |= {name: float(value) for name, value in self.agent.multipliers().items()}
        return {f"train/{name}": value for name, value in metrics.items()}

    def _test_metrics(self, recorder: Recorder, env_steps: int) -> Metrics:
        watched = self._callbacks.watch_tests
        observer = partial(self._callbacks.test_step, env_steps=env_steps) if watched else None
        summary = self._tests.run(recorder.warn, observer)
        if summary:
            self._stopping.add(summary)
        return {f"test/{name}": value for name, value in summary.items()}
