"""The Lyapunov (soft) actor-critic."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor, nn

from lac import losses
from lac.agents.agent import Agent, frozen
from lac.agents.multipliers import safe_log, set_log
from lac.networks import LyapunovActorCritic
from lac.settings.algorithms import LyapunovSettings

_CRITIC_WEIGHTS = {"squared": None, "relative": losses.relative_weight}


class LAC(Agent):
    """Lyapunov actor-critic, Han et al. (2020): a policy and a Lyapunov function learned together.

    The actor maximises entropy under the constraint that the Lyapunov critic decreases along the closed
    loop (eq. 11); ``labda`` is the Lagrange multiplier of that constraint, ``alpha`` the entropy
    temperature. If the actor-critic has two critics (``LyapunovActorTwinCritic``), both are trained on
    the target of their maximum, and their maximum is used in the constraint: the class then behaves as
    :class:`~lac.agents.latc.LATC`. ``docs/algorithm.md`` explains the settings that the reference
    implementation does not have.

    Args:
        env: The environment; only its spaces are read (and its reward bound, see ``opt_type``).
        actor_critic: A ``torch.nn.Module`` class, called with the observation space, the action space and
            ``ac_kwargs``. It has ``act(obs) -> array [B, act_dim]``, ``pi(obs) -> (a [B, act_dim], logp [B])``
            and ``L(obs, act) -> [B]``, optionally ``L2``; ``pi`` and the critics are ``nn.Module``
            themselves, not methods.
            Default: :class:`~lac.networks.LyapunovActorCritic`.
        ac_kwargs: Keyword arguments of the actor-critic.
        {settings}

    Raises:
        ValueError: A setting is out of its range, a space cannot be used, or ``maximize`` finds no bound.
    """

    Settings = LyapunovSettings
    DIAGNOSTICS: ClassVar[tuple[str, ...]] = (
        *("critic_loss", "actor_loss", "alpha_loss", "labda_loss"),
        *("decrease", "l_mean", "entropy"),
    )
    RATES: ClassVar[tuple[str, ...]] = (*Agent.RATES, "lr_labda")
    DESCRIBED_SETTINGS: ClassVar[tuple[str, ...]] = ("alpha3", "gamma")
    _default_actor_critic = LyapunovActorCritic
    _critic_names = ("L", "L2")
    _multiplier_names = ("log_alpha", "log_labda")

    settings: LyapunovSettings

    def _build_multipliers(self) -> None:
        self.log_labda = nn.Parameter(torch.tensor(safe_log(self.settings.labda)))

    def _policy_groups(self) -> dict[str, Callable[[], Iterable[Tensor]]]:
        return super()._policy_groups() | {"lr_labda": self._labda_parameters}

    def _labda_parameters(self) -> list[Tensor]:
        return [self.log_labda]

    @property
    def labda(self) -> Tensor:
        """The Lyapunov multiplier, from 0 to 1."""
        return self.log_labda.detach().exp().clamp(max=1.0)

    @labda.setter
    def labda(self, value: float) -> None:
        set_log(self.log_labda, "labda", value, high=1.0)

    def _update(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One gradient step of critics, actor and multipliers, in the order of algorithm 1 of the paper."""
        data = {name: values.float() for name, values in data.items()}
        settings = self.settings
        obs, act, obs_next, cost = data["obs"], data["act"], data["obs_next"], self.cost(data)

        target = self._critic_target(data, cost)
        values = [critic(obs, act) for critic in self.critics]
        weigh = _CRITIC_WEIGHTS[settings.critic_loss]
        weight = weigh(target) if weigh else None
        critic_loss = reduce(torch.add, [losses.critic_loss(value, target, weight) for value in values])
        if settings.drift_weights != "before":
            self.critic_optimizer.minimize(critic_loss)

        _, logp = self.ac.pi(obs)
        act_next, _ = self.ac.pi(obs_next)
        with frozen(self.critic_optimizer.parameters):
            l_next = losses.pessimistic([critic(obs_next, act_next) for critic in self.critics])
            drift_values = (
                [critic(obs, act) for critic in self.critics] if settings.drift_weights == "after" else values
            )
        l_now = losses.pessimistic(drift_values) if settings.twin_drift == "symmetric" else drift_values[0]
        decrease = losses.lyapunov_decrease(l_next, l_now.detach(), cost, settings.alpha3)
        actor_loss = losses.actor_loss(decrease, logp, self.labda, self.alpha)
        labda_loss = losses.multiplier_loss(self.log_labda, decrease.detach())
        alpha_loss = self._minimize_policy_losses(actor_loss, logp, labda_loss)
        self.bound_multiplier()
        if settings.drift_weights == "before":
            self.critic_optimizer.minimize(critic_loss)

        self._update_targets()
        return self._diagnostics(
            critic_loss, actor_loss, alpha_loss, labda_loss, decrease, values[0].mean(), -logp.mean()
        )

    def multipliers(self) -> dict[str, Tensor]:
        """``alpha``, ``labda`` and ``labda_raw``, which is ``labda`` before clipping at 1."""
        return super().multipliers() | {"labda": self.labda, "labda_raw": self.log_labda.detach().exp()}

    def cost(self, data: Mapping[str, Tensor]) -> Tensor:
        """The scalar of the batch as a cost."""
        if self._reward_max is not None and "horizon_rew" in data:
            raise ValueError(
                "horizon_rew sums rewards here, from which the sum of costs cannot be computed; wrap the environment "
                "in lac.envs.RewardAsCost and use opt_type='minimize', as lac(...) does"
            )
        return super().cost(data)

    @torch.no_grad()
    def _critic_target(self, data: Mapping[str, Tensor], cost: Tensor) -> Tensor:
        if "horizon_rew" in data:
            return data["horizon_rew"]
        act_next, _ = self.ac_targ.pi(data["obs_next"])
        l_next = losses.pessimistic([critic(data["obs_next"], act_next) for critic in self.target_critics])
        return losses.discounted_target(cost, data["done"], l_next, self.settings.gamma)

    @torch.no_grad()
    def bound_multiplier(self) -> None:
        """Clip ``log_labda`` to its bounds, if there are any."""
        settings = self.settings
        low = safe_log(settings.labda_min) if settings.labda_min > 0 else -math.inf
        high = 0.0 if settings.anti_windup else math.inf
        if math.isfinite(low) or math.isfinite(high):
            self.log_labda.clamp_(low, high)

    def bound_lr(
        self,
        lr_a_final: float | None = None,
        lr_c_final: float | None = None,
        lr_alpha_final: float | None = None,
        lr_labda_final: float | None = None,
    ) -> None:
        """Raise each learning rate that is below its bound to the bound; None leaves a rate unchanged."""
        self._bound_rates(
            {"lr_a": lr_a_final, "lr_c": lr_c_final, "lr_alpha": lr_alpha_final, "lr_labda": lr_labda_final}
        )

    def _set_learning_rates(
        self,
        lr_a: float | None = None,
        lr_c: float | None = None,
        lr_alpha: float | None = None,
        lr_labda: float | None = None,
    ) -> None:
        """Set learning rates; None leaves a rate unchanged."""
        self._set_rates({"lr_a": lr_a, "lr_c": lr_c, "lr_alpha": lr_alpha, "lr_labda": lr_labda})
