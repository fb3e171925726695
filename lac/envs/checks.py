"""Checks of the numbers that an environment gives, and of the end of its episodes."""

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lac.envs.factory import AnyEnv
from lac.envs.time_limits import has_time_limit
from lac.settings.rules import FLOAT32_MAX, ArgumentError

Array = npt.NDArray[Any]


class OffendingTransitionError(ValueError):
    """An environment returned an invalid observation or cost.

    Attributes:
        transition: The transition, as numbers and lists.
    """

    def __init__(self, message: str, transition: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.transition = transition


MAX_EPISODE_STEPS = 10_000
"""An episode of a test ends after this many steps where neither the environment nor ``max_ep_len`` limits it."""

_TRIAL_SECONDS = 5.0  # after which it is no longer tried whether the episodes of a slow environment end


def smoke_test_errors(env: AnyEnv) -> list[str]:
    """Errors in the observations and the cost of one reset and one step, as sentences.

    Args:
        env: A wrapped environment; it is not reset after the step.

    Raises:
        Exception: Whatever the environment raises.
    """
    env.action_space.seed(0)
    obs, info = env.reset(seed=0)
    errors = [observation_problem(obs, "reset()"), _goal_problem(env, info)]
    obs, cost, *_ = env.step(env.action_space.sample())
    errors += [observation_problem(obs, "step()"), cost_problem(float(cost), "step()")]
    return [problem for problem in errors if problem is not None]


def _goal_problem(env: AnyEnv, info: Mapping[str, Any]) -> str | None:
    """A sentence about a goal set that does not fit the signals of the environment; None if it does."""
    tolerance = getattr(env.unwrapped, "goal_tolerance", None)
    if tolerance is None or "state_of_interest" not in info:
        return None
    given, needed = np.size(tolerance), np.size(info["state_of_interest"])
    if given in {1, needed}:
        return None
    return f"goal_tolerance (env.goal_tolerance) has {given} numbers; the state of interest has {needed}"


def raise_if_endless(env: AnyEnv) -> None:
    """Try with random actions whether an episode ends, unless a time limit says so.

    An environment that is too slow to find out within some seconds is accepted.

    Args:
        env: A wrapped environment; it is not reset after the trial.

    Raises:
        ArgumentError: An episode has not ended after ``MAX_EPISODE_STEPS`` steps.
    """
    if has_time_limit(env):
        return
    env.action_space.seed(0)
    env.reset(seed=0)
    deadline = time.monotonic() + _TRIAL_SECONDS
    for _ in range(MAX_EPISODE_STEPS):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated or time.monotonic() > deadline:
            return
    raise ArgumentError(
        "max_ep_len",
        f"is not given, and an episode with random actions has not ended after {MAX_EPISODE_STEPS} steps; give the "
        "number of steps after which an episode ends",
    )


def observation_problem(obs: Array, source: str) -> str | None:
    """A sentence that describes why observations cannot be used; None if they can."""
    if are_usable(obs):
        return None
    if np.isfinite(obs).all():
        return f"{source} gave the observation {obs}, which is beyond float32; scale it down"
    return f"{source} gave the observation {obs}; observations must be finite numbers"


def cost_problem(cost: float, source: str) -> str | None:
    """A sentence that describes why a number is not a valid cost; None if it is valid."""
    if is_valid_cost(cost):
        return None
    if not math.isfinite(cost):
        return f"{source} gave the cost {cost}; costs must be finite numbers"
    if cost > 0.0:
        return f"{source} gave the cost {cost}, which is beyond float32; scale it down"
    return (
        f"{source} gave the cost {cost}; costs must not be negative. If it gives rewards, set opt_type=maximize "
        "(algo.opt_type), with the reward's upper bound as reward_max (env.reward_max)"
    )


def is_valid_cost(cost: float) -> bool:
    """Whether a cost is finite, not negative, and within float32."""
    return 0.0 <= cost <= FLOAT32_MAX  # false for NaN, too


def are_valid_costs(costs: Array) -> bool:
    """Whether all costs are valid; see :func:`is_valid_cost`."""
    return bool(((costs >= 0.0) & (costs <= FLOAT32_MAX)).all())


def are_usable(observations: Array) -> bool:
    """Whether all entries are finite and within float32; fast, since it is called at every step."""
    # No entry can be beyond float32 if the sum of squares is below the square of its limit. It may be above without.
    flat = observations.ravel()
    if flat.dtype.kind == "f" and flat.dot(flat) < 1e30:
        return True
    return bool((np.abs(observations.astype(np.float64)) <= FLOAT32_MAX).all())
