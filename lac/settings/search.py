"""The settings of a search: the group ``hydra/sweeper=optuna``, whose file has the same values for users to copy."""

from dataclasses import dataclass

from lac.settings.fields import Settings, group, setting
from lac.settings.rules import COUNT, FROM_ZERO, OPTIONAL_COUNT, Choice, Number


@dataclass(frozen=True, kw_only=True)
class SamplerSettings(Settings):
    """How the values of a trial are chosen."""

    name: str = setting("tpe", Choice(("tpe", "random")), "sampler")
    seed: int = setting(0, FROM_ZERO, "seed of its random numbers")
    n_startup_trials: int = setting(10, COUNT, "tpe: random trials before it uses their results")


@dataclass(frozen=True, kw_only=True)
class PrunerSettings(Settings):
    """When a trial is ended early, by its objective after each epoch."""

    name: str = setting("median", Choice(("median", "percentile", "halving", "none")), "pruner")
    n_startup_trials: int = setting(4, FROM_ZERO, "median, percentile: complete trials before the first is pruned")
    n_warmup_steps: int = setting(2, FROM_ZERO, "median, percentile: tests of a trial at which it is not pruned")
    percentile: float = setting(25.0, Number(low=0, high=100), "percentile: per cent of the trials that continue")
    min_resource: int = setting(1, COUNT, "halving: tests before a trial can be pruned")
    reduction_factor: int = setting(3, Number(low=2, whole=True), "halving: one in so many trials continues")


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Settings):
    """The settings of a search."""

    n_trials: int = setting(20, COUNT, "number of trials that the study has in the end")
    n_jobs: int | None = setting(None, OPTIONAL_COUNT, "trials at a time; null: as many as the launcher runs")
    storage: str | None = setting(None, None, "address of the database; null: study.db in the sweep folder")
    study_name: str | None = setting(None, None, "name of the study; null: the name of the sweep folder")
    sampler: SamplerSettings = group(SamplerSettings)
    pruner: PrunerSettings = group(PrunerSettings)
