"""Several seeds of one config, trained one after another and told as one result."""

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
"""What a death rate of one adds to a cost: an episode that ends early costs little, and must never look good."""

Report = Mapping[str, float]

PruningCallback = Callable[[int, float], bool]
"""Told the number of tests so far and the result at the last of them; true ends the training as hopeless."""

TrainOne = Callable[[int, Path, Callable[[Report], bool] | None], Report]
"""Trains one seed into a run folder; the third argument is told each report, and true ends the run as pruned."""


def objective(report: Report) -> float | None:
    """What a policy is judged by: its mean test cost, with a penalty on deaths; None if it was not tested."""
    if "cost_mean" not in report:
        return None
    return report["cost_mean"] + TERMINATION_PENALTY * report["death_rate"]


def pruning_decision(
    watch: PruningCallback | None, finished: Sequence[float], epochs: int
) -> Callable[[Report], bool] | None:
    """What is told the reports of one seed, after others have finished.

    The k-th seed's e-th test is number ``k * epochs + e`` of the trial, and its result is the mean over the
    finished seeds and the present one. So at one number every trial has trained the same steps of the same seeds:
    pruners compare like with like, and the last number has the result of the trial itself.

    Args:
        watch: What decides.
        finished: Penalised costs of the seeds that have finished.
        epochs: Tests of each seed.
    """
    if watch is None:
        return None

    def should_prune(report: Report) -> bool:
        cost = objective(report)
        return cost is not None and watch(
            len(finished) * epochs + int(report["epoch"]), float(np.mean([*finished, cost]))
        )

    return should_prune


def train_seeds(
    folder: Path, seeds: Sequence[int], epochs: int, train_one: TrainOne, watch: PruningCallback | None
) -> Report:
    """Train seeds one after another, each into ``seed-K``, and sum them up in the summary of the folder.

    Args:
        folder: Holds the run folders of the seeds.
        seeds: The seeds; the first one that fails or is pruned is the last.
        epochs: Epochs of each seed.
        train_one: Trains one seed.
        watch: Ends the training early.

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
                reports.append(train_one(seed, run, pruning_decision(watch, finished, epochs)))
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
    """The report of several seeds: means, but sums of what was spent."""
    spent = ("env_steps", "updates")
    told = {name for report in reports for name in ("cost_mean", "ep_len_mean", "death_rate") if name in report}
    means = {name: float(np.mean([report[name] for report in reports])) for name in sorted(told)}
    return {name: sum(report.get(name, 0) for report in reports) for name in spent} | means
