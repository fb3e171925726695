"""The replay buffer of the finite horizon: each transition with the sum of the scalars that follow it."""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from lac.buffers.replay import Array, ReplayBuffer
from lac.settings.rules import COUNT, FLOAT32_MAX, raise_if_wrong


@dataclass
class _Episode:
    """The running episode of an environment: transitions whose window is incomplete, and the window's scalars."""

    waiting: deque[Array] = field(default_factory=deque)
    window: deque[float] = field(default_factory=deque)


class FiniteHorizonReplayBuffer(ReplayBuffer):
    """Adds ``horizon_rew``, the sum of the next ``horizon_length`` scalars from each transition on (eq. 9).

    A transition can be drawn once its window is complete: after ``horizon_length - 1`` more steps, or at
    the end of the episode, where the last scalar is repeated to fill the window. Before that it is kept
    outside the buffer, so that no incomplete sum is drawn.
    """

    def __init__(
        self,
        obs_dim: int,
        act_dim: int,
        size: int,
        horizon_length: int,
        device: str | torch.device = "cpu",
        seed: int | np.random.SeedSequence | None = None,
    ) -> None:
        raise_if_wrong(horizon_length=(horizon_length, COUNT))
        super().__init__(obs_dim, act_dim, size, device, seed)
        self._horizon = int(horizon_length)
        self._episodes: defaultdict[int, _Episode] = defaultdict(_Episode)

    def _extra_columns(self) -> dict[str, int]:
        return {"horizon_rew": 0}

    def _add(self, row: Array, rew: float, env_index: int) -> None:
        """Add a row to the running episode; the oldest one waiting there may become complete."""
        episode = self._episodes[env_index]
        episode.waiting.append(row.copy())
        self._extend(episode, rew)

    def finish_episode(self, env_index: int = 0, last: float | None = None) -> None:
        """Complete the waiting transitions by repeating ``last``, or else the scalar of the last step."""
        episode = self._episodes[env_index]
        while episode.waiting:
            self._extend(episode, episode.window[-1] if last is None else last)
        episode.window.clear()

    def state_dict(self, with_rows: bool = True) -> dict[str, Any]:
        """As for :class:`ReplayBuffer`, with the incomplete transitions of each environment."""
        episodes = [
            {"env_index": i, "waiting": [row.copy() for row in episode.waiting], "window": list(episode.window)}
            for i, episode in self._episodes.items()
        ]
        return super().state_dict(with_rows) | {"episodes": episodes}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As for :class:`ReplayBuffer`."""
        super().load_state_dict(state)
        self._episodes.clear()
        for saved in state["episodes"]:
            self._episodes[saved["env_index"]] = _Episode(deque(saved["waiting"]), deque(saved["window"]))

    def _extend(self, episode: _Episode, rew: float) -> None:
        episode.window.append(rew)
        if len(episode.window) == self._horizon:
            row = episode.waiting.popleft()
            total = sum(episode.window)
            if abs(total) > FLOAT32_MAX:
                raise ValueError(f"{self._horizon} scalars sum to {total}, beyond float32; scale them down")
            row[-1] = total
            self._rows[self._next] = row
            self._advance()
            episode.window.popleft()
