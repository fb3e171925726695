"""The Lyapunov (soft) actor-critic."""

import math
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lac import losses
from lac.agents.base import DEFAULT_AC_KWARGS, Agent, frozen, safe_log, set_log
from lac.agents.lac_numpy import LyapunovUpdate
from lac.envs.making import HasSpaces
from lac.networks import LyapunovActorCritic
from lac.settings.rules import check

_CRITIC_WEIGHTS = {"squared": None, "relative": losses.relative_weight}


class LAC(Agent):
    """Lyapunov actor-critic, Han et al. (2020): a policy and a Lyapunov function learned together.

    The actor maximises entropy under the constraint that the Lyapunov critic decreases along the closed
    loop (eq. 11); ``labda`` is the Lagrange multiplier of that constraint, ``alpha`` the entropy
    temperature. With an actor-critic of two critics (``LyapunovActorTwinCritic``) both are fitted to the
    target of the larger one and the larger one enters the constraint: the class then behaves as
    :class:`~lac.agents.latc.LATC`.

    Args:
        env: The environment; only its spaces are read (and its reward bound, see ``opt_type``).
        actor_critic: A ``torch.nn.Module`` class, called with the observation space, the action space and
            ``ac_kwargs``. It has ``act(obs) -> array [B, act_dim]``, ``pi(obs) -> (a [B, act_dim], logp [B])``
            and ``L(obs, act) -> [B]``, optionally ``L2``. Default: :class:`~lac.networks.LyapunovActorCritic`.
        ac_kwargs: Keyword arguments of the actor-critic.
        opt_type: ``minimize`` reads the environment's scalar as a cost. ``maximize`` reads it as a reward
            ``r`` with a known upper bound and takes the cost ``r_max - r``.
        alpha: Initial entropy temperature.
        alpha3: Demanded decrease of L, as a share of the cost.
        labda: Initial Lyapunov multiplier, in [0, 1].
        gamma: Discount factor of the infinite-horizon target; unused where batches have ``horizon_rew``.
        polyak: Weight of the old target networks in their average.
        target_entropy: Entropy that the temperature is adapted to; None stands for ``-dim(A)``.
        adaptive_temperature: Whether ``alpha`` is adapted.
        lr_a: Learning rate of the actor.
        lr_c: Learning rate of the critic.
        lr_alpha: Learning rate of the temperature.
        lr_labda: Learning rate of the Lyapunov multiplier.
        device: ``cpu``, ``gpu``, ``gpu:N``, ``cuda``, ``cuda:N`` or ``auto``.
        critic_loss: ``squared`` (eq. 7) or ``relative``, which divides the squared error by one plus the
            target, so that costs that span orders of magnitude are all learned.
        anti_windup: Whether ``log_labda`` is kept at or below 0 after each step. Without it the logarithm
            grows on while ``labda`` is clipped at 1, and takes as long to come back.
        labda_min: Floor of ``labda``, applied after each step; 0 sets none.
        twin_drift: Which of two critics gives L(s, a) in the drift, whose L(s', a') is the larger one's.
            ``symmetric``: the larger one there, too. ``asymmetric`` (the reference): the first one, which on
            average is below the larger; the drift reads too high, and ``labda`` stays high for longer.
        drift_weights: Which weights of the critic give the drift. ``mixed`` (the reference): L(s, a) from
            before the critic step, L(s', a') from after it, so that a critic that is still rising adds its
            own step to the drift. ``after``: both from after it (the order of algorithm 1 in the paper, with
            one L in eq. 11). ``before``: both from before it (the authors' code, which takes all steps at
            once); the actor learns from a critic one step older.

    Raises:
        ValueError: A setting is out of its range, a space cannot be used, or ``maximize`` finds no bound.
    """

    DIAGNOSTICS: ClassVar[tuple[str, ...]] = (
        *("critic_loss", "actor_loss", "alpha_loss", "labda_loss"),
        *("decrease", "l_mean", "entropy"),
    )
    RATES: ClassVar[tuple[str, ...]] = (*Agent.RATES, "lr_labda")
    _default_actor_critic = LyapunovActorCritic
    _critic_names = ("L", "L2")
    _numpy_update = LyapunovUpdate
    _multiplier_names = ("log_alpha", "log_labda")

    def __init__(
        self,
        env: HasSpaces,
        actor_critic: type[nn.Module] | None = None,
        ac_kwargs: Mapping[str, Any] = DEFAULT_AC_KWARGS,
        opt_type: str = "minimize",
        alpha: float = 0.99,
        alpha3: float = 0.2,
        labda: float = 0.99,
        gamma: float = 0.99,
        polyak: float = 0.995,
        target_entropy: float | None = None,
        adaptive_temperature: bool = True,
        lr_a: float = 1e-4,
        lr_c: float = 3e-4,
        lr_alpha: float = 1e-4,
        lr_labda: float = 3e-4,
        device: str = "cpu",
        *,
        critic_loss: str = "squared",
        anti_windup: bool = False,
        labda_min: float = 0.0,
        twin_drift: str = "symmetric",
        drift_weights: str = "mixed",
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
        self.alpha3 = alpha3
        self.critic_loss = critic_loss
        self.twin_drift, self.drift_weights = twin_drift, drift_weights
        self._critic_weight = _CRITIC_WEIGHTS[critic_loss]
        self._log_labda_bounds = (
            safe_log(labda_min) if labda_min > 0 else -math.inf,
            0.0 if anti_windup else math.inf,
        )
        self.log_labda = nn.Parameter(torch.tensor(safe_log(labda)))
        self._finish_building({"lr_a": lr_a, "lr_c": lr_c, "lr_alpha": lr_alpha, "lr_labda": lr_labda})

    def _policy_groups(self) -> dict[str, Iterable[Tensor]]:
        return super()._policy_groups() | {"lr_labda": [self.log_labda]}

    @property
    def labda(self) -> Tensor:
        """The Lyapunov multiplier, from 0 to 1."""
        return self.log_labda.detach().exp().clamp(max=1.0)

    @labda.setter
    def labda(self, value: float) -> None:
        set_log(self.log_labda, value, high=1.0)

    def update(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One gradient step on everything, in the order of algorithm 1 of the paper.

        Args:
            data: ``obs act obs_next`` as ``[B, dim]``, ``rew done`` as ``[B]``; with ``horizon_rew`` ``[B]``
                the critic learns the finite-horizon sum (eq. 9) instead of the discounted target (eq. 8).

        Returns:
            The quantities named in ``DIAGNOSTICS``, as tensors without a graph.
        """
        data = {name: values.float() for name, values in data.items()}
        if self._fast_update is not None:
            return self._fast_update(data)
        obs, act, obs_next, cost = data["obs"], data["act"], data["obs_next"], self.cost(data)

        target = self._critic_target(data, cost)
        values = [critic(obs, act) for critic in self.critics]
        weight = self._critic_weight(target) if self._critic_weight else None
        critic_loss = reduce(torch.add, [losses.critic_loss(value, target, weight) for value in values])
        if self.drift_weights != "before":
            self.critic_optimizer.minimize(critic_loss)

        _, logp = self.ac.pi(obs)
        act_next, _ = self.ac.pi(obs_next)
        with frozen(self.critic_optimizer.parameters):
            l_next = losses.pessimistic([critic(obs_next, act_next) for critic in self.critics])
            drift_values = [critic(obs, act) for critic in self.critics] if self.drift_weights == "after" else values
        l_now = losses.pessimistic(drift_values) if self.twin_drift == "symmetric" else drift_values[0]
        decrease = losses.lyapunov_decrease(l_next, l_now.detach(), cost, self.alpha3)
        actor_loss = losses.actor_loss(decrease, logp, self.labda, self.alpha)
        labda_loss = losses.multiplier_loss(self.log_labda, decrease.detach())
        alpha_loss = self._minimize_policy_losses(actor_loss, logp, labda_loss)
        self.bound_multiplier()
        if self.drift_weights == "before":
            self.critic_optimizer.minimize(critic_loss)

        self._update_targets()
        return self._told(critic_loss, actor_loss, alpha_loss, labda_loss, decrease, values[0].mean(), -logp.mean())

    def multipliers(self) -> dict[str, Tensor]:
        """``alpha``, ``labda`` and ``labda_raw``, which is ``labda`` before it is clipped at 1."""
        return super().multipliers() | {"labda": self.labda, "labda_raw": self.log_labda.detach().exp()}

    def cost(self, data: Mapping[str, Tensor]) -> Tensor:
        """The scalar of the batch as a cost."""
        if self._reward_max is not None and "horizon_rew" in data:
            raise ValueError(
                "horizon_rew sums rewards here, and the sum of costs cannot be told from it; wrap the environment "
                "in lac.envs.RewardAsCost and use opt_type='minimize', as lac(...) does"
            )
        return super().cost(data)

    @torch.no_grad()
    def _critic_target(self, data: Mapping[str, Tensor], cost: Tensor) -> Tensor:
        if "horizon_rew" in data:
            return data["horizon_rew"]
        act_next, _ = self.ac_targ.pi(data["obs_next"])
        l_next = losses.pessimistic([critic(data["obs_next"], act_next) for critic in self.target_critics])
        return losses.discounted_target(cost, data["done"], l_next, self.gamma)

    @torch.no_grad()
    def bound_multiplier(self) -> None:
        """Project ``log_labda`` onto its bounds, if there are any."""
        low, high = self._log_labda_bounds
        if math.isfinite(low) or math.isfinite(high):
            self.log_labda.clamp_(low, high)

    def bound_lr(
        self,
        lr_a_final: float | None = None,
        lr_c_final: float | None = None,
        lr_alpha_final: float | None = None,
        lr_labda_final: float | None = None,
    ) -> None:
        """Raise each learning rate to its bound where it lies below; None leaves it alone."""
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
        """Set learning rates; None leaves one alone."""
        self._set_rates({"lr_a": lr_a, "lr_c": lr_c, "lr_alpha": lr_alpha, "lr_labda": lr_labda})
