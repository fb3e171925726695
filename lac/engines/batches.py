"""The columns of a batch of transitions."""

from collections.abc import Mapping
from typing import Any

COLUMNS = ("obs", "act", "obs_next", "rew", "done", "horizon_rew")
"""``obs act obs_next`` are ``[B, dim]``, the others ``[B]``; the last is given with a finite horizon."""


class BatchShapes:
    """The shapes that the columns of a batch must have.

    Compiled code does not notice the end of an array, and torch makes ``[B, B]`` of ``[B]`` and ``[B, 1]``.

    Args:
        obs_dim: Size of an observation.
        act_dim: Size of an action.
    """

    def __init__(self, obs_dim: int, act_dim: int) -> None:
        self._obs_dim, self._act_dim = obs_dim, act_dim
        self._of_last: tuple[tuple[int, bool], dict[str, tuple[int, ...]]] = ((0, False), {})

    def check(self, columns: Mapping[str, Any]) -> None:
        """Look at the shapes of arrays or tensors.

        Raises:
            ValueError: One has another shape.
        """
        for name, shape in self._expected(len(columns["obs"]), "horizon_rew" in columns).items():
            if columns[name].shape != shape:
                raise ValueError(f"{name} of the batch has the shape {tuple(columns[name].shape)}; it must be {shape}")

    def _expected(self, batch: int, is_finite: bool) -> dict[str, tuple[int, ...]]:
        if self._of_last[0] != (batch, is_finite):  # batches follow each other with the same shapes
            obs, act, numbers = (batch, self._obs_dim), (batch, self._act_dim), (batch,)
            shapes = dict(zip(COLUMNS, (obs, act, obs, numbers, numbers, numbers), strict=True))
            if not is_finite:
                del shapes["horizon_rew"]
            self._of_last = (batch, is_finite), shapes
        return self._of_last[1]
