"""The common part of disturbances: checked arguments, a step index, a random generator, and channels for pushes."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box

from lac.settings import disturbances as kinds
from lac.settings.fields import setting_errors

AnyEnv = gymnasium.Env[Any, Any]
FloatArray = npt.NDArray[np.float64]
Step = tuple[Any, Any, bool, bool, dict[str, Any]]

# The attribute of the unwrapped environment to which a push is added, by channel.
ATTRIBUTES = {"external_force": "external_force", "process": "process_disturbance"}


class DisturbanceError(ValueError):
    """A disturbance that cannot be built; ``errors`` are sentences that begin with the name of an argument."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = list(errors)


class Disturbance(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Base class of the disturbances.

    Each wrapper has its own random generator, which ``reset(seed=...)`` seeds. So an episode is repeatable, and the
    random numbers of the environment are the same as without the wrapper. Nested disturbances have different streams.

    Args:
        env: Environment.
        settings: The arguments of the subclass by name, to be checked.

    Raises:
        DisturbanceError: An argument is invalid, in general or for this environment.
    """

    settings_class: ClassVar[type[kinds.Disturbance]]

    def __init__(self, env: AnyEnv, settings: Mapping[str, Any]) -> None:
        raise_if_any(self.errors(settings))
        super().__init__(env)
        self._depth = _number_of_disturbances(env)
        self._generator = np.random.default_rng()
        self._next_step = 0

    @classmethod
    def errors(cls, settings: Mapping[str, Any], prefix: str = "") -> list[str]:
        """Errors in the arguments that do not depend on the environment; ``prefix`` is put before their names."""
        return setting_errors(cls.settings_class, settings, prefix)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; the next step has the index 0."""
        if seed is not None:
            self._generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(self._depth,)))
        self._next_step = 0
        return self.env.reset(seed=seed, options=options)

    def _count_step(self) -> int:
        """Count a step; returns its index, which is 0 for the first step of an episode."""
        self._next_step += 1
        return self._next_step - 1


class Push(Disturbance):
    """Base class of the disturbances that are added to something in some or all steps.

    What is added in a step is apart from the step, so that many systems take it at once (:mod:`lac.evaluation`).
    """

    channel: str
    """What it is added to: ``action``, ``external_force``, ``process`` or ``observation``."""

    @abstractmethod
    def next_push(self, action: Any, state: Callable[[], FloatArray]) -> FloatArray | None:
        """Count a step; what is added in it, None if nothing is. Noise of observations is not part of it.

        Args:
            action: The action of the step.
            state: Gives ``env.unwrapped.get_state()["state"]`` before the step.
        """

    def observed(self, observation: Any) -> Any:
        """An observation as it is disturbed."""
        return observation

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        observation, info = super().reset(seed=seed, options=options)
        return self.observed(observation), info

    def step(self, action: Any) -> Step:
        """One step, disturbed."""
        push = self.next_push(action, partial(current_state, self.env))
        if push is None:
            result = self.env.step(action)
        elif self.channel == "action":
            result = self.env.step(np.asarray(action) + push)
        else:
            with added(self.unwrapped, self.channel, push):
                result = self.env.step(action)
        return self.observed(result[0]), *result[1:]


@contextmanager
def added(system: Any, channel: str, push: FloatArray) -> Iterator[None]:
    """Add a push to the external force or to the process disturbance of a system within the block."""
    name = ATTRIBUTES[channel]
    before = getattr(system, name)
    setattr(system, name, before + push)
    try:
        yield
    finally:
        setattr(system, name, before)


def raise_if_any(errors: Sequence[str]) -> None:
    """Raise a DisturbanceError if there are errors."""
    if errors:
        raise DisturbanceError(errors)


def title(env: AnyEnv) -> str:
    """The name of an environment in messages."""
    return env.spec.id if env.spec is not None else type(env.unwrapped).__name__


def channel_size(env: AnyEnv, channel: str, argument: str) -> int:
    """The number of entries of a push in a channel.

    Args:
        env: Environment.
        channel: ``action``, ``external_force`` or ``process``.
        argument: The argument that selects the channel, for the message.

    Raises:
        DisturbanceError: The environment has no such channel.
    """
    if channel == "action":
        return vector_size(env.action_space, f"{argument} is 'action', but the action space of {title(env)}")
    size = state_size(env) if channel == "process" else np.size(getattr(env.unwrapped, "external_force", ()))
    if not hasattr(env.unwrapped, ATTRIBUTES[channel]) or size == 0:
        raise DisturbanceError(
            [f"{argument} is {channel!r}, but {title(env)} has no {ATTRIBUTES[channel]}; choose {argument}=action"]
        )
    return size


def vector_size(space: gymnasium.Space[Any], what: str) -> int:
    """The number of entries of a one-dimensional box.

    Args:
        space: The space.
        what: Start of the error message.

    Raises:
        DisturbanceError: The space is not a one-dimensional box.
    """
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise DisturbanceError([f"{what} is {space}; it must be a one-dimensional Box"])
    return space.shape[0]


def state_size(env: AnyEnv) -> int:
    """The number of entries of ``get_state()["state"]``; 0 if the environment has no such method."""
    return current_state(env).size if hasattr(env.unwrapped, "get_state") else 0


def current_state(env: AnyEnv) -> FloatArray:
    """The state of the unwrapped environment, from its ``get_state``."""
    return np.asarray(env.unwrapped.get_state()["state"])  # type: ignore[attr-defined]


def per_entry(value: Any, size: int, argument: str) -> FloatArray:
    """One number, or one per entry, as an array ``[size]``.

    Raises:
        DisturbanceError: The number of values is neither 1 nor ``size``.
    """
    numbers = np.asarray(value, dtype=np.float64)
    if numbers.shape not in {(), (size,)}:
        raise DisturbanceError([f"{argument} has {numbers.size} numbers; it must be one number, or {size} of them"])
    return np.broadcast_to(numbers, size)


def _number_of_disturbances(env: Any) -> int:
    number = 0
    while isinstance(env, gymnasium.Wrapper):
        number += isinstance(env, Disturbance)
        env = env.env
    return number
