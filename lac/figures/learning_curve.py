"""The learning curve of one run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lac.figures.style import COLOURS, FAILURE, FloatArray, log_scale_if_wide, save, wrapped

Rows = Sequence[Mapping[str, float | None]]

_BLUE, _ORANGE, _GREEN, _PINK = COLOURS[:4]
_GREY = "0.55"


def learning_curve(rows: Rows, path: Path, title: str, summary: Mapping[str, Any] | None = None) -> None:
    """Draw test cost, multipliers, and drift and size of L over environment steps.

    Args:
        rows: The lines of ``metrics.jsonl``.
        path: The picture.
        title: Its title.
        summary: The contents of ``summary.json``: the test of the final policy, once it was tested on more resets, and
            the cost of the controller that is designed for the environment are drawn.
    """
    is_lyapunov = any("train/decrease" in row for row in rows)
    ratios = (3, 2, 2) if is_lyapunov else (3, 2)
    figure = Figure(figsize=(7, 2.2 * len(ratios) + 1.6), layout="constrained")
    cost_axes, multiplier_axes, *lyapunov_axes = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    steps = _column(rows, "env_steps")
    _draw_cost(cost_axes, rows, steps, summary or {})
    cost_axes.set_title(wrapped(title), parse_math=False, fontsize="medium")
    _draw_multipliers(multiplier_axes, rows, steps)
    for axes in lyapunov_axes:
        _draw_lyapunov(axes, rows, steps)
    figure.axes[len(ratios) - 1].set_xlabel("environment steps")
    save(figure, path)


def _draw_cost(axes: Axes, rows: Rows, steps: FloatArray, summary: Mapping[str, Any]) -> None:
    mean, std = _column(rows, "test/cost_mean"), _column(rows, "test/cost_std")
    shown = [mean]
    axes.plot(steps, _column(rows, "train/cost_mean"), color=_GREY, linewidth=1, label="training episodes")
    if np.isfinite(mean).any():
        axes.plot(steps, mean, color=_BLUE, marker=".", label="test in training, mean ± std over episodes")
        axes.fill_between(steps, np.maximum(mean - std, mean / 10), mean + std, color=_BLUE, alpha=0.2, linewidth=0)
        failed = _column(rows, "test/death_rate") > 0
        if failed.any():
            axes.plot(steps[failed], mean[failed], **FAILURE, label="early terminations in the test")
    final = summary.get("final", {})
    if "episodes" in final and np.isfinite(final["cost_mean"]):  # not the last test in training once more
        cost = float(final["cost_mean"])
        axes.plot(steps[-1], cost, "D", color=_ORANGE, zorder=5, label=_final_label(final))
        shown.append(np.array([cost]))
    if "yardstick" in summary:
        shown.append(_draw_yardstick(axes, steps[-1], summary["yardstick"]))
    axes.set_ylabel("cost of an episode")
    log_scale_if_wide(axes, np.concatenate(shown))
    axes.legend(fontsize="small")


def _draw_yardstick(axes: Axes, last_step: float, yardstick: Mapping[str, Any]) -> FloatArray:
    """The costs of the designed controller, in the test in training and on the resets of the final policy."""
    few, many = float(yardstick["training_cost"]), float(yardstick["cost_mean"])
    axes.axhline(few, color=_GREEN, linestyle="--", label=f"{yardstick['controller']}, test in training")
    label = f"{yardstick['controller']}: {yardstick['episodes']:.0f} resets"
    axes.plot(last_step, many, "D", color=_GREEN, markerfacecolor="none", zorder=4, label=label)
    return np.array([few, many])


def _final_label(final: Mapping[str, Any]) -> str:
    return f"final policy: {final['episodes']:.0f} resets, early terminations {final['death_rate']:.0%}"


def _draw_multipliers(axes: Axes, rows: Rows, steps: FloatArray) -> None:
    for name, color, style, symbol in (("labda", _ORANGE, "-", r"$\lambda$"), ("alpha", _GREEN, "--", r"$\alpha$")):
        if f"train/{name}" in rows[-1]:
            axes.plot(steps, _column(rows, f"train/{name}"), style, color=color, label=symbol)
    axes.set_yscale("log")
    axes.set_ylabel("multipliers")
    axes.legend()


def _draw_lyapunov(axes: Axes, rows: Rows, steps: FloatArray) -> None:
    """The drift, which is to be negative, and the mean of L on an axis of its own."""
    drift, size = _column(rows, "train/decrease"), _column(rows, "train/l_mean")
    lines = axes.plot(steps, drift, color=_PINK, label=r"drift $L(s', a') - L(s, a) + \alpha_3 c$")
    axes.axhline(0.0, color=_GREY, linewidth=0.8)
    largest = np.max(np.abs(drift[np.isfinite(drift)]), initial=0.0)
    if largest > 0:
        axes.set_yscale("symlog", linthresh=largest / 10)
    axes.set_ylabel("drift")
    other = axes.twinx()
    lines += other.plot(steps, size, ":", color=_BLUE, label="mean of $L$")
    log_scale_if_wide(other, size)
    other.set_ylabel("$L$")
    axes.legend(handles=lines, fontsize="small")


def _column(rows: Rows, name: str) -> FloatArray:
    values = [row.get(name) for row in rows]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
