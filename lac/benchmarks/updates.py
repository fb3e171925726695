"""One update of each algorithm, and the parts of a training step, against the machine's matrix products."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import TypeVar

import numpy as np
import torch
from scipy.linalg.blas import sgemm

from lac.agents import LAC, LATC, SAC, Agent
from lac.benchmarks.peers import peer_updates
from lac.benchmarks.timing import Timing, timed_in_turn
from lac.buffers import Batch, ReplayBuffer
from lac.engines import TorchEngine, choose_engine
from lac.envs import AnyEnv, make_env, wrap_env

A = TypeVar("A", bound=Agent)

PRODUCT_SIZE = 256
"""The machine's limit is read off a square matrix product of this size."""
UPDATES_A_CALL = 20
"""Updates in a call, with sampling, where other packages are compared: they are built to run several in one."""
STORED = 20_000
"""Transitions in the replay buffers."""

FLOOR, FLOOR_OPENBLAS = "floor: products at the speed of torch's", "floor: products at the speed of OpenBLAS's"
STEP_PARTS = ("acting", "stepping the environment", "storing", "sampling")
"""What an environment step of a training takes beside its update."""


@dataclass(frozen=True)
class Size:
    """Two hidden layers of ``width`` in actor and critics, and ``batch_size`` transitions per update."""

    width: int
    batch_size: int

    def __str__(self) -> str:
        return f"{self.width}-{self.width}, batch {self.batch_size}"


def time_size(size: Size, rounds: int, round_seconds: float) -> list[Timing]:
    """Time floors, updates, calls of 20 updates and the parts of a step in turn, round after round.

    Returns:
        Seconds per update, or per environment step for the parts of one; the floors come first.
    """
    env = wrap_env(make_env("lac/Oscillator-v1"))
    lac = _agent(LAC, env, size.width)
    floor = update_flops(lac, size.batch_size) / (2.0 * PRODUCT_SIZE**3)
    buffer = _filled_buffer(lac)
    batches = buffer.sample_batches(32, size.batch_size)
    things: dict[str, Callable[[], object]] = {FLOOR: _product_of_torch(), FLOOR_OPENBLAS: _product_of_openblas()}
    parts: dict[str, float] = {FLOOR: 1.0 / floor, FLOOR_OPENBLAS: 1.0 / floor}
    for agent_class in (LAC, LATC, SAC):
        agent = _agent(agent_class, env, size.width)
        engine, name = choose_engine(agent), agent_class.__name__
        things[f"{name}, {engine.name}"] = _in_turn(engine.update, batches)
    torch_engine = TorchEngine(_agent(LAC, env, size.width), torch.Generator())
    things["LAC, torch"] = _in_turn(torch_engine.update, batches)
    soft = choose_engine(_agent(SAC, env, size.width))
    calls: dict[str, Callable[[], object]] = {
        "SAC with sampling": partial(_round_of_updates, soft.update, buffer, size.batch_size),
        **peer_updates(env, size.width, size.batch_size, UPDATES_A_CALL, STORED),
    }
    parts |= dict.fromkeys(calls, UPDATES_A_CALL)
    steps = _parts_of_a_step(env, lac, buffer, size.batch_size)
    parts["sampling"] = UPDATES_A_CALL
    timings = timed_in_turn(things | calls | steps, rounds, round_seconds)
    return [timing.per(parts.get(name, 1.0)) for name, timing in timings.items()]


def update_flops(agent: LAC, batch_size: int) -> float:
    """Floating-point operations of the matrix products in one infinite-horizon update of LAC.

    Target: an actor and a critic pass. Critic: a pass, the gradients of its weights and of its inner
    inputs. Policy: the actor forward and backward for s and s', the critic forward and back to the action.
    """

    def products(module: torch.nn.Module) -> tuple[int, int]:
        sizes = [p.numel() for name, p in module.named_parameters() if name.endswith("weight")]
        return sum(sizes), sizes[0]

    (actor, actor_first), (critic, critic_first) = products(agent.ac.pi), products(agent.ac.L)
    multiplications = 7 * actor - 2 * actor_first + 6 * critic - critic_first
    return 2.0 * batch_size * multiplications


def _product_of_torch() -> Callable[[], object]:
    one, other = (torch.randn(PRODUCT_SIZE, PRODUCT_SIZE) for _ in range(2))
    return partial(torch.mm, one, other, out=torch.empty(PRODUCT_SIZE, PRODUCT_SIZE))


def _product_of_openblas() -> Callable[[], object]:
    rng = np.random.default_rng(0)
    one, other, out = (np.asfortranarray(rng.standard_normal((PRODUCT_SIZE, PRODUCT_SIZE), np.float32)) for _ in "abc")
    return partial(sgemm, 1.0, one, other, 0.0, out, overwrite_c=True)


def _in_turn(function: Callable[[Batch], object], batches: Sequence[Batch]) -> Callable[[], object]:
    """Calls a function with one batch after the other."""
    endless = cycle(batches)
    return lambda: function(next(endless))


def _round_of_updates(update: Callable[[Batch], object], buffer: ReplayBuffer, batch_size: int) -> None:
    for batch in buffer.sample_batches(UPDATES_A_CALL, batch_size):
        update(batch)


def _parts_of_a_step(env: AnyEnv, agent: LAC, buffer: ReplayBuffer, batch_size: int) -> dict[str, Callable[[], object]]:
    engine = choose_engine(agent)
    observation, _ = env.reset(seed=0)
    action = engine.get_action(observation)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()

    calls = (
        partial(engine.get_action, observation),
        step,
        partial(buffer.store, observation, action, 1.0, observation, False),
        partial(buffer.sample_batches, UPDATES_A_CALL, batch_size),
    )
    return dict(zip(STEP_PARTS, calls, strict=True))


def _agent(agent_class: type[A], env: AnyEnv, width: int) -> A:
    sizes = {"actor": [width, width], "critic": [width, width]}
    return agent_class(env, ac_kwargs={"hidden_sizes": sizes})


def _filled_buffer(agent: LAC) -> ReplayBuffer:
    rng = np.random.default_rng(0)
    obs_dim, act_dim = agent.ac.pi.net[0].in_features, agent.act_dim
    buffer = ReplayBuffer(obs_dim, act_dim, STORED, seed=0)
    for _ in range(STORED):
        obs, obs_next = rng.uniform(0, 10, (2, obs_dim))
        buffer.store(obs, rng.uniform(0, 1, act_dim), rng.uniform(0, 10), obs_next, False)
    return buffer
