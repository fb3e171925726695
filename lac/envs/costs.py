"""Conversion of rewards into costs."""

from typing import Any, SupportsFloat, TypeVar

import gymnasium
import numpy as np
import numpy.typing as npt

from lac.settings.rules import OPTIONAL_NUMBER, ArgumentError, raise_if_any, value_error

Obs = TypeVar("Obs")
Act = TypeVar("Act")

# Suprema of the reward per step, from the reward functions of these environments.
KNOWN_REWARD_MAXIMA = {
    "Pendulum-v1": 0.0,
    "MountainCarContinuous-v0": 100.0,
}


def reward_maximum(env: Any) -> float:
    """The known upper bound of an environment's reward: its attribute ``reward_max``, or a table by id.

    Raises:
        ValueError: No bound is known.
    """
    declared = getattr(env, "reward_max", None)
    if declared is None:
        declared = getattr(getattr(env, "unwrapped", None), "reward_max", None)
    spec = getattr(env, "spec", None)
    if declared is None and spec is not None:
        declared = KNOWN_REWARD_MAXIMA.get(spec.id)
    if declared is None:
        raise ArgumentError(
            "opt_type",
            "is 'maximize', which uses the cost reward_max - reward, but no upper bound of the reward "
            f"of {spec.id if spec else type(env).__name__} is known; set env.reward_max "
            "(an attribute of the environment, or the key on the command line)",
        )
    raise_if_any(filter(None, [value_error("reward_max", declared, OPTIONAL_NUMBER)]))
    return float(declared)


def costs_of_rewards(rewards: npt.ArrayLike, bound: float) -> npt.NDArray[np.float64]:
    """The costs ``bound - rewards``.

    Raises:
        ValueError: A reward is above its declared bound; a cost is never negative.
    """
    costs = bound - np.asarray(rewards, np.float64)
    if (costs < 0.0).any():
        raise ValueError(
            f"the environment gave the reward {float(bound - costs.min())}, above its declared bound env.reward_max="
            f"{bound}; declare a larger bound"
        )
    return costs


class RewardAsCost(gymnasium.Wrapper[Obs, Act, Obs, Act]):
    """Turns a reward ``r`` with a known upper bound into the cost ``r_max - r``.

    Args:
        env: The environment that gives rewards.
        reward_max: Upper bound of the reward per step; None uses :func:`reward_maximum`.
    """

    def __init__(self, env: gymnasium.Env[Obs, Act], reward_max: float | None = None) -> None:
        super().__init__(env)
        self._reward_max = reward_maximum(env) if reward_max is None else reward_max

    def step(self, action: Act) -> tuple[Obs, SupportsFloat, bool, bool, dict[str, Any]]:
        """One step; a reward above its declared bound is an error, since a cost is never negative."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        cost = float(costs_of_rewards(float(reward), self._reward_max))
        return obs, cost, terminated, truncated, info
