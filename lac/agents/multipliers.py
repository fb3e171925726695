"""Multipliers that are trained as logarithms, so that they stay positive."""

import math

import torch
from torch import Tensor

from lac.settings.rules import Number, raise_if_wrong

_SMALLEST = 1e-37  # keeps the logarithm of a multiplier of zero finite


def safe_log(value: float) -> float:
    """The logarithm of a multiplier, finite even for a multiplier of 0."""
    return math.log(max(float(value), _SMALLEST))


@torch.no_grad()
def set_log(parameter: Tensor, name: str, value: float | Tensor, high: float = math.inf) -> None:
    """Set a log-parametrised multiplier in place, clipped to [0, ``high``].

    Raises:
        ValueError: The value is not a finite number.
    """
    number = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
    raise_if_wrong(**{name: (number, Number())})
    parameter.fill_(safe_log(min(float(number), high)))
