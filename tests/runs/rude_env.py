"""An environment of somebody else that does something unexpected outside of its own affairs."""

import os
import shutil
import sys

import gymnasium
from failing_env import Failing


class Rude(Failing):
    """From step 70 on, counted over all episodes, it works in the folder ``move_to`` or removes the folder ``remove``.

    Args:
        move_to: A folder.
        remove: A folder.
    """

    def __init__(self, move_to: str | None = None, remove: str | None = None) -> None:
        super().__init__(fail_at=sys.maxsize)
        self._move_to, self._remove = move_to, remove

    def step(self, action):
        result = super().step(action)
        if self._steps >= 70 and self._move_to is not None:
            os.chdir(self._move_to)
        if self._steps == 70 and self._remove is not None:
            shutil.rmtree(self._remove)
        return result


gymnasium.register("Rude-v0", Rude, max_episode_steps=20)
