"""The law of a policy: the numbers in it, which act on states and on enclosures."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from lac.agents import Agent
from lac.controllers.controller import Zero
from lac.controllers.linear import LinearRegulator
from lac.networks import LyapunovActorCritic, LyapunovActorTwinCritic, SoftActorCritic
from lac.proofs.domains import FloatArray, U, outward
from lac.proofs.enclosures import Enclosure, NotProvedError
from lac.proofs.namespace import Vector

_ACTIVATIONS: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.Identity: "identity"}
_ACTOR_CRITICS = (LyapunovActorCritic, LyapunovActorTwinCritic, SoftActorCritic)


@dataclass(frozen=True)
class Layer:
    """``activation(weights h + bias)``."""

    weights: FloatArray
    """``[k, n]``"""
    bias: FloatArray
    """``[k]``"""
    activation: str
    """``relu``, ``tanh`` or ``identity``"""


@dataclass(frozen=True)
class Law:
    """``u = middle + half_width * h``, where ``h`` is what layers make of ``(obs - centre) * inverse_width``.

    The numbers are those of a network in float32 or of a gain, exactly; the law is theirs in exact arithmetic. That a
    policy is executed in float32 is part of the action error of a proof.
    """

    centre: FloatArray
    inverse_width: FloatArray
    layers: tuple[Layer, ...]
    half_width: FloatArray
    middle: FloatArray

    def __call__(self, observations: FloatArray) -> FloatArray:
        """Actions ``[B, act_dim]`` for observations ``[B, obs_dim]``, in float64."""
        hidden = (observations - self.centre) * self.inverse_width
        for layer in self.layers:
            hidden = hidden @ layer.weights.T + layer.bias
            if layer.activation == "relu":
                hidden = np.maximum(hidden, 0.0)
            elif layer.activation == "tanh":
                hidden = np.tanh(hidden)
        return self.middle + self.half_width * hidden

    def enclosed(self, observations: Vector) -> Vector:
        """The actions for enclosed observations."""
        entries = [
            (entry - float(centre)) * float(inverse)
            for entry, centre, inverse in zip(observations, self.centre, self.inverse_width, strict=True)
        ]
        inputs = hidden = Enclosure.joined(entries)
        quotients = []
        for layer in self.layers[:-1]:
            hidden = _activated(hidden.affine(layer.weights, layer.bias), layer.activation)
            quotients.append(hidden.quotients)
        last = self.layers[-1]
        hidden = hidden.affine(last.weights, last.bias).narrowed(*self._slopes_backwards(inputs, quotients))
        hidden = _activated(hidden, last.activation)
        scaling = zip(hidden.separated(), self.half_width, self.middle, strict=True)
        return Vector(column * float(half_width) + float(middle) for column, half_width, middle in scaling)

    def _slopes_backwards(self, inputs: Enclosure, quotients: Sequence[Any]) -> tuple[FloatArray, FloatArray]:
        """The slopes before the last activation, multiplied from the output to the input, and their radii.

        Where a ReLU bends in a box, an unknown goes through all later layers. Multiplied forwards, its size adds up
        over their neurons; backwards, their weights have been summed with their signs. Both enclose the same product.
        """
        found = [self._row_backwards(row, inputs, quotients) for row in self.layers[-1].weights]
        slopes, radii = (np.stack(parts, axis=-1) for parts in zip(*found, strict=True))
        return slopes, radii

    def _row_backwards(self, row: FloatArray, inputs: Enclosure, quotients: Sequence[Any]) -> tuple[Any, Any]:
        centres = np.broadcast_to(row, (len(inputs.value), len(row)))
        radii = np.zeros_like(centres)
        for layer, known in zip(self.layers[-2::-1], reversed(quotients), strict=True):
            if known is not None:  # the identity has no quotients
                middle, spread = known
                radii = np.abs(centres) * spread + radii * (np.abs(middle) + spread)
                centres = centres * middle
                radii = outward(radii + U * np.abs(centres))
            wide = 2 * (len(layer.weights) + 4) * U
            radii = outward(((radii + wide * np.abs(centres)) @ np.abs(layer.weights)) * (1.0 + wide))
            centres = centres @ layer.weights
        products = centres * inputs.slopes
        rest = np.abs(centres) * inputs.radii + radii * (np.abs(inputs.slopes) + inputs.radii)
        rest += 2 * (centres.shape[-1] + 4) * U * np.abs(products)
        return products.sum(axis=-1), outward(rest.sum(axis=-1))

    def sha256(self) -> str:
        """A digest of every number in the law and of its activations."""
        digest = hashlib.sha256()
        parts = [self.centre, self.inverse_width, self.half_width, self.middle]
        for layer in self.layers:
            digest.update(layer.activation.encode())
            parts += [layer.weights, layer.bias]
        for part in parts:
            digest.update(repr(part.shape).encode() + np.ascontiguousarray(part, "<f8").tobytes())
        return digest.hexdigest()


def _activated(hidden: Enclosure, activation: str) -> Enclosure:
    return {"identity": lambda: hidden, "relu": hidden.relu, "tanh": hidden.tanh}[activation]()


def law_of(policy: Any) -> Law:
    """The law of an agent's deterministic policy, or of a linear controller.

    Raises:
        NotProvedError: The policy is something else, or has an activation without enclosure.
    """
    if isinstance(policy, Law):
        return policy
    if _acts_as(policy, LinearRegulator, "get_action", "_law") or _acts_as(policy, Zero, "get_action", "_law"):
        obs_dim, act_dim = policy.observation_space.shape[0], policy.action_space.shape[0]
        gain = policy.gain if isinstance(policy, LinearRegulator) else np.zeros((act_dim, obs_dim))
        layer = Layer(-gain, np.zeros(act_dim), "identity")
        return Law(np.zeros(obs_dim), np.ones(obs_dim), (layer,), np.ones(act_dim), np.zeros(act_dim))
    if _acts_as(policy, Agent, "get_action", "bounded") and type(policy.ac) in _ACTOR_CRITICS:
        return _law_of_actor(policy.ac.pi)
    parts = type(policy).__name__, *([type(policy.ac).__name__] if hasattr(policy, "ac") else [])
    raise NotProvedError(
        f"the policy is a {' with '.join(parts)}; a proof needs the numbers in it, and knows agents with networks of "
        "this package, lqr and zero, if they act by the methods of these"
    )


def _acts_as(policy: Any, kind: type[Any], *methods: str) -> bool:
    """Whether a policy is of a class, or of a subclass that leaves these methods as they are."""
    return isinstance(policy, kind) and all(getattr(type(policy), name) is getattr(kind, name) for name in methods)


def _law_of_actor(actor: Any) -> Law:
    modules = list(actor.net)
    layers = [_layer(linear, activation) for linear, activation in zip(modules[::2], modules[1::2], strict=True)]
    layers.append(_layer(actor.mu_layer, nn.Tanh()))
    scaling = actor.scale_input
    return Law(
        _numbers(scaling.centre),
        _numbers(scaling.inverse_width),
        tuple(layers),
        _numbers(actor.act_scale),
        _numbers(actor.act_bias),
    )


def _layer(linear: Any, activation: nn.Module) -> Layer:
    if type(activation) not in _ACTIVATIONS:
        raise NotProvedError(
            f"the actor has the activation {type(activation).__name__}, which has no enclosure; train it with relu, "
            "tanh or identity (network.activation.actor, network.output_activation.actor)"
        )
    return Layer(_numbers(linear.weight), _numbers(linear.bias), _ACTIVATIONS[type(activation)])


def _numbers(tensor: Tensor) -> FloatArray:
    return tensor.detach().cpu().numpy().astype(np.float64)
