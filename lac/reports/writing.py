"""The files of a comparison: one page, tables, and figures for papers."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from lac.figures import Method, Panel, comparison, learning_curves
from lac.files import write_bytes, write_json
from lac.reports.comparison import Comparison
from lac.reports.groups import Group
from lac.reports.page import page
from lac.reports.results import record_of
from lac.reports.table import DESIGNED, SEEDS, markdown_table, share_text
from lac.runs.records import RECORDS, set_aside, write_records

PAGE, DATA, TABLE = "report.html", "report.json", "report.md"
COMPARISON, CURVES = "comparison", "learning_curves"
FIGURE_FORMATS = (".png", ".svg")


def set_aside_other_runs(compared: Comparison, folder: Path) -> Path | None:
    """Rename the runs of an earlier report in a folder where some of them are not in this one; returns the new name."""
    return set_aside(folder / RECORDS, _records(compared))


def write_report(compared: Comparison, folder: Path) -> list[Path]:
    """Write page, tables and figures; returns the files, the page first."""
    folder.mkdir(parents=True, exist_ok=True)
    panels = _panels(compared)
    figures = [folder / f"{name}{suffix}" for name in (COMPARISON, CURVES) for suffix in FIGURE_FORMATS]
    comparison(panels, *figures[: len(FIGURE_FORMATS)])
    learning_curves(panels, *figures[len(FIGURE_FORMATS) :])
    write_json(folder / DATA, _data(compared))
    write_bytes(folder / TABLE, markdown_table(compared.rows).encode())
    write_records(folder / RECORDS, _records(compared))
    write_bytes(folder / PAGE, page(compared, folder).encode())
    return [folder / PAGE, folder / TABLE, folder / DATA, folder / RECORDS, *figures]


def _records(compared: Comparison) -> list[dict[str, Any]]:
    return [record_of(result) for group in compared.groups for result in group.results]


def _panels(compared: Comparison) -> list[Panel]:
    """The environments as figures show them; a method has the same colour in each."""
    return [
        Panel(
            env,
            [_method(group, compared.places[group.label]) for group in compared.groups if group.env == env],
            {each.name: each.figures["cost_mean"] for each in compared.yardsticks if each.env == env},
            {each.name: each.training_cost for each in compared.yardsticks if each.env == env},
        )
        for env in compared.envs
    ]


def _method(group: Group, place: int) -> Method:
    curve, cost = group.curve, group.cost
    terminated, settled = group.values("death_rate"), group.values("settled")
    note = f"term. {share_text(float(terminated.mean()))}"
    if len(settled):
        note += f"\nsettled {share_text(float(settled.mean()))}"
    return Method(
        label=group.label,
        place=place,
        costs=group.values("cost_mean"),
        has_failed=terminated > 0,
        cost=(float(cost.value), float(cost.low), float(cost.high)),
        note=note,
        steps=curve.steps,
        curve=np.stack([curve.cost.value, curve.cost.low, curve.cost.high]),
        has_terminated=curve.death_rates.max(axis=0) > 0,
    )


def _data(compared: Comparison) -> dict[str, Any]:
    """The tables with their numbers, for other programs."""
    texts = [{name: cell.text for name, cell in row.items()} for row in compared.rows]
    of_groups = iter(text for text in texts if text[SEEDS] != DESIGNED)
    return {
        "groups": [{**text, **_numbers(group)} for text, group in zip(of_groups, compared.groups, strict=True)],
        "designed": [vars(each) for each in compared.yardsticks],
        "left out": list(compared.left_out),
    }


def _numbers(group: Group) -> dict[str, Any]:
    cost = {name: float(value) for name, value in vars(group.cost).items()}
    return {
        "settings": dict(group.settings),
        "cost": cost,
        "runs": [os.fspath(result.run.folder) for result in group.results],
        "tests": [dict(result.figures) | {"seed": result.seed} for result in group.results],
        "tests_4x": [dict(result.long) for result in group.results],
    }
