"""Several seeds of one config, trained one after another and reported as one result."""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lac.files import write_json
from lac.runs.folder import FAILED, INTERRUPTED, LOG, PRUNED, RUNNING, SUMMARY, read_summary, run_lock

TERMINATION_PENALTY = 1e6
"""Added to the cost per unit of death rate: an episode that terminates early costs little, and a policy that fails so
must not be ranked above one that survives."""

Report = Mapping[str, float]

PruningCallback = Callable[[int, float], bool]
"""Receives the number of tests so far and the result of the last one; true ends the training as pruned."""

TrainOne = Callable[[int, Path, Callable[[Report], bool] | None], Report]
"""Trains one seed into a run folder; the third argument receives each report and returns true to prune the run."""


def objective(report: Report) -> float | None:
    """What a search minimises: the mean test cost, with a penalty on early terminations; None without a test."""
    if "cost_mean" not in report:
        return None
    return report["cost_mean"] + TERMINATION_PENALTY * report["death_rate"]


def pruning_decision(
    callback: PruningCallback | None, finished: Sequence[float], epochs: int
) -> Callable[[Report], bool] | None:
    """A function that receives the reports of one seed, after others have finished, and returns whether to prune.

    The e-th test of seed k, counted from 0, is test ``k * epochs + e`` of the trial, and its result is the mean over
    the finished seeds and the current one. At the same test number all trials have trained the same seeds for the same
    steps, so their results are comparable. The result of the trial is that of the tests at the end, on more resets.

    Args:
        callback: Decides whether to prune; None: never.
        finished: Objectives of the seeds that have finished.
        epochs: Tests of each seed.
    """
    if callback is None:
        return None

    def should_prune(report: Report) -> bool:
        cost = objective(report)
        return cost is not None and callback(
            len(finished) * epochs + int(report["epoch"]), float(np.mean([*finished, cost]))
        )

    return should_prune


def train_seeds(
    folder: Path, seeds: Sequence[int], epochs: int, train_one: TrainOne, callback: PruningCallback | None
) -> Report:
    """Train seeds one after another, each into ``seed-K``, and write their summary to the folder.

    Args:
        folder: Holds the run folders of the seeds.
        seeds: The seeds; training ends with the first one that fails or is pruned.
        epochs: Epochs of each seed.
        train_one: Trains one seed.
        callback: Decides whether to prune; None: never.

    Returns:
        Means of the final reports, and sums of steps and updates.
    """
    started, runs = time.time(), [folder / f"seed-{seed}" for seed in seeds]
    summary: dict[str, Any] = {
        "status": RUNNING,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seeds": list(seeds),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with run_lock(folder).acquire(timeout=0):
        write_json(folder / SUMMARY, summary)
        reports: list[Report] = []
        try:
            for seed, run in zip(seeds, runs, strict=True):
                finished = [cost for cost in map(objective, reports) if cost is not None]
                reports.append(train_one(seed, run, pruning_decision(callback, finished, epochs)))
                summary |= {"final": mean_report(reports), "costs": [report.get("cost_mean") for report in reports]}
                write_json(folder / SUMMARY, summary)
                if read_summary(run)["status"] == PRUNED:
                    break
            summary["status"] = read_summary(run)["status"]
        except BaseException as error:
            summary["status"] = FAILED if isinstance(error, Exception) else INTERRUPTED
            if isinstance(error, Exception):
                summary["error"] = "".join(traceback.format_exception(error))
                (folder / LOG).write_text(summary["error"], encoding="utf-8")
            raise
        finally:
            summary["wall_time"] = round(time.time() - started, 2)
            write_json(folder / SUMMARY, summary)
    return mean_report(reports)


def mean_report(reports: Sequence[Report]) -> dict[str, float]:
    """The report of several seeds: sums of steps and updates, means of the others."""
    summed = ("env_steps", "updates")
    quantities = ("cost_mean", "ep_len_mean", "death_rate", "settled")
    averaged = {name for report in reports for name in quantities if name in report}
    means = {name: float(np.mean([report[name] for report in reports])) for name in sorted(averaged)}
    return {name: sum(report.get(name, 0) for report in reports) for name in summed} | means
