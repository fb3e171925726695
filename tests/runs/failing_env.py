"""An environment of somebody else, whose simulator fails after some steps, or takes the process along."""

import os
import signal

import gymnasium
import numpy as np

MESSAGE = "the simulator fell over"


class Failing(gymnasium.Env):
    """Goes well until step ``fail_at``, counted over all episodes."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, fail_at: int = 70, kill: bool = False) -> None:
        self._fail_at, self._kill, self._steps = fail_at, kill, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self._steps += 1
        if self._steps >= self._fail_at:
            if self._kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError(MESSAGE)
        return np.zeros(2, np.float32), float(np.square(action).sum()), False, False, {}


gymnasium.register("Failing-v0", Failing, max_episode_steps=20)
