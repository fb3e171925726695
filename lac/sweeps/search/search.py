"""Searches: the sweeper ``optuna`` from its overrides to its result, and the pruning of its jobs."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from optuna.study import Study

from lac.config.checks import ConfigError, config_errors, override_errors
from lac.config.commands import config_flags
from lac.config.naming import override_name, relevant_overrides
from lac.config.plans import fit_errors_of_jobs
from lac.files import write_json
from lac.settings.search import SearchSettings
from lac.sweeps.compose import job_configs
from lac.sweeps.folder import sweep_lock
from lac.sweeps.launchers import LaunchOverrides, launcher_of, number_of_slots, run_jobs, start_ray
from lac.sweeps.manifest import config_digest
from lac.sweeps.search.result import LENGTHS, RESULT, Plan, conclusion, ended, is_complete, result_table, search_result
from lac.sweeps.search.settings import search_setting_errors, search_settings, trial_number
from lac.sweeps.search.space import Parameter, parameter_of
from lac.sweeps.search.study import (
    PRUNERS,
    SAMPLERS,
    Proposals,
    open_storage,
    open_study,
    pruning_callback,
    storage_url,
)
from lac.sweeps.search.trials import Trials
from lac.sweeps.seeds import PruningCallback

_NOT_TO_BE_PRUNED = {
    *("train.seeds", "train.steps_per_epoch", "train.max_ep_len", "train.num_test_episodes"),
    *("env", "env.id", "env.max_episode_steps", "disturbance"),
}
"""Parameters with which the same test of two trials says different things."""


def run_search(config: DictConfig, loader: ConfigLoader, arguments: Sequence[str], launch: LaunchOverrides) -> None:
    """Search for the values with the least test cost, and print the status of all trials.

    Args:
        config: The sweep's own config, with ``hydra``.
        loader: Composes the config of a trial.
        arguments: The overrides, those that are searched for included.
        launch: Runs jobs, given their overrides and the number of the first; returns when all have ended.

    Raises:
        ConfigError: The search cannot be run; no trial has been run.
        SystemExit: Status 1 if trials are missing or none has a result; the status of the signal if one ended it.
    """
    plan = _plan(config, loader, arguments)
    settings = search_settings(config.hydra.sweeper)
    at_a_time = number_of_slots(settings.n_jobs, config.hydra.launcher)
    if config.dry_run:
        print(_describe_plan(plan, at_a_time), flush=True)
        return
    start_ray(config.hydra.launcher, launch)
    with sweep_lock(plan.folder):
        study = _open_study(plan, settings)
        try:
            trials = Trials(plan, study)
        except ValueError as error:
            raise ConfigError([f"{error}; give another hydra.sweep.dir"]) from None
        done = ended(search_result(plan, study))
        known = f", {done} of them already done" if done else ""
        print(f"search of {plan.trial_count} trials in {plan.folder}{known}; {at_a_time} at a time", flush=True)
        try:
            run_jobs(plan.folder, trials, config.hydra.launcher, launch, at_a_time)
        except (KeyboardInterrupt, SystemExit):
            print("the search was interrupted; the same command continues it", flush=True)
            raise
        finally:
            result = search_result(plan, study)
            write_json(plan.folder / RESULT, result)
        print(result_table(result, plan.space), flush=True)
        print(conclusion(result, plan.folder), flush=True)
    if not is_complete(result):
        sys.exit(1)


def _open_study(plan: Plan, settings: SearchSettings) -> Study:
    sampler = settings.sampler
    proposals = Proposals(lambda seed: SAMPLERS[sampler.name](seed, sampler), sampler.seed, plan.space)
    storage = open_storage(storage_url(settings.storage, plan.folder))
    pruner = PRUNERS[settings.pruner.name](settings.pruner)
    return open_study(storage, settings.study_name or plan.folder.name, proposals, pruner)


def trial_pruning_callback(last_test: int) -> PruningCallback:
    """The callback that decides whether to prune the running job, which must be a trial of a search.

    Args:
        last_test: Number of tests of a job that is not pruned.
    """
    hydra = HydraConfig.get()
    number = trial_number(hydra.sweeper)
    assert number is not None
    settings, folder = search_settings(hydra.sweeper), Path(hydra.sweep.dir)
    pruner = PRUNERS[settings.pruner.name](settings.pruner)
    url, name = storage_url(settings.storage, folder), settings.study_name or folder.name
    return pruning_callback(url, name, pruner, number, last_test)


def _plan(config: DictConfig, loader: ConfigLoader, arguments: Sequence[str]) -> Plan:
    """The plan of a search.

    Raises:
        ConfigError: With all errors in the settings, the parameters and the configs of trials.
    """
    space, fixed, errors = _parameters_and_fixed(loader, arguments)
    errors = search_setting_errors(config.hydra.sweeper) + errors + _unfit_for_pruning(config, space)
    if not space and not errors:
        errors.append("nothing is searched for; give a key several values, as algo.alpha3='interval(0.05,0.5)'")
    if errors:
        raise ConfigError(errors)
    settings = search_settings(config.hydra.sweeper)
    configs = _extreme_configs(config, loader, space, fixed)
    first: Any = OmegaConf.to_container(configs[0], resolve=True)
    return Plan(
        folder=Path(config.hydra.sweep.dir),
        config_flags=config_flags(config.hydra),
        space=space,
        fixed=fixed,
        identity={
            "overrides": [*relevant_overrides(fixed), *map(str, space)],
            "sampler": asdict(settings.sampler),
            "pruner": asdict(settings.pruner),
            "config": config_digest(first),
        },
        n_trials=settings.n_trials,
        lengths={key: max(OmegaConf.select(cfg, key) for cfg in configs) for key in LENGTHS},
        name=override_name,
    )


def _unfit_for_pruning(config: DictConfig, space: Sequence[Parameter]) -> list[str]:
    """A sentence for each parameter with which pruning would compare what cannot be compared."""
    if OmegaConf.select(config, "hydra.sweeper.pruner.name") == "none":
        return []
    keys = _NOT_TO_BE_PRUNED | ({"train.epochs"} if config.train.seeds > 1 else set())
    return [
        f"{parameter.name} is searched for, and pruning would compare trials of other lengths or tests; add "
        "hydra.sweeper.pruner.name=none"
        for parameter in space
        if parameter.name in keys
    ]


def _parameters_and_fixed(
    loader: ConfigLoader, arguments: Sequence[str]
) -> tuple[list[Parameter], list[str], list[str]]:
    """The parameters, the other overrides, and errors in them; the last override of a key is used."""
    space: dict[str, Parameter] = {}
    fixed: dict[str, str] = {}
    errors: list[str] = []
    for override in OverridesParser.create(loader).parse_overrides(list(arguments)):
        key = override.get_key_element()
        space.pop(key, None)
        fixed.pop(key, None)
        if not override.is_sweep_override():
            fixed[key] = str(override.input_line)
            continue
        try:
            space[key] = parameter_of(override)
        except ValueError as error:
            errors.append(str(error))
    return list(space.values()), list(fixed.values()), errors


def _extreme_configs(
    config: DictConfig, loader: ConfigLoader, space: Sequence[Parameter], fixed: Sequence[str]
) -> list[DictConfig]:
    """Configs of trials that together contain every option and both ends of every range.

    Raises:
        ConfigError: One of them cannot be run.
    """
    combinations = [
        [*fixed, *(p.override(p.extremes[number % len(p.extremes)]) for p in space)]
        for number in range(max(len(parameter.extremes) for parameter in space))
    ]
    configs = list(job_configs(loader, config, combinations))
    errors: list[str] = []
    for overrides, cfg in zip(combinations, configs, strict=True):
        errors += config_errors(cfg) + override_errors(overrides)
    if not errors and min(cfg.train.num_test_episodes for cfg in configs) < 1:
        errors.append(
            "train.num_test_episodes is 0; a search needs test episodes to compare trials by; give at least 1"
        )
    if not errors:
        plain: list[Any] = [OmegaConf.to_container(cfg, resolve=True) for cfg in configs]
        errors = fit_errors_of_jobs(plain, launcher_of(config.hydra.launcher).is_local)
    if errors:
        raise ConfigError(list(dict.fromkeys(errors)))
    return configs


def _describe_plan(plan: Plan, at_a_time: int) -> str:
    lines = [f"search of {plan.trial_count} trials, {at_a_time} at a time, in {plan.folder}"]
    lines += [f"  {parameter}" for parameter in plan.space]
    steps = plan.trial_count * plan.steps
    lines.append(f"at most {steps} environment steps, {plan.steps} a trial; none is run (dry_run)")
    return "\n".join(lines)
