"""Which engine executes an agent, what it draws noise from, and that a training continues from its state."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

import lac
from lac.engines import CompiledEngine, TorchEngine, choose_engine, kernel
from lac.engines.memory import ACTIVATIONS

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
        (lambda: an_agent(activation=nn.ELU), "compiled"),
        (lambda: an_agent(activation=nn.GELU), "torch"),
        (lambda: an_agent(activation=nn.Softplus), "torch"),
        (lambda: an_agent().double(), "torch"),
        (lambda: an_agent(OfAUser), "torch"),
        (lambda: an_agent(actor_critic=CriticOfAUser), "torch"),
    ],
)
def test_the_engine_suits_the_agent(build, name):
    assert choose_engine(build()).name == name


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_those_of_torch_also_of_small_and_large_numbers(activation):
    numbers = [0.0, 1e-30, 1e-6, 1e-3, 0.1, 1.0, 17.0, 90.0, 1e4, math.inf]
    sums = torch.tensor([*numbers, *(-x for x in numbers), math.nan], requires_grad=True)
    expected = activation()(sums)
    expected.sum().backward()

    outputs, gradient = sums.detach().numpy().copy(), np.ones(len(sums), np.float32)
    kernel.activate(ACTIVATIONS[activation], outputs)
    kernel.times_slope(ACTIVATIONS[activation], outputs, gradient)
    np.testing.assert_allclose(outputs, expected.detach(), rtol=1e-6, atol=0)
    np.testing.assert_allclose(gradient[:-1], sums.grad[:-1], rtol=1e-6, atol=1e-7)


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


@pytest.mark.parametrize("agent_class", [lac.LAC, lac.SAC])
def test_engine_and_torch_share_the_numbers(agent_class):
    agent = an_agent(agent_class)
    parameters = dict(agent.named_parameters())
    before = {name: value.detach().clone() for name, value in parameters.items()}
    agent.update(batches()[0])
    assert all(agent.get_parameter(name) is value for name, value in parameters.items())
    assert all(not torch.equal(value, before[name]) for name, value in parameters.items())
    group = agent.critic_optimizer.groups["lr_c"]
    assert all(moment.any() for moment in group.first_moments)
    assert agent.critic_optimizer.steps == agent.policy_optimizer.steps == 1


def test_an_agent_may_change_its_engine_between_updates():
    first, second, third = batches()
    states = []
    for names in (("torch", "torch", "torch"), ("compiled", "torch", "auto")):
        agent = an_agent()
        torch.manual_seed(3)
        for name, batch in zip(names, (first, second, third), strict=True):
            agent.engine = name
            agent.update(batch)
        states.append([value.clone() for value in agent.parameters()])
    for one, other in zip(*states, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_a_copy_learns_for_itself():
    agent = an_agent()
    agent.update(batches()[0])
    twin = copy.deepcopy(agent)
    kept = [value.clone() for value in agent.parameters()]
    twin.update(batches()[1])
    assert all(torch.equal(one, other) for one, other in zip(agent.parameters(), kept, strict=True))
    assert not torch.equal(twin.ac.pi.mu_layer.weight, agent.ac.pi.mu_layer.weight)
    assert twin.critic_optimizer.steps == 2
    assert agent.critic_optimizer.steps == 1


def test_weights_that_replace_others_are_trained():
    agent, other = an_agent(), an_agent()
    agent.update(batches()[0])
    agent.load_state_dict(copy.deepcopy(other.state_dict()), assign=True)
    agent.update(batches()[1])
    moved = [not torch.equal(one, two) for one, two in zip(agent.parameters(), other.parameters(), strict=True)]
    assert all(moved)


def test_an_agent_that_moves_to_another_dtype_goes_on_in_torch():
    agent = an_agent()
    agent.get_action(OBS)
    agent.double()
    assert agent._compiled() is None


def test_a_compiled_form_that_is_asked_for_and_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="engine is 'compiled', but the activation GELU is none of ReLU, Tanh and ELU"):
        lac.LAC(SPACES, ac_kwargs=SMALL | {"activation": "gelu"}, engine="compiled")


def test_an_update_is_the_same_bits_in_each_run():
    def trained():
        agent = an_agent()
        torch.manual_seed(4)
        for batch in batches():
            agent.update(batch)
        return list(agent.parameters())

    assert all(torch.equal(one, other) for one, other in zip(trained(), trained(), strict=True))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("obs", lambda column: column[:, :2]),
        ("act", lambda column: column[:5]),
        ("rew", lambda column: column[:, None]),
        ("done", lambda column: column[:, None]),
        ("horizon_rew", lambda column: column[:3]),
    ],
)
@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_a_batch_of_other_shapes_is_refused(name, change, engine):
    batch = batches()[0]
    batch["horizon_rew"] = batch["rew"]
    agent = an_agent()
    agent.engine = engine
    with pytest.raises(ValueError, match=f"{name} of the batch has the shape"):
        agent.update({**batch, name: change(batch[name])})


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_batches_of_other_dtypes_and_strides_give_the_same(dtype):
    (batch,) = batches(1)
    states = []
    for columns in (batch, {name: column.to(dtype).flip(0).flip(0) for name, column in batch.items()}):
        agent = an_agent()
        torch.manual_seed(4)
        agent.update({**columns, "done": columns["done"].bool()})
        states.append(list(agent.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))


def test_observations_that_must_not_be_written_are_read():
    agent, obs = an_agent(), OBS.astype(np.float32)
    obs.flags.writeable = False
    assert np.array_equal(agent.get_action(obs, True), agent.get_action(OBS, True))
