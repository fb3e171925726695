"""The update of :class:`~lac.agents.lac.LAC` in numpy."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from lac.agents import LAC
from lac.engines.numpy_networks import ActorKernel, Array, memory, pessimistic
from lac.engines.numpy_update import NumpyUpdate, Pass


class LyapunovUpdate(NumpyUpdate[LAC]):
    """One gradient step; call it with a batch as :meth:`LAC.update <lac.agents.lac.LAC.update>`."""

    def __init__(self, agent: LAC, generator: torch.Generator) -> None:
        super().__init__(agent, generator)
        self._actor_targ = ActorKernel(agent.ac_targ.pi)
        self._log_labda = memory(agent.log_labda)

    def __call__(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take the step; returns what ``LAC.update`` returns."""
        agent = self._agent
        obs, act, obs_next, cost = (
            data["obs"].numpy(),
            data["act"].numpy(),
            data["obs_next"].numpy(),
            agent.cost(data).numpy(),
        )
        target = self._critic_target(data, obs_next)
        passes = self._pass(obs, act)
        weight = 1.0 / (1.0 + target) if agent.settings.critic_loss == "relative" else None
        gradients, critic_loss = self._critic_gradients(passes, target, weight)
        if agent.settings.drift_weights != "before":
            self._step_critics(gradients)

        drift_passes = self._pass(obs, act) if agent.settings.drift_weights == "after" else passes
        decrease, logp, policy_losses = self._policy_step(obs, obs_next, self._subtrahend(drift_passes), cost)
        if agent.settings.drift_weights == "before":
            self._step_critics(gradients)
        agent.bound_multiplier()
        agent._update_targets()
        l_mean, entropy = float(passes[0][0].mean()), -float(logp.mean())
        return self._diagnostics(critic_loss, *policy_losses, decrease, l_mean, entropy)

    def _critic_target(self, data: Mapping[str, Tensor], obs_next: Array) -> Array:
        """Equations 8 and 9."""
        if "horizon_rew" in data:
            return data["horizon_rew"].numpy()
        act_next = self._actor_targ.action(obs_next, self._noise(len(obs_next)))
        return self._target(data, self._pessimistic_target(obs_next, act_next))

    def _subtrahend(self, passes: list[Pass]) -> Array:
        """``L(s, a)``, which is subtracted in the decrease condition."""
        values = [value for value, _ in passes]
        return pessimistic(values)[0] if self._agent.settings.twin_drift == "symmetric" else values[0]

    def _policy_step(
        self, obs: Array, obs_next: Array, values: Array, cost: Array
    ) -> tuple[float, Array, tuple[float, float, float]]:
        """One gradient step of actor and multipliers on eqs. 12 ff.; returns decrease, log pi and losses."""
        agent, batch = self._agent, len(obs)
        noise = np.concatenate((self._noise(batch), self._noise(batch)))
        both = self._actor.sample(np.concatenate((obs, obs_next)), noise)
        logp, act_next = both.logp[:batch], both.action[batch:]
        alpha, labda = float(np.exp(self._log_alpha)), min(float(np.exp(self._log_labda)), 1.0)

        grad_action = np.zeros_like(both.action)
        l_next, grad_action[batch:] = self._pessimistic_action_gradient(self._pass(obs_next, act_next), labda / batch)
        decrease = float((l_next - values + agent.settings.alpha3 * cost).mean())
        actor_loss = labda * decrease + alpha * float(logp.mean())
        labda_loss = -float(self._log_labda) * decrease
        # d(-log(labda) * decrease) / d log(labda) = -decrease
        alpha_loss = self._step_policy(both, grad_action, logp, {"lr_labda": -decrease})
        return decrease, logp, (actor_loss, alpha_loss, labda_loss)
