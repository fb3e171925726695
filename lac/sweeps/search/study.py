"""The Optuna study: its database, its samplers and its pruners."""

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.pruners import BasePruner, MedianPruner, NopPruner, PercentilePruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial

from lac.settings.search import PrunerSettings, SamplerSettings
from lac.sweeps.search.space import Parameter
from lac.sweeps.seeds import PruningCallback

_DATABASE_TIMEOUT = 60.0  # of SQLite, which one process at a time may write
_TRIES_OF_SAMPLER = 10

optuna.logging.set_verbosity(optuna.logging.WARNING)


def _tpe(seed: int, settings: SamplerSettings) -> BaseSampler:
    with warnings.catch_warnings():
        # The defaults of Optuna 5 are experimental in Optuna 4.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(
            seed=seed,
            n_startup_trials=settings.n_startup_trials,
            multivariate=True,
            constant_liar=True,
        )


def _random(seed: int, settings: SamplerSettings) -> BaseSampler:
    return RandomSampler(seed)


SAMPLERS: dict[str, Callable[[int, SamplerSettings], BaseSampler]] = {"tpe": _tpe, "random": _random}


def _percentile(settings: PrunerSettings) -> BasePruner:
    return PercentilePruner(settings.percentile, settings.n_startup_trials, settings.n_warmup_steps + 1)


def _median(settings: PrunerSettings) -> BasePruner:
    return MedianPruner(settings.n_startup_trials, settings.n_warmup_steps + 1)


def _halving(settings: PrunerSettings) -> BasePruner:
    return SuccessiveHalvingPruner(settings.min_resource, settings.reduction_factor)


def _none(settings: PrunerSettings) -> BasePruner:
    return NopPruner()


# Optuna's steps are numbers of tests so far, so they start at one.
PRUNERS: dict[str, Callable[[PrunerSettings], BasePruner]] = {
    "median": _median,
    "percentile": _percentile,
    "halving": _halving,
    "none": _none,
}


class Proposals(BaseSampler):
    """A sampler that never proposes a point of the study twice.

    The random numbers of a trial depend only on the seed and the trial's number. So an interrupted study
    continues as if it had not been interrupted, and does not repeat its points.

    Args:
        make: Makes the underlying sampler from a seed.
        seed: Seed of all random numbers.
        space: The parameters.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int, space: Sequence[Parameter]) -> None:
        self._make, self._seed = make, seed
        self._space = {parameter.name: parameter.distribution for parameter in space}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The whole space: points are compared as a whole."""
        return self._space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A new point; the study must not hold all of them."""
        others = [other.params for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        for attempt in count():
            seed = int(np.random.SeedSequence([self._seed, trial.number, attempt]).generate_state(1)[0])
            # In a small space a sampler may repeatedly propose the optimum that it has found.
            sampler = self._make(seed) if attempt < _TRIES_OF_SAMPLER else RandomSampler(seed)
            point = sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))
            for name, distribution in self._space.items():
                if name not in point:
                    point[name] = sampler.sample_independent(study, trial, name, distribution)
            if point not in others:
                return point
        raise AssertionError("unreachable")

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """Never called, since every parameter is part of the relative space."""
        raise AssertionError(f"{param_name} is not part of the search space")


def storage_url(given: str | None, folder: Path) -> str:
    """The address of the study's database: as given, or a file in the sweep folder."""
    return given or f"sqlite:///{(folder / 'study.db').resolve()}"


def open_storage(url: str) -> RDBStorage:
    """Open the database; a database file is created if it does not exist."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///").partition("?")[0]).parent.mkdir(parents=True, exist_ok=True)
        return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _DATABASE_TIMEOUT}})
    return RDBStorage(url)


def open_study(storage: RDBStorage, name: str, sampler: BaseSampler | None, pruner: BasePruner) -> Study:
    """Open a study that minimises; it is created if it does not exist."""
    return optuna.create_study(
        storage=storage, study_name=name, sampler=sampler, pruner=pruner, direction="minimize", load_if_exists=True
    )


def pruning_callback(url: str, name: str, pruner: BasePruner, number: int, last_test: int) -> PruningCallback:
    """A function that reports the results of a running trial to its study and returns whether to prune it.

    Args:
        url: Address of the database.
        name: Name of the study.
        pruner: Compares the trial with the others.
        number: Number of the trial.
        last_test: Number of the last test of the trial, after which pruning would save nothing.
    """
    storage = open_storage(url)
    study = open_study(storage, name, RandomSampler(), pruner)
    trial_id = study.get_trials(deepcopy=False)[number]._trial_id

    def should_prune(test: int, result: float) -> bool:
        # A database that is temporarily unreachable must not end the training; the next test reports again.
        with suppress(StorageInternalError):
            # Trial.report would keep the values that an interrupted attempt has reported.
            storage.set_trial_intermediate_value(trial_id, test, result)
            return test < last_test and pruner.prune(study, storage.get_trial(trial_id))
        return False

    return should_prune
