"""What all controllers have in common: they act as a trained policy does."""

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box
from gymnasium.wrappers import (
    HumanRendering,
    OrderEnforcing,
    PassiveEnvChecker,
    RecordEpisodeStatistics,
    RecordVideo,
    RenderCollection,
    TimeLimit,
)

from lac.envs.boundary import Boundary
from lac.envs.costs import RewardAsCost
from lac.envs.disturbances.base import Disturbance
from lac.envs.factory import HasSpaces, validate_spaces
from lac.envs.system import FloatArray, System


class ControllerError(ValueError):
    """A controller that cannot be used in an environment; the message is a sentence."""


class Controller(ABC):
    """A feedback law without memory, with the interface of a trained policy.

    It is designed once, for the constants that the system has then. A subclass writes :meth:`suits`, :meth:`_design`
    and :meth:`_law`; :func:`lac.controllers.make_controller` makes it.

    Args:
        env: Environment whose observations and actions it deals with.
        system: Its :func:`nominal_system`, which it :meth:`suits`.
    """

    name: ClassVar[str]
    """As it is chosen with ``controller=NAME``."""

    def __init__(self, env: HasSpaces, system: System | None) -> None:
        self.observation_space, self.action_space = validate_spaces(env)
        self._design(system)

    @classmethod
    @abstractmethod
    def suits(cls, system: System | None) -> bool:
        """Whether it is for this system; None is an environment that is no system of ours."""

    @abstractmethod
    def _design(self, system: Any) -> None:
        """Find the constants of the law for a system that :meth:`suits`."""

    @abstractmethod
    def _law(self, observations: FloatArray) -> FloatArray:
        """Actions ``[..., act_dim]``, in their box or not, for observations ``[..., obs_dim]``."""

    def get_action(self, s: npt.ArrayLike, deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions in the bounds and the dtype of the environment.

        Args:
            s: One observation ``[obs_dim]`` or a batch ``[B, obs_dim]``.
            deterministic: Has no effect, since there is no chance in a controller; trained policies have it.

        Raises:
            ValueError: The observations have another width.
        """
        observations = np.asarray(s, np.float64)
        if observations.ndim not in {1, 2} or observations.shape[-1:] != self.observation_space.shape:
            raise ValueError(
                f"s has the shape {observations.shape}; it must be one observation {self.observation_space.shape}, "
                "or a batch of them"
            )
        space = self.action_space
        inside: FloatArray = np.minimum(np.maximum(self._law(observations), space.low), space.high)
        return inside.astype(space.dtype, copy=False)

    __call__ = get_action


class Zero(Controller):
    """No input: zero, or what is nearest to it in the action box. It suits every environment."""

    name = "zero"

    @classmethod
    def suits(cls, system: System | None) -> bool:
        """Always."""
        return True

    def _design(self, system: Any) -> None:
        self._shape = self.action_space.shape

    def _law(self, observations: FloatArray) -> FloatArray:
        return np.zeros((*observations.shape[:-1], *self._shape))


def nominal_system(env: HasSpaces) -> System | None:
    """A copy of the system in an environment, without forces and disturbances.

    None if there is none, or if a wrapper may change its observations, its actions or its steps: one is known not to
    if its ``step`` and ``reset`` are those of a wrapper that is known.
    """
    inner: Any = env
    while isinstance(inner, gymnasium.Wrapper):
        if not _leaves_the_system(inner):
            return None
        inner = inner.env
    if not isinstance(inner, System) or not _are_equal(inner, env):
        return None
    system = copy.deepcopy(inner)
    system.external_force = np.zeros_like(system.external_force)
    system.process_disturbance = 0.0
    return system


_KNOWN_WRAPPERS: tuple[type[gymnasium.Wrapper[Any, Any, Any, Any]], ...] = (
    *(gymnasium.Wrapper, gymnasium.RewardWrapper, Boundary, RewardAsCost),
    *(TimeLimit, OrderEnforcing, PassiveEnvChecker, RecordEpisodeStatistics, RecordVideo),
    *(HumanRendering, RenderCollection),
)
"""Wrappers that leave observations, actions and the number of steps as they are."""


def _leaves_the_system(wrapper: gymnasium.Wrapper[Any, Any, Any, Any]) -> bool:
    """Whether a wrapper is a disturbance, which the nominal system is without, or does what a known wrapper does."""
    if isinstance(wrapper, Disturbance):
        return True
    kind = type(wrapper)
    return any(kind.step is known.step for known in _KNOWN_WRAPPERS) and any(
        kind.reset is known.reset for known in _KNOWN_WRAPPERS
    )


def _are_equal(inner: HasSpaces, outer: HasSpaces) -> bool:
    spaces = ((inner.observation_space, outer.observation_space), (inner.action_space, outer.action_space))
    return all(
        isinstance(own, Box)
        and isinstance(shown, Box)
        and own.shape == shown.shape
        and np.array_equal(own.low, shown.low)
        and np.array_equal(own.high, shown.high)
        for own, shown in spaces
    )
