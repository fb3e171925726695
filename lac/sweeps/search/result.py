"""The plan of a search and its result: the table, the file and the last lines of its output."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from tabulate import tabulate

from lac.config.commands import pasteable_command
from lac.sweeps.folder import job_report
from lac.sweeps.search.space import Parameter

RESULT = "search.json"

LENGTHS = ("train.seeds", "train.epochs", "train.steps_per_epoch")

FOLDER = "folder"
"""Attribute of a trial: the name of its run folder."""


@dataclass(frozen=True)
class Plan:
    """The plan of a search.

    Attributes:
        folder: The sweep folder, which contains a run folder per trial.
        config_flags: The arguments that chose another main config than that of ``train``.
        space: The parameters.
        fixed: The other overrides of each trial.
        identity: What makes it this search: the overrides that affect results and the parameters, the settings of
            sampler and pruner, and a digest of the resolved config.
        n_trials: Total number of trials in the study, including those of earlier calls.
        lengths: What the length of a trial is the product of, by key; the largest values.
        name: Returns a short folder name for the overrides of a trial.
    """

    folder: Path
    config_flags: Sequence[str]
    space: Sequence[Parameter]
    fixed: Sequence[str]
    identity: Mapping[str, Any]
    n_trials: int
    lengths: Mapping[str, int]
    name: Callable[[Sequence[str]], str]

    @property
    def steps(self) -> int:
        """Environment steps of a trial that is not pruned, at most."""
        return self.steps_of({})

    def steps_of(self, parameters: Mapping[str, Any]) -> int:
        """Environment steps of the trial with these parameters, if it is not pruned."""
        return math.prod(parameters.get(key, number) for key, number in self.lengths.items())

    @property
    def trial_count(self) -> int:
        """Total number of trials: at most one for each point of the space."""
        return int(min(self.n_trials, math.prod(parameter.size for parameter in self.space)))


def asked_trials(study: Study) -> list[FrozenTrial]:
    """The trials of the study that have started, without those that a user has enqueued."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]


def overrides_of(trial: FrozenTrial, space: Sequence[Parameter]) -> list[str]:
    """The parameters of a trial as on the command line."""
    return [parameter.override(trial.params[parameter.name]) for parameter in space]


def search_result(plan: Plan, study: Study) -> dict[str, Any]:
    """The search in numbers, for ``search.json``."""
    trials = [_describe_trial(trial, plan) for trial in asked_trials(study)]
    complete = [trial for trial in asked_trials(study) if trial.state == TrialState.COMPLETE]
    best = min(complete, key=lambda trial: trial.values[0], default=None)
    arguments = [*plan.config_flags, *plan.fixed, *(overrides_of(best, plan.space) if best else [])]
    command = pasteable_command("train", arguments)
    states = [trial["state"] for trial in trials]
    return {
        "study": study.study_name,
        "n_trials": plan.trial_count,
        "states": {state: states.count(state) for state in dict.fromkeys(states)},
        "env_steps": sum(trial["env_steps"] for trial in trials),
        "env_steps_without_pruning": sum(plan.steps_of(trial["params"]) for trial in trials),
        "best": None if best is None else _describe_trial(best, plan) | {"command": command},
        "trials": trials,
    }


def _describe_trial(trial: FrozenTrial, plan: Plan) -> dict[str, Any]:
    folder = trial.user_attrs.get(FOLDER)
    summary, final = job_report(plan.folder / folder) if folder else ({}, {})
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value,
        "params": trial.params,
        "cost_mean": final.get("cost_mean"),
        "death_rate": final.get("death_rate"),
        "env_steps": int(final.get("env_steps", 0)),
        "seconds": summary.get("wall_time"),
        "folder": folder,
    }


def is_complete(result: Mapping[str, Any]) -> bool:
    """Whether all trials have ended and at least one has a result."""
    return result["best"] is not None and ended(result) >= result["n_trials"]


def ended(result: Mapping[str, Any]) -> int:
    """Number of trials that have ended."""
    return sum(trial["state"] != "running" for trial in result["trials"])


def result_table(result: Mapping[str, Any], space: Sequence[Parameter]) -> str:
    """The status, the result and the parameters of each trial."""
    names = [parameter.name for parameter in space]
    rows = [
        (
            trial["number"],
            trial["state"],
            trial["cost_mean"],
            None if trial["death_rate"] is None else f"{trial['death_rate']:.0%}",
            trial["env_steps"],
            trial["seconds"],
            *(_format(trial["params"].get(name)) for name in names),
            trial["folder"],
        )
        for trial in result["trials"]
    ]
    headings = ("trial", "state", "test cost", "terminated", "env steps", "seconds", *names, "folder")
    table: str = tabulate(rows, headings, floatfmt=".1f", missingval="-", disable_numparse=range(6, 6 + len(names)))
    return table


def _format(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def conclusion(result: Mapping[str, Any], folder: Path) -> str:
    """The last lines of a search: its cost, the best trial, and how to run it."""
    states = ", ".join(f"{number} {state}" for state, number in result["states"].items())
    lines = [f"{ended(result)} of {result['n_trials']} trials have ended ({states})"]
    steps, without = result["env_steps"], result["env_steps_without_pruning"]
    if without:
        lines.append(f"  env steps  {steps}, {steps / without:.0%} of those without pruning")
    if result["best"] is None:
        lines.append("  best       none: no trial has ended with a result")
    else:
        best = result["best"]
        reached = f"test cost {best['cost_mean']:.1f}, early terminations {best['death_rate']:.0%}"
        lines += [f"  best       {reached} in {folder / best['folder']}", "next:", f"  {best['command']}"]
    return "\n".join(lines)
