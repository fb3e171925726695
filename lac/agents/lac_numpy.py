"""The update of :class:`~lac.agents.lac.LAC` in numpy, for our own networks on the CPU.

It takes the same steps in the same order, draws the same noise, and gives the same weights; it is three to
four times as fast at 64 wide. The tests hold it against the update that is written in torch.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lac.networks.kernels import ActorKernel, Array, CriticKernel, memory

if TYPE_CHECKING:
    from lac.agents.lac import LAC


class NumpyUpdate:
    """One gradient step; call it with a batch as :meth:`LAC.update <lac.agents.lac.LAC.update>`."""

    def __init__(self, agent: "LAC") -> None:
        self._agent = agent
        self._actor, self._actor_targ = ActorKernel(agent.ac.pi), ActorKernel(agent.ac_targ.pi)
        self._critics = [CriticKernel(critic) for critic in agent.critics]
        self._target_critics = [CriticKernel(critic) for critic in agent.target_critics]
        self._log_alpha, self._log_labda = memory(agent.log_alpha), memory(agent.log_labda)

    def __call__(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take the step; returns what ``LAC.update`` returns."""
        agent = self._agent
        obs, act, obs_next = (data[name].numpy() for name in ("obs", "act", "obs_next"))
        cost = agent.cost(data).numpy()
        target = self._critic_target(data, obs_next, cost)
        values, critic_loss = self._critic_step(obs, act, target)
        decrease, logp, losses = self._policy_step(obs, obs_next, values, cost)
        agent.bound_multiplier()
        agent._update_targets()
        results = np.array([critic_loss, *losses, decrease, values.mean(), -logp.mean()], np.float32)
        return dict(zip(agent.DIAGNOSTICS, torch.from_numpy(results).unbind(), strict=True))

    def _critic_target(self, data: Mapping[str, Tensor], obs_next: Array, cost: Array) -> Array:
        """Equations 8 and 9."""
        if "horizon_rew" in data:
            return data["horizon_rew"].numpy()
        act_next = self._actor_targ.action(obs_next, self._noise(len(obs_next)))
        l_next = np.max([critic.forward(obs_next, act_next)[0] for critic in self._target_critics], axis=0)
        target: Array = cost + self._agent.gamma * (1.0 - data["done"].numpy()) * l_next
        return target

    def _critic_step(self, obs: Array, act: Array, target: Array) -> tuple[Array, float]:
        """A step down equation 7; returns the first critic's values from before it, and the loss."""
        weight: Array = 1.0 / (1.0 + target) if self._agent.critic_loss == "relative" else np.ones_like(target)
        gradients, loss = [], 0.0
        passes = [critic.forward(obs, act) for critic in self._critics]
        for critic, (value, outputs) in zip(self._critics, passes, strict=True):
            error = value - target
            weighted: Array = weight * error
            loss += 0.5 * float(weighted @ error) / len(error)
            gradients += critic.parameter_gradients(weighted * np.float32(1.0 / len(error)), outputs)
        self._agent.critic_optimizer.step([torch.from_numpy(gradient) for gradient in gradients])
        return passes[0][0], loss

    def _policy_step(
        self, obs: Array, obs_next: Array, values: Array, cost: Array
    ) -> tuple[float, Array, tuple[float, float, float]]:
        """A step of actor, temperature and multiplier down equations 12 ff.; returns drift, log pi and losses."""
        agent, batch = self._agent, len(obs)
        noise = np.concatenate((self._noise(batch), self._noise(batch)))
        both = self._actor.sample(np.concatenate((obs, obs_next)), noise)
        logp, act_next = both.logp[:batch], both.action[batch:]
        passes = [critic.forward(obs_next, act_next) for critic in self._critics]
        l_next = passes[0][0] if len(passes) == 1 else np.max([value for value, _ in passes], axis=0)

        decrease = float((l_next - values + agent.alpha3 * cost).mean())
        alpha, labda = float(np.exp(self._log_alpha)), min(float(np.exp(self._log_labda)), 1.0)
        actor_loss = labda * decrease + alpha * float(logp.mean())
        alpha_loss = -alpha * (float(logp.mean()) + agent.target_entropy)
        labda_loss = -float(self._log_labda) * decrease

        grad_action = np.zeros_like(both.action)
        for critic, (value, outputs) in zip(self._critics, passes, strict=True):
            grad_value = (value == l_next) * np.float32(labda / batch)
            grad_action[batch:] += critic.action_gradient(grad_value, outputs, act_next.shape[1])
        grad_logp = np.zeros_like(both.logp)
        grad_logp[:batch] = alpha / batch
        gradients = [torch.from_numpy(g) for g in self._actor.parameter_gradients(both, grad_action, grad_logp)]
        # d(-log(labda) drift) / d log(labda); the temperature's loss is its own derivative by log(alpha).
        multipliers = {"lr_labda": -decrease, "lr_alpha": alpha_loss}
        rest = [name for name in agent.policy_optimizer.groups if name != "lr_a"]
        agent.policy_optimizer.step([*gradients, *(torch.tensor(multipliers[name]) for name in rest)])
        return decrease, logp, (actor_loss, alpha_loss, labda_loss)

    def _noise(self, batch: int) -> Array:
        """Standard normal noise from torch's generator, drawn as the torch update draws it."""
        return torch.randn(batch, self._agent.act_dim).numpy()
