"""The common part of the updates in numpy.

An update in numpy computes the same steps in the same order as its agent's ``update`` in torch, draws the same noise
and gives the same weights. The tests compare the two, and ``scripts/benchmark.py`` measures both.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from lac.agents import Agent
from lac.engines.numpy_networks import ActorKernel, Array, Sample, critic_kernel, memory, pessimistic

A = TypeVar("A", bound=Agent)
Pass = tuple[Array, list[Array]]
"""A critic's values ``[B]``, and the layer outputs that its gradients need."""


class NumpyUpdate(ABC, Generic[A]):
    """One gradient step; call it with a batch as the agent's ``update``.

    Args:
        agent: The agent; its parameters are changed in place.
        generator: Source of the noise.
    """

    def __init__(self, agent: A, generator: torch.Generator) -> None:
        self._agent, self._generator = agent, generator
        self._actor = ActorKernel(agent.ac.pi)
        self._critics = [critic_kernel(critic) for critic in agent.critics]
        self._target_critics = [critic_kernel(critic) for critic in agent.target_critics]
        self._log_alpha = memory(agent.log_alpha)

    @abstractmethod
    def __call__(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take the step; returns what the agent's ``update`` returns."""

    def _target(self, data: Mapping[str, Tensor], next_value: Array) -> Array:
        """Equation 8."""
        cost, not_done = memory(self._agent.cost(data)), 1.0 - memory(data["done"])
        target: Array = cost + self._agent.settings.gamma * not_done * next_value
        return target

    def _pessimistic_target(self, obs: Array, act: Array) -> Array:
        """The maximum over the target critics, ``[B]``."""
        return pessimistic([critic.forward(obs, act)[0] for critic in self._target_critics])[0]

    def _pass(self, obs: Array, act: Array) -> list[Pass]:
        return [critic.forward(obs, act) for critic in self._critics]

    def _critic_gradients(
        self, passes: Sequence[Pass], target: Array, weight: Array | None = None
    ) -> tuple[list[Array], float]:
        """The gradients of equation 7, and its value."""
        gradients, loss = [], 0.0
        for critic, (value, outputs) in zip(self._critics, passes, strict=True):
            error = value - target
            weighted: Array = error if weight is None else weight * error
            loss += 0.5 * float(weighted @ error) / len(error)
            gradients += critic.parameter_gradients(weighted * np.float32(1.0 / len(error)), outputs)
        return gradients, loss

    def _step_critics(self, gradients: Sequence[Array]) -> None:
        self._agent.critic_optimizer.step([torch.from_numpy(gradient) for gradient in gradients])

    def _pessimistic_action_gradient(self, passes: Sequence[Pass], factor: float) -> tuple[Array, Array]:
        """The maximum over the critics ``[B]``, and the gradient of ``factor`` times its sum by the actions."""
        largest, shares = pessimistic([value for value, _ in passes])
        gradients = [
            critic.action_gradient(share * np.float32(factor), outputs, self._agent.act_dim)
            for critic, share, (_, outputs) in zip(self._critics, shares, passes, strict=True)
        ]
        return largest, sum(gradients[1:], start=gradients[0])

    def _step_policy(
        self, sample: Sample, grad_action: Array, logp: Array, slopes: Mapping[str, float] | None = None
    ) -> float:
        """One gradient step of actor, temperature and other multipliers; returns the temperature's loss.

        Args:
            sample: Sampled actions; the temperature is adapted to the entropy of the first ``len(logp)`` of them.
            grad_action: The gradient of all sampled actions.
            logp: Log-probabilities of the first ones, ``[B]``.
            slopes: Derivatives of the other multipliers' losses, by the name of their learning rate.
        """
        agent, alpha = self._agent, float(np.exp(self._log_alpha))
        grad_logp = np.zeros_like(sample.logp)
        grad_logp[: len(logp)] = alpha / len(logp)
        gradients = [torch.from_numpy(g) for g in self._actor.parameter_gradients(sample, grad_action, grad_logp)]
        alpha_loss = -alpha * (float(logp.mean()) + agent.target_entropy)
        # The temperature's loss equals its derivative by log(alpha).
        slopes = {"lr_alpha": alpha_loss, **(slopes or {})}
        rest = [name for name in agent.policy_optimizer.groups if name != "lr_a"]
        agent.policy_optimizer.step([*gradients, *(torch.tensor(slopes[name]) for name in rest)])
        return alpha_loss

    def _diagnostics(self, *values: float) -> dict[str, Tensor]:
        """The diagnostics by name."""
        results = torch.from_numpy(np.array(values, np.float32))
        return dict(zip(self._agent.DIAGNOSTICS, results.unbind(), strict=True))

    def _noise(self, batch: int) -> Array:
        """Standard normal noise ``[batch, act_dim]``, drawn as in the torch update."""
        return memory(torch.randn(batch, self._agent.act_dim, generator=self._generator))
