"""The time limits that wrappers of Gymnasium set."""

from typing import Any

import gymnasium
from gymnasium.wrappers import TimeLimit


def has_time_limit(env: gymnasium.Env[Any, Any]) -> bool:
    """Whether a wrapper of Gymnasium ends the episodes of an environment after a number of steps."""
    return bool(time_limits(env))


def time_limits(env: gymnasium.Env[Any, Any]) -> list[TimeLimit]:
    """The wrappers of Gymnasium that end the episodes of an environment after a number of steps."""
    found = []
    inner: Any = env
    while isinstance(inner, gymnasium.Wrapper):
        if isinstance(inner, TimeLimit):
            found.append(inner)
        inner = inner.env
    return found


def time_limit(env: gymnasium.Env[Any, Any]) -> int | None:
    """Steps after which a wrapper of Gymnasium ends an episode; None if there is none."""
    return min((steps for limit in time_limits(env) if (steps := limit._max_episode_steps) is not None), default=None)
