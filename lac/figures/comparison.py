"""Methods compared: a panel for each environment, of final policies and of the tests in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from lac.figures.style import FAILURE, YARDSTICK, FloatArray, colour, log_scale_if_wide, marker, plain, save, wrapped

BoolArray = npt.NDArray[np.bool_]

_COLUMNS = 3
_PANEL_WIDTH = 4.6
_LEGEND_LETTERS = 90  # in a row of a legend below the panels
_JITTER = 0.16
_YARDSTICK_LABEL = "designed controller"


@dataclass(frozen=True)
class Method:
    """A method in one environment.

    Attributes:
        label: Its name.
        place: Its number among the methods of the figure, which gives colour and marker.
        costs: Of the final policy of each seed, ``[n]``.
        has_failed: Of each seed, whether an episode of that test terminated early, ``[n]``.
        cost: Interquartile mean and the ends of its interval, which are NaN for one seed.
        note: What stands beside it, such as its share of early terminations.
        steps: Of the tests in training, ``[T]``.
        curve: Interquartile mean of the tests in training and the ends of its interval, ``[3, T]``.
        has_terminated: Of these tests, whether an episode of any seed terminated early, ``[T]``.
    """

    label: str
    place: int
    costs: FloatArray
    has_failed: BoolArray
    cost: tuple[float, float, float]
    note: str
    steps: FloatArray
    curve: FloatArray
    has_terminated: BoolArray


@dataclass(frozen=True)
class Panel:
    """An environment.

    Attributes:
        title: Its name.
        methods: The methods in it.
        yardsticks: Costs of designed controllers by name, on the resets of the final policies.
        training_yardsticks: The same on the resets of the tests in training.
    """

    title: str
    methods: Sequence[Method]
    yardsticks: Mapping[str, float]
    training_yardsticks: Mapping[str, float]


def comparison(panels: Sequence[Panel], *paths: Path) -> None:
    """Draw the final policies: all seeds as dots, interquartile mean with its interval, the range as a thin line."""
    figure, grid = _grid(panels, [_row_height(panel) * len(panel.methods) + 1.1 for panel in panels])
    for axes, panel in zip(grid, panels, strict=True):
        for row, method in enumerate(panel.methods):
            _draw_final(axes, row, method)
        for name, cost in panel.yardsticks.items():
            axes.axvline(cost, **YARDSTICK, label=_YARDSTICK_LABEL)
            axes.annotate(
                plain(name), (cost, 1), (2, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
                va="top", fontsize="x-small", color="0.35",
            )  # fmt: skip
        labels = [_beside_panel(method.label) for method in panel.methods]
        axes.set_yticks(range(len(labels)), labels, fontsize="small")
        axes.set_ylim(len(panel.methods) - 0.5, -0.75)
        costs = [method.costs for method in panel.methods] + [np.array([*panel.yardsticks.values()])]
        log_scale_if_wide(axes, np.concatenate(costs), "x")
        axes.set_title(panel.title, parse_math=False, loc="left", fontsize="medium", fontweight="bold")
        axes.set_xlabel("cost of the final policy", fontsize="small")
        axes.tick_params(axis="x", labelsize="small")
        right = axes.twinx()
        right.set_ylim(axes.get_ylim())
        right.set_yticks(range(len(panel.methods)), [method.note for method in panel.methods], fontsize="x-small")
        right.tick_params(length=0)
    _legend(figure, grid, "seed with early terminations")
    save(figure, *paths)


def _beside_panel(label: str) -> str:
    """The label of a method in short lines, so that a long one leaves room for the panel."""
    return plain(wrapped(label, 30, most_lines=5))


def _row_height(panel: Panel) -> float:
    """Inches for each method, which has the lines of its label."""
    return max(0.42, *(0.1 + 0.15 * len(_beside_panel(method.label).splitlines()) for method in panel.methods))


def _draw_final(axes: Axes, row: int, method: Method) -> None:
    value, low, high = method.cost
    shade = colour(method.place)
    axes.plot([method.costs.min(), method.costs.max()], [row, row], color=shade, linewidth=1, zorder=1)
    if np.isfinite(low) and np.isfinite(high):
        axes.plot([low, high], [row, row], color=shade, linewidth=6, alpha=0.35, solid_capstyle="butt", zorder=2)
    heights = row + _JITTER * (np.arange(len(method.costs)) % 3 - 1) * (len(method.costs) > 1)
    is_good = ~method.has_failed
    axes.plot(method.costs[is_good], heights[is_good], ".", color=shade, markersize=5, zorder=3)
    axes.plot(method.costs[method.has_failed], heights[method.has_failed], **FAILURE | {"markersize": 5})
    axes.plot(value, row, marker(method.place), color=shade, markersize=8, markeredgecolor="white", zorder=5)


def learning_curves(panels: Sequence[Panel], *paths: Path) -> None:
    """Draw the tests in training: a line with a band for each method, a cross where an episode terminated early."""
    figure, grid = _grid(panels, [3.0 for _ in panels])
    for axes, panel in zip(grid, panels, strict=True):
        for method in panel.methods:
            _draw_curve(axes, method)
        for cost in panel.training_yardsticks.values():
            axes.axhline(cost, **YARDSTICK, label=_YARDSTICK_LABEL)
        axes.set_title(panel.title, parse_math=False, loc="left", fontsize="medium", fontweight="bold")
        axes.set_xlabel("environment steps", fontsize="small")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_ylabel("test cost in training", fontsize="small")
        axes.tick_params(labelsize="small")
        log_scale_if_wide(axes, np.concatenate([method.curve[0] for method in panel.methods]))
    _legend(figure, grid, "early terminations of any seed")
    save(figure, *paths)


def _draw_curve(axes: Axes, method: Method) -> None:
    value, low, high = method.curve
    shade, failed = colour(method.place), method.has_terminated
    label = plain(wrapped(method.label, 60, most_lines=2))
    axes.plot(
        method.steps, value, marker=marker(method.place), markersize=3, color=shade, label=label,
        markevery=max(1, len(value) // 12),
    )  # fmt: skip
    axes.fill_between(method.steps, low, high, color=shade, alpha=0.18, linewidth=0)
    axes.plot(method.steps[failed], value[failed], **FAILURE | {"color": shade, "markersize": 5})


def _grid(panels: Sequence[Panel], heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure with axes for each panel, in rows that are as high as their highest one."""
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    ratios = [max(heights[row * columns : (row + 1) * columns]) for row in range(rows)]
    figure = Figure(figsize=(max(7.0, _PANEL_WIDTH * columns), sum(ratios) + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, height_ratios=ratios).ravel().tolist()
    for axes in grid[len(panels) :]:
        axes.remove()
    return figure, grid[: len(panels)]


def _legend(figure: Figure, grid: Sequence[Axes], failures: str) -> None:
    """One legend below the panels, with each label once, in as many columns as fit."""
    handles: dict[str, Any] = {}
    for axes in grid:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    handles[failures] = grid[0].plot([], [], **FAILURE | {"markersize": 6})[0]
    longest = max(len(line) for label in handles for line in label.splitlines()) + 6
    columns = max(1, min(len(handles), int(_LEGEND_LETTERS * figure.get_figwidth() / 9) // longest))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns, fontsize="small")
