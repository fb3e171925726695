"""Environments of somebody else that do not keep what an environment promises."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

GOOD = np.zeros(2, np.float32)


class Faulty(gymnasium.Env):
    """Has one fault, from step ``at`` on, counted over all episodes; ``reset_at`` counts resets."""

    def __init__(self, fault: str = "none", at: int = 1, reset_at: int | None = None) -> None:
        self.observation_space = Box(-1.0, 1.0, (2,), np.int64 if fault == "dtype" else np.float32)
        actions = {"discrete": Discrete(3), "unbounded": Box(-np.inf, np.inf, (1,))}
        self.action_space = actions.get(fault, Box(-1.0, 1.0, (1,)))
        self._fault, self._at, self._reset_at = fault, at, reset_at
        self._steps = self._resets = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._resets += 1
        return (np.array([0.0, np.nan], np.float32) if self._resets == self._reset_at else GOOD), {}

    def step(self, action):
        self._steps += 1
        has_fault = self._steps >= self._at
        fault = self._fault if has_fault else "none"
        obs = {
            "nan_entry": np.array([0.5, np.nan], np.float32),
            "infinite": np.array([np.inf, 0.5], np.float32),
            "shape": np.zeros(1, np.float32),
            "dtype": np.array([0.5, 0.5]),
        }.get(fault, GOOD)
        cost = {"negative": -3.0, "nan_cost": np.nan, "no_number": None}.get(fault, float(np.square(action).sum()))
        return obs, cost, False, False, {}


gymnasium.register("Faulty-v0", Faulty, max_episode_steps=20)
