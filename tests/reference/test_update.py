"""LAC.update against a plain implementation of the reference's update, written here from its description."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch.distributions import Normal
from torch.nn import functional

from lac import LAC, LyapunovActorCritic, LyapunovActorTwinCritic
from lac.buffers import FiniteHorizonReplayBuffer, ReplayBuffer

OBS_DIM, ACT_DIM, BATCH, UPDATES = 5, 2, 32, 5
LOW, HIGH = torch.tensor([-2.0, 0.0]), torch.tensor([2.0, 1.0])
SPACES = SimpleNamespace(
    observation_space=Box(-np.inf, np.inf, (OBS_DIM,)),
    action_space=Box(LOW.numpy(), HIGH.numpy(), dtype=np.float32),
)
AC_KWARGS = {"hidden_sizes": {"actor": [16, 12], "critic": [16, 8]}}
OBSERVATION_SCALE = [1.0, 2.0, 0.5, 4.0, 1.0]


class PlainUpdate:
    """The update of stable-learning-control, step by step, with one torch optimiser per set of parameters."""

    def __init__(self, agent, *, alpha3, gamma, polyak, target_entropy, adaptive, rates, scaled=False):
        self.ac, self.ac_targ = copy.deepcopy(agent.ac), copy.deepcopy(agent.ac_targ)
        self.critics = [m for m in (self.ac.L, getattr(self.ac, "L2", None)) if m is not None]
        self.critics_targ = [m for m in (self.ac_targ.L, getattr(self.ac_targ, "L2", None)) if m is not None]
        self.log_alpha = agent.log_alpha.detach().clone().requires_grad_()
        self.log_labda = agent.log_labda.detach().clone().requires_grad_()
        self.alpha3, self.gamma, self.polyak = alpha3, gamma, polyak
        self.target_entropy, self.adaptive, self.scaled = target_entropy, adaptive, scaled
        self.critic_parameters = [p for critic in self.critics for p in critic.parameters()]
        self.opt_c = torch.optim.Adam(self.critic_parameters, lr=rates["lr_c"])
        self.opt_a = torch.optim.Adam(self.ac.pi.parameters(), lr=rates["lr_a"])
        self.opt_alpha = torch.optim.Adam([self.log_alpha], lr=rates["lr_alpha"])
        self.opt_labda = torch.optim.Adam([self.log_labda], lr=rates["lr_labda"])

    def policy(self, pi, obs):
        hidden = self._scale_obs(obs)
        for layer in (pi.net[0], pi.net[2]):
            hidden = functional.relu(functional.linear(hidden, layer.weight, layer.bias))
        mu = functional.linear(hidden, pi.mu_layer.weight, pi.mu_layer.bias)
        log_std = functional.linear(hidden, pi.log_std_layer.weight, pi.log_std_layer.bias).clamp(-20, 2)
        gaussian = Normal(mu, log_std.exp())
        z = gaussian.rsample()
        logp = gaussian.log_prob(z).sum(dim=1) - (2 * (math.log(2) - z - functional.softplus(-2 * z))).sum(dim=1)
        return LOW + (torch.tanh(z) + 1) * (HIGH - LOW) / 2, logp

    def value(self, critic, obs, act):
        if self.scaled:
            act = (act - (LOW + HIGH) / 2) / ((HIGH - LOW) / 2)
        hidden = torch.cat([self._scale_obs(obs), act], dim=1)
        for layer in (critic.L[0], critic.L[2]):
            hidden = functional.relu(functional.linear(hidden, layer.weight, layer.bias))
        return (hidden**2).sum(dim=1)

    def _scale_obs(self, obs):
        return obs / torch.tensor(OBSERVATION_SCALE) if self.scaled else obs

    def update(self, data):
        obs, act, cost, obs_next, done = (data[key] for key in ("obs", "act", "rew", "obs_next", "done"))

        # 1. Target, eq. 8 or 9.
        with torch.no_grad():
            if "horizon_rew" in data:
                target = data["horizon_rew"]
            else:
                act_next, _ = self.policy(self.ac_targ.pi, obs_next)
                values = torch.stack([self.value(critic, obs_next, act_next) for critic in self.critics_targ])
                target = cost + self.gamma * (1 - done) * values.max(dim=0).values

        # 2. Critic, eq. 7; twins both regress on the one target.
        self.opt_c.zero_grad()
        values = [self.value(critic, obs, act) for critic in self.critics]
        critic_loss = sum(0.5 * functional.mse_loss(value, target) for value in values)
        critic_loss.backward()
        self.opt_c.step()

        # 3. and 4. Actor, eq. 11 and 12, with the critics as constants.
        for parameter in self.critic_parameters:
            parameter.requires_grad_(False)
        self.opt_a.zero_grad()
        _, logp = self.policy(self.ac.pi, obs)
        act_next, _ = self.policy(self.ac.pi, obs_next)
        l_next = torch.stack([self.value(critic, obs_next, act_next) for critic in self.critics]).max(dim=0).values
        # L(s, a) is the value from before the critic step.
        drift = (l_next - values[0].detach() + self.alpha3 * cost).mean()
        labda = self.log_labda.detach().exp().clamp(0.0, 1.0)
        actor_loss = labda * drift + self.log_alpha.detach().exp() * logp.mean()
        actor_loss.backward()
        self.opt_a.step()
        for parameter in self.critic_parameters:
            parameter.requires_grad_(True)

        # 5. Temperature.
        alpha_loss = -(self.log_alpha.exp() * (logp.detach() + self.target_entropy)).mean()
        if self.adaptive:
            self.opt_alpha.zero_grad()
            alpha_loss.backward()
            self.opt_alpha.step()

        # 6. Multiplier.
        self.opt_labda.zero_grad()
        labda_loss = -(self.log_labda * drift.detach())
        labda_loss.backward()
        self.opt_labda.step()

        # 7. Polyak average.
        with torch.no_grad():
            for old, new in zip(self.ac_targ.parameters(), self.ac.parameters(), strict=True):
                old.copy_(self.polyak * old + (1 - self.polyak) * new)

        return {
            "critic_loss": critic_loss,
            "actor_loss": actor_loss,
            "alpha_loss": alpha_loss,
            "labda_loss": labda_loss,
            "decrease": drift,
            "l_mean": values[0].mean(),
            "entropy": -logp.mean(),
        }

    def state(self):
        state = {f"ac.{name}": value for name, value in self.ac.state_dict().items()}
        state |= {f"ac_targ.{name}": value for name, value in self.ac_targ.state_dict().items()}
        return state | {"log_alpha": self.log_alpha.detach(), "log_labda": self.log_labda.detach()}


def batches(horizon_length, number=UPDATES):
    generator = np.random.default_rng(11)
    if horizon_length:
        buffer = FiniteHorizonReplayBuffer(OBS_DIM, ACT_DIM, 500, horizon_length, seed=12)
    else:
        buffer = ReplayBuffer(OBS_DIM, ACT_DIM, 500, seed=12)
    for step in range(1, 201):
        done = step % 9 == 0
        act = generator.uniform(LOW.numpy(), HIGH.numpy())
        obs, obs_next = generator.normal(size=(2, OBS_DIM))
        buffer.store(obs, act, generator.uniform(0.0, 10.0), obs_next, done)
        if done:
            buffer.finish_episode()
    drawn = buffer.sample_batches(number, BATCH)
    assert all(("horizon_rew" in batch) == bool(horizon_length) for batch in drawn)
    assert any(batch["done"].any() for batch in drawn)
    return drawn


def an_agent(fast=True, **kwargs):
    torch.manual_seed(1)
    agent = LAC(SPACES, **{"ac_kwargs": AC_KWARGS} | kwargs)
    assert agent.use_kernels
    agent.use_kernels = fast
    # Target and online networks start equal; apart, they cannot be mistaken for each other.
    with torch.no_grad():
        for parameter in agent.ac_targ.parameters():
            parameter.mul_(1.1)
    return agent


def agent_state(agent):
    return {name: value for name, value in agent.state_dict().items() if isinstance(value, torch.Tensor)}


def assert_same_state(one, other):
    assert set(one) == set(other)
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


SETTINGS = {"alpha3": 0.3, "gamma": 0.9, "polyak": 0.8, "target_entropy": -1.5}
RATES = {"lr_a": 1e-3, "lr_c": 2e-3, "lr_alpha": 3e-3, "lr_labda": 4e-3}


@pytest.mark.parametrize("fast", [True, False], ids=["numpy", "torch"])
@pytest.mark.parametrize("horizon_length", [0, 4], ids=["infinite", "finite"])
@pytest.mark.parametrize("actor_critic", [LyapunovActorCritic, LyapunovActorTwinCritic], ids=["single", "twin"])
@pytest.mark.parametrize("adaptive", [True, False], ids=["adaptive", "fixed"])
@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
def test_five_updates_give_the_weights_of_the_reference(fast, horizon_length, actor_critic, adaptive, scaled):
    scaling = {"observation_scale": OBSERVATION_SCALE, "normalise_actions": True} if scaled else {}
    agent = an_agent(
        fast,
        actor_critic=actor_critic,
        ac_kwargs=AC_KWARGS | scaling,
        adaptive_temperature=adaptive,
        **SETTINGS,
        **RATES,
    )
    plain = PlainUpdate(agent, **SETTINGS, adaptive=adaptive, rates=RATES, scaled=scaled)
    start = {name: value.clone() for name, value in agent_state(agent).items()}

    data = batches(horizon_length)
    torch.manual_seed(2)
    found = [agent.update(batch) for batch in data]
    torch.manual_seed(2)
    expected = [plain.update(batch) for batch in data]

    assert_same_state(agent_state(agent), plain.state())
    moved = {name for name, value in agent_state(agent).items() if not torch.equal(value, start[name])}
    assert set(start) - moved == (set() if adaptive else {"log_alpha"})
    for told, truth in zip(found, expected, strict=True):
        assert set(told) == set(truth)
        for name, value in truth.items():
            torch.testing.assert_close(told[name], value.detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fast", [True, False], ids=["numpy", "torch"])
def test_the_default_target_entropy_and_rates_are_those_of_the_reference(fast):
    agent = an_agent(fast)
    plain = PlainUpdate(
        agent,
        alpha3=0.2,
        gamma=0.99,
        polyak=0.995,
        target_entropy=-ACT_DIM,
        adaptive=True,
        rates={"lr_a": 1e-4, "lr_c": 3e-4, "lr_alpha": 1e-4, "lr_labda": 3e-4},
    )
    data = batches(0)
    torch.manual_seed(2)
    for batch in data:
        agent.update(batch)
    torch.manual_seed(2)
    for batch in data:
        plain.update(batch)
    assert_same_state(agent_state(agent), plain.state())


@pytest.mark.parametrize("fast", [True, False], ids=["numpy", "torch"])
def test_the_multiplier_in_the_actor_loss_is_clipped_at_one(fast):
    agent = an_agent(fast, **SETTINGS, **RATES)
    with torch.no_grad():
        agent.log_labda.fill_(3.0)
    plain = PlainUpdate(agent, **SETTINGS, adaptive=True, rates=RATES)
    data = batches(0)
    torch.manual_seed(2)
    for batch in data:
        agent.update(batch)
    torch.manual_seed(2)
    for batch in data:
        plain.update(batch)
    assert_same_state(agent_state(agent), plain.state())


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


@pytest.mark.parametrize("fast", [True, False], ids=["numpy", "torch"])
def test_relative_critic_loss_by_hand(fast):
    agent, (batch,) = an_agent(fast, critic_loss="relative"), batches(4, number=1)
    target = batch["horizon_rew"]
    with torch.no_grad():
        expected = (0.5 * (agent.ac.L(batch["obs"], batch["act"]) - target) ** 2 / (1 + target)).mean()
    assert float(agent.update(batch)["critic_loss"]) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("fast", [True, False], ids=["numpy", "torch"])
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


@pytest.mark.parametrize("fast", [True, False], ids=["numpy", "torch"])
def test_labda_min_is_a_floor(fast):
    agent, free = an_agent(fast, labda_min=0.5, lr_labda=0.5), an_agent(fast, lr_labda=0.5)
    for one in (agent, free):
        for batch in batches(0):
            # L(s, a) far outside the action box is large and the cost is nothing: the condition is met.
            one.update({**batch, "act": batch["act"] * 100.0, "rew": torch.zeros(BATCH)})
    assert free.labda < 0.2
    assert agent.labda.item() == pytest.approx(0.5)


@pytest.mark.parametrize("fast", [True, False], ids=["numpy", "torch"])
def test_an_update_leaves_the_batch_alone(fast):
    (batch,) = batches(4, number=1)
    before = {name: column.clone() for name, column in batch.items()}
    an_agent(fast).update(batch)
    for name, column in before.items():
        assert torch.equal(batch[name], column)


@pytest.mark.parametrize("fast", [True, False], ids=["numpy", "torch"])
def test_diagnostics_carry_no_graph(fast):
    (batch,) = batches(0, number=1)
    told = an_agent(fast).update(batch)
    assert all(value.shape == () and not value.requires_grad for value in told.values())


@pytest.mark.parametrize("fast", [True, False], ids=["numpy", "torch"])
def test_rewards_are_updated_as_their_costs(fast):
    rewarded = SimpleNamespace(**vars(SPACES), reward_max=12.0)
    costs = an_agent(fast)
    rewards = LAC(rewarded, ac_kwargs=AC_KWARGS, opt_type="maximize")
    rewards.load_state_dict(costs.state_dict())
    rewards.use_kernels = fast
    for batch in batches(0):
        torch.manual_seed(3)
        costs.update(batch)
        torch.manual_seed(3)
        rewards.update({**batch, "rew": 12.0 - batch["rew"]})
    assert_same_state(agent_state(costs), agent_state(rewards))
