"""Actors, critics and their scaling against hand calculations and torch's own distributions."""

import math

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from network_support import (
    ACTIONS,
    CENTRE,
    HALF_WIDTH,
    OBSERVATIONS,
    actions,
    an_actor,
    an_actor_critic,
    observations,
    seeded,
)
from torch import nn
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from lac.networks import (
    LyapunovActorCritic,
    LyapunovActorTwinCritic,
    LyapunovCritic,
    QCritic,
    SoftActorCritic,
)


def heads(actor, obs):
    hidden = torch.relu(actor.net[2](torch.relu(actor.net[0](obs))))
    return actor.mu_layer(hidden), actor.log_std_layer(hidden)


def test_log_probability_is_that_of_the_squashed_sample():
    actor, obs = an_actor(), observations()
    action, logp = actor(obs)
    mu, log_std = heads(actor, obs)
    squashed = TransformedDistribution(Normal(mu, log_std.exp()), TanhTransform())
    # The density of the normalised action: the affine scaling to the box has no part in it.
    expected = squashed.log_prob((action - CENTRE) / HALF_WIDTH).sum(dim=-1)
    assert action.shape == (40, 2)
    assert logp.shape == (40,)
    torch.testing.assert_close(logp, expected, rtol=1e-3, atol=1e-3)


def test_log_probability_against_the_jacobian_at_the_drawn_noise():
    actor, obs = an_actor(), observations()
    torch.manual_seed(3)
    action, logp = actor(obs)
    torch.manual_seed(3)
    mu, log_std = (head.double() for head in heads(actor, obs))
    z = mu + log_std.exp() * torch.randn(40, 2).double()
    expected = (Normal(mu, log_std.exp()).log_prob(z) - torch.log(1 - z.tanh() ** 2)).sum(dim=-1)
    torch.testing.assert_close(logp.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(action.double(), CENTRE + HALF_WIDTH * z.tanh(), rtol=1e-5, atol=1e-5)


def test_log_probability_stays_finite_where_tanh_saturates():
    actor = an_actor()
    with torch.no_grad():
        actor.mu_layer.bias.fill_(40.0)
        actor.log_std_layer.weight.zero_()
        actor.log_std_layer.bias.zero_()
        actor.mu_layer.weight.zero_()
    torch.manual_seed(0)
    _, logp = actor(observations(4))
    torch.manual_seed(0)
    noise = torch.randn(4, 2).double()
    # log(1 - tanh(z)^2) tends to log 4 - 2 z.
    expected = (-0.5 * noise**2 - 0.5 * math.log(2 * math.pi) - (math.log(4) - 2 * (40 + noise))).sum(dim=-1)
    torch.testing.assert_close(logp.double(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("bias", "log_std"), [(50.0, 2.0), (-50.0, -20.0), (1.0, 1.0)])
def test_log_std_is_clamped(bias, log_std):
    actor = an_actor()
    with torch.no_grad():
        for layer in (actor.mu_layer, actor.log_std_layer):
            layer.weight.zero_()
        actor.mu_layer.bias.zero_()
        actor.log_std_layer.bias.fill_(bias)
    obs = observations(6)
    torch.manual_seed(0)
    action, logp = actor(obs)
    torch.manual_seed(0)
    z = math.exp(log_std) * torch.randn(6, 2)
    torch.testing.assert_close(action, CENTRE + HALF_WIDTH * z.tanh())
    logp.sum().backward()
    has_gradient = bool(actor.log_std_layer.bias.grad.any())
    assert has_gradient == (bias == 1.0)


def test_actions_stay_in_the_box_and_reach_its_sides():
    action, _ = an_actor()(observations(500, scale=1000.0))
    assert (action >= CENTRE - HALF_WIDTH).all()
    assert (action <= CENTRE + HALF_WIDTH).all()
    assert torch.isclose(action.min(dim=0).values, CENTRE - HALF_WIDTH, atol=1e-3).all()
    assert torch.isclose(action.max(dim=0).values, CENTRE + HALF_WIDTH, atol=1e-3).all()


def test_the_deterministic_action_is_the_squashed_mean():
    actor, obs = an_actor(), observations()
    mu, _ = heads(actor, obs)
    torch.testing.assert_close(actor.deterministic(obs), CENTRE + HALF_WIDTH * mu.tanh())


def test_gradients_flow_through_the_action_and_its_log_probability():
    actor = an_actor()
    for output in (0, 1):
        gradients = torch.autograd.grad(actor(observations())[output].sum(), list(actor.parameters()))
        assert all(gradient.any() for gradient in gradients)


def test_the_output_activation_acts_on_the_last_hidden_layer_alone():
    actor, obs = an_actor(output_activation=nn.Tanh), observations()
    hidden = torch.tanh(actor.net[2](torch.relu(actor.net[0](obs))))
    torch.testing.assert_close(actor.deterministic(obs), CENTRE + HALF_WIDTH * actor.mu_layer(hidden).tanh())


def test_the_activation_is_the_one_asked_for():
    ac, obs, act = an_actor_critic(activation={"actor": nn.Tanh, "critic": nn.ELU}), observations(), actions()
    hidden = torch.relu(ac.pi.net[2](torch.tanh(ac.pi.net[0](obs))))
    torch.testing.assert_close(ac.pi.deterministic(obs), CENTRE + HALF_WIDTH * ac.pi.mu_layer(hidden).tanh())
    elu = nn.functional.elu
    features = elu(ac.L.L[2](elu(ac.L.L[0](torch.cat([obs, act], dim=1)))))
    torch.testing.assert_close(ac.L(obs, act), (features**2).sum(dim=1))


# Critic ----------------------------------------------------------------------------------------------


def test_the_critic_is_the_sum_of_squared_rectified_features():
    critic = LyapunovCritic(1, 1, [2])
    with torch.no_grad():
        critic.L[0].weight.copy_(torch.tensor([[1.0, 2.0], [3.0, -1.0]]))
        critic.L[0].bias.copy_(torch.tensor([0.5, -1.0]))
    value = critic(torch.tensor([[1.0], [1.0], [-9.0]]), torch.tensor([[2.0], [0.0], [0.0]]))
    # Features (5.5, 0), (1.5, 2), (-8.5 and -28, both cut off).
    assert value.tolist() == [30.25, 6.25, 0.0]


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Identity])
def test_the_critic_is_never_negative(activation):
    critic = seeded(lambda: LyapunovCritic(3, 2, [16, 6], activation))
    value = critic(observations(300, scale=10.0), actions(300))
    assert value.shape == (300,)
    assert (value >= 0.0).all()
    assert value.max() > 0.0


def test_the_action_value_is_linear_in_its_last_hidden_layer():
    critic = QCritic(1, 1, [2])
    with torch.no_grad():
        critic.Q[0].weight.copy_(torch.tensor([[1.0, 2.0], [3.0, -1.0]]))
        critic.Q[0].bias.copy_(torch.tensor([0.5, -1.0]))
        critic.Q[2].weight.copy_(torch.tensor([[-2.0, 10.0]]))
        critic.Q[2].bias.fill_(0.25)
    value = critic(torch.tensor([[1.0], [1.0]]), torch.tensor([[2.0], [0.0]]))
    # Features (5.5, 0) and (1.5, 2); values may be negative.
    assert value.tolist() == [-10.75, 17.25]


# Actor-critics ---------------------------------------------------------------------------------------


def test_the_names_of_the_weights():
    heads_of_pi = ["pi.mu_layer", "pi.log_std_layer"]
    layers = ["pi.net.0", "pi.net.2", *heads_of_pi, "L.L.0", "L.L.2"]
    assert list(an_actor_critic().state_dict()) == [
        f"{layer}.{part}" for layer in layers for part in ("weight", "bias")
    ]


def test_the_names_of_the_weights_of_twins_with_three_layers():
    ac = an_actor_critic(LyapunovActorTwinCritic, hidden_sizes={"actor": [8], "critic": [8, 8, 4]})
    layers = ["pi.net.0", "pi.mu_layer", "pi.log_std_layer"]
    layers += [f"{critic}.{number}" for critic in ("L.L", "L2.L") for number in (0, 2, 4)]
    assert set(ac.state_dict()) == {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}


def test_the_names_of_the_weights_of_a_soft_actor_critic():
    layers = ["pi.net.0", "pi.net.2", "pi.mu_layer", "pi.log_std_layer"]
    layers += [f"{critic}.{number}" for critic in ("Q1.Q", "Q2.Q") for number in (0, 2, 4)]
    found = an_actor_critic(SoftActorCritic).state_dict()
    assert list(found) == [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
    assert found["Q1.Q.4.weight"].shape == (1, 6)


def test_the_shapes_follow_the_spaces_and_the_hidden_sizes():
    shapes = {name: tuple(value.shape) for name, value in an_actor_critic().state_dict().items()}
    assert shapes["pi.net.0.weight"] == (16, 3)
    assert shapes["pi.net.2.weight"] == (12, 16)
    assert shapes["pi.mu_layer.weight"] == shapes["pi.log_std_layer.weight"] == (2, 12)
    assert shapes["L.L.0.weight"] == (16, 5)
    assert shapes["L.L.2.weight"] == (6, 16)


def test_one_list_of_hidden_sizes_serves_both():
    shapes = {name: tuple(value.shape) for name, value in an_actor_critic(hidden_sizes=[7, 5]).state_dict().items()}
    assert shapes["pi.net.2.weight"] == shapes["L.L.2.weight"] == (5, 7)


def test_the_default_is_two_layers_of_256():
    shapes = {name: tuple(v.shape) for name, v in LyapunovActorCritic(OBSERVATIONS, ACTIONS).state_dict().items()}
    assert shapes["pi.net.2.weight"] == shapes["L.L.2.weight"] == (256, 256)


def test_twin_critics_start_from_different_weights():
    ac = an_actor_critic(LyapunovActorTwinCritic)
    assert not torch.equal(ac.L(observations(), actions()), ac.L2(observations(), actions()))


def test_act_gives_an_array_without_a_graph():
    ac, obs = an_actor_critic(), observations(5)
    assert ac.act(obs).shape == (5, 2)
    assert ac.act(obs[0]).shape == (2,)
    assert isinstance(ac.act(obs), np.ndarray)
    np.testing.assert_array_equal(ac.act(obs, deterministic=True), ac.pi.deterministic(obs).detach().numpy())
    assert not np.array_equal(ac.act(obs), ac.act(obs))


def test_a_network_setting_without_an_entry_for_a_part_is_refused():
    with pytest.raises(ValueError, match=r"^hidden_sizes is .* the entries actor and critic$"):
        an_actor_critic(hidden_sizes={"actor": [8]})


# Input scaling ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "widths"), [(4.0, [4.0, 4.0, 4.0]), ([1.0, 2.0, 5.0], [1.0, 2.0, 5.0])])
def test_observation_scale_divides_what_both_networks_read(scale, widths):
    plain, scaled = an_actor_critic(), an_actor_critic(observation_scale=scale)
    obs, act = observations(), actions()
    divided = obs / torch.tensor(widths)
    torch.testing.assert_close(scaled.pi.deterministic(obs), plain.pi.deterministic(divided))
    torch.testing.assert_close(scaled.L(obs, act), plain.L(divided, act))
    assert not torch.allclose(scaled.L(obs, act), plain.L(obs, act))


def test_normalise_actions_lets_the_critic_read_actions_in_minus_one_to_one():
    plain, scaled = an_actor_critic(), an_actor_critic(normalise_actions=True)
    obs, act = observations(), actions()
    torch.testing.assert_close(scaled.L(obs, act), plain.L(obs, (act - CENTRE) / HALF_WIDTH))
    torch.testing.assert_close(scaled.pi.deterministic(obs), plain.pi.deterministic(obs))
    assert not torch.allclose(scaled.L(obs, act), plain.L(obs, act))


def test_scaling_by_hand():
    ac = LyapunovActorCritic(
        Box(-10.0, 10.0, (1,)), Box(0.0, 4.0, (1,)), [1], observation_scale=5.0, normalise_actions=True
    )
    with torch.no_grad():
        ac.L.L[0].weight.copy_(torch.tensor([[2.0, 3.0]]))
        ac.L.L[0].bias.zero_()
    # 2 * 10 / 5 + 3 * (4 - 2) / 2 = 7
    assert ac.L(torch.tensor([[10.0]]), torch.tensor([[4.0]])).tolist() == [49.0]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_an_actor_without_biases_has_the_centre_of_the_box_at_zero(activation):
    ac = an_actor_critic(activation=activation, output_activation=activation, actor_bias=False)
    torch.testing.assert_close(ac.pi.deterministic(torch.zeros(1, 3))[0], CENTRE.float())
    obs = observations()
    if activation == "tanh":  # all layers are odd functions, and so is the policy
        torch.testing.assert_close(ac.pi.deterministic(obs) - CENTRE, CENTRE - ac.pi.deterministic(-obs))
    assert [name for name, _ in ac.pi.named_parameters() if "bias" in name] == ["log_std_layer.bias"]
    assert any("bias" in name for name, _ in ac.L.named_parameters())


def test_scaling_is_not_part_of_the_weights():
    assert list(an_actor_critic(observation_scale=3.0, normalise_actions=True).state_dict()) == list(
        an_actor_critic().state_dict()
    )


@pytest.mark.parametrize("scale", [0.0, -1.0, [1.0, 2.0, 0.0]])
def test_a_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(ValueError, match="observation_scale"):
        an_actor_critic(observation_scale=scale)


@pytest.mark.parametrize("scale", [[1.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
def test_a_scale_of_the_wrong_length_is_refused(scale):
    with pytest.raises(ValueError, match="observation_scale"):
        an_actor_critic(observation_scale=scale)


def test_the_bounds_of_the_standard_deviation():
    actor, obs = an_actor(), observations()
    with torch.no_grad():
        actor.log_std_layer.bias.copy_(torch.tensor([-25.0, 3.0]))
        actor.log_std_layer.weight.zero_()
    torch.manual_seed(0)
    action, logp = actor(obs)
    torch.manual_seed(0)
    noise = torch.randn(40, 2)
    mu, _ = heads(actor, obs)
    # The first deviation is lifted to exp(-20), the second lowered to exp(2).
    z = mu + torch.tensor([-20.0, 2.0]).exp() * noise
    torch.testing.assert_close(action, CENTRE + HALF_WIDTH * z.tanh())
    logp.sum().backward()
    assert torch.equal(actor.log_std_layer.bias.grad, torch.zeros(2))


def test_an_action_that_cannot_move_does_not_spoil_the_others():
    actions = Box(np.array([-1.0, 3.0]), np.array([1.0, 3.0]), dtype=np.float64)
    networks = LyapunovActorCritic(Box(-1.0, 1.0, (2,)), actions, hidden_sizes=[4], normalise_actions=True)
    sample, logp = networks.pi(torch.zeros(5, 2))
    assert (sample[:, 1] == 3.0).all()
    assert torch.isfinite(logp).all()
    assert torch.isfinite(networks.L(torch.zeros(5, 2), sample)).all()
