"""The interface of an engine."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt
import torch
from torch import Tensor

Batch = Mapping[str, Tensor]


class Engine(Protocol):
    """Executes the policy and the update of an agent, on the agent's parameters.

    All noise is drawn from ``generator`` by ``torch.randn``. An update draws, as far as the algorithm needs them, for
    the target policy's action at s', then the policy's action at s, then the policy's action at s'.

    Attributes:
        name: Name of the engine.
        generator: Source of the noise; a run saves and restores its state.
    """

    name: str
    generator: torch.Generator

    def get_action(self, obs: npt.NDArray[Any], deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions ``[..., act_dim]`` in their box for observations ``[..., obs_dim]``."""

    def update(self, data: Batch) -> dict[str, Tensor]:
        """One gradient step of the agent on a batch; returns its ``DIAGNOSTICS``."""
