"""Conversion of rewards into costs."""

from typing import Any, SupportsFloat, TypeVar

import gymnasium

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
        cost = self._reward_max - float(reward)
        if cost < 0.0:
            raise ValueError(
                f"the environment gave the reward {float(reward)}, above its declared bound env.reward_max="
                f"{self._reward_max}; declare a larger bound"
            )
        return obs, cost, terminated, truncated, info
