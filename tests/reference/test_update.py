"""LAC.update against a plain implementation of the reference's update."""

from types import SimpleNamespace

import pytest
import torch
from gymnasium.spaces import Box
from plain_updates import (
    AC_KWARGS,
    ACT_DIM,
    BATCH,
    SCALING,
    SPACES,
    PlainLyapunovUpdate,
    agent_state,
    assert_same_state,
    assert_updates_agree,
    batches,
    built,
    update_with,
)

from lac import LAC, LATC, LyapunovActorCritic, LyapunovActorTwinCritic


def an_agent(fast=True, **kwargs):
    return built(LAC, fast, **kwargs)


SETTINGS = {"alpha3": 0.3, "gamma": 0.9, "polyak": 0.8, "target_entropy": -1.5}
RATES = {"lr_a": 1e-3, "lr_c": 2e-3, "lr_alpha": 3e-3, "lr_labda": 4e-3}


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
@pytest.mark.parametrize("horizon_length", [0, 4], ids=["infinite", "finite"])
@pytest.mark.parametrize("actor_critic", [LyapunovActorCritic, LyapunovActorTwinCritic], ids=["single", "twin"])
@pytest.mark.parametrize("adaptive", [True, False], ids=["adaptive", "fixed"])
@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
def test_five_updates_give_the_weights_of_the_reference(fast, horizon_length, actor_critic, adaptive, scaled):
    agent = an_agent(
        fast,
        actor_critic=actor_critic,
        ac_kwargs=AC_KWARGS | (SCALING if scaled else {}),
        adaptive_temperature=adaptive,
        **SETTINGS,
        **RATES,
    )
    plain = PlainLyapunovUpdate(agent, **SETTINGS, adaptive=adaptive, rates=RATES, scaled=scaled)
    start = {name: value.clone() for name, value in agent_state(agent).items()}
    assert_updates_agree(agent, plain, batches(horizon_length))
    moved = {name for name, value in agent_state(agent).items() if not torch.equal(value, start[name])}
    assert set(start) - moved == (set() if adaptive else {"log_alpha"})


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
@pytest.mark.parametrize("horizon_length", [0, 4], ids=["infinite", "finite"])
@pytest.mark.parametrize("twin_drift", ["asymmetric", "symmetric"])
@pytest.mark.parametrize("drift_weights", ["mixed", "before", "after"])
def test_the_other_forms_of_the_drift(fast, horizon_length, twin_drift, drift_weights):
    drift = {"twin_drift": twin_drift, "drift_weights": drift_weights}
    agent = built(LATC, fast, **SETTINGS, **RATES, **drift)
    plain = PlainLyapunovUpdate(agent, **SETTINGS, adaptive=True, rates=RATES, **drift)
    assert_updates_agree(agent, plain, batches(horizon_length))


LINE = SimpleNamespace(observation_space=Box(-2.0, 2.0, (1,)), action_space=Box(-1.0, 1.0, (1,)))


def one_feature_twins(fast, first, second, **kwargs):
    """Critics ``(bias + s)^2``; the first step of Adam moves a bias by the learning rate of 0.1."""
    agent = LATC(LINE, ac_kwargs={"hidden_sizes": {"actor": [4], "critic": [1]}}, alpha3=0.5, lr_c=0.1, **kwargs)
    update_with(agent, fast)
    with torch.no_grad():
        for critic, bias in zip(agent.critics, (first, second), strict=True):
            critic.L[0].weight.copy_(torch.tensor([[1.0, 0.0]]))
            critic.L[0].bias.fill_(bias)
    return agent


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
@pytest.mark.parametrize(
    ("settings", "drift"),
    [
        # Before the step L is 1 and 4 at s = 0, 4 and 9 at s' = 1. A high cost pulls the biases up, 0.1 each:
        # 1.21 and 4.41 at s, 4.41 and 9.61 at s'. The cost of 100 adds 0.5 * 100.
        ({}, 9.61 - 4.0),
        ({"drift_weights": "before"}, 9.0 - 4.0),
        ({"drift_weights": "after"}, 9.61 - 4.41),
        ({"twin_drift": "asymmetric"}, 9.61 - 1.0),
        ({"twin_drift": "asymmetric", "drift_weights": "before"}, 9.0 - 1.0),
        ({"twin_drift": "asymmetric", "drift_weights": "after"}, 9.61 - 1.21),
    ],
    ids=str,
)
def test_forms_of_the_drift_by_hand(fast, settings, drift):
    agent = one_feature_twins(fast, 1.0, 2.0, **settings)
    zero, one = torch.zeros(3, 1), torch.ones(3, 1)
    batch = {"obs": zero, "act": zero, "obs_next": one, "rew": torch.full((3,), 100.0), "done": torch.ones(3)}
    assert agent.update(batch)["decrease"].item() == pytest.approx(drift + 50.0, rel=1e-5)


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
def test_latc_is_lac_with_the_twin_critic(fast):
    twins, other = built(LATC, fast), an_agent(fast, actor_critic=LyapunovActorTwinCritic)
    for agent in (twins, other):
        torch.manual_seed(2)
        for batch in batches(0):
            agent.update(batch)
    assert_same_state(agent_state(twins), agent_state(other))


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
def test_the_default_target_entropy_and_rates_are_those_of_the_reference(fast):
    agent = an_agent(fast)
    plain = PlainLyapunovUpdate(
        agent,
        alpha3=0.2,
        gamma=0.99,
        polyak=0.995,
        target_entropy=-ACT_DIM,
        adaptive=True,
        rates={"lr_a": 1e-4, "lr_c": 3e-4, "lr_alpha": 1e-4, "lr_labda": 3e-4},
    )
    assert_updates_agree(agent, plain, batches(0))


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
def test_the_multiplier_in_the_actor_loss_is_clipped_at_one(fast):
    agent = an_agent(fast, **SETTINGS, **RATES)
    with torch.no_grad():
        agent.log_labda.fill_(3.0)
    plain = PlainLyapunovUpdate(agent, **SETTINGS, adaptive=True, rates=RATES)
    assert_updates_agree(agent, plain, batches(0))


@pytest.mark.parametrize(
    "extra",
    [
        {"critic_loss": "relative"},
        {"anti_windup": True, "lr_labda": 0.1},
        {"labda": 0.5, "labda_min": 0.5, "alpha3": 0.0},
    ],
    ids=["relative", "anti_windup", "labda_min"],
)
@pytest.mark.parametrize("horizon_length", [0, 4], ids=["infinite", "finite"])
def test_both_ways_to_update_agree_on_what_the_reference_does_not_have(extra, horizon_length):
    states = []
    for fast in (True, False):
        agent = an_agent(fast, **extra)
        torch.manual_seed(2)
        for batch in batches(horizon_length):
            agent.update(batch)
        states.append(agent_state(agent))
    assert_same_state(*states)


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
def test_relative_critic_loss_by_hand(fast):
    agent, (batch,) = an_agent(fast, critic_loss="relative"), batches(4, number=1)
    target = batch["horizon_rew"]
    with torch.no_grad():
        expected = (0.5 * (agent.ac.L(batch["obs"], batch["act"]) - target) ** 2 / (1 + target)).mean()
    assert float(agent.update(batch)["critic_loss"]) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
def test_anti_windup_keeps_the_logarithm_at_zero_or_below(fast):
    # A demanded decrease this large is violated by every batch.
    settings = {"alpha3": 100.0, "lr_labda": 0.5}
    free, bounded = an_agent(fast, **settings), an_agent(fast, **settings, anti_windup=True)
    for batch in batches(0):
        free.update(batch)
        bounded.update(batch)
    assert free.log_labda.item() > 1.0
    assert bounded.log_labda.item() == 0.0
    assert free.labda == bounded.labda == 1.0


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
def test_labda_min_is_a_floor(fast):
    agent, free = an_agent(fast, labda_min=0.5, lr_labda=0.5), an_agent(fast, lr_labda=0.5)
    for one in (agent, free):
        for batch in batches(0):
            # L(s, a) far outside the action box is large and the cost is nothing: the condition is met.
            one.update({**batch, "act": batch["act"] * 100.0, "rew": torch.zeros(BATCH)})
    assert free.labda < 0.2
    assert agent.labda.item() == pytest.approx(0.5)


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
def test_an_update_leaves_the_batch_alone(fast):
    (batch,) = batches(4, number=1)
    before = {name: column.clone() for name, column in batch.items()}
    an_agent(fast).update(batch)
    for name, column in before.items():
        assert torch.equal(batch[name], column)


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
def test_diagnostics_carry_no_graph(fast):
    (batch,) = batches(0, number=1)
    told = an_agent(fast).update(batch)
    assert all(value.shape == () and not value.requires_grad for value in told.values())


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "torch"])
def test_rewards_are_updated_as_their_costs(fast):
    rewarded = SimpleNamespace(**vars(SPACES), reward_max=12.0)
    costs = an_agent(fast)
    rewards = LAC(rewarded, ac_kwargs=AC_KWARGS, opt_type="maximize")
    rewards.load_state_dict(costs.state_dict())
    update_with(rewards, fast)
    for batch in batches(0):
        torch.manual_seed(3)
        costs.update(batch)
        torch.manual_seed(3)
        rewards.update({**batch, "rew": 12.0 - batch["rew"]})
    assert_same_state(agent_state(costs), agent_state(rewards))
