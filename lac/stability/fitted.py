"""A Lyapunov function that is fitted to a closed loop after the training."""

import math

import numpy as np
import torch
from torch import nn

from lac.envs.system import FloatArray, System
from lac.stability.closed_loop import ClosedLoop, tick
from lac.stability.region import in_core

_STEPS = 250  # of the cost that is summed up
_BATCH = 1024
_RATE = 3e-3
_HINGE = 300.0
_DECREASE = 0.05
_WIDTH = 64
_SLICE = 50_000
_LARGEST = 1e6  # cost of a step, of trajectories that leave every bound


class Fitted:
    """``V(s)``, a network that is fitted to ``log(1 + sum_j max(c_j - c_core, 0))`` along the closed loop.

    Two layers of 64 with tanh and a softplus output. A hinge beside the squared error asks for a decrease of 5 % in a
    step, of this V itself, outside the core. Features are the observation and, where the
    reference is periodic, sine and cosine of its phase.

    Args:
        loop: The closed loop.
        states: To fit on, ``[n, state_dim]``.
        core: See :func:`lac.stability.region.in_core`.
        seed: Of the first weights and the batches.
        iterations: Of the optimiser.
    """

    name = "fitted"

    def __init__(self, loop: ClosedLoop, states: FloatArray, core: float, seed: int, iterations: int) -> None:
        self._system = loop.system
        traces = loop.simulate(states, _STEPS, terminates=False)
        present = loop.costs(states)[0]
        costs = np.column_stack((present, traces.costs[:, :-1]))
        costs = np.clip(np.nan_to_num(costs, nan=_LARGEST, posinf=_LARGEST), 0.0, _LARGEST)
        excess = np.maximum(costs - core, 0.0).sum(axis=1)
        # A step into the core is no violation, whatever V is there.
        after = traces.states[:, 1]
        begins_in_core = in_core(self._system, states, present, core)
        matters = ~begins_in_core & ~in_core(self._system, after, traces.costs[:, 0], core)
        inputs = features(self._system, states)
        self._mean, self._scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
        targets = torch.as_tensor(np.log1p(excess), dtype=torch.float32)
        self._network = _fit(
            self._scaled(states), self._scaled(after), targets, torch.as_tensor(matters), seed, iterations
        )

    def __call__(self, states: FloatArray) -> FloatArray:
        """See :class:`Candidate`."""
        parts = [self._values(part) for part in np.split(states, range(_SLICE, len(states), _SLICE))]
        return np.concatenate(parts)

    @torch.inference_mode()
    def _values(self, states: FloatArray) -> FloatArray:
        return np.asarray(self._network(self._scaled(states))[:, 0].numpy(), np.float64)

    def _scaled(self, states: FloatArray) -> torch.Tensor:
        return torch.as_tensor((features(self._system, states) - self._mean) / self._scale, dtype=torch.float32)


def features(system: System, states: FloatArray) -> FloatArray:
    """What V sees of states ``[B, state_dim]``: observation, and the phase of a periodic reference, ``[B, k]``."""
    observations = np.asarray(system.observe(states), np.float64)
    if system.clock is None or system.period is None or system.period <= 1.0:
        return observations
    steps = states[:, [system.clock]] / tick(system, states[0])
    phase = 2 * math.pi * steps / system.period
    return np.concatenate((observations, np.sin(phase), np.cos(phase)), axis=1)


def _fit(
    states: torch.Tensor, after: torch.Tensor, targets: torch.Tensor, matters: torch.Tensor, seed: int, iterations: int
) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            *(nn.Linear(states.shape[1], _WIDTH), nn.Tanh(), nn.Linear(_WIDTH, _WIDTH), nn.Tanh()),
            *(nn.Linear(_WIDTH, 1), nn.Softplus()),
        )
    optimiser = torch.optim.Adam(network.parameters(), lr=_RATE, foreach=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    for _ in range(iterations):
        rows = torch.randint(len(states), (_BATCH,), generator=generator)
        now, then = network(torch.cat((states[rows], after[rows])))[:, 0].chunk(2)
        too_high = torch.relu(then - (1 - _DECREASE) * now) * matters[rows]
        loss = (now - targets[rows]).square().mean() + _HINGE * too_high.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network
