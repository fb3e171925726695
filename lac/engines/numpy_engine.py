"""The engine for the networks of this package on the CPU, in numpy, on the memory of the agent's parameters."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lac.agents import LAC, LATC, SAC, Agent
from lac.engines.numpy_lac import LyapunovUpdate
from lac.engines.numpy_networks import ActorKernel, has_numpy_form
from lac.engines.numpy_sac import SoftUpdate
from lac.engines.numpy_update import NumpyUpdate
from lac.engines.protocol import Batch

_UPDATES: dict[type[Agent], type[NumpyUpdate[Any]]] = {LAC: LyapunovUpdate, LATC: LyapunovUpdate, SAC: SoftUpdate}


class NumpyEngine:
    """Executes in numpy the update that the agent defines in torch; the resulting weights are the same.

    Args:
        agent: An agent that :meth:`supports` accepts; its parameters are changed in place.
        generator: Source of the noise.
    """

    name = "numpy"

    def __init__(self, agent: Agent, generator: torch.Generator) -> None:
        self._agent, self.generator = agent, generator
        self._actor = ActorKernel(agent.ac.pi)
        self._update = _UPDATES[type(agent)](agent, generator)

    @staticmethod
    def supports(agent: Agent) -> bool:
        """Whether an agent and its networks are classes of this package, not subclasses, in float32 on the CPU."""
        return type(agent) in _UPDATES and agent.log_alpha.is_cpu and has_numpy_form(agent.ac)

    def get_action(self, obs: npt.NDArray[Any], deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions ``[..., act_dim]`` in their box for observations ``[..., obs_dim]``."""
        observations = np.asarray(obs, dtype=np.float32)
        if deterministic:
            return self._agent.bounded(self._actor.deterministic(observations))
        shape = (*observations.shape[:-1], self._agent.act_dim)
        return self._agent.bounded(
            self._actor.action(observations, torch.randn(shape, generator=self.generator).numpy())
        )

    def update(self, data: Batch) -> dict[str, Tensor]:
        """One gradient step of the agent on a batch; returns its ``DIAGNOSTICS``."""
        return self._update({name: values.float() for name, values in data.items()})
