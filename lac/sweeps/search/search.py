"""From the overrides of a search to its trials: what the sweeper ``optuna`` does, and what its jobs need to know."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, RangeSweep, Sweep
from omegaconf import DictConfig, OmegaConf

from lac.config.checks import ConfigError, choice_errors, config_errors
from lac.config.naming import override_name, relevant_overrides
from lac.files import write_json
from lac.settings.commands import config_keys
from lac.settings.rules import Choice, Number, Rule, value_error
from lac.sweeps.grid import begin_ray, job_config, with_output_dir
from lac.sweeps.job import runs_here
from lac.sweeps.queue import sweep_lock
from lac.sweeps.search.result import RESULT, Plan, conclusion, ended, is_complete, result_table, search_result
from lac.sweeps.search.space import Parameter, Value
from lac.sweeps.search.study import (
    PRUNERS,
    SAMPLERS,
    Proposals,
    open_storage,
    open_study,
    pruning_callback,
    storage_url,
)
from lac.sweeps.search.trials import Search
from lac.sweeps.seeds import PruningCallback
from lac.sweeps.shutdown import graceful_shutdown

Launch = Callable[[Sequence[Sequence[str]], int], object]

_COUNT = Number(low=1, whole=True)
_FROM_ZERO = Number(low=0, whole=True)
ALLOWED: dict[str, Rule] = {
    "n_trials": _COUNT,
    "n_jobs": Number(low=1, whole=True, optional=True),
    "sampler.name": Choice(tuple(SAMPLERS)),
    "sampler.seed": _FROM_ZERO,
    "sampler.n_startup_trials": _COUNT,
    "pruner.name": Choice(tuple(PRUNERS)),
    "pruner.n_startup_trials": _FROM_ZERO,
    "pruner.n_warmup_steps": _FROM_ZERO,
    "pruner.percentile": Number(low=0, high=100),
    "pruner.min_resource": _COUNT,
    "pruner.reduction_factor": Number(low=2, whole=True),
}
"""What each setting of the sweeper may be."""


_WHOLE_NUMBERS = {name: leaf.type is int for name, leaf in config_keys("train").items()}


def run_search(config: DictConfig, loader: ConfigLoader, arguments: Sequence[str], launch: Launch) -> None:
    """Search for the values with the least test cost, and tell what became of all trials.

    Args:
        config: The sweep's own config, with ``hydra``.
        loader: Composes the config of a trial.
        arguments: The overrides, those that are searched for included.
        launch: Runs jobs, given their overrides and the number of the first; returns when all have ended.

    Raises:
        ConfigError: The search cannot be run; nothing has been run then.
        SystemExit: With status 1, if trials are missing or none has come to a result.
    """
    settings: dict[str, Any] = OmegaConf.to_container(config.hydra.sweeper, resolve=True)  # type: ignore[assignment]
    plan = _plan(config, loader, arguments, settings)
    slots = _slots(settings["n_jobs"], config.hydra.launcher)
    if config.dry_run:
        _say(_told(plan, slots))
        return
    sampler, pruner = settings["sampler"], settings["pruner"]
    proposals = Proposals(lambda seed: SAMPLERS[sampler["name"]](seed, sampler), sampler["seed"], plan.space)
    begin_ray(config.hydra.launcher, launch)  # before the first trials, which may begin at once
    try:
        lock = sweep_lock(plan.folder)
    except RuntimeError as error:
        raise ConfigError([str(error)]) from None
    with lock:
        storage = open_storage(storage_url(settings["storage"], plan.folder))
        name = settings["study_name"] or plan.folder.name
        study = open_study(storage, name, proposals, PRUNERS[pruner["name"]](pruner))
        try:
            search = Search(
                plan,
                study,
                lambda overrides, name, number: launch([with_output_dir(overrides, plan.folder, name)], number),
                _say,
            )
        except ValueError as error:
            raise ConfigError([f"{error}; give another hydra.sweeper.study_name"]) from None
        done = ended(search_result(plan, study))
        known = f", {done} of them done already" if done else ""
        _say(f"search of {plan.wanted} trials in {plan.folder}{known}; {slots} at a time")
        try:
            with nullcontext() if runs_here(config.hydra.launcher) else graceful_shutdown(plan.folder, search.is_busy):
                search.run(slots)
        except (KeyboardInterrupt, SystemExit):
            _say("the search was interrupted; the same command continues it")
            raise
        finally:
            result = search_result(plan, study)
            write_json(plan.folder / RESULT, result)
        _say(result_table(result, plan.space))
        _say(conclusion(result, plan.folder))
    if not is_complete(result):
        sys.exit(1)


def trial_pruning_callback(last_test: int) -> PruningCallback:
    """What ends the running job early, if it is hopeless; to be called in a job of a search.

    Args:
        last_test: Number of tests of a job that is not pruned.
    """
    hydra = HydraConfig.get()
    settings, folder = hydra.sweeper, Path(hydra.sweep.dir)
    url, name = storage_url(settings.storage, folder), settings.study_name or folder.name
    return pruning_callback(url, name, PRUNERS[settings.pruner.name](settings.pruner), int(hydra.job.num), last_test)


def _plan(config: DictConfig, loader: ConfigLoader, arguments: Sequence[str], settings: Mapping[str, Any]) -> Plan:
    flat = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    flat |= {f"{node}.{key}": value for node in ("sampler", "pruner") for key, value in settings[node].items()}
    checked = [value_error(f"hydra.sweeper.{key}", value, ALLOWED.get(key)) for key, value in flat.items()]
    errors = [error for error in checked if error is not None]
    fixed: dict[str, str] = {}
    space: dict[str, Parameter] = {}
    for override in OverridesParser.create(loader).parse_overrides(list(arguments)):
        fixed.pop(override.get_key_element(), None)
        space.pop(override.get_key_element(), None)
        if not override.is_sweep_override():
            fixed[override.get_key_element()] = str(override.input_line)
        else:
            try:
                space[override.get_key_element()] = parameter_of(override)
            except ValueError as error:
                errors.append(str(error))
    if not space and not errors:
        errors.append("nothing is searched for; give a key several values, as algo.alpha3='interval(0.05,0.5)'")
    parameters, fixed_texts = list(space.values()), list(fixed.values())
    if errors:
        raise ConfigError(errors)
    composed: list[DictConfig] = []
    for number in range(max(len(_samples(parameter)) for parameter in parameters)):
        samples = [_samples(parameter) for parameter in parameters]
        texts = [p.override(s[number % len(s)]) for p, s in zip(parameters, samples, strict=True)]
        composed.append(job_config(loader, config, [*fixed_texts, *texts]))
        errors += config_errors(composed[-1]) + choice_errors([*fixed_texts, *texts])
    if not errors and min(cfg.train.num_test_episodes for cfg in composed) < 1:
        errors.append("train.num_test_episodes is 0; a search needs test episodes to judge by")
    if errors:
        raise ConfigError(list(dict.fromkeys(errors)))
    steps = max(cfg.train.seeds * cfg.train.epochs * cfg.train.steps_per_epoch for cfg in composed)
    return Plan(
        folder=Path(config.hydra.sweep.dir),
        space=parameters,
        fixed=fixed_texts,
        identity=relevant_overrides(fixed_texts),
        n_trials=settings["n_trials"],
        steps=steps,
        name=override_name,
    )


def parameter_of(override: Override) -> Parameter:
    """A swept override as a parameter.

    Raises:
        ValueError: It is nothing that can be searched for.
    """
    key, value, text = override.get_key_element(), override.value(), str(override.input_line)
    tags = value.tags if isinstance(value, Sweep) else set()
    if override.key_or_group in {"seed", "train.seeds"}:
        raise ValueError(
            f"{text}: a search must not choose the luckiest seed; train.seeds=3 averages over seeds inside each trial"
        )
    if tags - {"log"} or (tags and not isinstance(value, IntervalSweep)):
        raise ValueError(f"{text}: the only tag is log, and it goes with an interval: tag(log,interval(1e-4,1e-2))")
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        if low is None or high is None or not low < high or (tags and low <= 0):
            raise ValueError(f"{text}: an interval needs a low and a greater high end, both above 0 with log")
        if isinstance(low, float) and _WHOLE_NUMBERS.get(override.key_or_group):
            raise ValueError(f"{text}: {key} is a whole number; write int(interval({low:g},{high:g}))")
        return Parameter(key, low, high, log=bool(tags))
    if getattr(value, "shuffle", False):
        raise ValueError(f"{text}: shuffle means nothing in a search; leave it out")
    if isinstance(value, RangeSweep):
        values = sorted(override.sweep_iterator())  # type: ignore[type-var]
        if values:
            # In decimals, as it is written: in binary 0.9 + 0.05 is not 0.95.
            first, step = Decimal(str(values[0])), abs(Decimal(str(value.step)))
            kind = int if isinstance(values[0], int) else float
            return Parameter(key, kind(first), kind(first + (len(values) - 1) * step), step=kind(step))
    elif override.is_choice_sweep():
        raw, texts = list(override.sweep_iterator()), list(override.sweep_string_iterator())
        if len(set(texts)) == len(texts) > 0:
            return Parameter(key, choices=tuple(zip(map(_choice, raw, texts), texts, strict=True)))
    raise ValueError(f"{text}: it must have values, each once, as choice(a,b), range(1,5) or interval(0.1,0.5)")


def _choice(raw: object, text: str) -> Value:
    """An option as Optuna stores it; what is no plain value, as a list, is stored as its text."""
    if isinstance(raw, QuotedString):
        return raw.text
    return raw if raw is None or isinstance(raw, (bool, int, float, str)) else text


def _samples(parameter: Parameter) -> list[Value]:
    """Values with which the config of a trial is tried beforehand."""
    return [value for value, _ in parameter.choices] or [parameter.low, parameter.high]


def _slots(n_jobs: int | None, launcher: DictConfig) -> int:
    """Trials at a time: as many as the launcher runs, if not told otherwise."""
    cores = os.cpu_count() or 1
    name = str(launcher._target_).rpartition(".")[2]
    if name == "BasicLauncher":
        most: float = 1
    elif name == "JoblibLauncher":
        most = launcher.n_jobs if launcher.n_jobs > 0 else max(1, cores + 1 + launcher.n_jobs)
    else:
        return n_jobs or cores
    if n_jobs is not None and n_jobs > most:
        hint = "add hydra/launcher=joblib" if most == 1 and name == "BasicLauncher" else "raise hydra.launcher.n_jobs"
        raise ConfigError([f"hydra.sweeper.n_jobs is {n_jobs}, but the launcher runs {most} at a time; {hint}"])
    return n_jobs or int(most)


def _told(plan: Plan, slots: int) -> str:
    lines = [f"search of {plan.wanted} trials, {slots} at a time, in {plan.folder}"]
    lines += [f"  {parameter}" for parameter in plan.space]
    lines.append(f"at most {plan.wanted * plan.steps} environment steps, {plan.steps} a trial; none is run (dry_run)")
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, flush=True)
