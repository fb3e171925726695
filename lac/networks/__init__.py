"""Policies and critics."""

from lac.networks.actor import SquashedGaussianActor
from lac.networks.actor_critic import LyapunovActorCritic, LyapunovActorTwinCritic
from lac.networks.critic import LyapunovCritic
from lac.networks.mlp import ACTIVATIONS

__all__ = [
    "ACTIVATIONS",
    "LyapunovActorCritic",
    "LyapunovActorTwinCritic",
    "LyapunovCritic",
    "SquashedGaussianActor",
]
