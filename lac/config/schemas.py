"""The schema of each command's config, and the keys it has."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

from hydra.core.config_store import ConfigStore

from lac.config import disturbances
from lac.config.disturbances import Disturbance
from lac.config.settings import (
    Algo,
    BenchmarkConfig,
    DashboardConfig,
    EvaluateConfig,
    LyapunovAlgo,
    ReportConfig,
    TrainConfig,
    WandbSweepConfig,
)
from lac.settings.fields import Leaf, leaves

_PACKAGED = Path(__file__).parents[1] / "conf"
CONFIG_DIR = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "conf"
"""The YAML files: in a wheel inside the package, in a clone beside it."""

ALGORITHMS: dict[str, type[Algo]] = {"lac": LyapunovAlgo, "latc": LyapunovAlgo, "sac": Algo}
"""The algorithms and the schemas of their settings."""


SCHEMAS: dict[str, type] = {
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "report": ReportConfig,
    "benchmark": BenchmarkConfig,
    "wandb_sweep": WandbSweepConfig,
    "dashboard": DashboardConfig,
}
"""The schema of each script."""


def register_schemas() -> None:
    """Make the schemas known to Hydra, under names that are not offered as options."""
    for name, schema in SCHEMAS.items():
        ConfigStore.instance().store(group="schema", name=name, node=schema)
    for kind, kind_schema in disturbances.SCHEMAS.items():
        ConfigStore.instance().store(group="schema/disturbance", name=kind, node=kind_schema)
    for name, algorithm in ALGORITHMS.items():
        ConfigStore.instance().store(group="schema/algo", name=name, node=algorithm)


def all_leaves(schema: type) -> Iterator[tuple[str, Leaf]]:
    """The full name of each key of a schema, those of all kinds of disturbances included."""
    yield from leaves(schema)
    if get_type_hints(schema).get("disturbance") is Disturbance:
        yield from disturbances.kind_leaves("disturbance.")


def config_keys(config_name: str, algorithm: str | None = None) -> dict[str, Leaf]:
    """The keys of a script's config; ``train`` has those of one algorithm, or of all."""
    keys = dict(all_leaves(SCHEMAS[config_name]))
    if config_name != "train":
        return keys
    schemas = ALGORITHMS.values() if algorithm is None else [ALGORITHMS[algorithm]]
    of_algorithms = {name: leaf for schema in schemas for name, leaf in leaves(schema, "algo.")}
    return of_algorithms | keys


def owners(name: str) -> list[str]:
    """The algorithms that have a key ``algo.*``."""
    return [algorithm for algorithm, schema in ALGORITHMS.items() if name in dict(leaves(schema, "algo."))]
