"""Settings of a search: type, default, allowed values and meaning of each, and the marker of its jobs.

``conf/hydra/sweeper/optuna.yaml`` holds the same values for the command line.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf

from lac.settings.rules import Choice, Number, Rule, setting_errors

_COUNT = Number(low=1, whole=True)
_FROM_ZERO = Number(low=0, whole=True)


def setting(default: Any, rule: Rule | None, meaning: str) -> Any:
    """A field with its default, the values that it may have (None: any), and its meaning."""
    return field(default=default, metadata={"rule": rule, "help": meaning})


@dataclass(frozen=True)
class SamplerSettings:
    """How the values of a trial are chosen."""

    name: str = setting("tpe", Choice(("tpe", "random")), "sampler")
    seed: int = setting(0, _FROM_ZERO, "seed of its random numbers")
    n_startup_trials: int = setting(10, _COUNT, "tpe: random trials before it uses their results")


@dataclass(frozen=True)
class PrunerSettings:
    """When a trial is ended early, by its objective after each epoch."""

    name: str = setting("median", Choice(("median", "percentile", "halving", "none")), "pruner")
    n_startup_trials: int = setting(4, _FROM_ZERO, "median, percentile: complete trials before the first is pruned")
    n_warmup_steps: int = setting(2, _FROM_ZERO, "median, percentile: tests of a trial at which it is not pruned")
    percentile: float = setting(25.0, Number(low=0, high=100), "percentile: per cent of the trials that continue")
    min_resource: int = setting(1, _COUNT, "halving: tests before a trial can be pruned")
    reduction_factor: int = setting(3, Number(low=2, whole=True), "halving: one in so many trials continues")


@dataclass(frozen=True)
class SearchSettings:
    """The settings of a search, ``hydra.sweeper``."""

    n_trials: int = setting(20, _COUNT, "number of trials that the study has in the end")
    n_jobs: int | None = setting(
        None, Number(low=1, whole=True, optional=True), "trials at a time; null: as many as the launcher runs"
    )
    storage: str | None = setting(None, None, "address of the database; null: study.db in the sweep folder")
    study_name: str | None = setting(None, None, "name of the study; null: the name of the sweep folder")
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    pruner: PrunerSettings = field(default_factory=PrunerSettings)


def search_settings(sweeper: DictConfig) -> SearchSettings:
    """The settings in the config of the sweeper; what it lacks has its default.

    Args:
        sweeper: The node ``hydra.sweeper``; its other keys are those of Hydra and of the launch.
    """
    plain: dict[str, Any] = OmegaConf.to_container(sweeper, resolve=True)  # type: ignore[assignment]
    settings: SearchSettings = _from_dict(SearchSettings, plain)
    return settings


def _from_dict(schema: Any, values: dict[str, Any]) -> Any:
    types = get_type_hints(schema)
    given = {f.name: values[f.name] for f in fields(schema) if f.name in values}
    return schema(**{name: _from_dict(types[name], v) if is_dataclass(types[name]) else v for name, v in given.items()})


def search_setting_errors(settings: SearchSettings) -> list[str]:
    """A sentence for each setting whose value is not allowed."""
    rows = list(_rows(settings))
    rules = {name: rule for name, _, rule in rows if rule is not None}
    return setting_errors({name: value for name, value, _ in rows}, "hydra.sweeper.", rules)


def _rows(settings: Any, prefix: str = "") -> Iterator[tuple[str, object, Rule | None]]:
    """The full name, the value and the rule of each setting."""
    for f in fields(settings):
        value = getattr(settings, f.name)
        if is_dataclass(value):
            yield from _rows(value, f"{prefix}{f.name}.")
        else:
            yield prefix + f.name, value, f.metadata["rule"]


_TRIAL = "trial"


def trial_marker(number: int) -> str:
    """The override that marks a job as a trial of a search, in whatever process it runs."""
    return f"++hydra.sweeper.{_TRIAL}={number}"


def trial_number(sweeper: DictConfig) -> int | None:
    """The number of the trial that the running job is; None if it is not a trial of a search.

    Args:
        sweeper: The node ``hydra.sweeper`` of the job's config.
    """
    number: int | None = OmegaConf.select(sweeper, _TRIAL)
    return number
