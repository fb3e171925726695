"""A stability report as Markdown, and as a page that holds its pictures."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lac.stability.wording import percent

_MEANINGS = {
    "none": "the trajectories do not support any claim",
    "empirical": "trajectories settle; no function is known that decreases along them",
    "statistical": "counted on independent samples, with bounds",
    "proved-on-model": "a theorem about the simulator's equations, beside the counted samples",
}
_CAPTIONS = {
    "phase_portrait.png": "Phase portrait",
    "trajectories.png": "Errors along trajectories",
    "functions.png": "The functions along trajectories",
    "settling.png": "Settling times",
    "disturbances.png": "After a push",
    "violations.png": "Where the function does not decrease",
    "critic.png": "The learned function beside simulated costs",
}
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
body { overflow-wrap: anywhere; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } .wide { overflow-x: auto; }
.verdict { font-size: 1.3rem; font-weight: 600; padding: .6rem 1rem; }
.verdict { background: var(--soft); border-left: .4rem solid #0072B2; }
.verdict.none { border-color: #D55E00; } img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; } code { font-size: .9em; }
"""


def markdown(data: Mapping[str, Any], pictures: Sequence[Path]) -> str:
    """The report as Markdown; pictures are named as files beside it."""
    lines = [
        f"# Stability report: {_title(data)}",
        "",
        f"**Verdict: {data['verdict']}** ({_meaning(data)})",
        "",
    ]
    lines += [f"- {sentence}" for sentence in data["sentences"]] + [""]
    for heading, rows in _tables(data):
        lines += [f"## {heading}", "", "| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
        lines += ["| " + " | ".join(row) + " |" for row in rows[1:]] + [""]
    lines += [f"- {sentence}" for sentence in _remarks(data)]
    for picture in pictures:
        lines += ["", f"![{_CAPTIONS[picture.name]}]({picture.name})"]
    return "\n".join(lines) + "\n"


def page(data: Mapping[str, Any], pictures: Sequence[Path]) -> str:
    """The report as one HTML page."""
    title = escape(f"Stability report: {_title(data)}")
    parts = [f"<h1>{title}</h1>"]
    meaning = escape(_meaning(data))
    parts.append(f'<p class="verdict {data["verdict"]}">Verdict: {data["verdict"]}<br><small>{meaning}</small></p>')
    parts.append("<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in data["sentences"]) + "</ul>")
    for picture in pictures:
        encoded = base64.b64encode(picture.read_bytes()).decode()
        caption = _CAPTIONS[picture.name]
        image = f'<img alt="{caption}" src="data:image/png;base64,{encoded}">'
        parts.append(f"<figure><figcaption>{caption}</figcaption>{image}</figure>")
    for heading, rows in _tables(data):
        head = "".join(f"<th>{escape(cell)}</th>" for cell in rows[0])
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
        parts.append(f'<h2>{escape(heading)}</h2><div class="wide"><table><tr>{head}</tr>{body}</table></div>')
    parts.append("<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in _remarks(data)) + "</ul>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _meaning(data: Mapping[str, Any]) -> str:
    if data["verdict"] == "empirical" and not data["rollouts"]["has_goal"]:
        return "trajectories do not terminate early; there is no goal set in which they could settle"
    return _MEANINGS[data["verdict"]]


def _title(data: Mapping[str, Any]) -> str:
    return f"{data['policy']['algorithm']} on {data['environment']['id']}"


def _tables(data: Mapping[str, Any]) -> list[tuple[str, list[list[str]]]]:
    tables = []
    if data["candidates"]:
        rows = [
            [
                "function",
                "one step, R",
                "visited",
                "within 5 steps",
                "at step 5",
                "leaves its level set",
                "level set's share of R",
            ]
        ]
        for name, found in data["candidates"].items():
            five = found["k_steps"]["5"]
            counted = [found["one_step"], found["visited"], five["within"], five["at"], found["invariance"]]
            rows.append([name, *map(_counted, counted), percent(found["level_share"])])
        tables.append(("States that violate the decrease: counted, and the upper bound", rows))
    if data["settling"]:
        names = {
            "": "settling time, steps",
            "overshoot_": "overshoot",
            "peak_cost_": "peak cost",
            "late_rmse_": "late error, RMS",
        }
        rows = [["", "median", "largest", "bound of the 99 % quantile"]]
        for prefix, label in names.items():
            keys = [f"{prefix}{name}" for name in ("median", "max", "quantile_99_bound")]
            if keys[0] in data["settling"]:
                rows.append([label, *(_number(data["settling"].get(key)) for key in keys)])
        tables.append(("Trajectories", rows))
    if data["disturbances"]:
        rows = [["external force of one step", "do not come back"]]
        rows += [[_number(rung["magnitude"]), _counted(rung)] for rung in data["disturbances"]]
        tables.append(("Pushes", rows))
    if data["proved"] is not None:
        tables.append(("Proof", [["", ""], *([name, _shown(value)] for name, value in data["proved"].items())]))
    if data["counterexamples"]:
        rows = [["kind", "state"]]
        rows += [[case["kind"], _shown(case.get("start", case.get("state")))] for case in data["counterexamples"]]
        tables.append(("Counterexamples", rows))
    return tables


def _remarks(data: Mapping[str, Any]) -> list[str]:
    remarks = [f"There is no function {name}: {reason}." for name, reason in data["missing"].items()]
    if data["not_proved"] is not None:
        remarks.append(f"No proof: {data['not_proved']}")
    if data["floquet_multipliers"] is not None:
        largest = ", ".join(_number(value) for value in data["floquet_multipliers"][:3])
        remarks.append(f"Largest Floquet multipliers of the orbit, or eigenvalues at the equilibrium: {largest}.")
    if data["critic"] is not None:
        critic = data["critic"]
        remarks.append(
            "The learned function ranks states as the simulated cost to go does with a correlation of "
            f"{_number(critic['rank_correlation'])}. Of {critic['violations']} violations in {critic['states']} "
            f"states, {critic['of_the_critic']} are errors of the critic, {critic['of_discounting']} come from "
            f"discounting, and {critic['true_increases']} are true increases."
        )
    if data["core"] is not None:
        remarks.append(
            "The core, in which nothing is asked, are states of the goal set with a cost of at most "
            f"{_number(data['core'])}."
        )
    if data["attempt"] > 1:
        remarks.append(
            f"This is attempt {data['attempt']} at this policy, so each bound holds with "
            f"{percent(data['bound_confidence'])} instead of {percent(data['confidence'])}: that of a report which is "
            "chosen among several attempts fails with at most twice the probability of a single one."
        )
    return remarks


def _counted(counts: Mapping[str, Any]) -> str:
    return f"{counts['violations']} of {counts['n']} (<= {percent(counts['bound'])})"


def _number(value: float | None) -> str:
    return "never" if value is None or value == float("inf") else f"{value:.4g}"


def _shown(value: Any) -> str:
    return (
        ", ".join(_shown(entry) for entry in value)
        if isinstance(value, list)
        else f"{value:.5g}"
        if isinstance(value, float)
        else str(value)
    )
