"""Networks and inputs for tests: three observations, two actions between bounds that differ."""

import numpy as np
import torch
from gymnasium.spaces import Box

from lac.networks import (
    LyapunovActorCritic,
    SquashedGaussianActor,
)

OBSERVATIONS = Box(-np.inf, np.inf, (3,), np.float64)
ACTIONS = Box(np.array([-2.0, 0.0]), np.array([4.0, 1.0]), dtype=np.float64)
HALF_WIDTH, CENTRE = torch.tensor([3.0, 0.5]), torch.tensor([1.0, 0.5])
SIZES = {"actor": [16, 12], "critic": [16, 6]}


def seeded(build):
    torch.manual_seed(5)
    return build()


def an_actor(**kwargs):
    return seeded(lambda: SquashedGaussianActor(3, ACTIONS, [16, 12], **kwargs))


def an_actor_critic(cls=LyapunovActorCritic, **kwargs):
    return seeded(lambda: cls(OBSERVATIONS, ACTIONS, **{"hidden_sizes": SIZES} | kwargs))


def observations(number=40, scale=1.0):
    return scale * torch.randn(number, 3, generator=torch.Generator().manual_seed(1))


def actions(number=40):
    return torch.rand(number, 2, generator=torch.Generator().manual_seed(2)) * 2 * HALF_WIDTH + CENTRE - HALF_WIDTH
