"""Figures of a stability report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lac.figures.style import COLOURS

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

GOOD, BAD, OTHER = COLOURS[:3]
_BAND = (0.05, 0.5, 0.95)


def along_trajectories(values: Mapping[str, FloatArray], costs: FloatArray, path: Path) -> None:
    """Draw each function along trajectories, as a band from 5 to 95 % about the median, and the cost below.

    Args:
        values: Of each candidate, ``[n, T]``, NaN after the end of a trajectory.
        costs: ``[n, T]``.
        path: The file.
    """
    figure = Figure(figsize=(7, 2.4 * (len(values) + 1)), layout="constrained")
    *function_axes, cost_axes = figure.subplots(len(values) + 1, 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, series), color in zip(function_axes, values.items(), (GOOD, OTHER, COLOURS[3]), strict=False):
        _band(axes, series, color)
        axes.set_ylabel(f"V, {name}")
    _band(cost_axes, costs, "#555555")
    cost_axes.set_ylabel("cost")
    cost_axes.set_xlabel("step")
    (function_axes or [cost_axes])[0].set_title(f"{len(costs)} trajectories: median, and 5 to 95 %", fontsize="medium")
    figure.savefig(path, dpi=120)


def errors(signals: FloatArray, failed: BoolArray, tolerance: FloatArray, path: Path) -> None:
    """Draw the errors of the states of interest along trajectories, with the goal set; those that fail are marked.

    Args:
        signals: Errors, ``[n, T, k]``, NaN after the end of a trajectory.
        failed: Whether each terminated or did not settle, ``[n]``.
        tolerance: Of the goal set, ``[k]``.
        path: The file.
    """
    num_signals = signals.shape[2]
    figure = Figure(figsize=(7, 1.6 + 1.5 * num_signals), layout="constrained")
    column = figure.subplots(num_signals, 1, sharex=True, squeeze=False)[:, 0]
    for k, axes in enumerate(column):
        axes.axhspan(-tolerance[k], tolerance[k], color=OTHER, alpha=0.15, linewidth=0)
        axes.plot(signals[~failed, :, k].T, color=GOOD, linewidth=0.6, alpha=0.4)
        axes.plot(signals[failed, :, k].T, color=BAD, linewidth=0.8, alpha=0.7)
        for series in signals[failed, :, k]:
            last = np.flatnonzero(np.isfinite(series))[-1]
            if last < len(series) - 1:
                axes.plot(last, series[last], "x", color=BAD)
        axes.set_ylabel(f"error {k + 1}" if num_signals > 1 else "error")
    column[-1].set_xlabel("step")
    number = f"{len(failed)} trajectories, {int(failed.sum())} fail (orange; x: terminated); the goal set is shaded"
    column[0].set_title(number, fontsize="medium")
    figure.savefig(path, dpi=120)


def settling_times(times: FloatArray, bound: float, path: Path) -> None:
    """Draw the distribution of settling times with the bound of its 99 % quantile; infinite ones are counted above."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    settled = times[np.isfinite(times)]
    if settled.size:
        axes.hist(settled, bins=min(60, int(np.ptp(settled)) + 1), color=GOOD)
    if np.isfinite(bound):
        axes.axvline(bound, color=BAD, linestyle="--", label=f"99 % settle within {bound:.0f} steps, with confidence")
        axes.legend()
    never = len(times) - len(settled)
    axes.set_title(f"{len(settled)} trajectories settle" + (f", {never} never do" if never else ""), fontsize="medium")
    axes.set_xlabel("settling time in steps")
    axes.set_ylabel("trajectories")
    figure.savefig(path, dpi=120)


def ladder(rungs: Sequence[Mapping[str, float]], limit: float, path: Path) -> None:
    """Draw the share of trajectories that do not come back after a push over its magnitude, with the upper bound."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    magnitudes = [rung["magnitude"] for rung in rungs]
    axes.plot(magnitudes, [rung["violations"] / rung["n"] for rung in rungs], "o-", color=GOOD, label="share")
    axes.plot(magnitudes, [rung["bound"] for rung in rungs], "v--", color=BAD, label="upper bound")
    axes.axhline(limit, color="k", linewidth=0.8, linestyle=":", label=f"{limit:.0%}")
    axes.set_xscale("log")
    axes.set_xticks(magnitudes, [f"{magnitude:.3g}" for magnitude in magnitudes])
    axes.minorticks_off()
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("external force of one step")
    axes.set_ylabel("do not come back")
    axes.legend()
    figure.savefig(path, dpi=120)


def violations(values: FloatArray, ratios: FloatArray, name: str, path: Path) -> None:
    """Draw ``V(s') / V(s)`` over ``V(s)`` for states outside the core: above 1 the candidate does not decrease."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    is_bad = ratios >= 1
    axes.scatter(values[~is_bad], ratios[~is_bad], s=4, color=GOOD, alpha=0.4, linewidths=0, label="lower")
    axes.scatter(values[is_bad], ratios[is_bad], s=14, color=BAD, marker="x", linewidths=1, label="not lower")
    axes.axhline(1.0, color="k", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_xlabel(f"V(s), {name}")
    axes.set_ylabel("V(s') / V(s)")
    axes.legend(loc="lower right")
    axes.set_title(f"{len(ratios)} states of R outside the core", fontsize="medium")
    figure.savefig(path, dpi=120)


def critic(values: FloatArray, sums: FloatArray, correlation: float | None, path: Path) -> None:
    """Draw the learned L over the discounted cost that is simulated from the same states."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.scatter(sums, values, s=4, color=GOOD, alpha=0.4, linewidths=0)
    axes.axline((0, 0), slope=1, color="k", linewidth=0.8, linestyle=":")
    axes.set_xlabel("simulated cost to go")
    axes.set_ylabel("learned L")
    title = "" if correlation is None else f"rank correlation {correlation:.2f}; dotted: equal"
    axes.set_title(title, fontsize="medium")
    figure.savefig(path, dpi=120)


@dataclass(frozen=True)
class Plane:
    """A picture of a planar system.

    Attributes:
        x: Grid along the first state, ``[n]``.
        y: Along the second, ``[m]``.
        values: V on the grid, ``[m, n]``.
        drift: Change of the state in one step on a coarser grid: x, y, dx, dy, ``[k, l]`` each.
        trajectories: ``[r, T, 2]``.
        failed: Whether each fails, ``[r]``.
        violating: States where V does not decrease, ``[v, 2]``.
        arrivals: Steps until each cell of the proved region is in the ellipse, ``[c, c]`` along both states, -1 where
            it is not proved; None without a proof.
        box: The region of starts, lowest and highest, ``[2, 2]``.
        name: Of V.
    """

    x: FloatArray
    y: FloatArray
    values: FloatArray
    drift: Sequence[FloatArray]
    trajectories: FloatArray
    failed: BoolArray
    violating: FloatArray
    arrivals: npt.NDArray[np.int64] | None
    box: FloatArray
    name: str


def phase_portrait(plane: Plane, path: Path, title: str = "") -> None:
    """Draw the phase portrait of a planar system: contours of V, trajectories, violations, and the proved region."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    (x0, y0), (x1, y1) = plane.box
    if plane.arrivals is not None:
        proved = np.where(plane.arrivals >= 0, 1.0, np.nan).T
        extent = (x0, x1, y0, y1)
        axes.imshow(proved, "summer", extent=extent, origin="lower", vmin=0, vmax=1.4, alpha=0.35, aspect="auto")
    levels = np.quantile(plane.values[np.isfinite(plane.values)], np.linspace(0.03, 0.97, 12))
    axes.contour(plane.x, plane.y, plane.values, levels=np.unique(levels), colors="#777777", linewidths=0.7)
    xs, ys, dx, dy = plane.drift
    axes.quiver(xs, ys, dx, dy, color="#999999", angles="xy", width=0.002)
    for trajectory, failed in zip(plane.trajectories, plane.failed, strict=True):
        axes.plot(*trajectory.T, color=BAD if failed else GOOD, linewidth=0.8, alpha=0.7)
    if len(plane.violating):
        axes.plot(*plane.violating.T, ".", color=BAD, markersize=2, label="V does not decrease")
    _legend(axes, plane)
    axes.set_xlim(x0, x1)
    axes.set_ylim(y0, y1)
    axes.set_xlabel("state 1")
    axes.set_ylabel("state 2")
    axes.set_title(title or f"contours of V ({plane.name}), trajectories from R", fontsize="medium", parse_math=False)
    figure.savefig(path, dpi=120)


def _legend(axes: Axes, plane: Plane) -> None:
    axes.plot([], [], color=GOOD, label="trajectory that settles")
    if plane.failed.any():
        axes.plot([], [], color=BAD, label="trajectory that fails")
    axes.plot([], [], color="#777777", linewidth=0.7, label=f"contours of V, {plane.name}")
    if plane.arrivals is not None:
        axes.plot([], [], "s", color="#8fbf7f", markersize=9, label="proved to converge")
    axes.legend(loc="upper right", fontsize="small", framealpha=0.9)


def _band(axes: Axes, series: FloatArray, color: Any) -> None:
    shown = series[:, np.isfinite(series).any(axis=0)]
    low, middle, high = np.nanquantile(shown, _BAND, axis=0)
    steps = np.arange(len(middle))
    axes.plot(steps, middle, color=color)
    axes.fill_between(steps, low, high, color=color, alpha=0.25, linewidth=0)
    positive = np.concatenate((low, high))
    positive = positive[np.isfinite(positive) & (positive > 0)]
    if positive.size and positive.max() > 30 * positive.min():
        axes.set_yscale("log")
