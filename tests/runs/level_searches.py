"""Searches of an environment whose best value is known beforehand."""

from pathlib import Path

import optuna

from lac.sweeps.search.study import open_storage

LEVEL = [
    "env=gym",
    "env.id=level_env:Level-v0",
    "network.hidden_sizes={actor: [4], critic: [4]}",
    "train.epochs=4",
    "train.steps_per_epoch=10",
    "train.update_after=1000",
    "train.num_test_episodes=1",
    "train.final_test_episodes=1",
    "wandb.mode=disabled",
]
SEARCH = ["-m", "hydra/sweeper=optuna", "hydra.sweep.dir=outputs/search", *LEVEL]
ANY_LEVEL = "env.kwargs.level=interval(1.0,100.0)"


def study_of(folder: Path) -> optuna.Study:
    storage = open_storage(f"sqlite:///{(folder / 'study.db').resolve()}")
    return optuna.load_study(study_name="search", storage=storage)
