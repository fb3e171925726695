"""What disturbances have in common: checked arguments, a step index, a generator of their own, a place to push."""

from collections.abc import Mapping, Sequence
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

# Where a push goes: the attribute of the unwrapped environment that takes it.
ATTRIBUTES = {"external_force": "external_force", "process": "process_disturbance"}


class DisturbanceError(ValueError):
    """A disturbance that cannot be had; ``errors`` are sentences that begin with the name of an argument."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = list(errors)


class Disturbance(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Base of the disturbances.

    Random numbers come from a generator of the wrapper's own, which ``reset(seed=...)`` derives from the seed: an
    episode is repeatable, and the environment's stream is the same as without the wrapper. Of several wrappers
    around each other each has another stream.

    Args:
        env: Environment.
        settings: The arguments of the subclass by name, to be checked.

    Raises:
        DisturbanceError: Arguments are wrong, by themselves or for this environment.
    """

    settings_class: ClassVar[type[kinds.Disturbance]]

    def __init__(self, env: AnyEnv, settings: Mapping[str, Any]) -> None:
        refuse(self.errors(settings))
        super().__init__(env)
        self._depth = _number_of_disturbances(env)
        self._generator = np.random.default_rng()
        self._next_step = 0

    @classmethod
    def errors(cls, settings: Mapping[str, Any], prefix: str = "") -> list[str]:
        """Errors in arguments, whatever the environment; ``prefix`` goes before their names."""
        return setting_errors(cls.settings_class, settings, prefix)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; the next step has the index 0."""
        if seed is not None:
            self._generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(self._depth,)))
        self._next_step = 0
        return self.env.reset(seed=seed, options=options)

    def _count_step(self) -> int:
        """The index of the step that begins, 0 for the first of an episode."""
        self._next_step += 1
        return self._next_step - 1

    def _pushed_step(self, action: Any, push: FloatArray, channel: str) -> Step:
        """One step with ``push`` added in the channel, for this step only."""
        if channel == "action":
            return self.env.step(np.asarray(action) + push)
        system, name = self.unwrapped, ATTRIBUTES[channel]
        before = getattr(system, name)
        setattr(system, name, before + push)
        try:
            return self.env.step(action)
        finally:
            setattr(system, name, before)


def refuse(errors: Sequence[str]) -> None:
    """Raise a DisturbanceError if there are errors."""
    if errors:
        raise DisturbanceError(errors)


def title(env: AnyEnv) -> str:
    """What an environment is called in messages."""
    return env.spec.id if env.spec is not None else type(env.unwrapped).__name__


def channel_size(env: AnyEnv, channel: str, argument: str) -> int:
    """The number of entries that a push in this channel has.

    Args:
        env: Environment.
        channel: ``action``, ``external_force`` or ``process``.
        argument: The argument that chose the channel, for the message.

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
    """The number of entries of a one-dimensional box; ``what`` begins the message where it is something else."""
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise DisturbanceError([f"{what} is {space}; it must be a one-dimensional Box"])
    return space.shape[0]


def state_size(env: AnyEnv) -> int:
    """The number of entries of ``get_state()["state"]``; 0 where there is no such method."""
    return current_state(env).size if hasattr(env.unwrapped, "get_state") else 0


def current_state(env: AnyEnv) -> FloatArray:
    """The state of the unwrapped environment, as its ``get_state`` tells it."""
    return np.asarray(env.unwrapped.get_state()["state"])  # type: ignore[attr-defined]


def per_entry(value: Any, size: int, argument: str) -> FloatArray:
    """A number, or one for each entry, as ``[size]``.

    Raises:
        DisturbanceError: There is another number of numbers.
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
