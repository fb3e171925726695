"""Fixed affine scaling of network inputs."""

import torch
from torch import Tensor, nn


class InputScaling(nn.Module):
    """``(x - centre) / width``, element by element.

    The constants belong to the architecture, not to the weights, so they are not in the state dict.

    Args:
        parts: Centre and width of each of the concatenated inputs, ``[n]`` each; widths must not be zero.
    """

    centre: Tensor
    inverse_width: Tensor

    def __init__(self, *parts: tuple[Tensor, Tensor]) -> None:
        super().__init__()
        self.register_buffer("centre", torch.cat([centre for centre, _ in parts]), persistent=False)
        self.register_buffer("inverse_width", 1.0 / torch.cat([width for _, width in parts]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled inputs of the same shape, ``[..., n]``."""
        return (x - self.centre) * self.inverse_width


def no_scaling(size: int) -> tuple[Tensor, Tensor]:
    """Centre and width of the identity."""
    return torch.zeros(size), torch.ones(size)
