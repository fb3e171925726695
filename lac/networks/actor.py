"""The squashed Gaussian policy."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from lac.networks.mlp import Activation, linear, mlp
from lac.networks.scaling import InputScaling, no_scaling

LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0


class SquashedGaussianActor(nn.Module):
    """A Gaussian whose samples are squashed by tanh and scaled to the action box.

    Han et al. (2020); Haarnoja et al. (2018), appendix C. The log-probability is that of the
    normalised action in (-1, 1), without the affine scaling to the box, so that a target entropy of
    ``-dim(A)`` has the same meaning for every box.

    Args:
        obs_dim: Number of observations.
        action_space: Bounded action box; ``low`` and ``high`` set the scaling.
        hidden_sizes: Width of each hidden layer.
        activation: Activation between hidden layers.
        output_activation: Activation after the last hidden layer, before the two linear heads.
        scale_input: Fixed scaling of the observations; none by default.
        bias: Whether the layers of the mean have biases. Without them the deterministic action is the centre of the
            box where the observation is 0, if the activations are 0 there; the log standard deviation keeps its bias.
    """

    act_scale: Tensor
    act_bias: Tensor

    def __init__(
        self,
        obs_dim: int,
        action_space: Box,
        hidden_sizes: Sequence[int],
        activation: Activation = nn.ReLU,
        output_activation: Activation = nn.ReLU,
        scale_input: InputScaling | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        act_dim = int(np.prod(action_space.shape))
        self.scale_input = scale_input or InputScaling(no_scaling(obs_dim))
        self.net = mlp([obs_dim, *hidden_sizes], activation, output_activation, bias)
        self.mu_layer = linear(hidden_sizes[-1], act_dim, bias)
        self.log_std_layer = nn.Linear(hidden_sizes[-1], act_dim)
        scale, centre = action_scaling(action_space)
        self.register_buffer("act_scale", scale, persistent=False)
        self.register_buffer("act_bias", centre, persistent=False)

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """A sampled action ``[B, act_dim]`` in the box and its log-probability ``[B]``.

        Gradients flow through both.
        """
        hidden = self.net(self.scale_input(obs))
        mu = self.mu_layer(hidden)
        log_std = self.log_std_layer(hidden).clamp(LOG_STD_MIN, LOG_STD_MAX)
        noise = torch.randn_like(mu)
        z = mu + log_std.exp() * noise
        log_gaussian = -0.5 * noise.square() - log_std - 0.5 * math.log(2.0 * math.pi)
        # log(1 - tanh(z)^2), without overflow or cancellation
        log_squash = 2.0 * (math.log(2.0) - z - nn.functional.softplus(-2.0 * z))
        return self._to_box(z.tanh()), (log_gaussian - log_squash).sum(dim=-1)

    def deterministic(self, obs: Tensor) -> Tensor:
        """The action at the mean of the Gaussian, ``[B, act_dim]`` in the box."""
        return self._to_box(self.mu_layer(self.net(self.scale_input(obs))).tanh())

    def _to_box(self, normalised: Tensor) -> Tensor:
        return torch.addcmul(self.act_bias, normalised, self.act_scale)


def action_scaling(action_space: Box) -> tuple[Tensor, Tensor]:
    """Half-width and centre of an action box, flat: ``action = centre + half-width * normalised``."""
    low = np.asarray(action_space.low, dtype=np.float64).reshape(-1)
    high = np.asarray(action_space.high, dtype=np.float64).reshape(-1)
    half_width = torch.as_tensor((high - low) / 2, dtype=torch.float32)
    return half_width, torch.as_tensor((high + low) / 2, dtype=torch.float32)
