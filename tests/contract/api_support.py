"""What the tests of the Python API share: small agents, actor-critics of users, batches and runs."""

from pathlib import Path
from types import SimpleNamespace

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from torch import nn

from lac import (
    LAC,
    LyapunovActorCritic,
)

CONF = Path(__file__).parents[2] / "conf"
SMALL = {"hidden_sizes": {"actor": [8, 8], "critic": [8, 8]}}
SPACES = SimpleNamespace(
    observation_space=Box(-np.inf, np.inf, (3,), np.float64),
    action_space=Box(np.array([-0.1, 2.0]), np.array([0.7, 5.0]), dtype=np.float64),
)
GROUPS = {"lr_a": "ac.pi.", "lr_c": "ac.L.", "lr_alpha": "log_alpha", "lr_labda": "log_labda"}
RATES = ("lr_a", "lr_c", "lr_alpha", "lr_labda")


def an_agent(seed=0, env=SPACES, **kwargs):
    torch.manual_seed(seed)
    return LAC(env, **{"ac_kwargs": SMALL} | kwargs)


def a_batch(seed=0, size=16):
    generator = torch.Generator().manual_seed(seed)
    return {
        "obs": torch.randn(size, 3, generator=generator),
        "act": torch.rand(size, 2, generator=generator),
        "obs_next": torch.randn(size, 3, generator=generator),
        "rew": torch.rand(size, generator=generator),
        "done": (torch.rand(size, generator=generator) < 0.2).float(),
    }


def tensors(module):
    return {name: value.clone() for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}


def same(one, other):
    return set(one) == set(other) and all(torch.equal(value, other[name]) for name, value in one.items())


class OwnPolicy(nn.Module):
    def __init__(self, obs_dim, act_dim):
        super().__init__()
        self.mean = nn.Linear(obs_dim, act_dim)
        self.log_std = nn.Parameter(torch.zeros(act_dim))

    def forward(self, obs):
        gaussian = torch.distributions.Normal(self.mean(obs), self.log_std.exp())
        sample = gaussian.rsample()
        return sample, gaussian.log_prob(sample).sum(dim=-1)


class OwnCritic(nn.Module):
    def __init__(self, obs_dim, act_dim):
        super().__init__()
        self.root = nn.Linear(obs_dim + act_dim, 4)

    def forward(self, obs, act):
        return self.root(torch.cat([obs, act], dim=-1)).square().sum(dim=-1)


class OwnActorCritic(nn.Module):
    """What a user may write; its ``act`` knows no ``deterministic``."""

    def __init__(self, observation_space, action_space, critics=("L",)):
        super().__init__()
        dims = observation_space.shape[0], action_space.shape[0]
        self.pi = OwnPolicy(*dims)
        for name in critics:
            self.add_module(name, OwnCritic(*dims))

    def act(self, obs):
        with torch.no_grad():
            return self.pi(obs)[0].numpy()


class OwnDeterministicActorCritic(OwnActorCritic):
    def act(self, obs, deterministic=False):
        # Tensors and arrays are both taken; so are actions outside the box, which are cut.
        with torch.no_grad():
            return self.pi.mean(obs) * 1e6 if deterministic else self.pi(obs)[0]


def oscillator():
    return gymnasium.make("lac/Oscillator-v1")


class Rewarded(gymnasium.Wrapper):
    """The oscillator with rewards of at most 0."""

    reward_max = 0.0

    def step(self, action):
        obs, cost, *rest = self.env.step(action)
        return obs, -cost, *rest


class Constant(LyapunovActorCritic):
    """Always acts the same."""

    def act(self, obs, deterministic=False):
        return np.full((*obs.shape[:-1], 3), 0.25, np.float32)


# One step, one update on copies of the one transition: small enough to be checked by hand.
ONE = {"steps_per_epoch": 1, "update_after": 1, "update_every": 1, "steps_per_update": 1, "batch_size": 4}
UNTRAINED = {"update_after": 10_000}
