"""Sets of states about midpoints, and the rounding of radii."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

U = 2.0**-53
"""Relative error of one rounding to nearest."""

GROWTH = 1.0 + 2.0**-47  # covers 60 roundings
SMALLEST = 1e-300  # covers what underflows


def outward(radius: FloatArray) -> FloatArray:
    """An upper bound of a sum of products of numbers that are not negative, given its value from up to 60 roundings."""
    return radius * GROWTH + SMALLEST


class Domain:
    """A set of states for each of ``B`` boxes: ``x - m = A xi + eta`` with ``|xi_j| <= 1`` and ``|eta_i| <= rest_i``.

    Args:
        edges: ``A``, ``[2, 2, B]``.
        rest: ``[2, B]``; None is zero.
    """

    def __init__(self, edges: FloatArray, rest: FloatArray | None = None) -> None:
        self.edges, self.rest = edges, rest
        reach = np.abs(edges).sum(axis=1)
        #: Bound of ``|x_i - m_i|``, ``[2, B]``.
        self.reach = outward(reach if rest is None else reach + rest)

    @classmethod
    def box(cls, half_widths: FloatArray) -> Domain:
        """Boxes of these half-widths, ``[2, B]``."""
        edges = np.zeros((2, *half_widths.shape))
        edges[0, 0], edges[1, 1] = half_widths
        return cls(edges)

    def spread(self, slopes: FloatArray, radii: FloatArray) -> FloatArray:
        """An upper bound ``[...]`` of ``|a (x - m)|`` for ``a`` in ``slopes ± radii`` ``[2, ...]`` and all ``x``."""
        edges, reach, rest = (self._fit(part, slopes.ndim) for part in (self.edges, self.reach, self.rest))
        rounded = radii + 4 * U * np.abs(slopes)
        total = rounded[0] * reach[0] + rounded[1] * reach[1]
        for j in range(2):
            total += np.abs(slopes[0] * edges[0, j] + slopes[1] * edges[1, j])
        if rest is not None:
            total += np.abs(slopes[0]) * rest[0] + np.abs(slopes[1]) * rest[1]
        return outward(total)

    @staticmethod
    def _fit(part: Any, ndim: int) -> Any:
        """Arrays over boxes that go with slopes ``[2, B]`` or, with an axis of features, ``[2, B, n]``."""
        return part if part is None or ndim == 2 else part[..., None]
