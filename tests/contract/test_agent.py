"""The members of LAC, but for its ways to disk."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from api_support import (
    GROUPS,
    RATES,
    SMALL,
    SPACES,
    OwnActorCritic,
    OwnDeterministicActorCritic,
    a_batch,
    an_agent,
    same,
    tensors,
)
from gymnasium.spaces import Box
from torch import nn

from lac import (
    LAC,
    LyapunovActorCritic,
)
from lac.devices import torch_device

# Members: networks, multipliers, device --------------------------------------------------------------


def test_the_target_starts_as_a_copy_without_gradients():
    agent = an_agent()
    assert same(tensors(agent.ac), tensors(agent.ac_targ))
    assert not any(p.requires_grad for p in agent.ac_targ.parameters())
    assert all(p.requires_grad for p in agent.ac.parameters())
    memory = {p.data_ptr() for p in agent.ac.parameters()}
    assert memory.isdisjoint(p.data_ptr() for p in agent.ac_targ.parameters())


def test_the_default_actor_critic():
    assert type(LAC(SPACES).ac) is LyapunovActorCritic


def test_the_multipliers_are_logarithms():
    agent = an_agent(alpha=0.5, labda=0.25)
    assert isinstance(agent.log_alpha, nn.Parameter)
    assert isinstance(agent.log_labda, nn.Parameter)
    assert agent.log_alpha.item() == pytest.approx(math.log(0.5))
    assert agent.log_labda.item() == pytest.approx(math.log(0.25))
    assert float(agent.alpha) == pytest.approx(0.5)
    assert float(agent.labda) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("alpha", 0.3, 0.3),
        ("alpha", 7.0, 7.0),
        ("alpha", 0.0, 0.0),
        ("alpha", -1.0, 0.0),
        ("labda", 0.3, 0.3),
        ("labda", 0.0, 0.0),
        ("labda", -1.0, 0.0),
        ("labda", 7.0, 1.0),
    ],
)
def test_multipliers_are_set_in_place_and_bounded(name, given, taken):
    agent = an_agent()
    parameter = getattr(agent, f"log_{name}")
    memory = parameter.data_ptr()
    setattr(agent, name, given)
    assert float(getattr(agent, name)) == pytest.approx(taken, rel=1e-6, abs=1e-30)
    assert getattr(agent, f"log_{name}") is parameter
    assert parameter.data_ptr() == memory
    assert math.isfinite(parameter.item())


def test_a_multiplier_is_trained_from_where_it_was_set():
    agent = an_agent(lr_alpha=1e-3, lr_labda=1e-3)
    agent.alpha, agent.labda = 0.3, 0.4
    agent.update(a_batch())
    # The first step of Adam is one learning rate long.
    assert abs(agent.log_alpha.item() - math.log(0.3)) == pytest.approx(1e-3, rel=0.01)
    assert abs(agent.log_labda.item() - math.log(0.4)) == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", None, True, torch.zeros(2)])
@pytest.mark.parametrize("name", ["alpha", "labda"])
def test_a_multiplier_is_a_finite_number(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*; it must be a finite number"):
        setattr(an_agent(), name, value)


def test_labda_is_bounded_whatever_its_logarithm():
    agent = an_agent()
    with torch.no_grad():
        agent.log_labda.fill_(2.0)
    assert float(agent.labda) == 1.0


def test_target_entropy_is_minus_the_action_dimension_and_read_only():
    agent = an_agent()
    assert agent.target_entropy == -2.0
    assert an_agent(target_entropy=-0.5).target_entropy == -0.5
    with pytest.raises(AttributeError):
        agent.target_entropy = 1.0


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("cpu", "cpu"),
        ("gpu", "cuda"),
        ("gpu:0", "cuda:0"),
        ("gpu:1", "cuda:1"),
        ("cuda", "cuda"),
        ("cuda:0", "cuda:0"),
        ("auto", "cuda"),
    ],
)
def test_device_names_where_there_are_gpus(monkeypatch, name, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert torch_device(name) == torch.device(device)
    with pytest.raises(ValueError, match="device is 'gpu:2'"):
        torch_device("gpu:2")


def test_device_names_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert an_agent(device="auto").device == an_agent(device="cpu").device == torch.device("cpu")
    for name in ("gpu", "gpu:0", "cuda", "cuda:0"):
        with pytest.raises(ValueError, match=f"device is '{name}'"):
            an_agent(device=name)


@pytest.mark.parametrize("name", ["gpuu", "cpu:0", "cuda:x", "cuda:-1", "tpu", ""])
def test_other_device_names_are_refused(name):
    with pytest.raises(ValueError, match="device is"):
        an_agent(device=name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("opt_type", "minimise"),
        ("alpha", -1.0),
        ("alpha3", -0.1),
        ("labda", 1.5),
        ("gamma", 1.1),
        ("polyak", -0.1),
        ("lr_a", -1.0),
    ],
)
def test_a_setting_out_of_its_range_is_refused_at_construction(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value!r}"):
        an_agent(**{name: value})


# Members: acting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU], ids=["kernels", "torch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_actions_for_one_observation_and_for_a_batch(activation, dtype):
    low, high = np.array([-0.1, 2.0], dtype), np.array([0.7, 5.0], dtype)
    spaces = SimpleNamespace(observation_space=SPACES.observation_space, action_space=Box(low, high, dtype=dtype))
    agent = an_agent(env=spaces, ac_kwargs=SMALL | {"activation": activation})
    obs = np.random.default_rng(0).normal(size=(5, 3))
    one, batch = agent.get_action(obs[0], deterministic=True), agent.get_action(obs, deterministic=True)
    assert isinstance(one, np.ndarray)
    assert one.shape == (2,)
    assert batch.shape == (5, 2)
    assert one.dtype == batch.dtype == dtype
    np.testing.assert_allclose(one, batch[0], rtol=1e-5)
    expected = agent.ac.pi.deterministic(torch.as_tensor(obs, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(batch, expected, rtol=1e-5, atol=1e-6)
    assert spaces.action_space.contains(one)
    assert agent.get_action(obs).shape == (5, 2)
    assert agent.get_action(obs[0].tolist()).shape == (2,)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU], ids=["kernels", "torch"])
def test_only_the_deterministic_action_repeats_itself(activation):
    agent, obs = an_agent(ac_kwargs=SMALL | {"activation": activation}), np.ones(3)
    np.testing.assert_array_equal(agent.get_action(obs, deterministic=True), agent.get_action(obs, deterministic=True))
    assert not np.array_equal(agent.get_action(obs), agent.get_action(obs))
    torch.manual_seed(3)
    first = agent.get_action(np.ones((4, 3)))
    torch.manual_seed(3)
    np.testing.assert_array_equal(first, agent.get_action(np.ones((4, 3))))
    assert len(np.unique(first, axis=0)) == 4


def test_forward_is_get_action():
    agent, obs = an_agent(), np.ones((4, 3))
    np.testing.assert_array_equal(agent(obs, deterministic=True), agent.get_action(obs, deterministic=True))
    torch.manual_seed(3)
    sampled = agent(obs)
    torch.manual_seed(3)
    np.testing.assert_array_equal(sampled, agent.get_action(obs))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU], ids=["kernels", "torch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [-60.0, 60.0])
def test_actions_stay_in_the_bounds_to_the_last_bit(activation, dtype, bias):
    # 0.7 and -0.1 are no float32 numbers: what comes out of the networks has to be cut.
    space = Box(np.array([-0.1, 2.0], dtype), np.array([0.7, 5.1], dtype), dtype=dtype)
    agent = an_agent(
        env=SimpleNamespace(observation_space=SPACES.observation_space, action_space=space),
        ac_kwargs=SMALL | {"activation": activation},
    )
    with torch.no_grad():
        agent.ac.pi.mu_layer.bias.fill_(bias)
    for deterministic in (True, False):
        action = agent.get_action(np.zeros(3), deterministic=deterministic)
        assert space.contains(action)
        np.testing.assert_allclose(action, space.high if bias > 0 else space.low, rtol=1e-6)


# Members: update and learning rates ------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [False, True])
def test_update_moves_everything_and_tells_its_diagnostics(horizon):
    agent = an_agent()
    before, batch = tensors(agent), a_batch()
    told = agent.update(batch | ({"horizon_rew": batch["rew"] * 3} if horizon else {}))
    after = tensors(agent)
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    assert told.keys() >= {"critic_loss", "actor_loss", "alpha_loss", "labda_loss", "decrease", "entropy"}
    assert all(math.isfinite(float(value)) for value in told.values())


def test_update_targets_is_the_polyak_average():
    agent = an_agent(polyak=0.75)
    with torch.no_grad():
        for p in agent.ac.parameters():
            p.fill_(2.0)
        for p in agent.ac_targ.parameters():
            p.fill_(1.0)
    agent._update_targets()
    assert all(torch.equal(p, torch.full_like(p, 1.25)) for p in agent.ac_targ.parameters())
    assert all(torch.equal(p, torch.full_like(p, 2.0)) for p in agent.ac.parameters())


@pytest.mark.parametrize("name", RATES)
def test_set_learning_rates_sets_the_one_it_names(name):
    agent = an_agent()
    agent._set_learning_rates(**{name: 0.0})
    before = tensors(agent)
    agent.update(a_batch())
    after = tensors(agent)
    still = {key for key in before if torch.equal(before[key], after[key])}
    assert still == {key for key in before if key.startswith((GROUPS[name], f"ac_targ.{GROUPS[name][3:]}"))}


def test_set_learning_rates_takes_its_arguments_in_order():
    agent = an_agent()
    agent._set_learning_rates(0.1, 0.2, 0.3, 0.4)
    assert agent.learning_rates == {"lr_a": 0.1, "lr_c": 0.2, "lr_alpha": 0.3, "lr_labda": 0.4}


def test_bound_lr_raises_what_lies_below_and_leaves_the_rest():
    agent = an_agent(lr_a=1e-3, lr_c=1e-6, lr_alpha=1e-6, lr_labda=1e-3)
    agent.bound_lr(1e-4, 1e-4, 1e-5, 1e-5)
    assert agent.learning_rates == {"lr_a": 1e-3, "lr_c": 1e-4, "lr_alpha": 1e-5, "lr_labda": 1e-3}


# Actor-critics of users ------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [OwnActorCritic, OwnDeterministicActorCritic])
@pytest.mark.parametrize("critics", [("L",), ("L", "L2")], ids=["single", "twin"])
def test_an_actor_critic_of_a_user_learns_acts_and_is_saved(tmp_path, cls, critics):
    agent = an_agent(actor_critic=cls, ac_kwargs={"critics": critics})
    before = tensors(agent)
    agent.update(a_batch())
    after = tensors(agent)
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    for deterministic in (False, True):
        for obs in (np.ones(3), np.ones((5, 3))):
            action = agent.get_action(obs, deterministic)
            assert action.shape == (*obs.shape[:-1], 2)
            assert all(SPACES.action_space.contains(row) for row in np.atleast_2d(action))
    agent.save(tmp_path)
    other = an_agent(1, actor_critic=cls, ac_kwargs={"critics": critics})
    other.restore(tmp_path, True)
    assert same(tensors(agent), tensors(other))


def test_deterministic_reaches_an_act_that_takes_it():
    agent, obs = an_agent(actor_critic=OwnDeterministicActorCritic, ac_kwargs={}), np.ones(3)
    with torch.no_grad():
        sides = agent.ac.pi.mean(torch.ones(3)).numpy() > 0
    expected = np.where(sides, SPACES.action_space.high, SPACES.action_space.low)
    np.testing.assert_array_equal(agent.get_action(obs, deterministic=True), expected)


class OwnDoubleActorCritic(OwnActorCritic):
    def act(self, obs):
        return super().act(obs).astype(np.float64)


def test_actions_of_a_user_get_the_type_of_the_environment():
    space = Box(-1.0, 1.0, (2,), np.float32)
    spaces = SimpleNamespace(observation_space=SPACES.observation_space, action_space=space)
    agent = an_agent(env=spaces, actor_critic=OwnDoubleActorCritic, ac_kwargs={})
    assert space.contains(agent.get_action(np.ones(3)))
