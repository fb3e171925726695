"""Errors of a config that are found without building anything."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from lac.config.disturbances import disturbance_errors
from lac.config.help import options
from lac.config.schemas import CONFIG_DIR, schema_of
from lac.envs.factory import env_errors
from lac.settings.algorithms import ALGORITHMS, Algorithm
from lac.settings.commands import COMMANDS, TrainCommand, config_keys, owners
from lac.settings.consistency import Given, contradictions
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
    """All errors of a training config that are found without building anything.

    A part that is wrong itself is reported and passed over, so that it does not hide what is wrong elsewhere.
    """
    if OmegaConf.get_type(cfg) is not schema_of(TrainCommand):
        return [
            "the config is not one of train, since its list of defaults has no /schema/train@_here_; give the "
            "config.yaml of a run, whose first lines say how it runs again, or leave --config-name out"
        ]
    errors: list[str] = []
    plain = _readable(cfg, errors)
    algorithm = _algorithm(cfg)
    errors += _key_errors(TrainCommand, cfg, algo=algorithm)
    errors += setting_errors(algorithm, _part(plain, "algo"), "algo.")
    errors += setting_errors(TrainCommand, {key: value for key, value in plain.items() if key not in _CHECKED_APART})
    errors += contradictions(Given(flat(plain)))
    errors += _value_errors(plain, algorithm)
    disturbance = cfg.get("disturbance") if "disturbance" in cfg else None
    if isinstance(disturbance, DictConfig) and not any(text.startswith("disturbance.") for text in errors):
        errors += disturbance_errors(disturbance)
    env = _part(plain, "env")
    if isinstance(env.get("id"), str):
        errors += env_errors(env["id"], env.get("kwargs") or {})
    return list(dict.fromkeys(errors))


def override_errors(overrides: Sequence[str]) -> list[str]:
    """Errors in overrides that Hydra accepts: unknown recommended settings, and a group that is given twice."""
    choices = options("tuned")
    words = [text.lstrip("+").partition("=")[::2] for text in overrides]
    given = {group: [word for name, word in words if name == group] for group, _ in words}
    errors = [
        f"tuned is {word!r}; it must be one of {', '.join(choices)}.{nearest(word, choices)}"
        for word in given.get("tuned", [])
        if word not in choices
    ]
    return errors + [
        f"{group} is given {len(chosen)} times, as {' and as '.join(chosen)}; keep one of them"
        for group, chosen in given.items()
        if len(chosen) > 1 and (CONFIG_DIR / group.partition("@")[0]).is_dir()
    ]


def flat(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a training config by their full keys."""
    values = {}
    for key in config_keys("train"):
        *parts, name = key.split(".")
        node: Any = plain
        for part in parts:
            node = node.get(part) if isinstance(node, Mapping) else None
        if isinstance(node, Mapping) and name in node:
            values[key] = node[name]
    return values


def _readable(node: DictConfig, errors: list[str], prefix: str = "") -> dict[str, Any]:
    """The values of a config that can be read; a sentence about each that cannot is added to ``errors``."""
    plain: dict[str, Any] = {}
    for key in map(str, node):
        name = f"{prefix}{key}"
        try:
            if OmegaConf.is_missing(node, key):
                # A disturbance has a check of its own for what it needs.
                if not name.startswith("disturbance."):
                    errors.append(f"{name} is not set; {_HINTS.get(name, 'give a value')}")
                continue
            value = node[key]
            if isinstance(value, DictConfig):
                plain[key] = _readable(value, errors, f"{name}.")
            else:
                plain[key] = OmegaConf.to_container(value, resolve=True) if isinstance(value, ListConfig) else value
        except InterpolationResolutionError as error:
            errors.append(f"{error.full_key or name}: {str(error).splitlines()[0]}")
    return plain


def _algorithm(cfg: DictConfig) -> type[Algorithm]:
    """The settings of the algorithm whose group was composed."""
    composed = OmegaConf.get_type(cfg.algo) if "algo" in cfg else None
    return next((a for a in ALGORITHMS.values() if schema_of(a) is composed), ALGORITHMS["lac"])


def _part(plain: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = plain.get(name)
    return part if isinstance(part, Mapping) else {}


def _value_errors(plain: Mapping[str, Any], algorithm: type[Algorithm]) -> list[str]:
    """Errors in values that need more than the rule of a setting."""
    errors = []
    name, train = _part(plain, "algo").get("name"), _part(plain, "train")
    if name is not None and ALGORITHMS.get(name) is not algorithm:
        errors.append(f"algo.name is {name!r}; it must be {Choice(tuple(ALGORITHMS))}; choose it with algo=NAME")
    start_policy = train.get("start_policy")
    if start_policy is not None and plain.get("resume") is None and not Path(start_policy).exists():
        errors.append(
            f"train.start_policy is {start_policy!r}, which does not exist; give a run folder or a policy file"
        )
    return errors


def added_key_errors(cfg: DictConfig, command: str) -> list[str]:
    """Errors in keys that were added to the config of a command, which would be passed over."""
    return list(_key_errors(COMMANDS[command], cfg))


_CHECKED_APART = ("algo", "disturbance")
"""Groups whose settings depend on the selected option."""


def _key_errors(settings: type, node: DictConfig, prefix: str = "", **parts: type) -> Iterator[str]:
    """Errors in keys that were added with ``+`` or removed with ``~``, which OmegaConf allows on structured configs.

    Args:
        settings: Dataclass of the settings of the node.
        node: The node of the config.
        prefix: Full name of the node, with a dot.
        parts: Dataclasses of groups that are more specific than ``settings`` declares.
    """
    hints = {f.name: get_type_hints(settings)[f.name] for f in fields(settings)} | parts
    names = [str(name) for name in node]
    for name in names:
        if name not in hints:
            holder = prefix.rstrip(".") or "the config"
            having = owners(prefix + name)
            known = f"belongs to {' and '.join(having)}" if having else "is not a key"
            yield f"{prefix}{name} {known}; {holder} has {', '.join(hints)}.{nearest(name, hints)}"
        elif hints[name] is Disturbance:  # its keys depend on its kind
            continue
        elif is_dataclass(hints[name]) and not _is_reported_as_a_whole(node, name):
            yield from _key_errors(hints[name], node[name], f"{prefix}{name}.")
    yield from (f"{prefix}{name} was removed; leave ~{prefix}{name} out" for name in hints if name not in names)


def _is_reported_as_a_whole(node: DictConfig, name: str) -> bool:
    """Whether a part of a config has no keys of its own to check."""
    return OmegaConf.is_missing(node, name) or OmegaConf.is_interpolation(node, name) or node[name] is None
