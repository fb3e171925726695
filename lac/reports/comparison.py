"""Runs compared: one table, one picture, one page."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from lac.evaluation.statistics import estimate
from lac.figures import Curve, learning_curves
from lac.files import relative_to_cwd, write_bytes, write_json
from lac.loggers.jsonl import read_metrics
from lac.runs.folder import ATTEMPTS, EVALUATION, FINISHED, METRICS, SUMMARY, is_multi_seed, read_summary, status

HEADINGS = (
    "environment",
    "algorithm",
    "differs in",
    "seeds",
    "cost, IQM",
    "95 % CI",
    "deaths",
    "length",
    "steps",
)
PAGE, DATA, CURVES = "report.html", "report.json", "learning_curves.png"

_METHOD = ("algo", "env", "network", "lr_schedule", "train", "disturbance")


@dataclass(frozen=True)
class Run:
    """A finished run: its config, its metrics line by line, and the result by which it is judged."""

    folder: Path
    config: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    result: Mapping[str, float]


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone."""

    env: str
    algo: str
    differences: str
    runs: Sequence[Run]

    def row(self) -> tuple[Any, ...]:
        """Its line of the table."""
        cost = estimate([run.result["cost_mean"] for run in self.runs])
        interval = "-" if np.isnan(cost.low) else f"{cost.low:.1f} to {cost.high:.1f}"
        deaths = np.mean([run.result["death_rate"] for run in self.runs])
        length = np.mean([run.result["ep_len_mean"] for run in self.runs])
        steps = int(self.runs[0].rows[-1]["env_steps"])
        number = len(self.runs)
        return (
            self.env,
            self.algo,
            self.differences or "-",
            number,
            f"{cost.value:.1f}",
            interval,
            f"{deaths:.0%}",
            f"{length:.0f}",
            steps,
        )

    def curve(self) -> Curve:
        """Test cost over environment steps, over the epochs that all of its runs have."""
        epochs = min(len(run.rows) for run in self.runs)
        series = [[row["test/cost_mean"] for row in run.rows[:epochs]] for run in self.runs]
        steps = [row["env_steps"] for row in self.runs[0].rows[:epochs]]
        label = f"{self.algo} {self.differences}".strip()
        return Curve(self.env, label, np.array(steps, dtype=np.float64), estimate(series))


def find_runs(folders: Iterable[Path], read_config: Callable[[Path], Mapping[str, Any]]) -> tuple[list[Run], list[str]]:
    """The finished runs in these folders, at any depth, and a sentence for each other one.

    Args:
        folders: Run folders, or folders of them.
        read_config: Gives the config of a run folder.
    """
    runs: dict[str, Run] = {}
    left_out = []
    found = {path.parent for given in folders for path in given.rglob(SUMMARY)}
    for folder in sorted(folder for folder in found if ATTEMPTS not in folder.parts):
        if is_multi_seed(folder):
            continue
        state = status(folder)
        if state != FINISHED:
            left_out.append(f"{relative_to_cwd(folder)} is {state}")
        elif "cost_mean" not in read_summary(folder).get("final", {}):
            left_out.append(f"{relative_to_cwd(folder)} has no test episodes")
        else:
            run = Run(folder, read_config(folder), read_metrics(folder / METRICS), _result(folder))
            same = runs.setdefault(json.dumps([_method(run.config), run.config["seed"]], sort_keys=True), run)
            if same is not run:
                left_out.append(f"{relative_to_cwd(folder)} has config and seed of {relative_to_cwd(same.folder)}")
    return list(runs.values()), left_out


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Runs sorted into groups that differ in more than the seed."""
    methods: dict[str, list[Run]] = {}
    flat = {run.folder: _method(run.config) for run in runs}
    for run in runs:
        methods.setdefault(json.dumps(flat[run.folder], sort_keys=True), []).append(run)
    groups = []
    for members in methods.values():
        config = members[0].config
        env, algo = _names(config)
        peers = [flat[run.folder] for run in runs if _names(run.config) == (env, algo)]
        mine = flat[members[0].folder]
        differing = [key for key in mine if any(peer.get(key) != mine[key] for peer in peers)]
        groups.append(Group(env, algo, " ".join(f"{key}={mine[key]}" for key in differing), members))
    return sorted(groups, key=lambda group: (group.env, group.algo, group.differences))


def write_report(groups: Sequence[Group], left_out: Sequence[str], folder: Path) -> str:
    """Write ``report.html``, ``report.json`` and ``learning_curves.png``; returns the table as text."""
    rows = [group.row() for group in groups]
    folder.mkdir(parents=True, exist_ok=True)
    learning_curves([group.curve() for group in groups], folder / CURVES)
    listed = [
        dict(zip(HEADINGS, row, strict=True)) | {"runs": [str(run.folder) for run in group.runs]}
        for group, row in zip(groups, rows, strict=True)
    ]
    write_json(folder / DATA, {"groups": listed, "left out": list(left_out)})
    write_bytes(folder / PAGE, _page(rows, left_out, (folder / CURVES).read_bytes()).encode())
    table: str = tabulate(rows, HEADINGS, disable_numparse=True)
    return table


def _method(config: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a difference to the result of a run beside its seed, with dotted names."""
    return _flat({part: config[part] for part in _METHOD if part in config})


def _names(config: Mapping[str, Any]) -> tuple[str, str]:
    env = config["env"]
    return env["id"] if env["name"] == "gym" else env["name"], config["algo"]["name"]


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A config with one level of dotted names."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def _result(folder: Path) -> Mapping[str, float]:
    """The last evaluation of the final policy, else the last test during training."""
    try:
        evaluation: dict[str, Any] = json.loads((folder / EVALUATION).read_text())
    except FileNotFoundError:
        evaluation = {}
    result: Mapping[str, float] = evaluation if evaluation.get("policy") == "final" else read_summary(folder)["final"]
    return result


def _page(rows: Sequence[Sequence[Any]], left_out: Sequence[str], picture: bytes) -> str:
    table = tabulate(rows, HEADINGS, tablefmt="html", disable_numparse=True)
    notes = "".join(f"<li>{escape(text)}</li>" for text in left_out)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>lac: runs compared</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: 0.2em 0.8em; border-bottom: 1px solid #ccc; text-align: left; }}
img {{ max-width: 100%; }}
</style></head><body>
<h1>Runs compared</h1>
<p>Interquartile mean of the test cost over seeds, with a 95 % bootstrap interval over seeds. Deaths and length
are means over seeds; a short episode costs little and is a failure.</p>
{table}
<img alt="learning curves" src="data:image/png;base64,{base64.b64encode(picture).decode()}">
{f"<h2>Left out</h2><ul>{notes}</ul>" if notes else ""}
</body></html>
"""
