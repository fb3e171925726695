"""The update of :class:`~lac.agents.sac.SAC` in numpy."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from lac.agents import SAC
from lac.engines.numpy_networks import Array
from lac.engines.numpy_update import NumpyUpdate


class SoftUpdate(NumpyUpdate[SAC]):
    """One gradient step; call it with a batch as :meth:`SAC.update <lac.agents.sac.SAC.update>`."""

    def __call__(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take the step; returns what ``SAC.update`` returns."""
        obs, act, obs_next = (data[name].numpy() for name in ("obs", "act", "obs_next"))
        alpha, batch = float(np.exp(self._log_alpha)), len(obs)

        target = self._target(data, self._soft_next_value(obs_next, alpha))
        passes = self._pass(obs, act)
        gradients, critic_loss = self._critic_gradients(passes, target)
        self._step_critics(gradients)

        sample = self._actor.sample(obs, self._noise(batch))
        q, grad_action = self._pessimistic_action_gradient(self._pass(obs, sample.action), 1.0 / batch)
        alpha_loss = self._step_policy(sample, grad_action, sample.logp)
        self._agent._update_targets()

        entropy = -float(sample.logp.mean())
        return self._diagnostics(
            critic_loss, float(q.mean()) - alpha * entropy, alpha_loss, float(passes[0][0].mean()), entropy
        )

    def _soft_next_value(self, obs_next: Array, alpha: float) -> Array:
        """Haarnoja et al. eq. 3, with the current policy and the target critics."""
        drawn = self._actor.sample(obs_next, self._noise(len(obs_next)))
        value: Array = self._pessimistic_target(obs_next, drawn.action) + np.float32(alpha) * drawn.logp
        return value
