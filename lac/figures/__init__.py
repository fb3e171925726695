"""Figures of runs and episodes, drawn with matplotlib."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lac.evaluation.rollouts import Rollouts

if TYPE_CHECKING:
    from lac.evaluation.statistics import Estimate  # imports scipy.stats, which takes a second; only reports need it

Rows = Sequence[Mapping[str, float | None]]


def learning_curve(rows: Rows, path: Path, title: str) -> None:
    """Draw test cost and multipliers over environment steps, from the lines of ``metrics.jsonl``."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    cost_axes, multiplier_axes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    steps = _column(rows, "env_steps")

    mean, std = _column(rows, "test/cost_mean"), _column(rows, "test/cost_std")
    if np.isfinite(mean).any():
        cost_axes.plot(steps, mean, color="C0", marker=".", label="test, mean ± std over episodes")
        cost_axes.fill_between(steps, np.maximum(mean - std, mean / 10), mean + std, color="C0", alpha=0.2, linewidth=0)
        failed = _column(rows, "test/death_rate") > 0
        if failed.any():
            cost_axes.plot(steps[failed], mean[failed], "x", color="C3", label="early terminations in the test")
    cost_axes.plot(steps, _column(rows, "train/cost_mean"), color="C7", linewidth=1, label="training episodes")
    cost_axes.set_ylabel("cost of an episode")
    cost_axes.set_title(title, parse_math=False)
    _log_scale_if_wide(cost_axes, mean)
    cost_axes.legend()

    for name, style, symbol in (("labda", "C1-", r"$\lambda$"), ("alpha", "C2--", r"$\alpha$")):
        if f"train/{name}" in rows[-1]:
            multiplier_axes.plot(steps, _column(rows, f"train/{name}"), style, label=symbol)
    multiplier_axes.set_yscale("log")
    multiplier_axes.set_ylabel("multipliers")
    multiplier_axes.set_xlabel("environment steps")
    multiplier_axes.legend()
    figure.savefig(path, dpi=120)


@dataclass(frozen=True)
class Curve:
    """A test cost over environment steps with its interval, for the panel named ``panel``.

    ``has_terminated`` says of each test whether an episode terminated early.
    """

    panel: str
    label: str
    steps: "np.typing.NDArray[np.float64]"
    cost: "Estimate"
    has_terminated: "np.typing.NDArray[np.bool_]"


def learning_curves(curves: Sequence[Curve], path: Path) -> None:
    """Draw test cost over environment steps: a panel per environment, a line with a band per method."""
    panels = list(dict.fromkeys(curve.panel for curve in curves))
    figure = Figure(figsize=(7, 3.5 * len(panels)), layout="constrained")
    for axes, panel in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        shown = [curve for curve in curves if curve.panel == panel]
        for curve in shown:
            (line,) = axes.plot(curve.steps, curve.cost.value, marker=".", label=_plain(curve.label))
            axes.fill_between(
                curve.steps, curve.cost.low, curve.cost.high, color=line.get_color(), alpha=0.2, linewidth=0
            )
            failed = curve.has_terminated
            axes.plot(curve.steps[failed], curve.cost.value[failed], "x", color="C3", zorder=3)
        if any(curve.has_terminated.any() for curve in shown):
            axes.plot([], [], "x", color="C3", label="early terminations")
        axes.set_title(panel, parse_math=False)
        axes.set_xlabel("environment steps")
        axes.set_ylabel("test cost in training, IQM over seeds")
        _log_scale_if_wide(axes, np.concatenate([curve.cost.value for curve in shown]))
        axes.legend()
    figure.savefig(path, dpi=120)


@dataclass(frozen=True)
class Bar:
    """A quantity that was measured several times."""

    label: str
    values: Sequence[float]


def bars(panels: Mapping[str, Sequence[Bar]], path: Path, label: str) -> None:
    """Draw a panel of bars under each title: medians, with a line from the lowest to the highest value."""
    heights = [len(shown) + 1.5 for shown in panels.values()]
    figure = Figure(figsize=(8, 0.35 * sum(heights) + 0.5), layout="constrained")
    column = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, shown) in zip(column, panels.items(), strict=True):
        for place, bar in enumerate(shown):
            middle = float(np.median(bar.values))
            axes.barh(place, middle, color="C0")
            axes.plot([min(bar.values), max(bar.values)], [place, place], color="k", linewidth=1)
            axes.annotate(f"{middle:.2f}", (max(bar.values), place), (4, 0), textcoords="offset points", va="center")
        axes.axvline(1.0, color="k", linestyle="--", linewidth=1)
        axes.set_yticks(range(len(shown)), [_plain(bar.label) for bar in shown])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_title(title, parse_math=False, loc="left", fontsize="medium")
    column[-1].set_xlabel(label, parse_math=False)
    column[-1].set_xlim(right=1.5 * column[-1].get_xlim()[1])
    figure.savefig(path, dpi=120)


def trajectories(rollouts: Rollouts, path: Path, title: str) -> None:
    """Draw the state of interest, its reference and the cost over the steps of the recorded episodes."""
    num_episodes, _, num_signals = rollouts.states_of_interest.shape
    figure = Figure(figsize=(7, 2.5 * (num_signals + 1)), layout="constrained")
    *signal_axes, cost_axes = figure.subplots(num_signals + 1, 1, sharex=True, squeeze=False)[:, 0]
    for i, axes in enumerate(signal_axes):
        axes.plot(rollouts.states_of_interest[:, :, i].T, color="C0", linewidth=0.8, alpha=0.6)
        axes.plot(rollouts.references[:, :, i].T, "k--", linewidth=1)
        axes.set_ylabel("state of interest" + (f" {i + 1}" if num_signals > 1 else ""))
    costs = rollouts.costs[:num_episodes]
    cost_axes.plot(np.arange(1, costs.shape[1] + 1), costs.T, color="C3", linewidth=0.8, alpha=0.6)
    cost_axes.set_ylabel("cost")
    cost_axes.set_yscale("symlog", linthresh=0.01)
    cost_axes.set_ylim(bottom=0)
    cost_axes.set_xlabel("step")
    signal_axes[0].set_title(f"{title}: {num_episodes} episodes, reference dashed", parse_math=False)
    figure.savefig(path, dpi=120)


def _plain(label: str) -> str:
    """A label that a legend shows as it is: without mathematics, and also if it begins with an underscore."""
    return "\u200b" * label.startswith("_") + label.replace("$", r"\$")


def _column(rows: Rows, name: str) -> "np.typing.NDArray[np.float64]":
    values = [row.get(name) for row in rows]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _log_scale_if_wide(axes: Axes, values: "np.typing.NDArray[np.float64]") -> None:
    finite = values[np.isfinite(values) & (values > 0)]
    if finite.size and finite.max() > 10 * finite.min():
        axes.set_yscale("log")
