"""The comparison as a table: on the console, in Markdown, and as rows with numbers for the page."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate

from lac.evaluation.statistics import Estimate, FloatArray
from lac.reports.groups import BASELINE, Group, Improvement
from lac.reports.yardsticks import Yardstick

ENV, ALGO, DIFFERENCES, SEEDS = "environment", "algorithm", "differs in", "seeds"
TERMINATED, SETTLED, AFTER = "early terminations", "settled", "after"
LONG_TERMINATED, LONG_SETTLED = "terminations, 4x", "settled, 4x"
COST, INTERVAL, RANGE = "cost, IQM", "95 % CI", "min to max"
LENGTH, STEPS, RESETS = "length", "steps", "resets"
HEADINGS = (
    ENV,
    ALGO,
    DIFFERENCES,
    SEEDS,
    TERMINATED,
    SETTLED,
    AFTER,
    LONG_TERMINATED,
    LONG_SETTLED,
    COST,
    INTERVAL,
    RANGE,
    LENGTH,
    STEPS,
    RESETS,
)
_CONSOLE = tuple(name for name in HEADINGS if name not in {INTERVAL, LENGTH, STEPS, RESETS})
_WRAPPED = {
    TERMINATED: "early\nterminations",
    LONG_TERMINATED: "terminations\n4x longer",
    LONG_SETTLED: "settled\n4x longer",
    COST: "cost, IQM\n(95 % CI)",
}
_DIGITS = 4
DESIGNED = "designed"
"""What stands in the place of the number of seeds of a controller."""


class Cell(NamedTuple):
    """A cell of the table.

    Attributes:
        text: As it is shown.
        number: By which it is sorted; None sorts by the text.
    """

    text: str
    number: float | None = None


Row = Mapping[str, Cell]
_EMPTY = Cell("-")


def rows_of(groups: Sequence[Group], yardsticks: Sequence[Yardstick]) -> list[Row]:
    """A row for each group and, after those of its environment, one for each designed controller."""
    rows: list[Row] = []
    for env in dict.fromkeys(group.env for group in groups):
        rows += [group_row(group) for group in groups if group.env == env]
        rows += [_yardstick_row(each) for each in yardsticks if each.env == env]
    return rows


def group_row(group: Group) -> Row:
    """The row of a group."""
    costs = group.values("cost_mean")
    steps = np.array([result.run.metrics[-1]["env_steps"] for result in group.results], np.float64)
    after, lengths, resets = group.values("settling_steps"), group.values("ep_len_mean"), group.values("episodes")
    return {
        ENV: Cell(group.env),
        ALGO: Cell(group.algo),
        DIFFERENCES: Cell(group.differences or "-"),
        SEEDS: Cell(str(len(costs)), len(costs)),
        TERMINATED: _share(group.values("death_rate")),
        SETTLED: _share(group.values("settled")),
        AFTER: Cell(f"{np.median(after):.0f}", float(np.median(after))) if len(after) else _EMPTY,
        LONG_TERMINATED: _share(group.values("death_rate", is_long=True)),
        LONG_SETTLED: _share(group.values("settled", is_long=True)),
        COST: Cell(number_text(group.cost.value), float(group.cost.value)),
        INTERVAL: Cell(interval_text(group.cost), float(group.cost.low)) if np.isfinite(group.cost.low) else _EMPTY,
        RANGE: Cell(f"{number_text(costs.min())} to {number_text(costs.max())}", float(costs.min())),
        LENGTH: Cell(f"{lengths.mean():.0f}", float(lengths.mean())),
        STEPS: Cell(_range(steps), float(steps.min())),
        RESETS: Cell(_range(resets), float(resets.min())) if len(resets) else _EMPTY,
    }


def _yardstick_row(yardstick: Yardstick) -> Row:
    usual, long = yardstick.figures, yardstick.long
    is_settling = usual.get("settled", 0.0) > 0
    return dict.fromkeys(HEADINGS, _EMPTY) | {
        ENV: Cell(yardstick.env),
        SEEDS: Cell(DESIGNED),
        ALGO: Cell(yardstick.name),
        TERMINATED: _share(_values(usual, "death_rate")),
        SETTLED: _share(_values(usual, "settled")),
        AFTER: Cell(f"{usual['settling_steps']:.0f}", usual["settling_steps"]) if is_settling else _EMPTY,
        LONG_TERMINATED: _share(_values(long, "death_rate")),
        LONG_SETTLED: _share(_values(long, "settled")),
        COST: Cell(number_text(usual["cost_mean"]), usual["cost_mean"]),
        LENGTH: Cell(f"{usual['ep_len_mean']:.0f}", usual["ep_len_mean"]),
        RESETS: Cell(f"{usual['episodes']:.0f}", usual["episodes"]),
    }


def _values(report: Mapping[str, float], name: str) -> FloatArray:
    return np.array([report[name]] if name in report else [])


def console_table(rows: Sequence[Row]) -> str:
    """The table as text; columns in which there is nothing, and those that are less asked for, are left out."""
    names = _names(rows)
    return _tabulate([_texts(row, names) for row in rows], [_WRAPPED.get(name, name) for name in names], "simple")


def markdown_table(rows: Sequence[Row]) -> str:
    """The table for a README."""
    names = _names(rows)
    cells = [[text.replace("|", "\\|").replace("<", "&lt;") for text in _texts(row, names)] for row in rows]
    return _tabulate(cells, [_WRAPPED.get(name, name).replace("\n", " ") for name in names], "github") + "\n"


def _names(rows: Sequence[Row]) -> list[str]:
    shown = {*_CONSOLE, *(name for name in (STEPS, RESETS) if _differs(rows, name))}
    return [name for name in HEADINGS if name in shown and any(row[name] != _EMPTY for row in rows)]


def _differs(rows: Sequence[Row], name: str) -> bool:
    """Whether methods of one environment, or the runs of one, differ in what should be the same for all."""
    texts = {(row[ENV].text, row[name].text) for row in rows if row[name] != _EMPTY}
    return len(texts) > len({env for env, _ in texts}) or any(" to " in text for _, text in texts)


def _texts(row: Row, names: Sequence[str]) -> list[str]:
    """The cells of these columns, with the interval beside the cost."""
    interval = "" if row[INTERVAL] == _EMPTY else f" ({row[INTERVAL].text})"
    return [row[name].text + (interval if name == COST else "") for name in names]


def improvement_table(listed: Sequence[Improvement]) -> str:
    """What the baseline is compared by over several environments, as text; empty where there are no several."""
    rows = [improvement_cells(each) for each in listed if len(each.envs) > 1]
    return _tabulate(rows, IMPROVEMENT_HEADINGS, "simple") if rows else ""


_NAME = BASELINE.upper()
IMPROVEMENT_HEADINGS = (
    "over environments",
    "algorithm",
    f"better than {_NAME}",
    f"lower cost than {_NAME}",
    "cost / designed",
    f"the same of {_NAME}",
)


def improvement_cells(each: Improvement) -> list[str]:
    """The row of an algorithm beside the baseline."""
    relative = ["-", "-"] if each.relative_costs is None else [_with_interval(cost) for cost in each.relative_costs]
    envs = each.envs[0] if len(each.envs) == 1 else f"all {len(each.envs)}"
    return [envs, each.algo, probability_text(each.better), probability_text(each.cheaper), *relative]


def _tabulate(rows: Sequence[Sequence[str]], headings: Sequence[str], style: str) -> str:
    table: str = tabulate(rows, headings, tablefmt=style, disable_numparse=True)
    return table


def number_text(value: Any) -> str:
    """A number with four digits that count, without an exponent where it is not very large."""
    number = float(value)
    if not np.isfinite(number):
        return "-"
    if abs(number) >= 10 ** (_DIGITS - 1):
        return f"{number:.0f}" if abs(number) < 1e7 else f"{number:.3g}"
    return f"{number:.1f}" if abs(number) >= 10 or number == 0 else f"{number:.3g}"


def interval_text(cost: Estimate) -> str:
    """Both ends of an interval."""
    return f"{number_text(cost.low)} to {number_text(cost.high)}"


def probability_text(probability: Estimate) -> str:
    """A probability in per cent, with its interval."""
    text = f"{float(probability.value):.0%}"
    ends = (float(probability.low), float(probability.high))
    return f"{text} ({ends[0]:.0%} to {ends[1]:.0%})" if np.isfinite(ends).all() else text


def _with_interval(cost: Estimate) -> str:
    is_known = np.isfinite(cost.low)
    return f"{float(cost.value):.2f} ({cost.low:.2f} to {cost.high:.2f})" if is_known else f"{float(cost.value):.2f}"


def share_text(share: float) -> str:
    """A share in per cent; one that is not quite none or all does not look so."""
    rounded = f"{share:.0%}"
    is_misleading = (rounded == "0%" and share > 0) or (rounded == "100%" and share < 1)
    return f"{share:.1%}" if is_misleading else rounded


def _share(values: FloatArray) -> Cell:
    """The mean of a share over the runs that have it."""
    return Cell(share_text(float(values.mean())), float(values.mean())) if len(values) else _EMPTY


def _range(values: FloatArray) -> str:
    low, high = values.min(), values.max()
    return f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
