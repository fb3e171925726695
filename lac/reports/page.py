"""The page of a comparison: one file with its tables, data, style, script and chart library, for any browser."""

import base64
import gzip
import os
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lac.files import json_text
from lac.reports.comparison import Comparison
from lac.reports.groups import BASELINE, Group, differing_keys
from lac.reports.page_data import page_data
from lac.reports.results import Result
from lac.reports.table import ENV, HEADINGS, IMPROVEMENT_HEADINGS, Cell, improvement_cells, number_text, share_text

Sections = Iterable[str]
_NAME = BASELINE.upper()
_RUN_HEADINGS = ("run", "seed", "algorithm", "early terminations", "settled", "settled, 4x", "cost", "seconds")
_STUDY_HEADINGS = ("variant", "method", "runs", "cost, IQM", "low", "high", "early terminations", "settled")
_EXPLANATION = f"""
<p>Each line is a method: runs that differ in their seed alone. Costs, early terminations and settling are those of the
<b>final policy</b> on as many of the same resets as the column <i>resets</i> says. <b>IQM</b> is the
interquartile mean over seeds (of five seeds, the three in the middle), the interval a 95 % percentile bootstrap over
seeds; seeds are the unit, never episodes. With few seeds such an interval is too short. An <b>early termination</b> is
a failure: the environment ended the episode before its time limit, and a short episode costs little, so read the cost
beside it. An episode has <b>settled</b> when its error stays in the goal set to the end, at least for the last tenth of
its steps; <i>after</i> is the median over seeds of the steps to it. <i>4x</i> are the same policies in episodes of four
times the length.</p>
<p>A controller that is <b>designed</b>, not trained, was tested on the same resets. <b>Better than {_NAME}</b> is the
probability that a seed has fewer early terminations than one of {_NAME}, or as many and more episodes that settle, or
both the same and a lower cost (equal seeds count half).</p>
<p>The <b>learning curves show something else</b>: the tests during training, which have fewer episodes, as the
interquartile mean over seeds with its interval, up to the end of the shortest run;
a cross marks a test in which an episode of any seed terminated early.
The dashed line is the designed controller on those few resets. The end of a curve and the cost in the table differ,
since their resets do.</p>
"""


def page(compared: Comparison, folder: Path) -> str:
    """The page.

    Args:
        compared: What it shows.
        folder: Where it will be, from which links lead to the runs.
    """
    assets = files("lac.reports") / "assets"
    style, script = ((assets / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    # In JSON these stand for the same characters, but end no script.
    data = json_text(page_data(compared)).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    body = "".join(_body(compared, folder))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>lac: runs compared</title>
<style>{style}</style></head><body>
{body}
<script type="application/json" id="data">{data}</script>
<script type="text/plain" id="library">{_library()}</script>
<script>{script}</script>
</body></html>
"""


def _library() -> str:
    """plotly.js, compressed, since it is most of the page; the browser unpacks it."""
    source = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    return base64.b64encode(gzip.compress(source, mtime=0)).decode()


def _body(compared: Comparison, folder: Path) -> Sections:
    number = sum(len(group.results) for group in compared.groups)
    left_out = f", <a href='#left-out'>{len(compared.left_out)} left out</a>" if compared.left_out else ""
    links = "".join(f"<a href='#env-{i}'>{escape(env)}</a>" for i, env in enumerate(compared.envs))
    yield f"<header><h1>Runs compared</h1><p>{number} runs, {len(compared.groups)} methods, "
    yield f"{len(compared.envs)} environments{left_out}</p><nav>{links}</nav></header><main>"
    yield "<noscript><p>Sorting and charts need JavaScript; the tables are complete without it.</p></noscript>"
    names = [name for name in HEADINGS if any(row[name].text != "-" for row in compared.rows)]
    yield _table(names, [[row[name] for name in names] for row in compared.rows])
    yield f"<details><summary>How to read this</summary>{_EXPLANATION}</details>"
    if compared.improvements:
        yield f"<h2>Beside {_NAME}</h2><p>Over several environments, seeds are resampled within each.</p>"
        yield _table(
            IMPROVEMENT_HEADINGS, [[Cell(text) for text in improvement_cells(each)] for each in compared.improvements]
        )
    for i, env in enumerate(compared.envs):
        yield from _environment(i, env, [group for group in compared.groups if group.env == env], folder)
    yield from _evidence(compared, folder)
    if compared.left_out:
        notes = "".join(f"<li>{escape(text)}</li>" for text in compared.left_out)
        yield f"<section id='left-out'><h2>Left out</h2><ul>{notes}</ul></section>"
    yield "</main>"


def _environment(number: int, env: str, groups: Sequence[Group], folder: Path) -> Sections:
    """The section of an environment; the script draws into its places for charts."""
    yield f"<section id='env-{number}'><h2>{escape(env)}</h2><div class='pair'>"
    yield f"<div class='chart' data-kind='final' data-env='{number}'></div>"
    yield f"<div class='chart' data-kind='curves' data-env='{number}'></div></div>"
    yield f"<div class='chart' data-kind='sweep' data-env='{number}'></div>"
    keys = differing_keys([group.results[0].method for group in groups])
    if keys:
        rows = [[Cell(key), *(_setting(group, key) for group in groups)] for key in keys]
        yield f"<details><summary>{len(keys)} settings differ between the methods</summary>"
        yield _table(("setting", *(group.label for group in groups)), rows) + "</details>"
    results = [(group, result) for group in groups for result in group.results]
    yield f"<details><summary>{len(results)} runs</summary>"
    links = [None if result.run.is_recorded else _link(result.run.folder, folder) for _, result in results]
    yield _table(_RUN_HEADINGS, [_run_cells(*each) for each in results], links)
    yield "</details></section>"


def _setting(group: Group, key: str) -> Cell:
    method = group.results[0].method
    return Cell(str(method[key]) if key in method else "-")


def _run_cells(group: Group, result: Result) -> list[Cell]:
    figures, long = result.figures, result.long
    seconds = result.run.summary.get("wall_time")
    return [
        Cell(result.run.folder.name),
        Cell(str(result.seed), result.seed if isinstance(result.seed, int) else None),
        Cell(group.label),
        _share(figures.get("death_rate")),
        _share(figures.get("settled")),
        _share(long.get("settled")),
        Cell(number_text(figures["cost_mean"]), figures["cost_mean"]),
        Cell(f"{seconds:.0f}", seconds) if isinstance(seconds, (int, float)) else Cell("-"),
    ]


def _evidence(compared: Comparison, folder: Path) -> Sections:
    """Robustness studies and stability reports, where there are some."""
    if compared.studies:
        yield "<section id='robustness'><h2>Robustness</h2><p>Tests under disturbances, written by the command "
        yield "<code>robustness</code>; the bars are bootstrap intervals over runs.</p>"
    for i, study in enumerate(compared.studies):
        yield f"<h3>{_anchor(study.name, _link(study.file.parent, folder))}</h3>"
        yield f"<div class='chart' data-kind='study' data-env='{i}'></div><details><summary>Table</summary>"
        yield _table(_STUDY_HEADINGS, [_study_cells(row) for row in study.rows]) + "</details>"
    yield "</section>" if compared.studies else ""
    if compared.verdicts:
        yield "<section id='stability'><h2>Stability reports</h2><p>Written by the command <code>certify</code>: none, "
        yield "empirical, statistical, or proved on the model. The sentences say what was examined, no more.</p>"
        rows = [
            [Cell(each.folder.name), Cell(each.level), Cell(" ".join(each.sentences))] for each in compared.verdicts
        ]
        links = [_link(each.file.parent, folder) for each in compared.verdicts]
        yield _table(("run", "verdict", "what it says"), rows, links) + "</section>"


def _study_cells(row: Sequence[Any]) -> list[Cell]:
    variant, method, runs, *costs, terminated, settled = row
    numbers = [Cell("-") if cost is None else Cell(number_text(cost), cost) for cost in costs]
    return [Cell(variant), Cell(method), Cell(str(runs), runs), *numbers, _share(terminated), _share(settled)]


def _share(share: float | None) -> Cell:
    return Cell("-") if share is None else Cell(share_text(share), share)


def _table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], links: Sequence[str | None] = ()) -> str:
    """A table that can be sorted; ``links`` lead from the first cell of each row."""
    is_grouped = headings[0] == ENV
    head = "".join(f"<th scope='col'><button>{escape(heading)}</button></th>" for heading in headings)
    lines = []
    for i, row in enumerate(rows):
        is_new = is_grouped and i > 0 and row[0].text != rows[i - 1][0].text
        cells = "".join(_cell(cell, links[i] if links and j == 0 else None) for j, cell in enumerate(row))
        lines.append(f"<tr{' class=first' if is_new else ''}>{cells}</tr>")
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"


def _cell(cell: Cell, link: str | None) -> str:
    text = escape(cell.text) if link is None else _anchor(cell.text, link)
    return (
        f"<td>{text}</td>" if cell.number is None else f"<td class='number' data-number='{cell.number!r}'>{text}</td>"
    )


def _anchor(text: str, link: str) -> str:
    return f"<a href='{escape(link)}'>{escape(text)}</a>"


def _link(target: Path, folder: Path) -> str:
    """A relative link from a page in ``folder`` to another folder."""
    relative = Path(os.path.relpath(os.path.abspath(target), os.path.abspath(folder)))
    return quote(f"{relative.as_posix()}/", safe="/")
