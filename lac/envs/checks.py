"""Checks of the observations and costs of an environment against its spaces."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Space

from lac.envs.factory import AnyEnv


class OffendingTransitionError(ValueError):
    """An environment returned an invalid observation or cost.

    Attributes:
        transition: The transition, as numbers and lists.
    """

    def __init__(self, message: str, transition: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.transition = transition


def smoke_test_errors(env: AnyEnv) -> list[str]:
    """Errors in the observations and the cost of one reset and one step, as sentences.

    Args:
        env: A wrapped environment; it is not reset after the step.
    """
    env.action_space.seed(0)
    obs, _ = env.reset(seed=0)
    errors = [observation_problem(obs, env.observation_space, "reset()")]
    obs, cost, *_ = env.step(env.action_space.sample())
    errors += [observation_problem(obs, env.observation_space, "step()"), cost_problem(cost, "step()")]
    return [problem for problem in errors if problem is not None]


def observation_problem(obs: object, space: Space[Any], source: str) -> str | None:
    """A sentence that describes why an observation does not fit its space; None if it fits. Bounds are not checked."""
    array = np.asarray(obs)
    if array.shape != space.shape:
        return f"{source} gave an observation of shape {array.shape}; its observation_space has {space.shape}"
    if not np.can_cast(array.dtype, np.dtype(space.dtype), "same_kind"):
        return f"{source} gave an observation of dtype {array.dtype}; its observation_space has {space.dtype}"
    if not all_finite(array):
        return f"{source} gave the observation {array}; observations must be finite numbers"
    return None


def cost_problem(cost: object, source: str) -> str | None:
    """A sentence that describes why a value is not a valid cost; None if it is valid."""
    try:
        value = float(cost)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return f"{source} gave the cost {cost!r}; it must be a number"
    if 0.0 <= value < math.inf:  # false for NaN, too
        return None
    if math.isfinite(value):
        return (
            f"{source} gave the cost {value}; costs must not be negative. If it gives rewards, set opt_type=maximize "
            "(algo.opt_type), with the reward's upper bound as reward_max (env.reward_max)"
        )
    return f"{source} gave the cost {value}; costs must be finite numbers"


def all_finite(array: npt.NDArray[Any]) -> bool:
    """Whether no entry is NaN or infinite; fast, since it is called at every step."""
    # If an entry is not finite, neither is the sum of squares. The second check covers a sum that overflows.
    flat = array.ravel()
    return math.isfinite(flat.dot(flat)) or bool(np.isfinite(array).all())
