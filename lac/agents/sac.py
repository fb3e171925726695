"""The soft actor-critic, for costs."""

from collections.abc import Mapping
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lac import losses
from lac.agents.base import DEFAULT_AC_KWARGS, Agent, frozen
from lac.agents.sac_numpy import SoftUpdate
from lac.envs.making import HasSpaces
from lac.networks import SoftActorCritic
from lac.settings.rules import check


class SAC(Agent):
    """Soft actor-critic, Haarnoja et al. (2018), in cost form; without a constraint on stability.

    The actor minimises the discounted sum of costs less ``alpha`` times its entropy. Two critics learn
    that sum, and the larger one is believed: for costs it is the pessimistic one. The horizon is infinite.

    Args:
        env: The environment; only its spaces are read (and its reward bound, see ``opt_type``).
        actor_critic: A ``torch.nn.Module`` class, called with the observation space, the action space and
            ``ac_kwargs``. It has ``act(obs) -> array [B, act_dim]``, ``pi(obs) -> (a [B, act_dim], logp [B])``
            and ``Q1(obs, act) -> [B]``, optionally ``Q2``. Default: :class:`~lac.networks.SoftActorCritic`.
        ac_kwargs: Keyword arguments of the actor-critic.
        opt_type: ``minimize`` reads the environment's scalar as a cost. ``maximize`` reads it as a reward
            ``r`` with a known upper bound and takes the cost ``r_max - r``.
        alpha: Initial entropy temperature.
        gamma: Discount factor.
        polyak: Weight of the old target networks in their average.
        target_entropy: Entropy that the temperature is adapted to; None stands for ``-dim(A)``.
        adaptive_temperature: Whether ``alpha`` is adapted.
        lr_a: Learning rate of the actor.
        lr_c: Learning rate of the critics.
        lr_alpha: Learning rate of the temperature.
        device: ``cpu``, ``gpu``, ``gpu:N``, ``cuda``, ``cuda:N`` or ``auto``.

    Raises:
        ValueError: A setting is out of its range, a space cannot be used, or ``maximize`` finds no bound.
    """

    DIAGNOSTICS: ClassVar[tuple[str, ...]] = ("critic_loss", "actor_loss", "alpha_loss", "q_mean", "entropy")
    _default_actor_critic = SoftActorCritic
    _critic_names = ("Q1", "Q2")
    _numpy_update = SoftUpdate

    def __init__(
        self,
        env: HasSpaces,
        actor_critic: type[nn.Module] | None = None,
        ac_kwargs: Mapping[str, Any] = DEFAULT_AC_KWARGS,
        opt_type: str = "minimize",
        alpha: float = 0.99,
        gamma: float = 0.99,
        polyak: float = 0.995,
        target_entropy: float | None = None,
        adaptive_temperature: bool = True,
        lr_a: float = 1e-4,
        lr_c: float = 3e-4,
        lr_alpha: float = 1e-4,
        device: str = "cpu",
    ) -> None:
        check({name: value for name, value in locals().items() if name not in {"self", "env"}})
        super().__init__(
            env,
            actor_critic,
            ac_kwargs,
            opt_type=opt_type,
            alpha=alpha,
            gamma=gamma,
            polyak=polyak,
            target_entropy=target_entropy,
            adaptive_temperature=adaptive_temperature,
            device=device,
        )
        self._finish_building({"lr_a": lr_a, "lr_c": lr_c, "lr_alpha": lr_alpha})

    def update(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One gradient step on everything.

        Args:
            data: ``obs act obs_next`` as ``[B, dim]``, ``rew done`` as ``[B]``.

        Returns:
            The quantities named in ``DIAGNOSTICS``, as tensors without a graph.
        """
        data = {name: values.float() for name, values in data.items()}
        if self._fast_update is not None:
            return self._fast_update(data)
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
        return self._told(critic_loss, actor_loss, alpha_loss, values[0].mean(), -logp.mean())

    @torch.no_grad()
    def _critic_target(self, data: Mapping[str, Tensor]) -> Tensor:
        obs_next = data["obs_next"]
        act_next, logp_next = self.ac.pi(obs_next)
        q_next = losses.pessimistic([critic(obs_next, act_next) for critic in self.target_critics])
        next_value = losses.soft_value(q_next, logp_next, self.alpha)
        return losses.discounted_target(self.cost(data), data["done"], next_value, self.gamma)
