"""Training that has left the finite numbers."""

import math

import torch
from torch import nn


class DivergenceError(FloatingPointError):
    """The agent has no finite weights or losses any more."""

    def __init__(self, symptom: str) -> None:
        super().__init__(
            f"{symptom}: training has diverged; lower algo.lr_c and algo.lr_a, or set algo.critic_loss=relative. "
            "The last good policy is kept"
        )


def has_finite_weights(agent: nn.Module) -> bool:
    """Whether no weight, target or multiplier of an agent is NaN or infinite."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in agent.parameters())


def refuse_weights(agent: nn.Module, env_steps: int) -> None:
    """Raise a :class:`DivergenceError` unless all weights are finite."""
    if not has_finite_weights(agent):
        raise DivergenceError(f"weights are no finite numbers any more after {env_steps} steps")


def refuse_loss(critic_loss: float, env_steps: int) -> None:
    """Raise a :class:`DivergenceError` unless the critic's loss is finite."""
    if not math.isfinite(critic_loss):
        raise DivergenceError(f"the critic's loss is {critic_loss} after {env_steps} steps")
