"""The kernels in numpy against autograd, and where they are used."""

import numpy as np
import pytest
import torch
from network_support import actions, an_actor_critic, observations
from torch import nn

from lac.engines.numpy_networks import ActorKernel, LyapunovKernel, critic_kernel, has_numpy_form, pessimistic
from lac.networks import (
    LyapunovActorCritic,
    LyapunovActorTwinCritic,
    SoftActorCritic,
)

SCALINGS = [{}, {"observation_scale": [2.0, 0.5, 3.0], "normalise_actions": True}]


def wide_log_std(actor):
    """Spread log-std over and beyond the clamp, so that both sides of it are exercised."""
    with torch.no_grad():
        actor.log_std_layer.weight.mul_(40.0)


@pytest.mark.parametrize("scaling", SCALINGS, ids=["plain", "scaled"])
def test_actor_kernel_forward_and_gradients_against_autograd(scaling):
    actor, obs = an_actor_critic(**scaling).pi, observations(scale=2.0)
    wide_log_std(actor)
    generator = torch.Generator().manual_seed(9)
    grad_action, grad_logp = torch.randn(40, 2, generator=generator), torch.randn(40, generator=generator)
    torch.manual_seed(4)
    action, logp = actor(obs)
    expected = torch.autograd.grad((action * grad_action).sum() + (logp * grad_logp).sum(), list(actor.parameters()))

    kernel = ActorKernel(actor)
    torch.manual_seed(4)
    noise = torch.randn(40, 2).numpy()
    sample = kernel.sample(obs.numpy(), noise)
    assert 0 < sample.inside.mean() < 1
    np.testing.assert_allclose(sample.action, action.detach(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sample.logp, logp.detach(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(kernel.action(obs.numpy(), noise), action.detach(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        kernel.deterministic(obs.numpy()), actor.deterministic(obs).detach(), rtol=1e-4, atol=1e-5
    )
    gradients = kernel.parameter_gradients(sample, grad_action.numpy(), grad_logp.numpy())
    assert len(gradients) == len(expected)
    for gradient, truth in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, truth, rtol=1e-3, atol=1e-4 * float(truth.abs().max()))


@pytest.mark.parametrize("scaling", SCALINGS, ids=["plain", "scaled"])
@pytest.mark.parametrize(("cls", "name"), [(LyapunovActorCritic, "L"), (SoftActorCritic, "Q2")])
def test_critic_kernel_forward_and_gradients_against_autograd(scaling, cls, name):
    critic, obs, act = getattr(an_actor_critic(cls, **scaling), name), observations(), actions().requires_grad_()
    grad_value = torch.randn(40, generator=torch.Generator().manual_seed(9))
    value = critic(obs, act)
    *expected, expected_action = torch.autograd.grad((value * grad_value).sum(), [*critic.parameters(), act])

    kernel = critic_kernel(critic)
    kernel_value, outputs = kernel.forward(obs.numpy(), act.detach().numpy())
    np.testing.assert_allclose(kernel_value, value.detach(), rtol=1e-4, atol=1e-6)
    gradients = kernel.parameter_gradients(grad_value.numpy(), outputs)
    assert len(gradients) == len(expected)
    for gradient, truth in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, truth, rtol=1e-3, atol=1e-5 * float(truth.abs().max()))
    np.testing.assert_allclose(
        kernel.action_gradient(grad_value.numpy(), outputs, 2), expected_action, rtol=1e-3, atol=1e-6
    )


def test_shares_of_the_largest_are_those_of_autograd():
    values = [torch.tensor([1.0, 5.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0, 2.0], requires_grad=True)]
    largest = torch.maximum(*values)
    expected = torch.autograd.grad(largest.sum(), values)
    found, shares = pessimistic([value.detach().numpy() for value in values])
    np.testing.assert_array_equal(found, largest.detach())
    np.testing.assert_array_equal(shares, torch.stack(expected))


def test_kernels_follow_the_weights_they_were_made_for():
    ac, obs = an_actor_critic(), observations()
    actor_kernel, critic_kernel = ActorKernel(ac.pi), LyapunovKernel(ac.L)
    with torch.no_grad():
        for parameter in ac.parameters():
            parameter.mul_(1.5)
    np.testing.assert_allclose(
        actor_kernel.deterministic(obs.numpy()), ac.pi.deterministic(obs).detach(), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        critic_kernel.forward(obs.numpy(), actions().numpy())[0], ac.L(obs, actions()).detach(), rtol=1e-4
    )


class OfAUser(LyapunovActorCritic):
    pass


@pytest.mark.parametrize(
    ("build", "usable"),
    [
        (an_actor_critic, True),
        (lambda: an_actor_critic(LyapunovActorTwinCritic), True),
        (lambda: an_actor_critic(SoftActorCritic), True),
        (lambda: an_actor_critic(SoftActorCritic, activation=nn.Tanh), False),
        (lambda: an_actor_critic(activation=nn.Tanh), False),
        (lambda: an_actor_critic(output_activation={"actor": nn.Identity}), False),
        (lambda: an_actor_critic().double(), False),
        # A subclass may compute something else than the kernels do.
        (lambda: an_actor_critic(OfAUser), False),
        (lambda: nn.Linear(2, 2), False),
    ],
)
def test_kernels_are_used_only_where_they_compute_the_same(build, usable):
    assert has_numpy_form(build()) is usable
