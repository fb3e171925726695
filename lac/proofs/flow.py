"""Images of boxes under several steps of the closed loop, and the raster of what is proved already."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lac.proofs.closed_loop import ClosedLoop
from lac.proofs.domains import Domain, FloatArray, U, outward
from lac.proofs.ellipses import Frame
from lac.proofs.enclosures import Enclosure
from lac.proofs.namespace import Vector

IntArray = npt.NDArray[np.int64]

CELLS = 2048
"""Cells of a raster along each axis."""

HORIZON = 1000
"""Steps of a simulation and of the images of a box, at most; those of an episode."""

_MARGIN = 1e-6  # of a cell: far above the rounding of an index


class Images(NamedTuple):
    """Sets of states about midpoints, one for each box."""

    centres: FloatArray
    """``[2, B]``"""
    domain: Domain

    @property
    def hulls(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds, ``[2, B]`` each."""
        reach = outward(self.domain.reach + 2 * U * (np.abs(self.centres) + self.domain.reach))
        return self.centres - reach, self.centres + reach

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Images":
        """Some of them."""
        rest = self.domain.rest
        domain = Domain(self.domain.edges[..., chosen], None if rest is None else rest[:, chosen])
        return Images(self.centres[:, chosen], domain)


def advanced(loop: ClosedLoop, images: Images) -> tuple[Images, npt.NDArray[np.bool_]]:
    """The images after one step for every action error, and whether they are within the limits, ``[B]``.

    With ``x - m = A xi + eta`` before, and ``a = slopes ± radii``, the state after is
    ``value ± error + (slopes A) xi + slopes eta ± radii |x - m|``: the product of the slopes goes on, all else is rest.
    """
    centres, domain = images
    with np.errstate(all="ignore"):  # what is not finite is in no proved set
        after = loop.step(Vector(Enclosure.coordinates(centres, domain)))
        slopes, radii = (np.stack([getattr(entry, part) for entry in after]) for part in ("slopes", "radii"))
        edges = np.einsum("ikb,kjb->ijb", slopes, domain.edges)
        rest = np.stack([entry.error for entry in after])
        rest = rest + ((radii + 8 * U * np.abs(slopes)) * domain.reach).sum(axis=1)
        if domain.rest is not None:
            rest = rest + (np.abs(slopes) * domain.rest).sum(axis=1)
        moved = Images(np.stack([entry.value for entry in after]), Domain(edges, outward(rest)))
        return moved, np.asarray(loop.are_within_limits(after))


class Raster:
    """A rectangle of states in ``CELLS^2`` cells, and which of them are proved.

    The lines between cells are the exact ``low + k (high - low) / CELLS``.

    Args:
        low: ``[2]``
        high: ``[2]``
    """

    def __init__(self, low: FloatArray, high: FloatArray) -> None:
        self.low, self.high = low, high
        self.pitch = (high - low) / CELLS
        #: Steps after which every state of a cell is in the ellipse, ``[CELLS, CELLS]``; -1 where that is not proved.
        self.arrivals = np.full((CELLS, CELLS), -1)

    @property
    def share(self) -> float:
        """The proved share of the rectangle."""
        return float((self.arrivals >= 0).mean())

    def boxes(self, corners: IntArray, sizes: IntArray) -> Images:
        """Squares of cells as boxes of states, widened by their rounding.

        Args:
            corners: Lowest cell, ``[2, B]``.
            sizes: Cells along each side, ``[B]``.
        """
        low, pitch = self.low[:, None], self.pitch[:, None]
        centres = low + (corners + sizes / 2) * pitch
        rounding = 16 * U * (np.abs(low) + np.abs(self.high[:, None]))
        return Images(centres, Domain.box(outward(sizes / 2 * pitch + rounding)))

    def cells(self, hulls: tuple[FloatArray, FloatArray]) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        """The cells ``[first, last)`` ``[B, 4]`` that hold each hull, and whether it is within the raster, ``[B]``."""
        first = np.floor((hulls[0] - self.low[:, None]) / self.pitch[:, None] - _MARGIN)
        last = np.ceil((hulls[1] - self.low[:, None]) / self.pitch[:, None] + _MARGIN)
        inside = ((first >= 0) & (last <= CELLS)).all(axis=0)  # false for NaN, too
        cells = np.where(inside, np.stack([first[0], last[0], first[1], last[1]]), 0).astype(np.int64)
        return cells.T, np.asarray(inside)

    def covers(self, cells: Any) -> bool:
        """Whether cells ``[first, last)`` along both axes are all proved."""
        a, b, c, d = cells
        return bool(self.arrivals[a, c] >= 0 and self.arrivals[a:b, c:d].min() >= 0)

    def add(self, corner: Any, size: int, steps: int, cells: Any) -> None:
        """A square of cells is proved: its image after ``steps`` is in ``cells``, which are proved.

        A cell that is proved already keeps the smaller number of steps.
        """
        (a, c), (first, last, left, right) = corner, cells
        arrival = steps + self.arrivals[first:last, left:right].max()
        block = self.arrivals[a : a + size, c : c + size]
        block[(block < 0) | (block > arrival)] = arrival

    def add_ellipse(self, frame: Frame, level: float) -> None:
        """Cells within ``V <= level`` are proved: in each column, those between two whose corners are all within.

        An ellipse is convex, so that it holds all that is between its points.
        """
        lines, pitch = np.arange(CELLS + 1), self.pitch
        dx = self.low[0] + lines * pitch[0] - frame.centre[0]
        (a, b), (_, c) = frame.P
        with np.errstate(invalid="ignore"):
            root = np.sqrt(b * b * dx * dx - c * (a * dx * dx - level * (1 - 1e-9)))
        ends = ((np.stack([-root, root]) - b * dx) / c + frame.centre[1] - self.low[1]) / pitch[1]
        first = np.ceil(np.maximum(ends[0, :-1], ends[0, 1:]))  # NaN outside of the ellipse
        last = np.floor(np.minimum(ends[1, :-1], ends[1, 1:]))
        columns = np.flatnonzero(np.minimum(last, CELLS) > np.maximum(first, 0))
        rows = np.stack([np.maximum(first, 0), np.minimum(last, CELLS)])[:, columns].astype(np.int64)
        within = [self._are_within(frame, level, columns + right, row) for right in range(2) for row in rows]
        for column, (start, stop), inside in zip(columns, rows.T, np.logical_and.reduce(within), strict=True):
            if inside:
                self.arrivals[column, start:stop] = 0

    def _are_within(self, frame: Frame, level: float, columns: IntArray, rows: IntArray) -> npt.NDArray[np.bool_]:
        """Whether the crossings of lines ``[B]`` are within ``V <= level``."""
        points = self.boxes(np.stack([columns, rows]), np.zeros(len(rows), np.int64))
        z = frame.coordinates(Vector(Enclosure.coordinates(points.centres, points.domain)))
        return np.asarray((z[0] * z[0] + z[1] * z[1]).high <= level)
