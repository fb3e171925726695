"""Marching from the ellipse outwards: a box of starts is proved when its image lies in what is proved already."""

import time

import numpy as np
import numpy.typing as npt

from lac.proofs.closed_loop import ClosedLoop
from lac.proofs.domains import FloatArray
from lac.proofs.ellipses import Frame
from lac.proofs.flow import CELLS, HORIZON, IntArray, Raster, advanced

_SAMPLES = 128  # simulations along each axis, one in the middle of each square of cells
_LARGEST, _SMALLEST = 32, 2  # cells along the side of a box
_WAVE = 256  # boxes that are propagated at once
_PATIENCE, _SMALLEST_GAIN = 20, 1e-4  # the march ends when so many waves have proved less than this share
_STEPS = 40  # of one box at most
_GROWTH = 4.0  # of a box, after which it is divided


def simulated_times(loop: ClosedLoop, raster: Raster, frame: Frame, level: float, deadline: float) -> FloatArray:
    """Steps until simulations from the middles of squares are in the ellipse, ``[_SAMPLES, _SAMPLES]``; or infinity."""
    middles = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    x, y = (raster.low[i] + middles * (raster.high[i] - raster.low[i]) for i in range(2))
    states = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
    times, inverse = np.full(len(states), np.inf), np.linalg.inv(frame.basis)
    alive = np.arange(len(states))
    with np.errstate(all="ignore"):
        for step in range(HORIZON + 1):
            arrived = (((states - frame.centre) @ inverse.T) ** 2).sum(axis=1) <= level
            times[alive[arrived]] = step
            going = ~arrived & ~loop.have_terminated(states)
            states, alive = states[going], alive[going]
            if not len(alive) or time.monotonic() > deadline:
                break
            states = loop.simulate(states)
    return times.reshape(_SAMPLES, _SAMPLES)


class March:
    """One search: what is proved, and boxes that wait in the order of their simulated times.

    Args:
        loop: The closed loop.
        raster: With the ellipse in it.
        times: Of :func:`simulated_times`.
    """

    def __init__(self, loop: ClosedLoop, raster: Raster, times: FloatArray) -> None:
        self.loop, self.raster, self.times = loop, raster, times
        #: Boxes near a simulation that converges that are not proved.
        self.undecided = 0
        self._proved: list[tuple[int, int, int, int]] = []
        grid = np.arange(0, CELLS, _LARGEST)
        corners = np.stack(np.meshgrid(grid, grid, indexing="ij")).reshape(2, -1)
        self._wait(np.zeros((2, 0), np.int64), np.zeros(0, np.int64), np.zeros(0))
        self._add_waiting(corners, np.full(corners.shape[1], _LARGEST))

    def boxes(self) -> dict[str, IntArray]:
        """``corners``, ``sizes`` and ``steps`` of the proved boxes, as in a certificate."""
        table = np.array(self._proved, np.int64).reshape(-1, 4).T
        return {"corners": table[:2], "sizes": table[2], "steps": table[3]}

    def run(self, deadline: float) -> None:
        """March until nothing waits, little is gained, or the deadline, in the seconds of ``time.monotonic``."""
        gains = [1.0] * _PATIENCE
        while self.sizes.size and sum(gains[-_PATIENCE:]) > _SMALLEST_GAIN and time.monotonic() < deadline:
            before = len(self._proved)
            first = np.argsort(self.due, kind="stable")[:_WAVE]
            corners, sizes = self.corners[:, first], self.sizes[first]
            rest = np.delete(np.arange(self.sizes.size), first)
            self._wait(self.corners[:, rest], self.sizes[rest], self.due[rest])
            left = ~self._propagate(corners, sizes)
            self._divide(corners[:, left], sizes[left])
            gains.append(sum(box[2] ** 2 for box in self._proved[before:]) / CELLS**2)
        self.undecided += self.sizes.size

    def _wait(self, corners: IntArray, sizes: IntArray, due: FloatArray) -> None:
        self.corners, self.sizes, self.due = corners, sizes, due

    def _add_waiting(self, corners: IntArray, sizes: IntArray) -> None:
        """Let boxes wait if they are not proved already and some simulation near them converges."""
        due = np.full(len(sizes), np.inf)
        for i, ((a, c), size) in enumerate(zip(corners.T, sizes, strict=True)):
            if not self.raster.covers((a, a + size, c, c + size)):
                due[i] = self._due(a, c, size)
        chosen = np.isfinite(due)
        parts = ((self.sizes, sizes[chosen]), (self.due, due[chosen]))
        self._wait(np.hstack([self.corners, corners[:, chosen]]), *(np.concatenate(part) for part in parts))

    def _due(self, a: int, c: int, size: int) -> float:
        """The largest finite time near a box; infinite if there is none."""
        cells = CELLS // _SAMPLES
        reach = 0 if size > cells else 1
        rows, columns = (slice(max(i // cells - reach, 0), (i + size - 1) // cells + 1 + reach) for i in (a, c))
        near = self.times[rows, columns]
        near = near[np.isfinite(near)]
        return float(near.max()) if near.size else np.inf

    def _propagate(self, corners: IntArray, sizes: IntArray) -> npt.NDArray[np.bool_]:
        """Step boxes until they are proved or have grown too large; whether each is proved."""
        images = self.raster.boxes(corners, sizes)
        largest = _GROWTH * images.domain.reach
        alive, proved = np.arange(len(sizes)), np.zeros(len(sizes), np.bool_)
        for step in range(1, _STEPS + 1):
            images, inside = advanced(self.loop, images)
            cells, in_raster = self.raster.cells(images.hulls)
            proved[alive] = self._settle(corners[:, alive], sizes[alive], cells, inside & in_raster, step)
            stays = inside & ~proved[alive] & (images.domain.reach <= largest[:, alive]).all(axis=0)
            images, alive = images.where(stays), alive[stays]
            if not alive.size:
                break
        return proved

    def _settle(
        self, corners: IntArray, sizes: IntArray, cells: IntArray, inside: npt.NDArray[np.bool_], step: int
    ) -> npt.NDArray[np.bool_]:
        """Prove the boxes whose images ``cells`` are proved, one after the other."""
        done = np.zeros(len(sizes), np.bool_)
        for i in np.flatnonzero(inside):
            if self.raster.covers(cells[i]):
                done[i] = True
                self.raster.add(corners[:, i], sizes[i], step, cells[i])
                self._proved.append((*corners[:, i], sizes[i], step))
        return done

    def _divide(self, corners: IntArray, sizes: IntArray) -> None:
        small = sizes <= _SMALLEST
        self.undecided += int(small.sum())
        corners, half = corners[:, ~small], sizes[~small] // 2
        signs = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], np.int64)
        children: IntArray = (corners[:, :, None] + signs[:, None] * half[:, None]).reshape(2, -1)
        self._add_waiting(children, np.repeat(half, 4))
