"""Errors of a config that are found without building anything."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from lac.config.disturbances import disturbance_errors
from lac.config.help import options
from lac.config.schemas import schema_of
from lac.envs.factory import env_errors
from lac.settings.algorithms import ALGORITHMS
from lac.settings.commands import COMMANDS, TrainCommand, owners
from lac.settings.disturbances import Disturbance
from lac.settings.fields import setting_errors
from lac.settings.rules import Choice, nearest

_HINTS = {"env.id": "give the id of a Gymnasium environment, such as env.id=Pendulum-v1"}


class ConfigError(ValueError):
    """A config that cannot be run; ``errors`` are sentences that name the keys."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("; ".join(sentences))
        self.errors = list(sentences)


def config_errors(cfg: DictConfig) -> list[str]:
    """All errors of a training config that are found without building anything."""
    try:
        missing = sorted(name for name in OmegaConf.missing_keys(cfg) if not name.startswith("disturbance."))
    except InterpolationResolutionError as error:
        return [f"{error.full_key}: {str(error).splitlines()[0]}"]
    errors = [f"{name} is not set; {_HINTS.get(name, 'give a value')}" for name in missing]
    errors += _value_errors(cfg) + disturbance_errors(cfg.disturbance)
    if "env.id" in missing:
        return errors
    return errors + env_errors(cfg.env.id, OmegaConf.to_container(cfg.env.kwargs))  # type: ignore[arg-type]


def choice_errors(overrides: Sequence[str]) -> list[str]:
    """Errors in the choice of recommended settings; Hydra accepts any option, because that group is optional."""
    choices = options("tuned")
    given = [text.partition("=")[2] for text in overrides if text.startswith("tuned=")]
    return [
        f"tuned is {word!r}; it must be one of {', '.join(choices)}.{nearest(word, choices)}"
        for word in given
        if word not in choices
    ]


def _value_errors(cfg: DictConfig) -> list[str]:
    """Errors in the values of a training config, as sentences that name the key."""
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    name = plain["algo"]["name"]
    composed = next((a for a in ALGORITHMS.values() if schema_of(a) is OmegaConf.get_type(cfg.algo)), None)
    algorithm = composed or ALGORITHMS["lac"]
    errors = list(_unknown_keys(TrainCommand, plain, algo=algorithm))
    errors += setting_errors(algorithm, plain["algo"], "algo.")
    errors += setting_errors(TrainCommand, {key: value for key, value in plain.items() if key not in _CHECKED_APART})
    if ALGORITHMS.get(name) is not composed:
        errors.append(f"algo.name is {name!r}; it must be {Choice(tuple(ALGORITHMS))}; choose it with algo=NAME")
    start_policy = plain["train"]["start_policy"]
    if start_policy is not None and not Path(start_policy).exists():
        errors.append(
            f"train.start_policy is {start_policy!r}, which does not exist; give a run folder or a policy file"
        )
    if plain["train"]["export"]:
        errors.append(
            "train.export is true; export comes with a later release. Leave it out; the policy is saved anyway"
        )
    return errors


def added_key_errors(cfg: DictConfig, command: str) -> list[str]:
    """Errors in keys that were added to the config of a command, which would be passed over."""
    plain: dict[str, Any] = OmegaConf.to_container(cfg)  # type: ignore[assignment]
    return list(_unknown_keys(COMMANDS[command], plain))


_CHECKED_APART = ("algo", "disturbance")
"""Groups whose settings depend on the selected option."""


def _unknown_keys(settings: type, node: Mapping[str, Any], prefix: str = "", **parts: type) -> Iterator[str]:
    """Errors in keys that were added with ``+``, which OmegaConf allows on structured configs.

    Args:
        settings: Dataclass of the settings of the node.
        node: The node of the config.
        prefix: Full name of the node, with a dot.
        parts: Dataclasses of groups that are more specific than ``settings`` declares.
    """
    hints = {f.name: get_type_hints(settings)[f.name] for f in fields(settings)} | parts
    for name, value in node.items():
        if name not in hints:
            holder = prefix.rstrip(".") or "the config"
            having = owners(prefix + name)
            known = f"belongs to {' and '.join(having)}" if having else "is not a key"
            yield f"{prefix}{name} {known}; {holder} has {', '.join(hints)}.{nearest(name, hints)}"
        elif hints[name] is Disturbance:  # its keys depend on its kind
            continue
        elif is_dataclass(hints[name]) and isinstance(value, Mapping):
            yield from _unknown_keys(hints[name], value, f"{prefix}{name}.")
