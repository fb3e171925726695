"""An environment whose cost is known beforehand, so that a search of it has a known end."""

import time

import gymnasium
import numpy as np

STEPS = 10


class Level(gymnasium.Env):
    """Costs ``level`` a step whatever is done, for ten steps; from level 900 on it fails.

    Args:
        level: The cost of a step.
        seconds: How long a reset takes.
        dies: Whether the first step ends the episode.
    """

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, level: float = 1.0, seconds: float = 0.0, dies: bool = False) -> None:
        self._level, self._seconds, self._dies = level, seconds, dies

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        time.sleep(self._seconds)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        if self._level >= 900:
            raise RuntimeError("the simulator fell over")
        return np.zeros(2, np.float32), float(self._level), self._dies, False, {}


gymnasium.register("Level-v0", Level, max_episode_steps=STEPS)
