"""Critics: the Lyapunov function, and the action value of SAC."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lac.networks.mlp import Activation, mlp
from lac.networks.scaling import InputScaling, no_scaling


class LyapunovCritic(nn.Module):
    """``L(s, a) = sum_k f_k(s, a)^2`` with the last hidden layer of an MLP as ``f``; never negative.

    Han et al. (2020), section 4.1. There is no linear output layer: the features are squared after
    their activation.

    Args:
        obs_dim: Number of observations.
        act_dim: Number of actions.
        hidden_sizes: Width of each layer; the last one is the number of squared features.
        activation: Activation after every layer.
        scale_input: Fixed scaling of observations and actions, concatenated; none by default.
    """

    def __init__(
        self,
        obs_dim: int,
        act_dim: int,
        hidden_sizes: Sequence[int],
        activation: Activation = nn.ReLU,
        scale_input: InputScaling | None = None,
    ) -> None:
        super().__init__()
        self.scale_input = scale_input or InputScaling(no_scaling(obs_dim + act_dim))
        self.L = mlp([obs_dim + act_dim, *hidden_sizes], activation, activation)

    def forward(self, obs: Tensor, act: Tensor) -> Tensor:
        """The Lyapunov value ``[B]`` of observations ``[B, obs_dim]`` and actions ``[B, act_dim]``."""
        features: Tensor = self.L(self.scale_input(torch.cat([obs, act], dim=-1)))
        return features.square().sum(dim=-1)


class QCritic(nn.Module):
    """``Q(s, a)``, the soft action value of a cost: an MLP with one linear output.

    Haarnoja et al. (2018), "Soft Actor-Critic Algorithms and Applications", section 4.2.

    Args:
        obs_dim: Number of observations.
        act_dim: Number of actions.
        hidden_sizes: Width of each hidden layer.
        activation: Activation after every hidden layer.
        scale_input: Fixed scaling of observations and actions, concatenated; none by default.
    """

    def __init__(
        self,
        obs_dim: int,
        act_dim: int,
        hidden_sizes: Sequence[int],
        activation: Activation = nn.ReLU,
        scale_input: InputScaling | None = None,
    ) -> None:
        super().__init__()
        self.scale_input = scale_input or InputScaling(no_scaling(obs_dim + act_dim))
        self.Q = mlp([obs_dim + act_dim, *hidden_sizes], activation, activation).append(nn.Linear(hidden_sizes[-1], 1))

    def forward(self, obs: Tensor, act: Tensor) -> Tensor:
        """The action value ``[B]`` of observations ``[B, obs_dim]`` and actions ``[B, act_dim]``."""
        value: Tensor = self.Q(self.scale_input(torch.cat([obs, act], dim=-1)))
        return value.squeeze(-1)
