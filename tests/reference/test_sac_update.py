"""SAC.update against a plain implementation in the form of its paper, with rewards."""

import math
from types import SimpleNamespace

import pytest
import torch
from gymnasium.spaces import Box
from plain_updates import (
    AC_KWARGS,
    ACT_DIM,
    SCALING,
    SPACES,
    PlainSoftUpdate,
    agent_state,
    assert_same_state,
    assert_updates_agree,
    batches,
    built,
    update_with,
)
from torch import nn

from lac import SAC
from lac.engines import choose_engine

SETTINGS = {"gamma": 0.9, "polyak": 0.8, "target_entropy": -1.5}
RATES = {"lr_a": 1e-3, "lr_c": 2e-3, "lr_alpha": 3e-3}

ways = pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])


@ways
@pytest.mark.parametrize("adaptive", [True, False], ids=["adaptive", "fixed"])
@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
def test_five_updates_give_the_weights_of_the_plain_ones(fast, adaptive, scaled):
    agent = built(
        SAC,
        fast,
        ac_kwargs=AC_KWARGS | (SCALING if scaled else {}),
        adaptive_temperature=adaptive,
        **SETTINGS,
        **RATES,
    )
    plain = PlainSoftUpdate(agent, **SETTINGS, adaptive=adaptive, rates=RATES, scaled=scaled)
    start = {name: value.clone() for name, value in agent_state(agent).items()}
    assert_updates_agree(agent, plain, batches(0))
    moved = {name for name, value in agent_state(agent).items() if not torch.equal(value, start[name])}
    assert set(start) - moved == (set() if adaptive else {"log_alpha"})


@ways
def test_the_defaults(fast):
    agent = built(SAC, fast)
    rates = {"lr_a": 1e-4, "lr_c": 3e-4, "lr_alpha": 1e-4}
    plain = PlainSoftUpdate(agent, gamma=0.99, polyak=0.995, target_entropy=-ACT_DIM, adaptive=True, rates=rates)
    assert_updates_agree(agent, plain, batches(0))


@ways
def test_twins_with_equal_weights_share_the_gradient(fast):
    agent = built(SAC, fast, **SETTINGS, **RATES)
    for ac in (agent.ac, agent.ac_targ):
        ac.Q2.load_state_dict(ac.Q1.state_dict())
    plain = PlainSoftUpdate(agent, **SETTINGS, adaptive=True, rates=RATES)
    assert_updates_agree(agent, plain, batches(0))


@ways
def test_rewards_are_updated_as_their_costs(fast):
    rewarded = SimpleNamespace(**vars(SPACES), reward_max=12.0)
    costs, rewards = built(SAC, fast), SAC(rewarded, ac_kwargs=AC_KWARGS, opt_type="maximize")
    rewards.load_state_dict(costs.state_dict())
    update_with(rewards, fast)
    for batch in batches(0):
        torch.manual_seed(3)
        costs.update(batch)
        torch.manual_seed(3)
        rewards.update({**batch, "rew": 12.0 - batch["rew"]})
    assert_same_state(agent_state(costs), agent_state(rewards))


# By hand: a policy of known mean and spread, and critics that are constants.

LINE = SimpleNamespace(observation_space=Box(-1.0, 1.0, (1,)), action_space=Box(-1.0, 1.0, (1,)))


def constant_agent(fast, values, alpha):
    """Every action is tanh(z), z normal with mean 0 and deviation 1; critics say ``values``, whatever they see."""
    agent = SAC(LINE, ac_kwargs={"hidden_sizes": [4]}, alpha=alpha, gamma=0.5, lr_a=0.0, lr_c=0.0)
    update_with(agent, fast)
    with torch.no_grad():
        for parameter in (*agent.ac.parameters(), *agent.ac_targ.parameters()):
            parameter.zero_()
        for ac in (agent.ac, agent.ac_targ):
            for critic, value in zip((ac.Q1, ac.Q2), values, strict=True):
                critic.Q[-1].bias.fill_(value)
    return agent


def log_probability(z):
    return -0.5 * z**2 - 0.5 * math.log(2 * math.pi) - torch.log(1 - z.tanh() ** 2)


def four(rew, done):
    zeros = torch.zeros(4, 1)
    return {"obs": zeros, "act": zeros, "obs_next": zeros, "rew": torch.full((4,), rew), "done": torch.full((4,), done)}


@ways
@pytest.mark.parametrize(("values", "largest"), [((1.0, 3.0), 3.0), ((3.0, 1.0), 3.0), ((-2.0, -5.0), -2.0)])
def test_the_larger_critic_is_believed_and_entropy_lowers_the_cost(fast, values, largest):
    agent = constant_agent(fast, values, alpha=0.25)
    torch.manual_seed(6)
    told = agent.update(four(2.0, 0.0))
    torch.manual_seed(6)
    logp_next, logp = log_probability(torch.randn(4, 1))[:, 0], log_probability(torch.randn(4, 1))[:, 0]
    # Soft value of s': max(Q1, Q2) + 0.25 log pi; the target is 2 + 0.5 of it.
    target = 2.0 + 0.5 * (largest + 0.25 * logp_next)
    expected = sum(0.5 * ((value - target) ** 2).mean() for value in values)
    assert told["critic_loss"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert told["actor_loss"].item() == pytest.approx(largest + 0.25 * logp.mean().item(), rel=1e-4)
    assert told["q_mean"].item() == pytest.approx(values[0])
    assert told["entropy"].item() == pytest.approx(-logp.mean().item(), rel=1e-4)


@ways
def test_nothing_lies_behind_a_terminal_state(fast):
    told = constant_agent(fast, (1.0, 3.0), alpha=0.25).update(four(2.0, 1.0))
    assert told["critic_loss"].item() == pytest.approx(0.5 * ((1.0 - 2.0) ** 2 + (3.0 - 2.0) ** 2), rel=1e-5)


@ways
def test_an_update_leaves_the_batch_alone_and_its_diagnostics_carry_no_graph(fast):
    (batch,) = batches(0, number=1)
    before = {name: column.clone() for name, column in batch.items()}
    told = built(SAC, fast).update(batch)
    assert all(torch.equal(batch[name], column) for name, column in before.items())
    assert all(value.shape == () and not value.requires_grad for value in told.values())
    assert tuple(told) == SAC.DIAGNOSTICS


def test_other_activations_take_the_way_through_torch():
    agent = SAC(SPACES, ac_kwargs=AC_KWARGS | {"activation": nn.GELU})
    assert choose_engine(agent).name == "torch"
    assert agent.update(batches(0, number=1)[0])["critic_loss"].isfinite()
