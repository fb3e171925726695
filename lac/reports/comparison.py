"""Runs compared: one table, one picture, one page."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from lac.evaluation.statistics import estimate
from lac.figures import Curve, learning_curves
from lac.files import relative_to_cwd, write_bytes, write_json
from lac.runs import LeftOut, Run, RunError, scan
from lac.runs.folder import CONFIG, EVALUATION, FINISHED, SUMMARY, read_object, unreadable
from lac.settings.rules import Number

HEADINGS = (
    "environment",
    "algorithm",
    "differs in",
    "seeds",
    "early terminations",
    "settled",
    "after",
    "for longer",
    "cost, IQM",
    "95 % CI",
    "min to max",
    "length",
    "steps",
)
PAGE, DATA, CURVES = "report.html", "report.json", "learning_curves.png"

_FIGURES = ("cost_mean", "death_rate", "ep_len_mean")
_SETTLING = ("settled", "settling_steps")
_METHOD = ("algo", "env", "network", "lr_schedule", "train", "disturbance")


@dataclass(frozen=True)
class Result:
    """A finished run as it is compared.

    Attributes:
        run: The run.
        env: Name of its environment.
        algo: Name of its algorithm.
        method: What makes a difference to its result beside the seed: config keys with dotted names.
        figures: ``cost_mean``, ``death_rate`` and ``ep_len_mean``; ``settled`` where there is a goal set, and
            ``settling_steps`` where episodes settled in it.
        long: ``death_rate`` and ``settled`` of the test of four times the length, as far as they are known.
    """

    run: Run
    env: str
    algo: str
    method: Mapping[str, Any]
    figures: Mapping[str, float]
    long: Mapping[str, float]


@dataclass(frozen=True)
class Group:
    """Results of runs that differ in their seed alone."""

    env: str
    algo: str
    differences: str
    results: Sequence[Result]

    def row(self) -> tuple[Any, ...]:
        """Its line of the table."""
        cost = estimate([result.figures["cost_mean"] for result in self.results])
        interval = "-" if np.isnan(cost.low) else f"{cost.low:.1f} to {cost.high:.1f}"
        figures, long = [result.figures for result in self.results], [result.long for result in self.results]
        costs = [each["cost_mean"] for each in figures]
        settling_steps = [each["settling_steps"] for each in figures if "settling_steps" in each]
        length = np.mean([each["ep_len_mean"] for each in figures])
        return (
            self.env,
            self.algo,
            self.differences or "-",
            len(self.results),
            _share(figures, "death_rate"),
            _share(figures, "settled"),
            f"{np.median(settling_steps):.0f}" if settling_steps else "-",
            f"{_share(long, 'death_rate')} / {_share(long, 'settled')}",
            f"{cost.value:.1f}",
            interval,
            f"{min(costs):.1f} to {max(costs):.1f}",
            f"{length:.0f}",
            self.results[0].run.metrics[-1]["env_steps"],
        )

    def curve(self) -> Curve:
        """Test cost over environment steps, over the epochs that all of its runs have."""
        epochs = min(len(result.run.metrics) for result in self.results)
        rows = [result.run.metrics[:epochs] for result in self.results]
        steps = np.array([row["env_steps"] for row in rows[0]], dtype=np.float64)
        costs = np.array([[row["test/cost_mean"] for row in series] for series in rows], dtype=np.float64)
        shares = np.array([[row.get("test/death_rate") or 0.0 for row in series] for series in rows], dtype=np.float64)
        label = f"{self.algo} {self.differences}".strip()
        return Curve(self.env, label, steps, estimate(costs), shares.max(axis=0) > 0)


def find_results(folders: Iterable[Path]) -> tuple[list[Result], list[LeftOut]]:
    """The results of the finished runs in folders, and the runs that are left out with the reason.

    Args:
        folders: As for :func:`lac.runs.scan`.
    """
    runs, left_out = scan(folders)
    results: dict[str, Result] = {}
    for run in runs:
        if run.status != FINISHED:
            left_out.append(_left_out(run.folder, f"is {run.status}", run.status))
            continue
        try:
            result = _result(run)
        except RunError as error:
            left_out.append(LeftOut(run.folder, str(error), run.status))
            continue
        same = results.setdefault(_identity({**result.method, "seed": run.config.get("seed")}), result)
        if same is not result:
            reason = f"has config and seed of {relative_to_cwd(same.run.folder)}"
            left_out.append(_left_out(run.folder, reason, run.status))
    return list(results.values()), sorted(left_out, key=lambda item: item.folder)


def group_results(results: Sequence[Result]) -> list[Group]:
    """Results sorted into groups that differ in more than the seed."""
    methods: dict[str, list[Result]] = {}
    for result in results:
        methods.setdefault(_identity(result.method), []).append(result)
    groups = []
    for members in methods.values():
        first = members[0]
        peers = [result.method for result in results if (result.env, result.algo) == (first.env, first.algo)]
        differing = [key for key, value in first.method.items() if any(peer.get(key) != value for peer in peers)]
        differences = " ".join(f"{key}={first.method[key]}" for key in differing)
        groups.append(Group(first.env, first.algo, differences, members))
    return sorted(groups, key=lambda group: (group.env, group.algo, group.differences))


def write_report(groups: Sequence[Group], left_out: Sequence[str], folder: Path) -> str:
    """Write ``report.html``, ``report.json`` and ``learning_curves.png``; returns the table as text."""
    rows = [group.row() for group in groups]
    folder.mkdir(parents=True, exist_ok=True)
    learning_curves([group.curve() for group in groups], folder / CURVES)
    listed = [
        dict(zip(HEADINGS, row, strict=True)) | {"runs": [str(result.run.folder) for result in group.results]}
        for group, row in zip(groups, rows, strict=True)
    ]
    write_json(folder / DATA, {"groups": listed, "left out": list(left_out)})
    write_bytes(folder / PAGE, _page(rows, left_out, (folder / CURVES).read_bytes()).encode())
    table: str = tabulate(rows, HEADINGS, disable_numparse=True)
    return table


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A config with one level of dotted names."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _identity(method: Mapping[str, Any]) -> str:
    """A text that differs for different settings; those of a damaged config may be anything that YAML can hold."""
    return repr(sorted(method.items()))


def _result(run: Run) -> Result:
    """A run with its figures: the last evaluation of the final policy, else the last test during training.

    Raises:
        RunError: A file is missing or damaged, or the run was not tested in every epoch.
    """
    evaluation = read_object(run.folder / EVALUATION) if (run.folder / EVALUATION).exists() else {}
    figures = evaluation if evaluation.get("policy") == "final" else run.summary.get("final")
    is_tested = all({"env_steps", "test/cost_mean"} <= row.keys() for row in run.metrics)
    if not is_tested or not isinstance(figures, Mapping) or not all(name in figures for name in _FIGURES):
        raise RunError(f"{relative_to_cwd(run.folder)} has no test episodes; set train.num_test_episodes in training")
    is_figure = Number().accepts
    wrong = [f"{name} is {figures[name]!r}" for name in _FIGURES if not is_figure(figures[name])]
    if wrong:
        file = run.folder / (EVALUATION if figures is evaluation else SUMMARY)
        raise unreadable(file, f"{', '.join(wrong)} instead of a finite number")
    try:
        env, algo = run.config["env"], run.config["algo"]["name"]
        env_name = env["id"] if env["name"] == "gym" else env["name"]
        is_named = isinstance(algo, str) and isinstance(env_name, str)
    except (KeyError, TypeError):
        is_named = False
    if not is_named:
        raise RunError(
            f"{run.folder / CONFIG} has no names of environment and algorithm; restore it or train the run again"
        )
    method = _flat({part: run.config[part] for part in _METHOD if part in run.config})
    known, long = (
        {name: float(report[name]) for name in (*_FIGURES, *_SETTLING) if is_figure(report.get(name))}
        for report in (figures, _mapping(run.summary.get("final_long")))
    )
    return Result(run, env_name, algo, method, known, long)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _share(reports: Sequence[Mapping[str, float]], name: str) -> str:
    """The mean of a share over the reports that have it, as text."""
    shares = [report[name] for report in reports if name in report]
    return f"{np.mean(shares):.0%}" if shares else "-"


def _left_out(folder: Path, reason: str, status: str | None) -> LeftOut:
    return LeftOut(folder, f"{relative_to_cwd(folder)} {reason}", status)


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
<p>The table shows the final policies: the interquartile mean of their test cost over seeds with a 95 % bootstrap
interval over seeds, and the range of the seeds. Early terminations (episodes that the environment ended before their
time limit, which are failures), the share of episodes that settle in the goal set, and length are means over seeds; an
episode that ends early costs little. "After" is the median time to settle in steps (of the seeds, of the episodes that
settle), "for longer" the early terminations and the share that settles in episodes of four times the length.</p>
<p>The curves show something else: the tests during training, which have fewer episodes, with a cross where an episode
of any seed terminated early.</p>
{table}
<img alt="learning curves" src="data:image/png;base64,{base64.b64encode(picture).decode()}">
{f"<h2>Left out</h2><ul>{notes}</ul>" if notes else ""}
</body></html>
"""
