"""Training that has left the finite numbers."""

import math

import torch
from torch import nn
from torch.nn.utils import get_total_norm


class DivergenceError(FloatingPointError):
    """The agent has no finite weights or losses any more."""

    def __init__(self, symptom: str) -> None:
        super().__init__(
            f"{symptom}: training has diverged; lower algo.lr_c and algo.lr_a, or set algo.critic_loss=relative. "
            "The last good policy is kept"
        )


def has_finite_weights(agent: nn.Module) -> bool:
    """Whether no weight, target or multiplier of an agent is NaN or infinite."""
    parameters = list(agent.parameters())
    # A finite norm, which is found several times as fast, has finite numbers; the square of a large one overflows.
    return math.isfinite(get_total_norm(parameters)) or all(bool(torch.isfinite(p).all()) for p in parameters)


def raise_if_weights_not_finite(agent: nn.Module, env_steps: int) -> None:
    """Raise a :class:`DivergenceError` unless all weights are finite."""
    if not has_finite_weights(agent):
        raise DivergenceError(f"weights are no finite numbers any more after {env_steps} steps")


def raise_if_loss_not_finite(critic_loss: float, env_steps: int) -> None:
    """Raise a :class:`DivergenceError` unless the critic's loss is finite."""
    if not math.isfinite(critic_loss):
        raise DivergenceError(f"the critic's loss is {critic_loss} after {env_steps} steps")
