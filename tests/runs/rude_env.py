"""An environment of somebody else that does something unexpected outside of its own affairs."""

import os
import shutil

import gymnasium
import numpy as np


class Rude(gymnasium.Env):
    """From step 70 on, counted over all episodes, it works in the folder ``move_to`` or removes the folder ``remove``.

    Args:
        move_to: A folder.
        remove: A folder.
    """

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, move_to: str | None = None, remove: str | None = None) -> None:
        self._move_to, self._remove, self._steps = move_to, remove, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self._steps += 1
        if self._steps >= 70 and self._move_to is not None:
            os.chdir(self._move_to)
        if self._steps == 70 and self._remove is not None:
            shutil.rmtree(self._remove)
        return np.zeros(2, np.float32), float(np.square(action).sum()), False, False, {}


gymnasium.register("Rude-v0", Rude, max_episode_steps=20)
