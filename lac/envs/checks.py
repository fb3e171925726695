"""What environments hand over, held against what they promised."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Space

from lac.envs.factory import AnyEnv


class OffendingTransitionError(ValueError):
    """An environment gave what cannot be learned from.

    Attributes:
        transition: What it gave, in plain numbers and lists.
    """

    def __init__(self, message: str, transition: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.transition = transition


def smoke_test_errors(env: AnyEnv) -> list[str]:
    """What is wrong with the observations and the cost of one reset and one step, as sentences.

    Args:
        env: A prepared environment; it is left after its first step.
    """
    env.action_space.seed(0)
    obs, _ = env.reset(seed=0)
    errors = [observation_problem(obs, env.observation_space, "reset()")]
    obs, cost, *_ = env.step(env.action_space.sample())
    errors += [observation_problem(obs, env.observation_space, "step()"), cost_problem(cost, "step()")]
    return [problem for problem in errors if problem is not None]


def observation_problem(obs: object, space: Space[Any], source: str) -> str | None:
    """Why an observation does not fit its space, in a sentence; None if it does. Bounds are not looked at."""
    array = np.asarray(obs)
    if array.shape != space.shape:
        return f"{source} gave an observation of shape {array.shape}; its observation_space has {space.shape}"
    if not np.can_cast(array.dtype, np.dtype(space.dtype), "same_kind"):
        return f"{source} gave an observation of dtype {array.dtype}; its observation_space has {space.dtype}"
    if not all_finite(array):
        return f"{source} gave the observation {array}; observations are finite numbers"
    return None


def cost_problem(cost: object, source: str) -> str | None:
    """Why a number is no cost, in a sentence; None if it is one."""
    try:
        value = float(cost)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return f"{source} gave the cost {cost!r}; it must be a number"
    if 0.0 <= value < math.inf:  # false for NaN, too
        return None
    if math.isfinite(value):
        return (
            f"{source} gave the cost {value}; costs are not negative. If it gives rewards, set opt_type=maximize "
            "(algo.opt_type), with the reward's upper bound as reward_max (env.reward_max)"
        )
    return f"{source} gave the cost {value}; costs are finite numbers"


def all_finite(array: npt.NDArray[Any]) -> bool:
    """Whether no entry is NaN or infinite; quick, since it is asked at every step."""
    # The sum of squares is not finite if an entry is not. It may overflow, which the second look tells.
    flat = array.ravel()
    return math.isfinite(flat.dot(flat)) or bool(np.isfinite(array).all())
