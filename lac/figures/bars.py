"""Bars of quantities that were measured several times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lac.figures.style import COLOURS, log_scale, plain, save


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
            axes.barh(place, middle, color=COLOURS[0])
            axes.plot([min(bar.values), max(bar.values)], [place, place], color="k", linewidth=1)
            axes.annotate(f"{middle:.2f}", (max(bar.values), place), (4, 0), textcoords="offset points", va="center")
        axes.axvline(1.0, color="k", linestyle="--", linewidth=1)
        axes.set_yticks(range(len(shown)), [plain(bar.label) for bar in shown])
        axes.invert_yaxis()
        log_scale(axes, np.concatenate([bar.values for bar in shown]), "x")
        axes.set_title(title, parse_math=False, loc="left", fontsize="medium")
    column[-1].set_xlabel(label, parse_math=False)
    column[-1].set_xlim(right=1.5 * column[-1].get_xlim()[1])
    save(figure, path)
