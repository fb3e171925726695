"""Disturbances that are added in some or all steps: impulses, sinusoids and noise."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box

from lac.envs.disturbances.base import (
    AnyEnv,
    DisturbanceError,
    FloatArray,
    Push,
    channel_size,
    per_entry,
    raise_if_any,
    state_size,
    title,
    vector_size,
)
from lac.envs.time_limits import time_limit
from lac.settings import disturbances as kinds


class Impulse(Push):
    """A push of one step, once or periodically.

    The direction is ``-sign(action)``, against the action; ``+sign(x_k)``, away from the origin; or constant. Han et
    al. (2020) push the cart by ``channel=external_force, direction=sign_of_state, state_index=0`` and every other
    system by ``channel=action, direction=sign_of_action``. If the sign is 0, there is no push.

    Args:
        env: Environment.
        magnitude: Size in units of the channel, one number or one per entry; a negative one reverses the direction.
        at_step: Index of the step with the push; the first step of an episode has the index 0.
        every: Alternative to ``at_step``: pushes at the steps 0, every, 2 every, and so on.
        direction: ``sign_of_action``, ``sign_of_state`` or ``constant``.
        state_index: For ``sign_of_state``, the entry of ``env.unwrapped.get_state()["state"]`` before the step.
        channel: ``action``, before the environment clips its actions, or ``external_force``, which is not clipped.

    Raises:
        DisturbanceError: An argument is invalid, in general or for this environment.
    """

    settings_class = kinds.Impulse

    def __init__(
        self,
        env: AnyEnv,
        magnitude: npt.ArrayLike,
        at_step: int | None = None,
        every: int | None = None,
        direction: str = "sign_of_action",
        state_index: int | None = None,
        channel: str = "action",
    ) -> None:
        settings = {"magnitude": magnitude, "at_step": at_step, "every": every}
        super().__init__(env, settings | {"direction": direction, "state_index": state_index, "channel": channel})
        self.channel, self._direction, self._state_index = channel, direction, state_index
        self._at_step, self._every = at_step, every
        size = channel_size(env, channel, "channel")
        self._magnitude = per_entry(magnitude, size, "magnitude")
        raise_if_any(self._errors_with(env, size))

    @classmethod
    def errors(cls, settings: Mapping[str, Any], prefix: str = "") -> list[str]:
        """See the base class; also, arguments that exclude or require each other."""
        errors = super().errors(settings, prefix)
        at_step, every = settings["at_step"], settings["every"]
        if at_step is None and every is None:
            errors.append(f"{prefix}at_step and {prefix}every are not set; give one of them")
        if at_step is not None and every is not None:
            errors.append(f"{prefix}at_step is {at_step} and {prefix}every is {every}; one of them must be null")
        direction, index = settings["direction"], settings["state_index"]
        if direction == "sign_of_state" and index is None:
            errors.append(f"{prefix}state_index is not set; {prefix}direction=sign_of_state needs the index of a state")
        if direction != "sign_of_state" and index is not None:
            errors.append(f"{prefix}state_index is {index}; only {prefix}direction=sign_of_state uses it")
        return errors

    def _errors_with(self, env: AnyEnv, size: int) -> list[str]:
        errors = []
        if self._state_index is not None and self._state_index >= state_size(env):
            has = f"{state_size(env)} states, counted from 0" if state_size(env) else "no get_state"
            errors.append(f"state_index is {self._state_index}, but {title(env)} has {has}")
        if self._direction == "sign_of_action":
            n_actions = vector_size(env.action_space, "direction is 'sign_of_action', but the action space")
            if n_actions not in {1, size}:
                errors.append(f"direction is 'sign_of_action', but {n_actions} actions cannot direct {size} forces")
        return errors

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode.

        Raises:
            DisturbanceError: The episode ends before the step with the push.
        """
        # Not when it is built: a test may let episodes go on beyond the usual limit.
        raise_if_any(self.late_errors(time_limit(self)))
        return super().reset(seed=seed, options=options)

    def late_errors(self, num_steps: int | None) -> list[str]:
        """An error if episodes of ``num_steps`` steps (None: without a limit) end before the push."""
        if self._at_step is None or num_steps is None or self._at_step < num_steps:
            return []
        return [f"at_step is {self._at_step}, but episodes of {title(self.env)} end with the step {num_steps - 1}"]

    def next_push(self, action: Any, state: Callable[[], FloatArray]) -> FloatArray | None:
        """See the base class."""
        index = self._count_step()
        is_due = index == self._at_step if self._every is None else index % self._every == 0
        return np.asarray(self._magnitude * self._sign(action, state)) if is_due else None

    def _sign(self, action: Any, state: Callable[[], FloatArray]) -> Any:
        if self._direction == "sign_of_action":
            return -np.sign(np.asarray(action))
        if self._direction == "sign_of_state":
            return np.sign(state()[self._state_index])
        return 1.0


class Sinusoid(Push):
    """Adds ``magnitude sin(2 pi k / period + phase)`` in step k = 0, 1, ... of each episode.

    Args:
        env: Environment.
        magnitude: Amplitude in units of the channel, one number or one per entry.
        period: Period in steps, at least 2.
        random_phase: Whether the phase is drawn uniformly for each episode and entry; otherwise it is 0.
        channel: As for :class:`Impulse`.

    Raises:
        DisturbanceError: An argument is invalid, in general or for this environment.
    """

    settings_class = kinds.Sinusoid

    def __init__(
        self,
        env: AnyEnv,
        magnitude: npt.ArrayLike,
        period: float,
        random_phase: bool = True,
        channel: str = "action",
    ) -> None:
        settings = {"magnitude": magnitude, "period": period, "random_phase": random_phase, "channel": channel}
        super().__init__(env, settings)
        self._size = channel_size(env, channel, "channel")
        self._magnitude = per_entry(magnitude, self._size, "magnitude")
        self._period, self._random_phase, self.channel = period, random_phase, channel
        self._phase = np.zeros(self._size)

    @classmethod
    def errors(cls, settings: Mapping[str, Any], prefix: str = "") -> list[str]:
        """See the base class; also, a missing period, or one for which the sine is always zero."""
        errors = super().errors(settings, prefix)
        period, random_phase = settings["period"], settings["random_phase"]
        if period is None:
            errors.append(f"{prefix}period is not set; a sinusoid needs one, in steps")
        if period == 2 and random_phase is False:
            errors.append(f"{prefix}period is 2 without {prefix}random_phase: this sine is 0 in every step")
        return errors

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, with a new phase if it is random."""
        started = super().reset(seed=seed, options=options)
        if self._random_phase:
            self._phase = self._generator.uniform(0.0, 2 * math.pi, self._size)
        return started

    def next_push(self, action: Any, state: Callable[[], FloatArray]) -> FloatArray | None:
        """See the base class."""
        angle = 2 * math.pi * self._count_step() / self._period + self._phase
        return self._magnitude * np.sin(angle)


class Noise(Push):
    """White Gaussian noise.

    - ``action``: added before the environment clips its actions.
    - ``observation``: added after the reset and after each step, without clipping; cost and state are not affected.
    - ``process``: added to the state in each step, through ``process_disturbance``. The environment still enforces the
      bounds of its state, such as non-negative concentrations.

    One standard normal vector is drawn for all entries, whatever ``dims``, ``mean`` and ``std`` are, so that noise
    levels are compared with common random numbers.

    Args:
        env: Environment.
        target: ``action``, ``observation`` or ``process``.
        mean: One number, or one per entry of ``dims``.
        std: Standard deviation, one number, or one per entry of ``dims``.
        dims: Indices of the entries with noise; None: all. Required for process noise, because a state may include
            the time.

    Raises:
        DisturbanceError: An argument is invalid, in general or for this environment.
    """

    settings_class = kinds.Noise

    def __init__(
        self,
        env: AnyEnv,
        target: str,
        mean: npt.ArrayLike = 0.0,
        std: npt.ArrayLike = 1.0,
        dims: list[int] | None = None,
    ) -> None:
        super().__init__(env, {"target": target, "mean": mean, "std": std, "dims": dims})
        self.channel = target
        if target == "observation":
            what = f"target is 'observation', but the observation space of {title(env)}"
            size = vector_size(env.observation_space, what)
        else:
            size = channel_size(env, target, "target")
        chosen = list(range(size)) if dims is None else list(dims)
        if max(chosen) >= size:
            raise DisturbanceError([f"dims is {chosen}, but there are {size} entries, counted from 0"])
        self._mean, self._std = np.zeros(size), np.zeros(size)
        self._mean[chosen] = per_entry(mean, len(chosen), "mean")
        self._std[chosen] = per_entry(std, len(chosen), "std")
        if target == "observation":
            self.observation_space = _unbounded(env.observation_space, chosen)

    @classmethod
    def errors(cls, settings: Mapping[str, Any], prefix: str = "") -> list[str]:
        """See the base class; also, process noise without ``dims``."""
        errors = super().errors(settings, prefix)
        if settings["target"] == "process" and settings["dims"] is None:
            errors.append(
                f"{prefix}dims is not set; give the indices of the states with process noise, such as [0,1,2], without "
                "that of the time"
            )
        return errors

    def next_push(self, action: Any, state: Callable[[], FloatArray]) -> FloatArray | None:
        """See the base class."""
        return None if self.channel == "observation" else self._draw()

    def observed(self, observation: Any) -> Any:
        """See the base class."""
        if self.channel != "observation":
            return observation
        return (observation + self._draw()).astype(observation.dtype)

    def _draw(self) -> FloatArray:
        return self._mean + self._std * self._generator.standard_normal(self._mean.size)


def _unbounded(space: Any, dims: list[int]) -> Box:
    low, high = space.low.copy(), space.high.copy()
    low[dims], high[dims] = -np.inf, np.inf
    return Box(low, high, dtype=space.dtype)
