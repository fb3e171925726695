"""The numbers that the charts of the page show, as JSON has them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lac.reports.comparison import Comparison
from lac.reports.groups import Group
from lac.reports.table import number_text, share_text

_DIGITS = 5


def page_data(compared: Comparison) -> dict[str, Any]:
    """Environments with their methods, and robustness studies; a method has the same number in each environment."""
    return {
        "environments": [
            {
                "name": env,
                "designed": [
                    {"name": each.name, "cost": each.figures["cost_mean"], "training_cost": each.training_cost}
                    for each in compared.yardsticks
                    if each.env == env
                ],
                "methods": [
                    _method(group, compared.places[group.label]) for group in compared.groups if group.env == env
                ],
                "keys": _numeric_keys([group for group in compared.groups if group.env == env]),
            }
            for env in compared.envs
        ],
        "studies": [{"name": study.name, "rows": [list(row) for row in study.rows]} for study in compared.studies],
    }


def _method(group: Group, place: int) -> dict[str, Any]:
    curve, cost = group.curve, group.cost
    return {
        "label": group.label,
        "place": place,
        "settings": {key: value for key, value in group.settings.items() if _is_number(value)},
        "cost": _rounded([cost.value, cost.low, cost.high]),
        "cells": [number_text(cost.value), *_shares(group)],
        "runs": [
            {
                "seed": str(result.seed),
                "cost": result.figures["cost_mean"],
                "terminated": result.figures["death_rate"],
                "settled": result.figures.get("settled"),
                "name": result.run.folder.name,
            }
            for result in group.results
        ],
        "steps": _rounded(curve.steps),
        "curve": [_rounded(part) for part in (curve.cost.value, curve.cost.low, curve.cost.high)],
        "range": [_rounded(curve.costs.min(axis=0)), _rounded(curve.costs.max(axis=0))],
        "terminated": _rounded(curve.death_rates.mean(axis=0)),
    }


def _shares(group: Group) -> list[str]:
    """Early terminations and settled episodes as text."""
    values = [group.values(name) for name in ("death_rate", "settled")]
    return [share_text(float(each.mean())) if len(each) else "-" for each in values]


def _numeric_keys(groups: Sequence[Group]) -> list[str]:
    """The settings that vary within an algorithm and are numbers, which are the axes of a sweep."""
    values: Mapping[str, set[Any]] = {key: set() for group in groups for key in group.settings}
    for group in groups:
        for key, value in group.settings.items():
            if _is_number(value):
                values[key].add(value)
    return [key for key, found in values.items() if len(found) > 1]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _rounded(values: Any) -> list[float | None]:
    """Numbers with as many digits as a chart can show; what is not finite is None."""
    numbers = [float(value) for value in values]
    return [float(f"{number:.{_DIGITS}g}") if math.isfinite(number) else None for number in numbers]
