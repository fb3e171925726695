"""Squares that cover a set, halved until a test holds in each of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lac.proofs.domains import FloatArray

MOST = 5_000
"""Squares to be divided at once, at most; a test that fails in more is given up."""

BATCH = 512  # squares that are tested at once: enough for numpy, few enough for the cache of a processor


class Squares(NamedTuple):
    """Squares of the plane, in dyadic numbers times one side, so that their coordinates are exact."""

    centres: FloatArray
    """``[2, B]``"""
    half_widths: FloatArray
    """``[B]``"""

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Squares":
        """Some of them."""
        return Squares(self.centres[:, chosen], self.half_widths[chosen])

    def quartered(self) -> "Squares":
        """Their quarters, ``4 B``."""
        half = self.half_widths / 2
        signs = np.array([[-1, -1, 1, 1], [-1, 1, -1, 1]])
        centres = (self.centres[:, None] + signs[..., None] * half).reshape(2, -1)
        return Squares(centres, np.tile(half, 4))

    def smallest_norms(self) -> FloatArray:
        """A lower bound of ``|z|^2`` over each of them."""
        nearest = np.maximum(np.abs(self.centres) - self.half_widths, 0.0)
        return np.asarray((nearest**2).sum(axis=0) * (1 - 1e-12))

    def largest_norms(self) -> FloatArray:
        """An upper bound of ``|z|^2`` over each of them."""
        return np.asarray(((np.abs(self.centres) + self.half_widths) ** 2).sum(axis=0) * (1 + 1e-12))


Test = Callable[[Squares], npt.NDArray[Any]]
"""Whether something holds in the whole of each square, ``[B]``; false where it is not known."""


def square_around_disc(squared_radius: float, pieces: int = 16) -> Squares:
    """A grid of ``pieces^2`` squares that cover ``|z|^2 <= squared_radius``."""
    half = 2.0 ** np.ceil(np.log2(np.sqrt(squared_radius))) * (1.0 + 2.0**-20) / pieces
    middles = (2 * np.arange(pieces) - pieces + 1) * half
    centres = np.stack(np.meshgrid(middles, middles, indexing="ij")).reshape(2, -1)
    return Squares(centres, np.full(centres.shape[1], half))


def failing(test: Test, squares: Squares) -> Squares:
    """Those in which the test does not hold."""
    starts = range(0, len(squares.half_widths), BATCH)
    parts = (Squares(squares.centres[:, i : i + BATCH], squares.half_widths[i : i + BATCH]) for i in starts)
    return squares.where(~np.concatenate([test(part) for part in parts] or [np.zeros(0, bool)]))


def holds_everywhere(test: Test, squares: Squares, is_needed: Test, depth: int) -> bool:
    """Whether a test holds in every square where it is needed, after at most ``depth`` divisions of those that fail.

    False where that is not known.
    """
    for _ in range(depth + 1):
        squares = failing(test, squares.where(is_needed(squares)))
        if not squares.half_widths.size:
            return True
        if squares.half_widths.size > MOST:
            return False
        squares = squares.quartered()
    return False
