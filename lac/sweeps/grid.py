"""Grids: every combination of the values on the command line, each once."""

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep
from omegaconf import DictConfig, OmegaConf
from tabulate import tabulate

from lac.config.checks import ConfigError, config_errors, override_errors
from lac.config.naming import override_name
from lac.config.plans import fit_errors_of_jobs
from lac.runs.folder import FAILED, FINISHED, INTERRUPTED, RUNNING
from lac.settings.commands import TrainGroup
from lac.sweeps.compose import job_configs
from lac.sweeps.folder import job_report, job_status, sweep_lock
from lac.sweeps.launchers import LaunchOverrides, launcher_of, run_jobs, start_ray
from lac.sweeps.manifest import GridJob, Manifest, config_digest
from lac.sweeps.queue import Job

_NOT_RUN = "not run"
_MOST_JOBS = 100_000


class Grid:
    """The jobs of a grid: a finite list, which is launched as one batch.

    Launchers such as submitit submit a batch as one job array.

    Args:
        folder: The sweep folder; jobs in its manifest keep their numbers.
        requested: The overrides and the digest of each job, in order, without duplicates.
        name: Returns a folder name for the overrides in which a job differs from the others.
    """

    must_end = False  # the same command continues interrupted jobs

    def __init__(
        self, folder: Path, requested: Sequence[tuple[Sequence[str], str]], name: Callable[[Sequence[str]], str]
    ) -> None:
        self.folder = folder
        self._manifest = Manifest(folder)
        self.jobs = self._manifest.jobs(requested, name)
        self._batches = self._one_batch()

    def _one_batch(self) -> Iterator[list[GridJob]]:
        self._manifest.write(self.jobs)
        yield [job for job in self.jobs if self.status(job) != FINISHED]

    def next(self) -> Sequence[Job]:
        """All jobs that are not finished, on the first call only; writes the manifest before they start."""
        return next(self._batches, [])

    def report(self, job: Job, status: str) -> None:
        """Does nothing, since the status of a job is read from its run folder."""

    def status(self, job: GridJob) -> str | None:
        """The status of the job's run; None if it has not started."""
        return job_status(self.folder / job.folder)

    def counts(self) -> str:
        """The number of jobs by status, as text."""
        counts = Counter(self.status(job) or _NOT_RUN for job in self.jobs)
        return ", ".join(
            f"{counts[name]} {name}" for name in (FINISHED, FAILED, INTERRUPTED, RUNNING, _NOT_RUN) if counts[name]
        )

    def table(self) -> str:
        """The status and the result of each job."""
        headings = ("status", "test cost", "length", "terminated", "seconds", f"folder in {self.folder}")
        table: str = tabulate([self._row(job) for job in self.jobs], headings, floatfmt=".1f", missingval="-")
        return table

    def _row(self, job: GridJob) -> tuple[Any, ...]:
        summary, final = job_report(self.folder / job.folder)
        length, terminated = final.get("ep_len_mean"), final.get("death_rate")
        return (
            self.status(job) or _NOT_RUN,
            final.get("cost_mean"),
            None if length is None else f"{length:.0f}",
            None if terminated is None else f"{terminated:.0%}",
            summary.get("wall_time"),
            job.folder,
        )

    def costs(self, configs: Sequence[Mapping[str, Any]]) -> str:
        """The steps and updates of each job, and their sum over the jobs that are not finished.

        Args:
            configs: The config of each job.
        """
        rows, total_steps, total_updates = [], 0, 0
        for job, config in zip(self.jobs, configs, strict=True):
            train = TrainGroup(**config["train"])
            steps, updates = train.seeds * train.total_steps, train.seeds * train.total_updates
            state = self.status(job)
            rows.append((job.number, state or "to run", steps, updates, " ".join(job.differences) or job.folder))
            if state != FINISHED:
                total_steps, total_updates = total_steps + steps, total_updates + updates
        table = tabulate(rows, ("job", "status", "env steps", "updates", "differs in"))
        return f"{table}\n\nto run: {total_steps} environment steps, {total_updates} updates; results in {self.folder}"


def run_grid(config: DictConfig, loader: ConfigLoader, arguments: Sequence[str], launch: LaunchOverrides) -> None:
    """Run each combination of swept values once, except those that are finished, and print the status of each.

    Args:
        config: The sweep's own config, with ``hydra``.
        loader: Composes the config of a job.
        arguments: The overrides, swept ones included.
        launch: Runs jobs, given their overrides and the number of the first; returns when all have ended.

    Raises:
        ConfigError: A job's config cannot be run, or the sweep is running already; no job has been run.
        SystemExit: Status 1 if a job has failed or has not run; the status of the signal if one ended the sweep.
    """
    folder = Path(config.hydra.sweep.dir)
    requested, configs = _requested_jobs(config, loader, arguments)
    grid = Grid(folder, requested, override_name)
    if config.dry_run:
        print(grid.costs(configs), flush=True)
        return
    start_ray(config.hydra.launcher, launch)
    with sweep_lock(folder):
        finished = sum(grid.status(job) == FINISHED for job in grid.jobs)
        known = f", {finished} of them already finished" if finished else ""
        print(f"sweep of {len(grid.jobs)} jobs in {folder}{known}", flush=True)
        try:
            run_jobs(folder, grid, config.hydra.launcher, launch)
        except (KeyboardInterrupt, SystemExit):
            print(f"stopped: {grid.counts()}; the same command continues the sweep", flush=True)
            raise
        print(grid.table(), flush=True)
    if any(grid.status(job) != FINISHED for job in grid.jobs):
        sys.exit(1)


def _requested_jobs(
    config: DictConfig, loader: ConfigLoader, arguments: Sequence[str]
) -> tuple[list[tuple[Sequence[str], str]], list[dict[str, Any]]]:
    """The overrides and the digest of each different job, and the config of each.

    Raises:
        ConfigError: A job's config cannot be run.
    """
    parsed = OverridesParser.create(loader).parse_overrides(list(arguments))
    problems = {override.input_line: _problem_of_values(override) for override in parsed}
    errors = [f"{text}: {problem}" for text, problem in problems.items() if problem is not None]
    listed = [override for override in parsed if problems[override.input_line] is None]
    number = math.prod(map(_number_of_values, listed))
    if number > _MOST_JOBS:
        raise ConfigError([*errors, f"the sweep has {number} jobs; give fewer values, for at most {_MOST_JOBS} jobs"])
    combinations = BasicSweeper.split_arguments(listed, None)[0]
    jobs: dict[str, tuple[Sequence[str], dict[str, Any]]] = {}
    for overrides, composed in zip(combinations, job_configs(loader, config, combinations), strict=True):
        errors += config_errors(composed) + override_errors(overrides)
        plain: dict[str, Any] = OmegaConf.to_container(composed, resolve=not errors)  # type: ignore[assignment]
        jobs.setdefault(config_digest(plain), (overrides, plain))
    configs = [plain for _, plain in jobs.values()]
    errors = errors or fit_errors_of_jobs(configs, launcher_of(config.hydra.launcher).is_local)
    if errors:
        raise ConfigError(list(dict.fromkeys(errors)))
    if len(combinations) > len(jobs):
        duplicates = len(combinations) - len(jobs)
        print(f"{duplicates} of {len(combinations)} jobs are duplicates, which run once", flush=True)
    if repeated := _repeated_trainings(configs):
        print(f"{repeated} trainings are repeated; give values of seed that are train.seeds apart", flush=True)
    return [(overrides, digest) for digest, (overrides, _) in jobs.items()], configs


def _repeated_trainings(configs: Sequence[Mapping[str, Any]]) -> int:
    """How many trainings are the same as one of another job, which begins with another seed of several."""
    trainings = [
        (config_digest({**config, "seed": None}), config["seed"] + i)
        for config in configs
        if config["seed"] is not None
        for i in range(config["train"]["seeds"])
    ]
    return len(trainings) - len(set(trainings))


def _problem_of_values(override: Override) -> str | None:
    """Why a grid cannot list the values of an override; None if it can."""
    if override.is_sweep_override() and not override.is_discrete_sweep():
        return "a grid needs single values; hydra/sweeper=optuna searches a range"
    return None if _number_of_values(override) else "there is no such value, so that the sweep has no jobs"


def _number_of_values(override: Override) -> int:
    """The values of an override, counted without listing those of a range."""
    value = override.value()
    if isinstance(value, RangeSweep):
        assert value.start is not None
        assert value.stop is not None
        return max(0, math.ceil((value.stop - value.start) / value.step))
    return len(list(override.sweep_iterator())) if override.is_sweep_override() else 1
