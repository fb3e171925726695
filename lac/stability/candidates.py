"""Functions that may decrease along a closed loop: that of the agent, one fitted afterwards, one from linear theory."""

from typing import Any, Protocol

import numpy as np
import torch

from lac.agents import LAC
from lac.envs.system import FloatArray
from lac.stability.closed_loop import ClosedLoop

_BATCH = 20_000


class Candidate(Protocol):
    """A function of the state that is to decrease along the closed loop."""

    name: str

    def __call__(self, states: FloatArray) -> FloatArray:
        """Its values ``[B]`` in these states ``[B, state_dim]``."""


class Learned:
    """``L(s) = L(s, pi(s))``, the Lyapunov function that was trained with the policy; of two critics the maximum.

    Args:
        agent: LAC or LATC.
        loop: The closed loop.
    """

    name = "learned"

    def __init__(self, agent: LAC, loop: ClosedLoop) -> None:
        self._agent, self._loop = agent, loop

    def __call__(self, states: FloatArray) -> FloatArray:
        """See :class:`Candidate`."""
        parts = [self._values(part) for part in np.split(states, range(_BATCH, len(states), _BATCH))]
        return np.concatenate(parts)

    @torch.inference_mode()
    def _values(self, states: FloatArray) -> FloatArray:
        agent: Any = self._agent
        observations = torch.as_tensor(self._loop.system.observe(states), dtype=torch.float32, device=agent.device)
        actions = torch.as_tensor(self._loop.actions(states), dtype=torch.float32, device=agent.device)
        values = torch.stack([critic(observations, actions) for critic in agent.critics]).amax(dim=0)
        return np.asarray(values.cpu().numpy(), np.float64)
