"""The picture of a robustness study: curves over the values of one key, maps over those of two."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure, SubFigure

from lac.figures.style import COLOURS, colour

FloatArray = npt.NDArray[np.float64]

_MARKERS = "os^DvPX<>*hp"
_MAX_TICKS = 11
_MAX_COLUMNS = 4  # of a legend
_LETTERS = 12  # an inch
_MAX_LETTERS = 75  # of a line of a legend
_DODGE = 0.012  # of the width, between methods at the same value, ...
_MAX_DODGE = 0.4  # ... which together take no more of the distance between values
_WIDE = 10.0  # a range of costs with a larger ratio gets a logarithmic scale


@dataclass(frozen=True)
class Line:
    """Figures of a method in each of some variants, ``[V]`` each; ``low`` and ``high`` are NaN without an interval."""

    center: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Quantity:
    """What is drawn for each method.

    Attributes:
        label: What it is.
        lines: By method; the values of the first variant are those of the nominal case.
        is_share: Whether it is a share, shown in per cent; otherwise it is a cost.
    """

    label: str
    lines: Mapping[str, Line]
    is_share: bool


@dataclass(frozen=True)
class GridAxes:
    """Where the variants of a grid are in the lines.

    Attributes:
        keys: Its one or two keys, as labels.
        ticks: The values of each, as labels.
        first: Number of its first variant.
        nominal: The place of the nominal case among the values of each key, counted from 0 and fractional; None where
            it is not known.
    """

    keys: Sequence[str]
    ticks: Sequence[Sequence[str]]
    first: int
    nominal: Sequence[float | None]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each key."""
        return tuple(map(len, self.ticks))

    def part(self, values: FloatArray) -> FloatArray:
        """The values of this grid, ``[len(ticks[0]), ...]``."""
        return values[self.first : self.first + int(np.prod(self.shape))].reshape(self.shape)


def robustness(
    grids: Sequence[GridAxes], quantities: Sequence[Quantity], labels: Mapping[str, str], path: Path, title: str
) -> None:
    """Draw quantities over grids.

    Grids of one key are side by side, with a curve for each method; each grid of two has a map for each method.

    Args:
        grids: The grids.
        quantities: What is drawn.
        labels: The label of each method.
        path: The picture.
        title: Its title.
    """
    curves = [grid for grid in grids if len(grid.keys) == 1]
    maps = [grid for grid in grids if len(grid.keys) == 2]
    width = max(7.5, 4.5 * len(curves), 4.2 * len(quantities) if maps else 0)
    columns = _legend_columns(labels.values(), width)
    heights = [2.6 * len(quantities) + 0.3 * -(-len(labels) // columns)] if curves else []
    heights += [2.9 * len(labels)] * len(maps)
    figure = Figure(figsize=(width, sum(heights) + 0.5), layout="constrained")
    figure.suptitle(title, parse_math=False)
    blocks = list(figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0])
    if curves:
        _draw_curves(blocks.pop(0), curves, quantities, labels, columns)
    for block, grid in zip(blocks, maps, strict=True):
        _draw_maps(block, grid, quantities, labels)
    figure.savefig(path, dpi=120)


def _draw_curves(
    block: SubFigure,
    grids: Sequence[GridAxes],
    quantities: Sequence[Quantity],
    labels: Mapping[str, str],
    columns: int,
) -> None:
    rows = block.subplots(len(quantities), len(grids), squeeze=False, sharex="col", sharey="row")
    for row, quantity in zip(rows, quantities, strict=True):
        for axes, grid in zip(row, grids, strict=True):
            for number, method in enumerate(labels):
                step = min(_DODGE * grid.shape[0], _MAX_DODGE / len(labels))
                shift = step * (number - (len(labels) - 1) / 2)
                _draw_curve(axes, grid, quantity.lines[method], 100.0 if quantity.is_share else 1.0, number, shift)
            axes.axvline(_nominal_place(grid) / 2, color="0.7", linestyle=":", linewidth=1)
        row[0].set_ylabel(quantity.label)
        if quantity.is_share:
            row[0].set_ylim(-4, 104)
        elif _is_wide(quantity):
            row[0].set_yscale("log")
            row[0].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for axes, grid in zip(rows[-1], grids, strict=True):
        places = [_nominal_place(grid), *range(grid.shape[0])]
        _set_ticks(axes.xaxis, places, ["nominal", *grid.ticks[0]], always=1)
        axes.set_xlabel(grid.keys[0], parse_math=False)
    handles = rows[0][0].get_legend_handles_labels()[0]
    texts = [textwrap.fill(label.replace("$", r"\$"), _MAX_LETTERS) for label in labels.values()]
    block.legend(handles, texts, loc="outside lower center", ncols=columns)


def _legend_columns(labels: Collection[str], width: float) -> int:
    """How many columns a legend of these labels has in that many inches."""
    widest = max(map(len, labels)) / _LETTERS + 0.6  # with the line before it
    return max(1, min(len(labels), _MAX_COLUMNS, int(width / widest)))


def _nominal_place(grid: GridAxes) -> float:
    """Where the nominal case is, left of the values 0, 1, ... of a key, with room for its label."""
    return -1.0 - 0.06 * grid.shape[0]


def _draw_curve(axes: Axes, grid: GridAxes, line: Line, factor: float, number: int, shift: float) -> None:
    """A method over the values of a key; the nominal case is on its own, at the left."""
    style: dict[str, Any] = {
        "color": colour(number),
        "marker": _MARKERS[number % len(_MARKERS)],
        "linestyle": "-" if number < len(COLOURS) else "--",
        "markersize": 5,
        "linewidth": 1.3,
    }
    center, low, high = (factor * grid.part(values) for values in (line.center, line.low, line.high))
    at_nominal = factor * np.array([line.center[0], line.low[0], line.high[0]])
    places, nominal_place = np.arange(len(center)) + shift, _nominal_place(grid) + shift
    axes.plot(places, center, label=str(number), **style)
    axes.plot([nominal_place], at_nominal[:1], **style)
    axes.vlines([nominal_place], at_nominal[1:2], at_nominal[2:], color=style["color"], linewidth=2, alpha=0.4)
    axes.fill_between(places, low, high, color=style["color"], alpha=0.15, linewidth=0)
    if len(center) == 1:
        axes.vlines(places, low, high, color=style["color"], linewidth=2, alpha=0.4)


def _draw_maps(block: SubFigure, grid: GridAxes, quantities: Sequence[Quantity], labels: Mapping[str, str]) -> None:
    rows = block.subplots(len(labels), len(quantities), squeeze=False, sharex=True, sharey=True)
    for column, quantity in zip(rows.T, quantities, strict=True):
        norm = Normalize(0, 100) if quantity.is_share else _cost_norm(quantity, grid)
        for axes, method in zip(column, labels, strict=True):
            line, factor = quantity.lines[method], 100.0 if quantity.is_share else 1.0
            axes.set_facecolor("0.85")  # of a test that has failed
            colours = "cividis" if quantity.is_share else "viridis"
            image = axes.imshow(
                factor * grid.part(line.center).T, origin="lower", aspect="auto", norm=norm, cmap=colours
            )
            if None not in grid.nominal:
                axes.plot(*grid.nominal, "+", color="w", markersize=10, markeredgewidth=2, clip_on=True)
            nominal = f"{factor * line.center[0]:.3g}" + (" %" if quantity.is_share else "")
            heading = f"{quantity.label}\n" if axes is column[0] else ""
            axes.set_title(f"{heading}{labels[method]}: {nominal} nominal", parse_math=False, fontsize="medium")
        bar = block.colorbar(image, ax=list(column))
        for formatter in (bar.ax.yaxis.set_major_formatter, bar.ax.yaxis.set_minor_formatter):
            formatter(lambda value, _: f"{value:g}")
    for axes in rows[-1]:
        _set_ticks(axes.xaxis, range(grid.shape[0]), grid.ticks[0])
        axes.set_xlabel(grid.keys[0], parse_math=False)
        axes.set_xlim(-0.5, grid.shape[0] - 0.5)
        axes.set_ylim(-0.5, grid.shape[1] - 0.5)
    for axes in rows[:, 0]:
        _set_ticks(axes.yaxis, range(grid.shape[1]), grid.ticks[1])
        axes.set_ylabel(grid.keys[1], parse_math=False)


def _set_ticks(axis: Any, places: Sequence[float], labels: Sequence[str], always: int = 0) -> None:
    """Label places: the first ``always`` of them and as many others as there is room for."""
    step = -(-(len(labels) - always) // _MAX_TICKS)
    chosen = [*range(always), *range(always, len(labels), step)]
    axis.set_ticks([places[i] for i in chosen], [labels[i].replace("$", r"\$") for i in chosen])


def _is_wide(quantity: Quantity) -> bool:
    values = _finite(np.concatenate([line.center for line in quantity.lines.values()]))
    return bool(values.size and values.min() > 0 and values.max() > _WIDE * values.min())


def _cost_norm(quantity: Quantity, grid: GridAxes) -> Normalize:
    values = _finite(np.concatenate([grid.part(line.center).ravel() for line in quantity.lines.values()]))
    if not values.size:
        return Normalize(0, 1)
    return (LogNorm if _is_wide(quantity) else Normalize)(values.min(), values.max())


def _finite(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]
