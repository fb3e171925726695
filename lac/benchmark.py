"""How fast an update and a training step are, against the machine's own limit, in one interleaved run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from lac.agents import LAC, SAC, Agent
from lac.buffers import Batch, ReplayBuffer
from lac.engines import TorchEngine, choose_engine
from lac.envs import AnyEnv, make_env, wrap_env

A = TypeVar("A", bound=Agent)

PRODUCT_SIZE = 256
"""The machine's limit is read off a square matrix product of this size."""


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one thing, a number per round of the interleaved run.

    Attributes:
        name: What was timed.
        seconds: Seconds of the CPU per call in each round.
        calls_per_step: How often it happens per environment step of a training run; 0 if it does not.
    """

    name: str
    seconds: Sequence[float]
    calls_per_step: float = 0.0

    @property
    def median(self) -> float:
        """The median over the rounds."""
        return float(np.median(self.seconds))


def run_benchmark(width: int, batch_size: int, rounds: int, round_seconds: float) -> list[Timing]:
    """Time floor, updates and the parts of a training step in turn, round after round.

    Args:
        width: Width of the two hidden layers of actor and critic.
        batch_size: Transitions per update.
        rounds: Number of rounds; each times everything once.
        round_seconds: Seconds spent on each thing in a round.

    Returns:
        The first entry is the floor: the products of one update, at the speed of a large one.
    """
    env = wrap_env(make_env("lac/Oscillator-v1"))
    agent = _agent(LAC, env, width)
    engine, torch_engine = choose_engine(agent), TorchEngine(_agent(LAC, env, width), torch.Generator())
    soft_engine = choose_engine(_agent(SAC, env, width))
    buffer = _filled_buffer(agent)
    batches = buffer.sample_batches(32, batch_size)
    observation, _ = env.reset(seed=0)
    action = engine.get_action(observation)
    floor = _Product(update_flops(agent, batch_size))

    things: dict[str, tuple[Callable[[], object], float]] = {
        "matrix products of an update (floor)": (floor, 0.0),
        f"update of LAC ({engine.name})": (_Cycle(engine.update, batches), 1.0),
        "update of LAC (torch)": (_Cycle(torch_engine.update, batches), 0.0),
        f"update of SAC ({soft_engine.name})": (_Cycle(soft_engine.update, batches), 0.0),
        "action": (partial(engine.get_action, observation), 1.0),
        "environment step": (partial(_step, env, action), 1.0),
        "storing a transition": (partial(buffer.store, observation, action, 1.0, observation, False), 1.0),
        "sampling a round of 100 minibatches": (partial(buffer.sample_batches, 100, batch_size), 0.01),
    }
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(rounds):
        for name, (call, _) in things.items():
            seconds[name].append(_seconds_per_call(call, round_seconds))
    first, *rest = things
    floor_seconds = [t * floor.products for t in seconds[first]]
    return [Timing(first, floor_seconds), *(Timing(name, seconds[name], things[name][1]) for name in rest)]


def table(timings: Sequence[Timing]) -> str:
    """The timings with their ratio to the floor, round by round, and their shares of a training step."""
    floor = np.array(timings[0].seconds)
    step = sum(t.median * t.calls_per_step for t in timings)
    lines = [f"{'':<38}{'median ms':>10}{'/ floor':>9}{'min':>7}{'max':>7}{'share of a step':>17}"]
    for timing in timings:
        ratios = np.array(timing.seconds) / floor
        share = f"{timing.median * timing.calls_per_step / step:.1%}" if timing.calls_per_step else ""
        lines.append(
            f"{timing.name:<38}{timing.median * 1e3:>10.3f}{np.median(ratios):>9.2f}{ratios.min():>7.2f}"
            f"{ratios.max():>7.2f}{share:>17}"
        )
    lines.append(f"{1.0 / step:.0f} training steps a second, with one update each")
    return "\n".join(lines)


def update_flops(agent: LAC, batch_size: int) -> float:
    """Floating-point operations of the matrix products in one infinite-horizon update.

    Target: an actor and a critic pass. Critic: a pass, the gradients of its weights and of its inner
    inputs. Policy: the actor forward and backward for s and s', the critic forward and back to the action.
    """

    def products(module: torch.nn.Module) -> tuple[int, int]:
        sizes = [p.numel() for name, p in module.named_parameters() if name.endswith("weight")]
        return sum(sizes), sizes[0]

    (actor, actor_first), (critic, critic_first) = products(agent.ac.pi), products(agent.ac.L)
    multiplications = 7 * actor - 2 * actor_first + 6 * critic - critic_first
    return 2.0 * batch_size * multiplications


class _Product:
    """One large product; ``products`` of them are as much arithmetic as an update."""

    def __init__(self, flops: float) -> None:
        self.products = flops / (2.0 * PRODUCT_SIZE**3)
        self._a, self._b = (torch.randn(PRODUCT_SIZE, PRODUCT_SIZE) for _ in range(2))
        self._out = torch.empty(PRODUCT_SIZE, PRODUCT_SIZE)

    def __call__(self) -> Tensor:
        return torch.mm(self._a, self._b, out=self._out)


class _Cycle:
    """Calls a function with one batch after the other."""

    def __init__(self, function: Callable[[Batch], object], batches: Sequence[Batch]) -> None:
        self._function, self._batches, self._next = function, batches, 0

    def __call__(self) -> object:
        self._next = (self._next + 1) % len(self._batches)
        return self._function(self._batches[self._next])


def _agent(agent_class: type[A], env: AnyEnv, width: int) -> A:
    sizes = {"actor": [width, width], "critic": [width, width]}
    return agent_class(env, ac_kwargs={"hidden_sizes": sizes})


def _filled_buffer(agent: LAC) -> ReplayBuffer:
    rng = np.random.default_rng(0)
    obs_dim, act_dim = agent.ac.pi.net[0].in_features, agent.act_dim
    buffer = ReplayBuffer(obs_dim, act_dim, 20_000, seed=0)
    for _ in range(2_000):
        obs, obs_next = rng.uniform(0, 10, (2, obs_dim))
        buffer.store(obs, rng.uniform(0, 1, act_dim), rng.uniform(0, 10), obs_next, False)
    return buffer


def _step(env: AnyEnv, action: object) -> None:
    _, _, terminated, truncated, _ = env.step(action)
    if terminated or truncated:
        env.reset()


def _seconds_per_call(call: Callable[[], object], at_least: float) -> float:
    """Seconds of the CPU, which other processes disturb less than those of the clock."""
    call()
    started, calls = time.process_time(), 0
    while calls == 0 or time.process_time() - started < at_least:
        call()
        calls += 1
    return (time.process_time() - started) / calls
