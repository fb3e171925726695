"""What every engine offers."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt
import torch
from torch import Tensor

Batch = Mapping[str, Tensor]


class Engine(Protocol):
    """Executes what an agent describes: its policy and its update, on its own parameters.

    Noise comes from ``generator`` and from nowhere else, one draw of ``torch.randn`` after the other: in an update
    for the target's action at s', the policy's at s and the policy's at s', as far as the algorithm has them.

    Attributes:
        name: Name of the engine.
        generator: What noise is drawn from; a run saves and restores it.
    """

    name: str
    generator: torch.Generator

    def get_action(self, obs: npt.NDArray[Any], deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions ``[..., act_dim]`` in their box for observations ``[..., obs_dim]``."""

    def update(self, data: Batch) -> dict[str, Tensor]:
        """One gradient step of the agent on a batch; returns its ``DIAGNOSTICS``."""
