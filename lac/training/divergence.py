"""Detection of divergence: weights or losses that are not finite."""

import math

import torch
from torch import nn
from torch.nn.utils import get_total_norm

from lac.settings.algorithms import AgentSettings
from lac.training.stopping import Stop, StopKind


class DivergenceError(FloatingPointError):
    """Weights or losses of the agent are not finite.

    Args:
        symptom: What is not finite, and since when.
        settings: The settings of the algorithm, on which the advice depends.
    """

    def __init__(self, symptom: str, settings: AgentSettings) -> None:
        is_squared = getattr(settings, "critic_loss", None) == "squared"
        super().__init__(
            f"{symptom}: training has diverged; lower algo.lr_c and algo.lr_a"
            f"{', or set algo.critic_loss=relative' if is_squared else ''}. Policies that were saved before are kept"
        )


def has_finite_weights(agent: nn.Module) -> bool:
    """Whether no weight, target or multiplier of an agent is NaN or infinite."""
    parameters = list(agent.parameters())
    # The norm is faster to compute: if it is finite, so are all numbers. It may overflow for large finite numbers.
    return math.isfinite(get_total_norm(parameters)) or all(bool(torch.isfinite(p).all()) for p in parameters)


def divergence_of_weights(agent: nn.Module, env_steps: int) -> Stop | None:
    """The reason to stop if a weight is not finite; None otherwise."""
    if has_finite_weights(agent):
        return None
    return Stop(StopKind.DIVERGED, f"weights are not finite after {env_steps} steps")


def divergence_of_loss(critic_loss: float, env_steps: int) -> Stop | None:
    """The reason to stop if the critic's loss is not finite; None otherwise."""
    if math.isfinite(critic_loss):
        return None
    return Stop(StopKind.DIVERGED, f"the critic's loss is {critic_loss} after {env_steps} steps")
