"""Actor-critics: a policy and its critics in one module, as the agents expect them."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from lac.networks.actor import SquashedGaussianActor, action_scaling
from lac.networks.critic import LyapunovCritic, QCritic
from lac.networks.mlp import Activation
from lac.networks.scaling import InputScaling, no_scaling

T = TypeVar("T")


class ActorCritic(nn.Module):
    """A squashed Gaussian policy ``pi`` and the critics in ``CRITIC_NAMES`` of a subclass.

    Args:
        observation_space: Box of observations, one-dimensional.
        action_space: Bounded box of actions.
        hidden_sizes: Layer widths, for actor and critics or as ``{"actor": [...], "critic": [...]}``.
        activation: Activation class, for actor and critics or as ``{"actor": ..., "critic": ...}``.
        output_activation: Activation after the actor's last hidden layer, a class or ``{"actor": ...}``.
        observation_scale: Divisor of the observations at the input of all networks: a number or one number
            per observation. None leaves them unscaled.
        normalise_actions: Whether the critic reads actions scaled to (-1, 1) instead of the
            environment's units, which matters where a box is wide (+-20) or off centre ([0, 1]).
    """

    CRITIC: ClassVar[type[LyapunovCritic] | type[QCritic]]
    CRITIC_NAMES: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        observation_space: Box,
        action_space: Box,
        hidden_sizes: Sequence[int] | Mapping[str, Sequence[int]] = (256, 256),
        activation: Activation | Mapping[str, Activation] = nn.ReLU,
        output_activation: Activation | Mapping[str, Activation] = nn.ReLU,
        observation_scale: float | Sequence[float] | None = None,
        normalise_actions: bool = False,
    ) -> None:
        super().__init__()
        obs_dim = int(np.prod(observation_space.shape))
        act_dim = int(np.prod(action_space.shape))
        obs_scaling = (torch.zeros(obs_dim), _observation_widths(observation_scale, obs_dim))
        act_scaling = no_scaling(act_dim)
        if normalise_actions:
            width, centre = action_scaling(action_space)
            act_scaling = (centre, width)
        self.pi = SquashedGaussianActor(
            obs_dim,
            action_space,
            _of("actor", hidden_sizes),
            _of("actor", activation),
            _of("actor", output_activation),
            scale_input=InputScaling(obs_scaling),
        )
        for name in self.CRITIC_NAMES:
            critic = self.CRITIC(
                obs_dim,
                act_dim,
                _of("critic", hidden_sizes),
                _of("critic", activation),
                scale_input=InputScaling(obs_scaling, act_scaling),
            )
            self.add_module(name, critic)

    @torch.inference_mode()
    def act(self, obs: Tensor, deterministic: bool = False) -> npt.NDArray[np.float32]:
        """Actions ``[..., act_dim]`` for observations ``[..., obs_dim]``, as an array, without a graph."""
        action: Tensor = self.pi.deterministic(obs) if deterministic else self.pi(obs)[0]
        return action.cpu().numpy()


class LyapunovActorCritic(ActorCritic):
    """A policy ``pi`` and a Lyapunov critic ``L``; for LAC. Arguments are those of :class:`ActorCritic`."""

    CRITIC = LyapunovCritic
    CRITIC_NAMES: ClassVar[tuple[str, ...]] = ("L",)


class LyapunovActorTwinCritic(LyapunovActorCritic):
    """A policy and two Lyapunov critics, ``L`` and ``L2``, of which the maximum is used; for LATC."""

    CRITIC_NAMES = ("L", "L2")


class SoftActorCritic(ActorCritic):
    """A policy ``pi`` and two action values, ``Q1`` and ``Q2``; for SAC. Arguments as :class:`ActorCritic`."""

    CRITIC = QCritic
    CRITIC_NAMES = ("Q1", "Q2")


def _of(part: str, value: T | Mapping[str, T]) -> T:
    """The value for one part of an actor-critic, given one for all parts or a mapping of them."""
    if not isinstance(value, Mapping):
        return value
    if part not in value:
        raise ValueError(f"a network setting has no entry {part!r}, only {sorted(value)}; add the missing entry")
    return value[part]


def _observation_widths(scale: float | Sequence[float] | None, obs_dim: int) -> Tensor:
    given = torch.as_tensor(1.0 if scale is None else scale, dtype=torch.float32)
    widths = given.expand(obs_dim) if given.ndim == 0 else given
    # Infinite in single precision, or with an infinite inverse, would blank out or blow up what the networks read.
    is_usable = bool((widths > 0).all()) and bool(torch.isfinite(torch.stack([widths, 1.0 / widths])).all())
    if widths.shape != (obs_dim,) or not is_usable:
        raise ValueError(
            f"observation_scale is {scale}; it must be a positive and finite number, or {obs_dim} of them (one per "
            "observation)"
        )
    return widths
