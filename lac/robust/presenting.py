"""A study as a table on the console and as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from lac.robust.grids import ATTRIBUTES, Grid, value_text
from lac.robust.running import Study
from lac.robust.summary import Method, Spread, Summary

_LONGEST = 40  # variants that are printed


def table(summary: Summary) -> str:
    """Cost and early terminations of each method in each variant; of many variants a few words for each method."""
    headings = ["", *(_label(method) for method in summary.methods)]
    if len(summary.variants) <= _LONGEST:
        rows = [
            [variant.label, *(_entry(method, i) for method in summary.methods)]
            for i, variant in enumerate(summary.variants)
        ]
    else:
        num_disturbed = len(summary.variants) - 1
        rates = [method.death_rate.max[1:] for method in summary.methods]
        rows = [
            ["nominal", *(_entry(method, 0) for method in summary.methods)],
            [f"of {num_disturbed}: without early terminations", *(f"{np.sum(rate == 0)}" for rate in rates)],
            ["with some", *(f"{np.sum((rate > 0) & (rate < 1))}" for rate in rates)],
            ["nothing else", *(f"{np.sum(rate == 1)}" for rate in rates)],
        ]
    text: str = tabulate(rows, headings, disable_numparse=True, stralign="right", colalign=["left"])
    return f"{text}\ncost (early terminations, settled); interquartile mean and means over runs"


def _label(method: Method) -> str:
    number = len(method.runs)
    return method.name + (f" ({number} runs)" if number > 1 else "")


def _entry(method: Method, variant: int) -> str:
    if not np.isfinite(method.cost.center[variant]):
        return "failed"
    shares = [method.death_rate] + ([] if method.settled is None else [method.settled])
    return f"{method.cost.center[variant]:.4g} ({', '.join(f'{share.mean[variant]:.0%}' for share in shares)})"


def draw(study: Study, summary: Summary, path: Path, title: str) -> None:
    """Draw cost, early terminations and, where there is a goal set, the share of episodes that settle."""
    from lac.figures.robustness import GridAxes, Line, Quantity, robustness  # noqa: PLC0415 (imports matplotlib)

    def lines(figure: str) -> dict[str, Line]:
        spreads: Mapping[str, Spread] = {method.name: getattr(method, figure) for method in summary.methods}
        return {name: Line(spread.center, spread.low, spread.high) for name, spread in spreads.items()}

    nominal = summary.nominal_values
    axes, first = [], 1
    for grid in study.grids:
        ticks = [[value_text(value) for value in values] for values in grid.vary.values()]
        places = [_place(nominal.get(key), values) for key, values in grid.vary.items()]
        axes.append(GridAxes([_key_label(key, grid, nominal) for key in grid.vary], ticks, first, places))
        first += len(list(grid.points()))
    over_runs = ", IQM over runs" if any(len(method.runs) > 1 for method in summary.methods) else ""
    quantities = [
        Quantity(f"cost of an episode{over_runs}", lines("cost"), is_share=False),
        Quantity("early terminations, %", lines("death_rate"), is_share=True),
    ]
    if all(method.settled is not None for method in summary.methods):
        quantities.append(Quantity("settled, %", lines("settled"), is_share=True))
    robustness(axes, quantities, {method.name: _label(method) for method in summary.methods}, path, title)


def _key_label(key: str, grid: Grid, nominal: Mapping[str, float]) -> str:
    name = key.removeprefix(ATTRIBUTES)
    if key in nominal:
        return f"{name} (nominal: {nominal[key]:g})"
    return name if key.startswith(ATTRIBUTES) else f"{name} of the {grid.disturbance['kind']}"


def _place(value: float | None, values: Any) -> float | None:
    """Where a value is among increasing ones, counted from 0; None where it is not."""
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        return None
    if value is None or numbers.ndim != 1 or (np.diff(numbers) <= 0).any() or not numbers[0] <= value <= numbers[-1]:
        return None
    return float(np.interp(value, numbers, np.arange(len(numbers))))
