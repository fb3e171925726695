"""The engine that calls the agent's methods in torch; for any actor-critic and any device."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from lac.engines.protocol import Agent, Batch


class TorchEngine:
    """Calls the methods of an agent, which computes in torch from now on.

    Networks draw their noise from torch's global generator. During a call it has the state of ``generator``, so that
    other code in the process that draws random numbers does not change the training.

    Args:
        agent: The agent; its parameters are changed in place.
        generator: Source of the noise, on the agent's device.
    """

    name = "torch"

    def __init__(self, agent: Agent, generator: torch.Generator) -> None:
        agent.engine = self.name
        self._agent, self.generator = agent, generator

    def get_action(self, obs: npt.NDArray[Any], deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions ``[..., act_dim]`` in their box for observations ``[..., obs_dim]``."""
        with _drawing_from(self.generator):
            return self._agent.get_action(obs, deterministic)

    def update(self, data: Batch) -> Mapping[str, Tensor]:
        """One gradient step of the agent on a batch; returns its ``DIAGNOSTICS``."""
        with _drawing_from(self.generator):
            return self._agent.update(data)


@contextmanager
def _drawing_from(generator: torch.Generator) -> Iterator[None]:
    device = generator.device
    default = torch.default_generator if device.type == "cpu" else torch.cuda.default_generators[device.index or 0]
    before = default.get_state()
    default.set_state(generator.get_state())
    try:
        yield
    finally:
        generator.set_state(default.get_state())
        default.set_state(before)
