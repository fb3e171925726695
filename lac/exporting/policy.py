"""The deterministic policy of an agent as plain arrays, and its action in float64: the reference of all exports."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box
from torch import Tensor, nn

from lac.exporting.activations import ACTIVATION_FUNCTIONS
from lac.exporting.errors import ExportError
from lac.networks import ACTIVATIONS
from lac.networks.actor import SquashedGaussianActor
from lac.networks.actor_critic import ActorCritic

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

_NAMES = {cls: name for name, cls in ACTIVATIONS.items()}


class ActingAgent(Protocol):
    """What an export uses of an agent; see :class:`lac.agents.agent.Agent`."""

    ac: Any

    @property
    def observation_space(self) -> Box:
        """The box of observations."""

    @property
    def action_space(self) -> Box:
        """The box of actions."""

    def get_action(self, s: npt.ArrayLike, deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions of the policy."""


@dataclass(frozen=True)
class Layer:
    """One layer, ``y = activation(weight x + bias)``.

    Attributes:
        weight: ``[out, in]``
        bias: ``[out]``
        activation: Name of the activation, as in :data:`lac.networks.ACTIVATIONS`.
    """

    weight: Float32Array
    bias: Float32Array
    activation: str


@dataclass(frozen=True)
class DeterministicPolicy:
    """``clip(centre + half_width tanh(net((obs - obs_centre) obs_inverse_width)), low, high)``.

    Numbers of the networks are the agent's own, in float32.

    Attributes:
        obs_centre: ``[obs_dim]``
        obs_inverse_width: ``[obs_dim]``
        layers: The layers of ``net``; the last one is the mean of the Gaussian, before the tanh.
        half_width: Half of the width of the action box, ``[act_dim]``.
        centre: Its centre, ``[act_dim]``.
        low: Lower bounds of the actions in the environment, ``[act_dim]``.
        high: Upper bounds, ``[act_dim]``.
    """

    obs_centre: Float32Array
    obs_inverse_width: Float32Array
    layers: tuple[Layer, ...]
    half_width: Float32Array
    centre: Float32Array
    low: Float64Array
    high: Float64Array

    @property
    def obs_dim(self) -> int:
        """Number of observations."""
        return len(self.obs_centre)

    @property
    def act_dim(self) -> int:
        """Number of actions."""
        return len(self.centre)

    @property
    def float32_bounds(self) -> tuple[Float32Array, Float32Array]:
        """The smallest and the largest float32 in the action box, ``[act_dim]`` each."""
        low, high = self.low.astype(np.float32), self.high.astype(np.float32)
        low = np.where(low < self.low, np.nextafter(low, np.float32(np.inf)), low)
        high = np.where(high > self.high, np.nextafter(high, np.float32(-np.inf)), high)
        return low, high

    def actions(self, obs: Float64Array) -> Float64Array:
        """The actions ``[B, act_dim]`` for observations ``[B, obs_dim]`` in float64: the reference of all exports."""
        hidden = (obs - self.obs_centre.astype(np.float64)) * self.obs_inverse_width.astype(np.float64)
        for layer in self.layers:
            linear = hidden @ layer.weight.astype(np.float64).T + layer.bias.astype(np.float64)
            hidden = ACTIVATION_FUNCTIONS[layer.activation](linear)
        action = self.centre.astype(np.float64) + self.half_width.astype(np.float64) * np.tanh(hidden)
        return np.minimum(np.maximum(action, self.low), self.high)


def deterministic_policy(agent: ActingAgent) -> DeterministicPolicy:
    """The deterministic policy of an agent whose actor is one of this package.

    Raises:
        ExportError: The actor-critic or an activation is a user's own, or a weight is not finite.
    """
    actor = _actor(agent.ac)
    centre, inverse_width = actor.scale_input.centre, actor.scale_input.inverse_width
    policy = DeterministicPolicy(
        obs_centre=_array(centre),
        obs_inverse_width=_array(inverse_width),
        layers=(*_layers(actor.net), Layer(_array(actor.mu_layer.weight), _array(actor.mu_layer.bias), "identity")),
        half_width=_array(actor.act_scale),
        centre=_array(actor.act_bias),
        low=np.asarray(agent.action_space.low, np.float64),
        high=np.asarray(agent.action_space.high, np.float64),
    )
    if not all(np.isfinite(numbers).all() for layer in policy.layers for numbers in (layer.weight, layer.bias)):
        raise ExportError("the policy has weights that are not finite numbers, so it has no actions; train it again")
    return policy


def _actor(actor_critic: nn.Module) -> SquashedGaussianActor:
    actor = getattr(actor_critic, "pi", None)
    is_ours = isinstance(actor_critic, ActorCritic) and type(actor_critic).act is ActorCritic.act
    if not is_ours or type(actor) is not SquashedGaussianActor:
        raise ExportError(
            f"the actor-critic {type(actor_critic).__name__} is not one of lac's, so what its policy computes is not "
            "known to the export; use torch.onnx or torch.export on its module, or train with a network of lac"
        )
    return actor


def _layers(net: nn.Sequential) -> list[Layer]:
    """The hidden layers: linear ones, each followed by an activation."""
    modules = list(net)
    return [
        Layer(_array(linear.weight), _array(linear.bias), _activation_name(activation))
        for linear, activation in zip(modules[::2], modules[1::2], strict=True)
        if isinstance(linear, nn.Linear)
    ]


def _activation_name(activation: nn.Module) -> str:
    name = _NAMES.get(type(activation))
    if name is None:
        raise ExportError(
            f"the activation {type(activation).__name__} cannot be exported; the networks can be exported with "
            f"{', '.join(ACTIVATIONS)}"
        )
    return name


def _array(tensor: Tensor) -> Float32Array:
    return np.array(tensor.detach().cpu().numpy(), np.float32)
