"""Replay buffers: one matrix of transitions, so that all minibatches of an update round are drawn at once."""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Batch = dict[str, Tensor]
Array = npt.NDArray[np.floating]


class ReplayBuffer:
    """The last ``size`` transitions, drawn uniformly with replacement.

    Each transition is one float32 row; the columns of a batch are views of the rows that were drawn.

    Args:
        obs_dim: Number of observations.
        act_dim: Number of actions.
        size: Maximum number of transitions; memory is allocated as the buffer fills.
        device: Device of the batches.
        seed: Seed of the draws.
    """

    def __init__(
        self,
        obs_dim: int,
        act_dim: int,
        size: int,
        device: str | torch.device = "cpu",
        seed: int | np.random.SeedSequence | None = None,
    ) -> None:
        self._widths = {
            "obs": obs_dim,
            "act": act_dim,
            "obs_next": obs_dim,
            "rew": 0,
            "done": 0,
        } | self._extra_columns()
        self._splits = [max(width, 1) for width in self._widths.values()]
        self._max_size = int(size)
        # np.zeros allocates memory lazily, torch.zeros all of it at once.
        self._rows = np.zeros((self._max_size, sum(self._splits)), dtype=np.float32)
        self._next = 0
        self._size = 0
        self._rng = np.random.default_rng(seed)
        self._device = torch.device(device)

    def _extra_columns(self) -> dict[str, int]:
        """Names and widths of columns in addition to the transition; the width 0 denotes a scalar."""
        return {}

    def __len__(self) -> int:
        """Number of transitions that can be drawn."""
        return self._size

    def store(self, obs: Array, act: Array, rew: float, obs_next: Array, done: bool, env_index: int = 0) -> None:
        """Add a transition.

        Args:
            obs: Observation, ``[obs_dim]``.
            act: Action, ``[act_dim]``.
            rew: The environment's scalar.
            obs_next: Observation after it, ``[obs_dim]``.
            done: Whether the episode terminated; false where it was truncated.
            env_index: Index of its environment; steps of different environments may be interleaved.
        """
        np.concatenate((obs, act, obs_next, (rew, done)), out=self._rows[self._next])
        self._advance()

    def finish_episode(self, env_index: int = 0) -> None:
        """Note that the episode of an environment ended, by termination, by truncation or with the run."""

    def sample_batch(self, batch_size: int = 256) -> Batch:
        """One minibatch: ``obs act obs_next`` are ``[B, dim]``, ``rew done`` (and ``horizon_rew``) ``[B]``."""
        return self.sample_batches(1, batch_size)[0]

    def sample_batches(self, number: int, batch_size: int) -> list[Batch]:
        """That many minibatches, drawn and moved to the device at once."""
        if self._size == 0:
            raise ValueError("the replay buffer has no complete transition yet; store transitions before sampling")
        index = self._rng.integers(self._size, size=number * batch_size)
        rows = torch.from_numpy(self._rows.take(index, axis=0)).to(self._device)
        return [self._columns(chunk) for chunk in torch.split(rows, batch_size)]

    def state_dict(self) -> dict[str, Any]:
        """The stored transitions ``[n, columns]``, the row of the next one, and the state of the generator."""
        return {"rows": self._rows[: self._size].copy(), "next": self._next, "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned, for the same dimensions, size and horizon.

        Raises:
            ValueError: The transitions do not fit this buffer.
        """
        rows = np.asarray(state["rows"], np.float32)
        if rows.shape[1:] != self._rows.shape[1:] or len(rows) > self._max_size:
            raise ValueError(
                f"the saved transitions have the shape {rows.shape}; this buffer holds up to {self._max_size} rows of "
                f"{self._rows.shape[1]} numbers"
            )
        self._rows[: len(rows)] = rows
        self._size, self._next = len(rows), state["next"]
        self._rng.bit_generator.state = state["rng"]

    def _columns(self, rows: Tensor) -> Batch:
        columns = torch.split(rows, self._splits, dim=1)
        named = zip(self._widths.items(), columns, strict=True)
        return {name: column if width else column[:, 0] for (name, width), column in named}

    def _advance(self) -> None:
        """Count the row that was written."""
        self._next = (self._next + 1) % self._max_size
        self._size = min(self._size + 1, self._max_size)


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
        if horizon_length < 1:
            raise ValueError(f"horizon_length is {horizon_length}; a finite horizon has at least 1 step")
        super().__init__(obs_dim, act_dim, size, device, seed)
        self._horizon = horizon_length
        self._episodes: defaultdict[int, _Episode] = defaultdict(_Episode)

    def _extra_columns(self) -> dict[str, int]:
        return {"horizon_rew": 0}

    def store(self, obs: Array, act: Array, rew: float, obs_next: Array, done: bool, env_index: int = 0) -> None:
        """Add a transition to the running episode; the oldest one waiting there may become complete."""
        episode = self._episodes[env_index]
        episode.waiting.append(np.concatenate([obs, act, obs_next, (rew, done, 0.0)]))
        self._extend(episode, float(rew))

    def finish_episode(self, env_index: int = 0) -> None:
        """Complete the waiting transitions by repeating the last scalar."""
        episode = self._episodes[env_index]
        while episode.waiting:
            self._extend(episode, episode.window[-1])
        episode.window.clear()

    def state_dict(self) -> dict[str, Any]:
        """As for :class:`ReplayBuffer`, with the incomplete transitions of each environment."""
        episodes = {
            index: {"waiting": [row.copy() for row in episode.waiting], "window": list(episode.window)}
            for index, episode in self._episodes.items()
        }
        return super().state_dict() | {"episodes": episodes}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As for :class:`ReplayBuffer`."""
        super().load_state_dict(state)
        self._episodes.clear()
        for index, saved in state["episodes"].items():
            self._episodes[index] = _Episode(deque(saved["waiting"]), deque(saved["window"]))

    def _extend(self, episode: _Episode, rew: float) -> None:
        episode.window.append(rew)
        if len(episode.window) == self._horizon:
            row = episode.waiting.popleft()
            row[-1] = sum(episode.window)
            self._rows[self._next] = row
            self._advance()
            episode.window.popleft()
