"""One interleaved run of everything: floors, updates, the parts of a training step, other packages, the main job."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
import torch

from lac.agents import LAC, LATC, SAC, Agent
from lac.benchmarks.floors import large_products, update_flops
from lac.benchmarks.machine import load, machine, versions
from lac.benchmarks.main_job import MainJob
from lac.benchmarks.peers import PEERS, Peer, PeerUpdates, limit_threads_of_jax
from lac.benchmarks.timing import Thing
from lac.buffers import Batch, ReplayBuffer
from lac.engines import Engine, TorchEngine, choose_engine
from lac.envs import AnyEnv, make_env, wrap_env

ENVIRONMENT = "lac/Oscillator-v1"
UPDATE, SAMPLED, ROUND, STEP = "update", "update with sampling", "update of a round with sampling", "step"
"""What is compared: updates of a given batch, updates that sample it, one of a round of them, parts of a step."""
ROUND_SIZE = 20
"""Updates of a round; packages run those of a call together."""
STORED = 20_000
"""Transitions in the replay buffers."""
_BATCHES = 32
"""Batches that updates get in turn, so that they do not all lie in the processor's cache."""
_WARM_UP = 3
"""Calls before the first round: JAX compiles at the first, and at the second for the types that the first returned."""


@dataclass(frozen=True)
class Size:
    """Two hidden layers of ``width`` in actor and critics, and ``batch_size`` transitions per update."""

    width: int
    batch_size: int


@dataclass(frozen=True)
class Budget:
    """How much is measured.

    Attributes:
        rounds: Rounds of the interleaved run; each times everything once.
        round_seconds: Seconds spent on each thing in a round.
        main_jobs: Whole runs of the main job, spread over the rounds.
        peers: Whether other packages are measured.
        threads: CPU threads, to which torch and numpy have been limited.
    """

    rounds: int
    round_seconds: float
    main_jobs: int
    peers: bool
    threads: int


def run_benchmark(sizes: Sequence[Size], budget: Budget, say: Callable[[str], None]) -> dict[str, Any]:
    """Time everything in turn, round after round.

    Args:
        sizes: Sizes of networks and batches.
        budget: How much is measured.
        say: Called with what is done at present.

    Returns:
        All that was measured, in types of JSON: a number for each round. Tables and pictures are made from it.
    """
    say("building what is timed")
    limit_threads_of_jax(budget.threads)
    problems = {peer: peer.problem() for peer in PEERS} if budget.peers else {}
    peers = [peer for peer, problem in problems.items() if problem is None]
    floors = large_products()
    of_sizes = [(size, _things_of(size, peers)) for size in sizes]
    things = [*floors, *(thing for _, things in of_sizes for thing in things)]
    for thing in things:
        say(f"warming up: {thing.name}")
        for _ in range(_WARM_UP):
            thing.call()
    described = machine()
    job = MainJob()
    for number in range(budget.rounds):
        for thing in things:
            say(f"round {number + 1} of {budget.rounds}: {thing.name}")
            thing.time(budget.round_seconds)
        # The runs of the main job that are due by the end of this round, less those by the end of the last.
        for _ in range((number + 1) * budget.main_jobs // budget.rounds - number * budget.main_jobs // budget.rounds):
            say(f"round {number + 1} of {budget.rounds}: the main job")
            job.run()  # one that fails is reported among what was not measured
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": described | {"load_at_end": load()},
        "versions": versions(peer.distribution for peer in peers),
        "budget": vars(budget),
        "not_measured": [problem for problem in (*problems.values(), job.problem) if problem is not None],
        "floors": [thing.as_data() for thing in floors],
        "sizes": [vars(size) | {"things": [thing.as_data() for thing in things]} for size, things in of_sizes],
        "main_job": job.as_data(),
    }


def _things_of(size: Size, peers: Sequence[Peer]) -> list[Thing]:
    """Everything that is timed for one size."""
    env = wrap_env(make_env(ENVIRONMENT))
    buffer = _filled_buffer(env)
    batches = buffer.sample_batches(_BATCHES, size.batch_size)
    agents: list[Agent] = [_agent(kind, env, size.width) for kind in (LAC, LATC, SAC)]
    engines = [choose_engine(agent) for agent in agents]
    in_torch = [TorchEngine(_agent(type(agent), env, size.width), torch.Generator()) for agent in agents]
    flops = [update_flops(agent, size.batch_size) for agent in agents]
    names = [type(agent).__name__ for agent in agents]

    things = [
        Thing(UPDATE, f"{name}, {engine.name}", _in_turn(engine.update, batches), flops=count)
        for column in (engines, in_torch)
        for name, engine, count in zip(names, column, flops, strict=True)
    ]
    updates: dict[str, Callable[[int], None]] = {
        f"SAC, {engine.name}": partial(_sampled_updates, engine, buffer, size) for engine in (engines[-1], in_torch[-1])
    }
    for peer in peers:
        model = PeerUpdates(peer, make_env(ENVIRONMENT), size.width, size.batch_size, STORED)
        updates[f"SAC, {peer.name} {peer.version}"] = model
    for group, number in ((SAMPLED, 1), (ROUND, ROUND_SIZE)):
        things += [Thing(group, name, partial(update, number), number, flops[-1]) for name, update in updates.items()]
    return things + _parts_of_a_step(env, engines[0], buffer, size)


def _parts_of_a_step(env: AnyEnv, engine: Engine, buffer: ReplayBuffer, size: Size) -> list[Thing]:
    """What an environment step of a training consists of, beside its update."""
    observation, _ = env.reset(seed=0)
    action = engine.get_action(observation)
    stored = _filled_buffer(env)  # of its own, since what is stored is all the same

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()

    return [
        Thing(STEP, "acting", partial(engine.get_action, observation)),
        Thing(STEP, "stepping the environment", step),
        Thing(STEP, "storing", partial(stored.store, observation, action, 1.0, observation, False)),
        Thing(STEP, "sampling", partial(buffer.sample_batches, ROUND_SIZE, size.batch_size), ROUND_SIZE),
    ]


def _in_turn(update: Callable[[Batch], object], batches: Sequence[Batch]) -> Callable[[], object]:
    """A function that updates with one batch after the other."""
    endless = cycle(batches)
    return lambda: update(next(endless))


def _sampled_updates(engine: Engine, buffer: ReplayBuffer, size: Size, number: int) -> None:
    """A round of updates, as in training."""
    for batch in buffer.sample_batches(number, size.batch_size):
        engine.update(batch)


def _agent(kind: type[Agent], env: AnyEnv, width: int) -> Agent:
    sizes = {"actor": [width, width], "critic": [width, width]}
    return kind(env, ac_kwargs={"hidden_sizes": sizes})


def _filled_buffer(env: AnyEnv) -> ReplayBuffer:
    """A replay buffer full of random transitions with the shapes of an environment."""
    rng = np.random.default_rng(0)
    (obs_dim,), (act_dim,) = env.observation_space.shape or (), env.action_space.shape or ()
    buffer = ReplayBuffer(obs_dim, act_dim, STORED, seed=0)
    for _ in range(STORED):
        obs, obs_next = rng.uniform(0, 10, (2, obs_dim))
        buffer.store(obs, rng.uniform(0, 1, act_dim), rng.uniform(0, 10), obs_next, False)
    return buffer
