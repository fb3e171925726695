"""The compiled update against the text in torch, over random settings and networks."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from plain_updates import agent_state

from lac import LAC, LATC, SAC
from lac.devices import limited_threads

UPDATES = 20
LYAPUNOV_CHOICES = {
    "critic_loss": ["squared", "relative"],
    "drift_weights": ["mixed", "before", "after"],
    "twin_drift": ["symmetric", "asymmetric"],
    "anti_windup": [False, True],
    "labda_min": [0.0, 0.3],
    "labda": [0.4, 0.99],
}


def a_case(seed):
    """Spaces, class, arguments, batch size and horizon, all random."""
    random = np.random.default_rng(seed)

    def choice(values):
        return values[random.integers(len(values))]

    def widths():
        return [int(width) for width in random.integers(1, 40, random.integers(1, 5))]

    obs_dim, act_dim = (int(n) for n in random.integers(1, 6, 2))
    low = random.uniform(-3.0, 1.0, act_dim)
    spaces = SimpleNamespace(
        observation_space=Box(-np.inf, np.inf, (obs_dim,)),
        action_space=Box(low, low + random.uniform(0.2, 5.0, act_dim)),
    )
    activations = ["relu", "tanh", "elu"]
    kwargs = {
        "ac_kwargs": {
            "hidden_sizes": {"actor": widths(), "critic": widths()},
            "activation": {"actor": choice(activations), "critic": choice(activations)},
            "output_activation": choice(["relu", "tanh", "elu", "identity"]),
            "observation_scale": choice([None, 3.0, random.uniform(0.5, 4.0, obs_dim).tolist()]),
            "normalise_actions": choice([False, True]),
            "actor_bias": seed % 4 > 0,
        },
        "adaptive_temperature": choice([True, False]),
        "gamma": random.uniform(0.5, 1.0),
        "polyak": random.uniform(0.5, 1.0),
        "alpha": random.uniform(0.1, 2.0),
        "opt_type": "minimize",
        **{rate: 10 ** random.uniform(-5, -3) for rate in ("lr_a", "lr_c", "lr_alpha")},
    }
    agent_class = choice([LAC, LATC, SAC])
    if agent_class is not SAC:
        kwargs |= {name: choice(values) for name, values in LYAPUNOV_CHOICES.items()}
        kwargs |= {"alpha3": random.uniform(0.0, 1.0), "lr_labda": 10 ** random.uniform(-4, -1)}
    batch = choice([1, 7, 16, 33, 128])
    return spaces, agent_class, kwargs, batch, agent_class is not SAC and choice([False, True])


def batches(spaces, size, is_finite, seed):
    random = np.random.default_rng(seed)
    obs_dim, act_dim = spaces.observation_space.shape[0], spaces.action_space.shape[0]
    for _ in range(UPDATES):
        batch = {
            "obs": random.normal(size=(size, obs_dim)),
            "act": random.uniform(spaces.action_space.low, spaces.action_space.high, (size, act_dim)),
            "obs_next": random.normal(size=(size, obs_dim)),
            "rew": random.uniform(0.0, 5.0, size),
            "done": random.random(size) < 0.2,
        }
        if is_finite:
            batch["horizon_rew"] = random.uniform(0.0, 20.0, size)
        yield {name: torch.as_tensor(column, dtype=torch.float32) for name, column in batch.items()}


@pytest.fixture(autouse=True)
def one_thread():
    with limited_threads():
        yield


@pytest.mark.parametrize("seed", range(60))
def test_twenty_updates_give_the_weights_of_the_text_in_torch(seed):
    spaces, agent_class, kwargs, size, is_finite = a_case(seed)
    states, told, actions = [], [], []
    for engine in ("compiled", "torch"):
        torch.manual_seed(seed)
        agent = agent_class(spaces, **kwargs, engine=engine)
        told.append([agent.update(batch) for batch in batches(spaces, size, is_finite, seed)])
        states.append(agent_state(agent))
        obs = np.linspace(-1.0, 1.0, 5 * spaces.observation_space.shape[0]).reshape(5, -1)
        actions.append([agent.get_action(obs, deterministic) for deterministic in (False, True)])
    for name, value in states[1].items():
        scale = max(value.abs().max().item(), 1e-2)
        torch.testing.assert_close(
            states[0][name], value, rtol=0, atol=1e-5 * scale, msg=lambda text, n=name: f"{n}: {text}"
        )
    for one, other in zip(*told, strict=True):
        for name, value in other.items():
            torch.testing.assert_close(one[name], value, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(*actions, rtol=1e-4, atol=1e-5)
