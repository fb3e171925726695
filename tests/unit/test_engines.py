"""Which engine executes an agent, what it draws noise from, and that a training continues from its state."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

import lac
from lac.engines import CompiledEngine, TorchEngine, choose_engine

SPACES = SimpleNamespace(
    observation_space=Box(-np.inf, np.inf, (3,), np.float64),
    action_space=Box(np.array([-0.1, 2.0]), np.array([0.7, 5.0]), dtype=np.float64),
)
SMALL = {"hidden_sizes": {"actor": [8, 8], "critic": [8, 8]}}
OBS = np.linspace(-1.0, 1.0, 12).reshape(4, 3)


def an_agent(agent_class=lac.LAC, actor_critic=None, **ac_kwargs):
    torch.manual_seed(0)
    return agent_class(SPACES, actor_critic, SMALL | ac_kwargs, lr_a=1e-2, lr_c=1e-2)


def batches(number=3, size=16):
    generator = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    return [
        {
            "obs": normal(size, 3),
            "act": normal(size, 2).tanh(),
            "obs_next": normal(size, 3),
            "rew": normal(size).square(),
            "done": (normal(size) > 1.0).float(),
        }
        for _ in range(number)
    ]


class OfAUser(lac.LAC):
    """A subclass may update in its own way."""


class CriticOfAUser(lac.LyapunovActorCritic):
    """A subclass may compute something else."""


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (an_agent, "compiled"),
        (lambda: an_agent(lac.LATC), "compiled"),
        (lambda: an_agent(lac.SAC), "compiled"),
        (lambda: an_agent(activation=nn.Tanh), "compiled"),
        (lambda: an_agent(activation=nn.ELU), "torch"),
        (lambda: an_agent().double(), "torch"),
        (lambda: an_agent(OfAUser), "torch"),
        (lambda: an_agent(actor_critic=CriticOfAUser), "torch"),
    ],
)
def test_the_engine_suits_the_agent(build, name):
    assert choose_engine(build()).name == name


@pytest.mark.parametrize("agent_class", [lac.LAC, lac.LATC, lac.SAC])
def test_engines_take_the_same_steps_and_act_alike(agent_class):
    agents = [an_agent(agent_class), an_agent(agent_class)]
    engines = [
        engine(agent, torch.Generator().manual_seed(5))
        for engine, agent in zip((CompiledEngine, TorchEngine), agents, strict=True)
    ]
    for batch in batches():
        for engine in engines:
            engine.update(batch)
    for one, other in zip(*(agent.parameters() for agent in agents), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    for deterministic in (True, False):
        one, other = (engine.get_action(OBS, deterministic) for engine in engines)
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert one.dtype == other.dtype == SPACES.action_space.dtype


@pytest.mark.parametrize("engine_class", [CompiledEngine, TorchEngine])
def test_noise_comes_from_the_generator_alone(engine_class):
    def trained(disturb):
        agent = an_agent()
        engine = engine_class(agent, torch.Generator().manual_seed(5))
        for batch in batches():
            disturb()
            engine.update(batch)
        before = torch.get_rng_state()
        engine.get_action(OBS)
        assert torch.equal(before, torch.get_rng_state())
        return list(agent.parameters())

    undisturbed, disturbed = trained(lambda: None), trained(lambda: torch.randn(7))
    assert all(torch.equal(one, other) for one, other in zip(undisturbed, disturbed, strict=True))


@pytest.mark.parametrize("agent_class", [lac.LAC, lac.SAC])
def test_optimisers_continue_from_their_state(agent_class):
    first, second, third = batches()
    agent = an_agent(agent_class)
    engine = CompiledEngine(agent, torch.Generator().manual_seed(5))
    engine.update(first)
    engine.update(second)
    agent._set_learning_rates(lr_a=5e-3)
    optimizers = ("critic_optimizer", "policy_optimizer")
    saved = copy.deepcopy({name: getattr(agent, name).state_dict() for name in optimizers})
    weights, noise = copy.deepcopy(agent.state_dict()), engine.generator.get_state()
    engine.update(third)

    other = an_agent(agent_class)
    other.load_state_dict(weights)
    for name in optimizers:
        getattr(other, name).load_state_dict(saved[name])
    continued = CompiledEngine(other, torch.Generator())
    continued.generator.set_state(noise)
    continued.update(third)
    assert other.learning_rates == agent.learning_rates
    assert all(torch.equal(one, two) for one, two in zip(agent.parameters(), other.parameters(), strict=True))
