"""From the overrides of a sweep to its jobs: what Hydra's sweepers of lac do."""

import re
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf, open_dict
from tabulate import tabulate

from lac.config.checks import ConfigError, choice_errors, config_errors
from lac.config.naming import override_name
from lac.runs.folder import FINISHED
from lac.sweeps.job import runs_here
from lac.sweeps.queue import Sweep, config_digest
from lac.sweeps.shutdown import graceful_shutdown

Launch = Callable[[Sequence[Sequence[str]], int], object]

_SECONDS_TO_ANSWER = 10.0


def run_grid(config: DictConfig, loader: ConfigLoader, arguments: Sequence[str], launch: Launch) -> None:
    """Run each combination of swept values once, but for those that are done already, and tell what became of all.

    Args:
        config: The sweep's own config, with ``hydra``.
        loader: Composes the config of a job.
        arguments: The overrides, swept ones included.
        launch: Runs jobs, given their overrides and the number of the first; returns when all have ended.

    Raises:
        ConfigError: A job's config cannot be run, or the sweep is running already; nothing has been run then.
        SystemExit: With status 1, if a job failed or has not run; with that of the signal that ended the sweep.
    """
    folder = Path(config.hydra.sweep.dir)
    parsed = OverridesParser.create(loader).parse_overrides(list(arguments))
    ranges = [text.input_line for text in parsed if text.is_sweep_override() and not text.is_discrete_sweep()]
    if ranges:
        raise ConfigError(
            [f"{text}: a grid needs single values; hydra/sweeper=optuna searches a range" for text in ranges]
        )
    combinations = BasicSweeper.split_arguments(parsed, None)[0]
    configs: dict[str, tuple[Sequence[str], dict[str, Any]]] = {}
    errors: list[str] = []
    for overrides, composed in zip(combinations, job_configs(loader, config, combinations), strict=True):
        errors += config_errors(composed) + choice_errors(overrides)
        plain: dict[str, Any] = OmegaConf.to_container(composed, resolve=not errors)  # type: ignore[assignment]
        configs.setdefault(config_digest(plain), (overrides, plain))
    if errors:
        raise ConfigError(list(dict.fromkeys(errors)))
    if len(combinations) > len(configs):
        _say(f"{len(combinations) - len(configs)} of {len(combinations)} jobs are duplicates, which run once")
    sweep = Sweep(folder, [(overrides, digest) for digest, (overrides, _) in configs.items()], override_name)
    if config.dry_run:
        _say(_plan(sweep, [plain for _, plain in configs.values()]))
        return
    begin_ray(config.hydra.launcher, launch)  # before the sweep handles signals, since Ray takes them over
    try:
        lock = sweep.locked()
    except RuntimeError as error:
        raise ConfigError([str(error)]) from None
    with lock:
        done = sum(sweep.status(job) == FINISHED for job in sweep.jobs)
        _say(f"sweep of {len(sweep.jobs)} jobs in {folder}" + (f", {done} of them done already" if done else ""))
        try:
            with nullcontext() if runs_here(config.hydra.launcher) else graceful_shutdown(folder, sweep.is_busy):
                sweep.run(
                    lambda jobs: launch(
                        [with_output_dir(job.overrides, folder, job.folder) for job in jobs], jobs[0].number
                    ),
                    _say,
                )
        except (KeyboardInterrupt, SystemExit):
            _say(f"stopped: {sweep.counts()}; the same command continues the sweep")
            raise
        _say(sweep.table())
    if any(sweep.status(job) != FINISHED for job in sweep.jobs):
        sys.exit(1)


def begin_ray(launcher: DictConfig, launch: Launch) -> None:
    """Start Ray, or connect to its cluster, where jobs are to run there.

    Raises:
        ConfigError: Nothing answers at the address of the cluster.
    """
    if "ray" not in launcher:
        return
    address = launcher.ray.init.address
    place = re.fullmatch(r"(?:ray://)?(.+):(\d+)", address or "")
    try:
        if place:
            # Ray itself tries for minutes, and then ends the process.
            socket.create_connection((place[1].strip("[]"), int(place[2])), _SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise ConfigError(
            [f"hydra.launcher.ray.init.address is {address!r}, where no cluster answers: {error}"]
        ) from None
    launch([], 0)


def job_configs(
    loader: ConfigLoader, config: DictConfig, combinations: Sequence[Sequence[str]]
) -> Iterator[DictConfig]:
    """The config of each job, without Hydra's part.

    As ``loader.load_sweep_config`` gives it, with the groups composed once for all jobs that choose the same.
    """
    assert isinstance(loader, ConfigLoaderImpl)
    parse = cache(OverridesParser.create(loader).parse_override)

    @cache
    def compose(*groups: str) -> DictConfig:
        composed = loader.load_sweep_config(config, list(groups))
        with open_dict(composed):
            del composed["hydra"]
        return composed

    for overrides in combinations:
        groups = [text for text in overrides if loader.repository.group_exists(parse(text).key_or_group)]
        composed = deepcopy(compose(*groups))
        ConfigLoaderImpl._apply_overrides_to_config([parse(text) for text in overrides if text not in groups], composed)
        yield composed


def job_config(loader: ConfigLoader, config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The config of one job, without Hydra's part."""
    return next(job_configs(loader, config, [overrides]))


def with_output_dir(overrides: Sequence[str], folder: Path, name: str) -> list[str]:
    """The overrides of a job, with those that put it into its folder in a sweep folder."""
    # Given as values, since workers may have another folder, and do not know the resolvers these are made of.
    sweep_dir, subdir = (QuotedString(str(path), Quote.single).with_quotes() for path in (folder.absolute(), name))
    return [*overrides, f"hydra.sweep.dir={sweep_dir}", f"hydra.sweep.subdir={subdir}"]


def _plan(sweep: Sweep, configs: Sequence[dict[str, Any]]) -> str:
    """The jobs with what each costs, and the sum of what is still to be done."""
    rows, total_steps, total_updates = [], 0, 0
    for job, plain in zip(sweep.jobs, configs, strict=True):
        train = plain["train"]
        steps = train["epochs"] * train["steps_per_epoch"]  # of each seed
        first = train["update_after"] or train["update_every"]
        rounds = max(0, (steps - first) // train["update_every"] + 1)
        updates = rounds * train["steps_per_update"] * train["seeds"]
        steps *= train["seeds"]
        state = sweep.status(job)
        rows.append((job.number, state or "to run", steps, updates, " ".join(job.differences) or job.folder))
        if state != FINISHED:
            total_steps, total_updates = total_steps + steps, total_updates + updates
    table = tabulate(rows, ("job", "status", "env steps", "updates", "differs in"))
    return f"{table}\n\nto run: {total_steps} environment steps, {total_updates} updates; results in {sweep.folder}"


def _say(text: str) -> None:
    print(text, flush=True)
