"""Parameters, plans and studies for the tests of searches; importing it needs Optuna."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.pruners import NopPruner

from lac.settings.search import SamplerSettings
from lac.sweeps.search.result import Plan
from lac.sweeps.search.space import Parameter, parameter_of
from lac.sweeps.search.study import SAMPLERS, Proposals, open_storage, open_study, storage_url

LEVEL = Parameter("env.level", 1.0, 100.0)
SAMPLER = SamplerSettings(n_startup_trials=3)


def parameter(text: str) -> Parameter:
    return parameter_of(OverridesParser.create().parse_override(text))


def plan_of(folder: Path, n_trials: int, space: Sequence[Parameter] = (LEVEL,), fixed: Sequence[str] = ()) -> Plan:
    return Plan(
        folder,
        [],
        space,
        fixed,
        {"overrides": [*fixed, *map(str, space)]},
        n_trials,
        {"train.epochs": 4, "train.steps_per_epoch": 100},
        lambda overrides: "-".join(overrides).replace("=", "_"),
    )


def study_of(folder: Path, space: Sequence[Parameter] = (LEVEL,), sampler: str = "tpe", seed: int = 0) -> optuna.Study:
    proposals = Proposals(lambda own: SAMPLERS[sampler](own, SAMPLER), seed, space)
    return open_study(open_storage(storage_url(None, folder)), "study", proposals, NopPruner())


def levels(trials: Sequence[Any]) -> list[float]:
    return [trial.params["env.level"] for trial in trials]
