"""The config of a run that goes on: its own, with the few overrides that leave the mathematics alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lac.config.checks import ConfigError
from lac.config.schemas import schema_of
from lac.settings.algorithms import ALGORITHMS
from lac.settings.commands import TrainCommand
from lac.settings.disturbances import KINDS
from lac.settings.training import KEEP_KEYS

_FREE = (
    *("wandb.mode", "wandb.group", "wandb.name", "wandb.tags", "device.", "loggers.", "fail_fast", "dry_run", "resume"),
    *("train.epochs", "train.save_freq", "train.stop_below", "train.patience", *KEEP_KEYS),
    *("train.final_test_episodes", "train.export"),
)
"""The keys, and the groups, that may change."""

_NOT_OF_THE_RUN = {"defaults", "hydra"}
_OTHER_RUN = "another value would change its mathematics"


def is_free(override: str) -> bool:
    """Whether an override is of a key that may change when a run goes on."""
    return _is_free_key(_key(override)) or f"{_key(override)}." in _FREE


def continued_config(
    saved: Mapping[str, Any], composed: DictConfig, overrides: Sequence[str], before: Sequence[str] = ()
) -> DictConfig:
    """The config with which a run goes on.

    Args:
        saved: The run's own config.
        composed: A config that Hydra has composed from the overrides, which has their values.
        overrides: The overrides.
        before: Those with which the run was started; they may be given again.

    Raises:
        ConfigError: An override would change the mathematics, or the saved config is not one of this version.
    """
    config, errors = _typed(saved), []
    for text in overrides:
        key = _key(text)
        if key == "resume" or (text in before and (key == "train.epochs" or not is_free(text))):
            continue
        given = None if text.startswith("~") else OmegaConf.select(composed, key)
        if given is None and OmegaConf.select(config, key, default=_NOT_OF_THE_RUN) is _NOT_OF_THE_RUN:
            errors.append(f"{key} cannot be chosen for a run that goes on, which has its own settings; leave it out")
            continue
        own, wanted = dict(_leaves(OmegaConf.select(config, key), key)), dict(_leaves(given, key))
        for name in dict.fromkeys([*own, *wanted]):
            value = wanted.get(name)
            if own.get(name) == value:
                continue
            if _is_free_key(name):
                OmegaConf.update(config, name, value)
            else:
                obstacle = "its run on W&B cannot move" if name.startswith("wandb.") else _OTHER_RUN
                errors.append(
                    f"{name} is {value!r}, but the run that goes on has {own.get(name)!r}, and {obstacle}; "
                    f"leave {key} out, or begin a new run"
                )
    if errors:
        raise ConfigError(list(dict.fromkeys(errors)))
    return config


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition("@")[0]


def _is_free_key(key: str) -> bool:
    return any(key == free or (free.endswith(".") and key.startswith(free)) for free in _FREE)


def _typed(saved: Mapping[str, Any]) -> DictConfig:
    """A saved config with the types and defaults of this version."""
    try:
        config: Any = OmegaConf.structured(schema_of(TrainCommand))
        config.algo = OmegaConf.structured(schema_of(ALGORITHMS[saved["algo"]["name"]]))
        config.disturbance = OmegaConf.structured(schema_of(KINDS[saved["disturbance"]["kind"]]))
        own = {name: value for name, value in saved.items() if name not in _NOT_OF_THE_RUN}
        return OmegaConf.merge(config, own)  # type: ignore[return-value]
    except (OmegaConfBaseException, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError([f"the run's config.yaml is not one of this version ({reason}); train it again"]) from error


def _leaves(node: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The values of a part of a config by full key; lists are values."""
    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node)
    if not isinstance(node, Mapping):
        yield name, node
        return
    for key, value in node.items():
        yield from _leaves(value, f"{name}.{key}")
