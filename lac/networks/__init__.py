"""Policies and critics."""

from lac.networks.actor import SquashedGaussianActor
from lac.networks.actor_critic import LyapunovActorCritic, LyapunovActorTwinCritic, SoftActorCritic
from lac.networks.critic import LyapunovCritic, QCritic
from lac.networks.mlp import ACTIVATIONS

__all__ = [
    "ACTIVATIONS",
    "LyapunovActorCritic",
    "LyapunovActorTwinCritic",
    "LyapunovCritic",
    "QCritic",
    "SoftActorCritic",
    "SquashedGaussianActor",
]
