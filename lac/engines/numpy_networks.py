"""Forward and backward passes of the networks of this package in numpy, on the memory of their torch parameters.

At the layer widths used in control (64 to 256), an update on a CPU spends most of its time on the overhead of about
200 small torch operations and their graph, not on arithmetic. In numpy this overhead is much smaller. The gradients
are derived by hand here; the tests compare them with autograd.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from lac.networks.actor import LOG_STD_MAX, LOG_STD_MIN, SquashedGaussianActor
from lac.networks.actor_critic import ActorCritic
from lac.networks.critic import LyapunovCritic, QCritic
from lac.networks.scaling import InputScaling

Array = npt.NDArray[np.float32]

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_LOG_2 = math.log(2.0)


def has_numpy_form(actor_critic: nn.Module) -> bool:
    """Whether an actor-critic is a class of this package, in float32 on the CPU, with ReLU activations only."""
    is_ours = isinstance(actor_critic, ActorCritic) and type(actor_critic).__module__.startswith("lac.")
    if not is_ours or any(not (p.is_cpu and p.element_size() == 4) for p in actor_critic.parameters()):
        return False
    activations = [
        m for m in actor_critic.modules() if not any(m.children()) and not isinstance(m, (nn.Linear, InputScaling))
    ]
    return all(isinstance(m, nn.ReLU) for m in activations)


class ReluLayers:
    """Linear layers with ReLU after each.

    Args:
        layers: The torch layers whose memory is used.
        scaling: Scaling of the inputs.
    """

    def __init__(self, layers: nn.Sequential, scaling: InputScaling) -> None:
        linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
        self.weights = [memory(layer.weight) for layer in linear]
        self.biases = [memory(layer.bias) for layer in linear]
        self._centre, self._inverse_width = memory(scaling.centre), memory(scaling.inverse_width)
        self._is_scaled = bool(self._centre.any() or (self._inverse_width != 1.0).any())

    def forward(self, inputs: Array) -> list[Array]:
        """The scaled inputs ``[B, n]`` and the output of each layer."""
        outputs = [(inputs - self._centre) * self._inverse_width if self._is_scaled else inputs]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            output = outputs[-1] @ weight.T
            output += bias
            outputs.append(np.maximum(output, 0.0, out=output))
        return outputs

    def parameter_gradients(self, grad: Array, outputs: list[Array]) -> list[Array]:
        """Gradients of weight and bias of each layer, given the gradient of the last output."""
        gradients: list[Array] = []
        for layer in range(len(self.weights) - 1, -1, -1):
            grad = grad * (outputs[layer + 1] > 0.0)
            gradients[:0] = linear_gradients(grad, outputs[layer])
            if layer > 0:
                grad = grad @ self.weights[layer]
        return gradients

    def input_gradient(self, grad: Array, outputs: list[Array]) -> Array:
        """The gradient of the unscaled inputs, given the gradient of the last output."""
        for layer in range(len(self.weights) - 1, -1, -1):
            grad = (grad * (outputs[layer + 1] > 0.0)) @ self.weights[layer]
        return grad * self._inverse_width if self._is_scaled else grad


class CriticKernel(ABC):
    """A critic in numpy: hidden layers and a head, which maps the last hidden layer to the value.

    Args:
        layers: The torch layers with ReLU whose memory is used.
        scaling: Scaling of the inputs.
    """

    def __init__(self, layers: nn.Sequential, scaling: InputScaling) -> None:
        self._layers = ReluLayers(layers, scaling)

    def forward(self, obs: Array, act: Array) -> tuple[Array, list[Array]]:
        """Values ``[B]``, and the layer outputs that the gradients need."""
        outputs = self._layers.forward(np.concatenate((obs, act), axis=1))
        return self._value(outputs[-1]), outputs

    def parameter_gradients(self, grad_value: Array, outputs: list[Array]) -> list[Array]:
        """Gradients of the parameters in their order, given the gradient of the values ``[B]``."""
        features = self._feature_gradient(grad_value, outputs[-1])
        return [*self._layers.parameter_gradients(features, outputs), *self._head_gradients(grad_value, outputs[-1])]

    def action_gradient(self, grad_value: Array, outputs: list[Array], act_dim: int) -> Array:
        """The gradient of the actions ``[B, act_dim]``."""
        features = self._feature_gradient(grad_value, outputs[-1])
        return self._layers.input_gradient(features, outputs)[:, -act_dim:]

    @abstractmethod
    def _value(self, features: Array) -> Array:
        """The value of the last hidden layer."""

    @abstractmethod
    def _feature_gradient(self, grad_value: Array, features: Array) -> Array:
        """The gradient of the last hidden layer."""

    def _head_gradients(self, grad_value: Array, features: Array) -> tuple[Array, ...]:
        """Gradients of the parameters after the last hidden layer."""
        return ()


class LyapunovKernel(CriticKernel):
    """:class:`~lac.networks.critic.LyapunovCritic` in numpy."""

    def __init__(self, critic: LyapunovCritic) -> None:
        super().__init__(critic.L, critic.scale_input)

    def _value(self, features: Array) -> Array:
        value: Array = np.einsum("bi,bi->b", features, features)
        return value

    def _feature_gradient(self, grad_value: Array, features: Array) -> Array:
        return 2.0 * grad_value[:, None] * features


class QKernel(CriticKernel):
    """:class:`~lac.networks.critic.QCritic` in numpy."""

    def __init__(self, critic: QCritic) -> None:
        head: Any
        *hidden, head = critic.Q
        super().__init__(nn.Sequential(*hidden), critic.scale_input)
        self._weight, self._bias = memory(head.weight), memory(head.bias)

    def _value(self, features: Array) -> Array:
        value: Array = features @ self._weight[0] + self._bias
        return value

    def _feature_gradient(self, grad_value: Array, features: Array) -> Array:
        return grad_value[:, None] * self._weight

    def _head_gradients(self, grad_value: Array, features: Array) -> tuple[Array, ...]:
        return linear_gradients(grad_value[:, None], features)


def critic_kernel(critic: LyapunovCritic | QCritic) -> CriticKernel:
    """The numpy kernel of a critic of this package."""
    return QKernel(critic) if isinstance(critic, QCritic) else LyapunovKernel(critic)


def pessimistic(values: Sequence[Array]) -> tuple[Array, list[Array]]:
    """The maximum over the critics ``[B]``, and the share of its gradient that each critic receives.

    As in :func:`lac.losses.pessimistic`, critics with equal largest values share the gradient equally.
    """
    if len(values) == 1:
        return values[0], [np.ones_like(values[0])]
    stacked = np.stack(values)
    largest = stacked.max(axis=0)
    is_largest = (stacked == largest).astype(np.float32)
    return largest, list(is_largest / is_largest.sum(axis=0))


@dataclass
class Sample:
    """Actions ``[B, act_dim]``, their log-probabilities ``[B]``, and intermediate results for the gradients."""

    action: Array
    logp: Array
    outputs: list[Array]
    deviation: Array
    normalised: Array
    inside: npt.NDArray[np.bool_]


class ActorKernel:
    """:class:`~lac.networks.actor.SquashedGaussianActor` in numpy."""

    def __init__(self, actor: SquashedGaussianActor) -> None:
        self._layers = ReluLayers(actor.net, actor.scale_input)
        self._w_mu, self._b_mu = memory(actor.mu_layer.weight), memory(actor.mu_layer.bias)
        self._w_std, self._b_std = memory(actor.log_std_layer.weight), memory(actor.log_std_layer.bias)
        self._scale, self._bias = memory(actor.act_scale), memory(actor.act_bias)

    def deterministic(self, obs: Array) -> Array:
        """The actions at the mean, ``[..., act_dim]``."""
        hidden = self._layers.forward(obs)[-1]
        action: Array = self._scale * np.tanh(hidden @ self._w_mu.T + self._b_mu) + self._bias
        return action

    def action(self, obs: Array, noise: Array) -> Array:
        """Sampled actions ``[..., act_dim]``."""
        hidden = self._layers.forward(obs)[-1]
        log_std = np.minimum(np.maximum(hidden @ self._w_std.T + self._b_std, LOG_STD_MIN), LOG_STD_MAX)
        z = hidden @ self._w_mu.T + self._b_mu + np.exp(log_std) * noise
        action: Array = self._scale * np.tanh(z) + self._bias
        return action

    def sample(self, obs: Array, noise: Array) -> Sample:
        """Sampled actions with their log-probabilities."""
        outputs = self._layers.forward(obs)
        log_std = outputs[-1] @ self._w_std.T + self._b_std
        clamped = np.minimum(np.maximum(log_std, LOG_STD_MIN), LOG_STD_MAX)
        deviation = np.exp(clamped) * noise
        z = outputs[-1] @ self._w_mu.T + self._b_mu + deviation
        normalised = np.tanh(z)
        log_squash = 2.0 * (_LOG_2 - z - np.logaddexp(np.float32(0.0), -2.0 * z))
        logp = (-0.5 * noise * noise - clamped - _HALF_LOG_2PI - log_squash).sum(axis=1)
        action = self._scale * normalised + self._bias
        return Sample(action, logp, outputs, deviation, normalised, clamped == log_std)

    def parameter_gradients(self, sample: Sample, grad_action: Array, grad_logp: Array) -> list[Array]:
        """Gradients of the parameters in their order, given those of actions ``[B, act_dim]`` and logp ``[B]``."""
        normalised, grad_logp = sample.normalised, grad_logp[:, None]
        # d log(1 - tanh(z)^2) / dz = -2 tanh(z); the Gaussian's density at its sample depends on log_std alone.
        grad_mu = grad_action * self._scale * (1.0 - normalised * normalised) + 2.0 * grad_logp * normalised
        grad_log_std = (grad_mu * sample.deviation - grad_logp) * sample.inside
        hidden = sample.outputs[-1]
        grad_hidden = grad_mu @ self._w_mu + grad_log_std @ self._w_std
        heads = (*linear_gradients(grad_mu, hidden), *linear_gradients(grad_log_std, hidden))
        return [*self._layers.parameter_gradients(grad_hidden, sample.outputs), *heads]


def memory(tensor: Tensor) -> Array:
    """An array that shares the memory of a tensor."""
    array: Array = tensor.detach().numpy()
    return array


def linear_gradients(grad: Array, inputs: Array) -> tuple[Array, Array]:
    """The gradients of weight and bias of a linear layer, given the gradient of its output."""
    # A product with ones sums the columns three times faster than grad.sum(axis=0).
    return grad.T @ inputs, np.ones(len(grad), grad.dtype) @ grad
