"""Actor-critics: a policy and its critics in one module, as the agents expect them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from lac.networks.actor import SquashedGaussianActor, action_scaling
from lac.networks.critic import LyapunovCritic, QCritic
from lac.networks.mlp import Activation, activation_class
from lac.networks.scaling import InputScaling, no_scaling
from lac.settings.rules import Flag, Numbers, Widths, plain, raise_if_wrong, shown

AnyActivation = Activation | str

_PARTS = ("actor", "critic")


class ActorCritic(nn.Module):
    """A squashed Gaussian policy ``pi`` and the critics in ``CRITIC_NAMES`` of a subclass.

    Args:
        observation_space: Box of observations, one-dimensional.
        action_space: Bounded box of actions.
        hidden_sizes: Layer widths, for actor and critics or as ``{"actor": [...], "critic": [...]}``.
        activation: Activation class or its name (``relu``), for actor and critics or as
            ``{"actor": ..., "critic": ...}``.
        output_activation: Activation after the actor's last hidden layer, likewise, or ``{"actor": ...}``.
        observation_scale: Divisor of the observations at the input of all networks: a number or one number
            per observation. None leaves them unscaled.
        normalise_actions: Whether the critic reads actions scaled to (-1, 1) instead of the
            environment's units, which matters where a box is wide (+-20) or off centre ([0, 1]).
        actor_bias: Whether the layers of the policy's mean have biases; see :class:`SquashedGaussianActor`.

    Raises:
        ValueError: An argument is not allowed; it is named.
    """

    CRITIC: ClassVar[type[LyapunovCritic] | type[QCritic]]
    CRITIC_NAMES: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        observation_space: Box,
        action_space: Box,
        hidden_sizes: Sequence[int] | Mapping[str, Sequence[int]] = (256, 256),
        activation: AnyActivation | Mapping[str, AnyActivation] = nn.ReLU,
        output_activation: AnyActivation | Mapping[str, AnyActivation] = nn.ReLU,
        observation_scale: float | Sequence[float] | None = None,
        normalise_actions: bool = False,
        actor_bias: bool = True,
    ) -> None:
        super().__init__()
        raise_if_wrong(normalise_actions=(normalise_actions, Flag()), actor_bias=(actor_bias, Flag()))
        widths, activations = _widths(hidden_sizes), _activations("activation", activation, _PARTS)
        obs_dim = int(np.prod(observation_space.shape))
        act_dim = int(np.prod(action_space.shape))
        obs_scaling = (torch.zeros(obs_dim), _observation_widths(observation_scale, obs_dim))
        act_scaling = no_scaling(act_dim)
        if normalise_actions:
            half_width, centre = action_scaling(action_space)
            # An action that cannot move has the width 0, by which nothing can be divided.
            act_scaling = (centre, torch.where(half_width > 0, half_width, 1.0))
        self.pi = SquashedGaussianActor(
            obs_dim,
            action_space,
            widths["actor"],
            activations["actor"],
            _activations("output_activation", output_activation, ("actor",))["actor"],
            scale_input=InputScaling(obs_scaling),
            bias=actor_bias,
        )
        for name in self.CRITIC_NAMES:
            critic = self.CRITIC(
                obs_dim,
                act_dim,
                widths["critic"],
                activations["critic"],
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


def _parts(name: str, value: Any, parts: Sequence[str]) -> dict[str, Any]:
    """The value for each part of an actor-critic by the name in messages, given one for all or a mapping of them."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(parts, value)
    if set(value) != set(parts):
        raise ValueError(
            f"{name} is {shown(value)}; it must be one value, or a dict with the entries {' and '.join(parts)}"
        )
    return dict(value)


def _widths(hidden_sizes: Any) -> dict[str, list[int]]:
    sizes = _parts("hidden_sizes", plain(hidden_sizes), _PARTS)
    raise_if_wrong(**{f"hidden_sizes[{part!r}]": (widths, Widths()) for part, widths in sizes.items()})
    return sizes


def _activations(name: str, value: Any, parts: Sequence[str]) -> dict[str, Activation]:
    classes = _parts(name, value, parts)
    return {part: activation_class(f"{name}[{part!r}]", value) for part, value in classes.items()}


def _observation_widths(scale: Any, obs_dim: int) -> Tensor:
    raise_if_wrong(observation_scale=(scale, Numbers(above=0, optional=True)))
    with np.errstate(over="ignore"):  # which is an error below
        given = np.asarray(1.0 if scale is None else plain(scale), np.float32)
    if given.ndim > 0 and given.shape != (obs_dim,):
        raise ValueError(
            f"observation_scale has {len(given)} numbers; it must be one number, or {obs_dim} (one per observation)"
        )
    if not np.all((given >= np.finfo(np.float32).tiny) & np.isfinite(given)):
        raise ValueError(f"observation_scale is {shown(scale)}; its numbers must be in the range of float32")
    return torch.as_tensor(np.broadcast_to(given, obs_dim).copy())
