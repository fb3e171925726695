"""Functions that may decrease along a closed loop: that of the agent, one fitted afterwards, one from linear theory."""

from typing import Protocol

import numpy as np

from lac.agents import LAC
from lac.agents.lyapunov import lyapunov_values
from lac.envs.system import FloatArray, System

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
        system: What it is trained for.
    """

    name = "learned"

    def __init__(self, agent: LAC, system: System) -> None:
        self._agent, self._system = agent, system

    def __call__(self, states: FloatArray) -> FloatArray:
        """See :class:`Candidate`."""
        slices = np.split(states, range(_BATCH, len(states), _BATCH))
        return np.concatenate([lyapunov_values(self._agent, self._system.observe(part)) for part in slices])
