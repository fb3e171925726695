"""The training loop, and what it is assembled from."""

import inspect
import math
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lac.agents import Agent
from lac.envs import AnyEnv, AnyVectorEnv, wrap_env, wrap_vector_env
from lac.envs.making import HasSpaces
from lac.envs.vector import Spaces, transitions
from lac.evaluation.rollouts import evaluate
from lac.settings.rules import check
from lac.training.buffers import FiniteHorizonReplayBuffer, ReplayBuffer
from lac.training.divergence import raise_if_loss_not_finite, raise_if_weights_not_finite
from lac.training.schedules import Schedule, schedules

A = TypeVar("A", bound=Agent)
Metrics = dict[str, float]

_RATE_NAMES = {"lr_a": "actor", "lr_c": "critic", "lr_alpha": "alpha", "lr_labda": "labda"}

MAX_TEST_ENVS = 16
"""Test episodes run side by side in at most this many environments."""


class Recorder(Protocol):
    """Where a run goes: a run folder with its loggers, or nowhere."""

    def start(self, agent: Agent, settings: "TrainSettings") -> None:
        """Everything is built, training begins."""

    def progress(self, env_steps: int, values: Mapping[str, float]) -> None:
        """A round of updates has ended."""

    def epoch(self, metrics: Metrics, agent: Agent) -> None:
        """An epoch has ended."""


@dataclass(frozen=True)
class TrainSettings:
    """How an agent is trained; names, defaults and meaning are those of :func:`lac.api.lac`."""

    opt_type: str = "minimize"
    max_ep_len: int | None = None
    epochs: int = 100
    steps_per_epoch: int = 2048
    start_steps: int = 0
    update_every: int = 100
    update_after: int = 1000
    steps_per_update: int = 100
    num_test_episodes: int = 10
    batch_size: int = 256
    replay_size: int = 1_000_000
    horizon_length: int = 0
    time_limit_is_terminal: bool = False
    num_envs: int = 1
    seed: int = 0
    start_policy: str | None = None
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    decay_ref: str = "epoch"

    def __post_init__(self) -> None:
        check(vars(self))

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    @property
    def first_round(self) -> int:
        """Environment steps before the first round of updates."""
        return self.update_after or self.update_every

    def is_update_round(self, env_steps: int) -> bool:
        """Whether a round of ``steps_per_update`` updates follows that many environment steps."""
        since = env_steps - self.first_round
        return since >= 0 and since % self.update_every == 0

    def rates(self, env_steps: int) -> dict[str, float]:
        """The learning rates after that many environment steps."""
        if self.decay_ref == "epoch":
            done, last = env_steps // self.steps_per_epoch, self.epochs - 1
        else:
            done = max(0, (env_steps - self.first_round) // self.update_every + 1)
            last = max(0, (self.total_steps - self.update_after) // self.update_every)
        progress = min(1.0, done / last) if last else 0.0
        return {name: schedule(progress) for name, schedule in self.schedules.items()}


def train_from_settings(
    agent_class: Callable[..., A],
    settings: Mapping[str, Any],
    env_fn: Callable[[], AnyEnv | AnyVectorEnv],
    recorder: Recorder,
) -> tuple[A, ReplayBuffer]:
    """Train from one flat mapping with the argument names of :func:`lac.api.lac`; others are passed over.

    The Python function and the command line both end here, which is what makes them equal.
    """
    agent_names = set(inspect.signature(agent_class).parameters) - {"env", "opt_type"}
    train_names = {f.name for f in fields(TrainSettings)} - {"schedules", "decay_ref"}
    seed = settings["seed"] if settings["seed"] is not None else secrets.randbits(32)
    train_settings = TrainSettings(
        **{name: settings[name] for name in train_names if name != "seed" and name in settings},
        seed=seed,
        schedules=schedules(settings),
        decay_ref=settings["lr_decay_ref"],
    )
    agent_kwargs = {name: settings[name] for name in agent_names if name in settings}
    return train(agent_class, agent_kwargs, env_fn, train_settings, recorder)


def train(
    agent_class: Callable[..., A],
    agent_kwargs: Mapping[str, Any],
    env_fn: Callable[[], AnyEnv | AnyVectorEnv],
    settings: TrainSettings,
    recorder: Recorder,
) -> tuple[A, ReplayBuffer]:
    """Build everything from plain arguments and train; both doors, Python and Hydra, lead here.

    Args:
        agent_class: The algorithm.
        agent_kwargs: Its arguments beside the environment and ``opt_type``.
        env_fn: Makes one environment; called ``num_envs`` times for training and once per parallel test episode.
            Or makes the vector environment that is trained in.
        settings: How to train.
        recorder: Told what happens.
    """
    seeds = seed_everything(settings.seed)
    envs = wrap_vector_env(env_fn, settings.num_envs, settings.opt_type, settings.max_ep_len)
    envs.action_space.seed(seeds["actions"])
    num_test_envs = min(settings.num_test_episodes, MAX_TEST_ENVS)
    test_envs = [wrap_env(env_fn(), settings.opt_type, settings.max_ep_len) for _ in range(num_test_envs)]
    spaces = Spaces(envs.single_observation_space, envs.single_action_space)
    # A prepared environment gives costs, whatever its reward was.
    agent = agent_class(spaces, **agent_kwargs, opt_type="minimize")
    if settings.start_policy is not None:
        agent.restore(settings.start_policy)
    buffer = build_buffer(agent, spaces, settings, seeds["replay"])
    recorder.start(agent, settings)
    try:
        _Loop(agent, buffer, envs, test_envs, settings, recorder).run(seeds["env"])
    finally:
        envs.close()
        for test_env in test_envs:
            test_env.close()
    return agent, buffer


def seed_everything(seed: int) -> dict[str, int]:
    """Seed the global generators and give independent seeds for the parts of a run."""
    names = ("torch", "env", "actions", "replay")
    state = np.random.SeedSequence(seed).generate_state(len(names))
    seeds = {name: int(value) for name, value in zip(names, state, strict=True)}
    torch.manual_seed(seeds["torch"])
    # Environments of others may draw from the global generators.
    np.random.seed(seeds["env"])
    random.seed(seeds["env"])
    return seeds


def build_buffer(agent: Agent, env: HasSpaces, settings: TrainSettings, seed: int) -> ReplayBuffer:
    """The replay buffer that suits the horizon, no larger than the run can fill."""
    obs_dim, act_dim = env.observation_space.shape[0], env.action_space.shape[0]  # type: ignore[index]
    if settings.horizon_length == 0:
        return ReplayBuffer(obs_dim, act_dim, settings.replay_size, agent.device, seed)
    return FiniteHorizonReplayBuffer(
        obs_dim, act_dim, settings.replay_size, settings.horizon_length, agent.device, seed
    )


class _Loop:
    """Interact, update, test, tell; one call of :meth:`run` is one training run.

    Everything is counted in transitions. The transitions of a vector step are taken one after the other, so rounds of
    updates and epochs come after the same numbers of them whatever the number of environments; what is left of the
    last vector step is dropped.
    """

    def __init__(
        self,
        agent: Agent,
        buffer: ReplayBuffer,
        envs: AnyVectorEnv,
        test_envs: list[AnyEnv],
        settings: TrainSettings,
        recorder: Recorder,
    ) -> None:
        self._agent, self._buffer, self._envs, self._test_envs = agent, buffer, envs, test_envs
        self._settings, self._recorder = settings, recorder
        self._env_steps = self._updates = 0
        self._running = [(0.0, 0)] * envs.num_envs  # cost and length so far of each environment's episode
        self._episodes: list[tuple[float, int]] = []  # those of the episodes that ended in this epoch
        self._diagnostics: list[dict[str, Tensor]] = []
        self._clock = _Clock()

    def run(self, env_seed: int) -> None:
        """Train to the last step."""
        settings = self._settings
        steps = transitions(self._envs, self._act, env_seed)
        for i, obs, act, cost, obs_next, terminated, truncated in islice(steps, settings.total_steps):
            self._env_steps = env_steps = self._env_steps + 1
            is_terminal = terminated or (truncated and settings.time_limit_is_terminal)
            self._buffer.store(obs, act, cost, obs_next, is_terminal, i)
            episode_cost, length = self._running[i]
            self._running[i] = episode_cost + cost, length + 1
            if terminated or truncated:
                self._buffer.finish_episode(i)
                self._episodes.append(self._running[i])
                self._running[i] = 0.0, 0
            if settings.is_update_round(env_steps) and len(self._buffer) > 0:
                self._update_round(env_steps)
            if env_steps % settings.steps_per_epoch == 0:
                self._end_epoch(env_steps)

    def _act(self, observations: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Actions ``[num_envs, act_dim]``; a vector step that begins within ``start_steps`` is random throughout."""
        actions: npt.NDArray[np.floating]
        if self._env_steps < self._settings.start_steps:
            actions = self._envs.action_space.sample()
        elif len(observations) == 1:
            # Products with a vector are faster than with a matrix of one row, and give the same.
            actions = self._agent.get_action(observations[0])[None]
        else:
            actions = self._agent.get_action(observations)
        return actions

    def _update_round(self, env_steps: int) -> None:
        settings = self._settings
        with self._clock.updating():
            for batch in self._buffer.sample_batches(settings.steps_per_update, settings.batch_size):
                self._diagnostics.append(self._agent.update(batch))
        # Here, since an environment may take an action that is NaN without a word.
        raise_if_weights_not_finite(self._agent, env_steps)
        self._updates += settings.steps_per_update
        if settings.decay_ref == "step":
            self._agent._set_learning_rates(**settings.rates(env_steps))
        cost, length = self._episodes[-1] if self._episodes else (math.nan, math.nan)
        multipliers = {name: float(value) for name, value in self._agent.multipliers().items()}
        self._recorder.progress(env_steps, {"cost": cost, "length": length, **multipliers})

    def _end_epoch(self, env_steps: int) -> None:
        settings = self._settings
        epoch = env_steps // settings.steps_per_epoch
        metrics: Metrics = {"epoch": epoch, "env_steps": env_steps, "updates": self._updates}
        metrics |= self._training_metrics()
        if self._diagnostics:
            raise_if_loss_not_finite(metrics["train/critic_loss"], env_steps)
        metrics |= self._test_metrics() | self._rate_metrics()
        metrics |= self._clock.metrics(settings.steps_per_epoch, len(self._diagnostics))
        self._episodes, self._diagnostics = [], []
        if settings.decay_ref == "epoch":
            self._agent._set_learning_rates(**settings.rates(env_steps))
        self._recorder.epoch(metrics, self._agent)

    def _training_metrics(self) -> Metrics:
        costs, lengths = zip(*self._episodes, strict=True) if self._episodes else ((math.nan,), (math.nan,))
        metrics = {"cost_mean": float(np.mean(costs)), "ep_len_mean": float(np.mean(lengths))}
        metrics |= dict.fromkeys(self._agent.DIAGNOSTICS, math.nan) | _means(self._diagnostics)
        # What is a state rather than a rate is told as it stands now.
        metrics |= {name: float(value) for name, value in self._agent.multipliers().items()}
        return {f"train/{name}": value for name, value in metrics.items()}

    def _test_metrics(self) -> Metrics:
        if not self._test_envs:
            return {}
        results = evaluate(self._policy, self._test_envs, self._settings.num_test_episodes)
        return {f"test/{name}": value for name, value in results.summary().items()}

    def _policy(self, obs: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        return self._agent.get_action(obs, deterministic=True)

    def _rate_metrics(self) -> Metrics:
        rates = self._agent.learning_rates
        return {f"lr/{_RATE_NAMES[name]}": rates.get(name, 0.0) for name in self._agent.RATES}


class _Clock:
    """Seconds since the start, and the speed of the epoch that runs."""

    def __init__(self) -> None:
        self._start = self._epoch_start = time.perf_counter()
        self._update_seconds = 0.0

    @contextmanager
    def updating(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._update_seconds += time.perf_counter() - started

    def metrics(self, steps: int, updates: int) -> Metrics:
        """The times of the epoch that ends now; the next one starts."""
        now = time.perf_counter()
        metrics = {
            "time/seconds": now - self._start,
            "time/steps_per_second": steps / (now - self._epoch_start),
            "time/updates_per_second": updates / self._update_seconds if updates else 0.0,
        }
        self._epoch_start, self._update_seconds = now, 0.0
        return metrics


def _means(diagnostics: list[dict[str, Tensor]]) -> Metrics:
    """The mean of each quantity over the updates of an epoch, brought to the host at once."""
    if not diagnostics:
        return {}
    names = list(diagnostics[0])
    table = torch.stack([torch.stack([update[name] for name in names]) for update in diagnostics])
    return dict(zip(names, table.mean(dim=0).tolist(), strict=True))
