"""Plain implementations of the updates, written from their description, and what is compared with them."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import torch
from gymnasium.spaces import Box
from torch.distributions import Normal
from torch.nn import functional

from lac.buffers import FiniteHorizonReplayBuffer, ReplayBuffer

OBS_DIM, ACT_DIM, BATCH, UPDATES = 5, 2, 32, 5
LOW, HIGH = torch.tensor([-2.0, 0.0]), torch.tensor([2.0, 1.0])
SPACES = SimpleNamespace(
    observation_space=Box(-np.inf, np.inf, (OBS_DIM,)),
    action_space=Box(LOW.numpy(), HIGH.numpy(), dtype=np.float32),
)
AC_KWARGS = {"hidden_sizes": {"actor": [16, 12], "critic": [16, 8]}}
OBSERVATION_SCALE = [1.0, 2.0, 0.5, 4.0, 1.0]
SCALING = {"observation_scale": OBSERVATION_SCALE, "normalise_actions": True}


class PlainUpdate:
    """What both algorithms share: networks as formulas, and one torch optimiser per set of parameters."""

    def __init__(self, agent, names, *, gamma, polyak, target_entropy, adaptive, rates, scaled=False):
        self.ac, self.ac_targ = copy.deepcopy(agent.ac), copy.deepcopy(agent.ac_targ)
        self.critics, self.critics_targ = (
            [getattr(ac, name) for name in names if hasattr(ac, name)] for ac in (self.ac, self.ac_targ)
        )
        self.log_alpha = agent.log_alpha.detach().clone().requires_grad_()
        self.gamma, self.polyak = gamma, polyak
        self.target_entropy, self.adaptive = target_entropy, adaptive
        self.scaled = scaled
        self.critic_parameters = [p for critic in self.critics for p in critic.parameters()]
        self.opt_c = torch.optim.Adam(self.critic_parameters, lr=rates["lr_c"])
        self.opt_a = torch.optim.Adam(self.ac.pi.parameters(), lr=rates["lr_a"])
        self.opt_alpha = torch.optim.Adam([self.log_alpha], lr=rates["lr_alpha"])

    def policy(self, pi, obs):
        hidden = self.scale_obs(obs)
        for layer in (pi.net[0], pi.net[2]):
            hidden = functional.relu(functional.linear(hidden, layer.weight, layer.bias))
        mu = functional.linear(hidden, pi.mu_layer.weight, pi.mu_layer.bias)
        log_std = functional.linear(hidden, pi.log_std_layer.weight, pi.log_std_layer.bias).clamp(-20, 2)
        gaussian = Normal(mu, log_std.exp())
        z = gaussian.rsample()
        logp = gaussian.log_prob(z).sum(dim=1) - (2 * (math.log(2) - z - functional.softplus(-2 * z))).sum(dim=1)
        return LOW + (torch.tanh(z) + 1) * (HIGH - LOW) / 2, logp

    def hidden(self, layers, obs, act):
        if self.scaled:
            act = (act - (LOW + HIGH) / 2) / ((HIGH - LOW) / 2)
        hidden = torch.cat([self.scale_obs(obs), act], dim=1)
        for layer in (layers[0], layers[2]):
            hidden = functional.relu(functional.linear(hidden, layer.weight, layer.bias))
        return hidden

    def scale_obs(self, obs):
        return obs / torch.tensor(OBSERVATION_SCALE) if self.scaled else obs

    def largest(self, critics, obs, act):
        return torch.stack([self.value(critic, obs, act) for critic in critics]).max(dim=0).values

    def discounted(self, cost, done, following):
        return cost + self.gamma * (1 - done) * following

    def step_critics(self, loss):
        self.opt_c.zero_grad()
        loss.backward()
        self.opt_c.step()

    def step_actor(self, loss):
        self.opt_a.zero_grad()
        loss.backward(inputs=list(self.ac.pi.parameters()))
        self.opt_a.step()

    def step_temperature(self, logp):
        loss = -(self.log_alpha.exp() * (logp.detach() + self.target_entropy)).mean()
        if self.adaptive:
            self.opt_alpha.zero_grad()
            loss.backward()
            self.opt_alpha.step()
        return loss

    def average(self):
        with torch.no_grad():
            for old, new in zip(self.ac_targ.parameters(), self.ac.parameters(), strict=True):
                old.copy_(self.polyak * old + (1 - self.polyak) * new)

    def state(self):
        state = {f"ac.{name}": value for name, value in self.ac.state_dict().items()}
        state |= {f"ac_targ.{name}": value for name, value in self.ac_targ.state_dict().items()}
        return state | {"log_alpha": self.log_alpha.detach()}


class PlainLyapunovUpdate(PlainUpdate):
    """The update of stable-learning-control's LAC and LATC, step by step, and the other forms of the drift."""

    def __init__(self, agent, *, alpha3, rates, twin_drift="symmetric", drift_weights="mixed", **settings):
        super().__init__(agent, ("L", "L2"), rates=rates, **settings)
        self.log_labda = agent.log_labda.detach().clone().requires_grad_()
        self.alpha3, self.twin_drift, self.drift_weights = alpha3, twin_drift, drift_weights
        self.opt_labda = torch.optim.Adam([self.log_labda], lr=rates["lr_labda"])

    def value(self, critic, obs, act):
        return (self.hidden(critic.L, obs, act) ** 2).sum(dim=1)

    def l_now(self, obs, act):
        with torch.no_grad():
            if self.twin_drift == "symmetric":
                return self.largest(self.critics, obs, act)
            return self.value(self.critics[0], obs, act)

    def update(self, data):
        obs, act, cost, obs_next, done = (data[key] for key in ("obs", "act", "rew", "obs_next", "done"))

        # 1. Target, eq. 8 or 9.
        with torch.no_grad():
            if "horizon_rew" in data:
                target = data["horizon_rew"]
            else:
                act_next, _ = self.policy(self.ac_targ.pi, obs_next)
                target = self.discounted(cost, done, self.largest(self.critics_targ, obs_next, act_next))

        # 2. Critic, eq. 7; twins both regress on the one target.
        old_critics = copy.deepcopy(self.critics)
        values = [self.value(critic, obs, act) for critic in self.critics]
        critic_loss = sum(0.5 * functional.mse_loss(value, target) for value in values)
        l_old = self.l_now(obs, act)
        self.step_critics(critic_loss)
        l_new = self.l_now(obs, act)

        # 3. and 4. Actor, eq. 11 and 12, with the critics as constants.
        _, logp = self.policy(self.ac.pi, obs)
        act_next, _ = self.policy(self.ac.pi, obs_next)
        # The reference takes L(s, a) from before the critic step and L(s', a') from after it.
        l_next = self.largest(old_critics if self.drift_weights == "before" else self.critics, obs_next, act_next)
        l_now = l_new if self.drift_weights == "after" else l_old
        drift = (l_next - l_now + self.alpha3 * cost).mean()
        labda = self.log_labda.detach().exp().clamp(0.0, 1.0)
        actor_loss = labda * drift + self.log_alpha.detach().exp() * logp.mean()
        self.step_actor(actor_loss)

        # 5. Temperature. 6. Multiplier. 7. Polyak average.
        alpha_loss = self.step_temperature(logp)
        self.opt_labda.zero_grad()
        labda_loss = -(self.log_labda * drift.detach())
        labda_loss.backward()
        self.opt_labda.step()
        self.average()

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
        return super().state() | {"log_labda": self.log_labda.detach()}


class PlainSoftUpdate(PlainUpdate):
    """SAC for costs: the update of Haarnoja et al. with rewards of minus the cost, Q being minus their Q."""

    def __init__(self, agent, **settings):
        super().__init__(agent, ("Q1", "Q2"), **settings)

    def value(self, critic, obs, act):
        return functional.linear(self.hidden(critic.Q, obs, act), critic.Q[4].weight, critic.Q[4].bias)[:, 0]

    def return_of(self, critics, obs, act):
        """The smaller of the two predicted soft returns, as in their equations."""
        return torch.stack([-self.value(critic, obs, act) for critic in critics]).min(dim=0).values

    def update(self, data):
        obs, act, cost, obs_next, done = (data[key] for key in ("obs", "act", "rew", "obs_next", "done"))
        alpha = self.log_alpha.detach().exp()

        with torch.no_grad():
            act_next, logp_next = self.policy(self.ac.pi, obs_next)
            soft_return = self.return_of(self.critics_targ, obs_next, act_next) - alpha * logp_next
            target = -self.discounted(-cost, done, soft_return)
        values = [self.value(critic, obs, act) for critic in self.critics]
        critic_loss = sum(0.5 * functional.mse_loss(value, target) for value in values)
        self.step_critics(critic_loss)

        act_new, logp = self.policy(self.ac.pi, obs)
        actor_loss = (alpha * logp - self.return_of(self.critics, obs, act_new)).mean()
        self.step_actor(actor_loss)
        alpha_loss = self.step_temperature(logp)
        self.average()

        return {
            "critic_loss": critic_loss,
            "actor_loss": actor_loss,
            "alpha_loss": alpha_loss,
            "q_mean": values[0].mean(),
            "entropy": -logp.mean(),
        }


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


def update_with(agent, fast):
    """Let an agent run compiled, if ``fast``, or in torch."""
    agent.engine = "compiled" if fast else "torch"


def built(agent_class, fast=True, **kwargs):
    torch.manual_seed(1)
    agent = agent_class(SPACES, **{"ac_kwargs": AC_KWARGS} | kwargs)
    update_with(agent, fast)
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


def assert_updates_agree(agent, plain, data):
    """Both take the same steps with the same noise, and tell the same."""
    torch.manual_seed(2)
    found = [agent.update(batch) for batch in data]
    torch.manual_seed(2)
    expected = [plain.update(batch) for batch in data]
    assert_same_state(agent_state(agent), plain.state())
    for told, truth in zip(found, expected, strict=True):
        assert set(told) == set(truth)
        for name, value in truth.items():
            torch.testing.assert_close(told[name], value.detach(), rtol=1e-4, atol=1e-4)
