import math

import pytest
import torch

from lac import losses


def test_worst_is_the_largest_prediction_of_each_row():
    first, second, third = (
        torch.tensor([1.0, 5.0, -2.0]),
        torch.tensor([3.0, 4.0, -1.0]),
        torch.tensor([0.0, 6.0, -3.0]),
    )
    assert losses.pessimistic([first]).tolist() == [1.0, 5.0, -2.0]
    assert losses.pessimistic([first, second]).tolist() == [3.0, 5.0, -1.0]
    assert losses.pessimistic([first, second, third]).tolist() == [3.0, 6.0, -1.0]


def test_worst_sends_the_gradient_to_the_largest_critic_alone():
    first = torch.tensor([1.0, 5.0], requires_grad=True)
    second = torch.tensor([3.0, 4.0], requires_grad=True)
    losses.pessimistic([first, second]).sum().backward()
    assert first.grad.tolist() == [0.0, 1.0]
    assert second.grad.tolist() == [1.0, 0.0]


def test_discounted_target_stops_at_a_terminal_state():
    target = losses.discounted_target(
        torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0]), torch.tensor([10.0, 10.0]), gamma=0.9
    )
    assert target.tolist() == pytest.approx([10.0, 2.0])


def test_entropy_lowers_the_soft_value_of_a_cost():
    # A log-probability of -2 is an entropy of 2.
    value = losses.soft_value(torch.tensor([10.0, 10.0]), torch.tensor([-2.0, 3.0]), torch.tensor(0.5))
    assert value.tolist() == [9.0, 11.5]


def test_critic_loss_is_half_the_mean_square():
    # ((1 - 3)^2 + (2 - 2)^2 + (6 - 2)^2) / 3 / 2
    loss = losses.critic_loss(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([3.0, 2.0, 2.0]))
    assert loss.shape == ()
    assert loss.item() == pytest.approx(20.0 / 6.0)


def test_critic_loss_weighs_each_square():
    # (0.25 * 4 + 0 + 0.5 * 16) / 3 / 2
    loss = losses.critic_loss(
        torch.tensor([1.0, 2.0, 6.0]), torch.tensor([3.0, 2.0, 2.0]), torch.tensor([0.25, 9.0, 0.5])
    )
    assert loss.item() == pytest.approx(1.5)


def test_critic_loss_pulls_with_the_mean_error():
    value = torch.tensor([1.0, 5.0], requires_grad=True)
    losses.critic_loss(value, torch.tensor([3.0, 2.0])).backward()
    assert value.grad.tolist() == pytest.approx([-1.0, 1.5])


def test_relative_weight_divides_by_one_plus_the_target():
    assert losses.relative_weight(torch.tensor([0.0, 1.0, 99.0])).tolist() == pytest.approx([1.0, 0.5, 0.01])


@pytest.mark.parametrize(("alpha3", "expected"), [(0.0, -1.5), (0.1, -1.2), (1.0, 1.5)])
def test_lyapunov_decrease(alpha3, expected):
    # mean of (4 - 5 + 2 alpha3, 1 - 3 + 4 alpha3)
    decrease = losses.lyapunov_decrease(
        torch.tensor([4.0, 1.0]), torch.tensor([5.0, 3.0]), torch.tensor([2.0, 4.0]), alpha3
    )
    assert decrease.shape == ()
    assert decrease.item() == pytest.approx(expected)


def test_actor_loss_is_the_lagrangian():
    loss = losses.actor_loss(torch.tensor(2.0), torch.tensor([-1.0, 3.0]), torch.tensor(0.5), torch.tensor(0.25))
    assert loss.item() == pytest.approx(0.5 * 2.0 + 0.25 * 1.0)


def test_temperature_loss_raises_alpha_where_the_entropy_is_too_low():
    alpha = torch.tensor(0.5, requires_grad=True)
    loss = losses.temperature_loss(alpha, torch.tensor([4.0, 6.0]), target_entropy=-3.0)
    assert loss.item() == pytest.approx(-0.5 * (5.0 - 3.0))
    loss.backward()
    assert alpha.grad.item() == pytest.approx(-2.0)


@pytest.mark.parametrize("decrease", [2.0, -2.0])
def test_multiplier_loss_follows_the_violation(decrease):
    log_labda = torch.tensor(math.log(0.5), requires_grad=True)
    loss = losses.multiplier_loss(log_labda, torch.tensor(decrease))
    assert loss.item() == pytest.approx(math.log(2.0) * decrease)
    loss.backward()
    # Descent moves the logarithm against the gradient: up while the condition is violated.
    assert log_labda.grad.item() == pytest.approx(-decrease)
