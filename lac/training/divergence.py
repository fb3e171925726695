"""Training that has left the finite numbers."""

import math

import torch
from torch import nn
from torch.nn.utils import get_total_norm

from lac.training.stopping import Stop, StopKind


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
    # A finite norm, which is several times as quick to compute, has finite numbers; that of large ones overflows.
    return math.isfinite(get_total_norm(parameters)) or all(bool(torch.isfinite(p).all()) for p in parameters)


def divergence_of_weights(agent: nn.Module, env_steps: int) -> Stop | None:
    """The end of a training whose weights are not all finite."""
    if has_finite_weights(agent):
        return None
    return Stop(StopKind.DIVERGED, f"weights are no finite numbers any more after {env_steps} steps")


def divergence_of_loss(critic_loss: float, env_steps: int) -> Stop | None:
    """The end of a training whose critic's loss is not finite."""
    if math.isfinite(critic_loss):
        return None
    return Stop(StopKind.DIVERGED, f"the critic's loss is {critic_loss} after {env_steps} steps")
