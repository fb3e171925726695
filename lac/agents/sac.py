"""The soft actor-critic, for costs."""

from collections.abc import Mapping
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from lac import losses
from lac.agents.agent import Agent, frozen
from lac.networks import SoftActorCritic


class SAC(Agent):
    """Soft actor-critic, Haarnoja et al. (2018), for costs; without a constraint on stability.

    The actor minimises the discounted sum of costs minus ``alpha`` times its entropy. Two critics learn
    that sum, and the larger value, which is the pessimistic one for costs, is used. The horizon is infinite.

    Args:
        env: The environment; only its spaces are read (and its reward bound, see ``opt_type``).
        actor_critic: A ``torch.nn.Module`` class, called with the observation space, the action space and
            ``ac_kwargs``. It has ``act(obs) -> array [B, act_dim]``, ``pi(obs) -> (a [B, act_dim], logp [B])``
            and ``Q1(obs, act) -> [B]``, optionally ``Q2``; ``pi`` and the critics are ``nn.Module``
            themselves, not methods.
            Default: :class:`~lac.networks.SoftActorCritic`.
        ac_kwargs: Keyword arguments of the actor-critic.
        {settings}

    Raises:
        ValueError: A setting is out of its range, a space cannot be used, or ``maximize`` finds no bound.
    """

    DIAGNOSTICS: ClassVar[tuple[str, ...]] = ("critic_loss", "actor_loss", "alpha_loss", "q_mean", "entropy")
    _default_actor_critic = SoftActorCritic
    _critic_names = ("Q1", "Q2")

    def _update(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One gradient step of critics, actor and temperature."""
        data = {name: values.float() for name, values in data.items()}
        obs, act = data["obs"], data["act"]

        target = self._critic_target(data)
        values = [critic(obs, act) for critic in self.critics]
        critic_loss = reduce(torch.add, [losses.critic_loss(value, target) for value in values])
        self.critic_optimizer.minimize(critic_loss)

        act_new, logp = self.ac.pi(obs)
        with frozen(self.critic_optimizer.parameters):
            q = losses.pessimistic([critic(obs, act_new) for critic in self.critics])
        actor_loss = losses.soft_value(q, logp, self.alpha).mean()
        alpha_loss = self._minimize_policy_losses(actor_loss, logp)

        self._update_targets()
        return self._diagnostics(critic_loss, actor_loss, alpha_loss, values[0].mean(), -logp.mean())

    @torch.no_grad()
    def _critic_target(self, data: Mapping[str, Tensor]) -> Tensor:
        obs_next = data["obs_next"]
        act_next, logp_next = self.ac.pi(obs_next)
        q_next = losses.pessimistic([critic(obs_next, act_next) for critic in self.target_critics])
        next_value = losses.soft_value(q_next, logp_next, self.alpha)
        return losses.discounted_target(self.cost(data), data["done"], next_value, self.settings.gamma)
