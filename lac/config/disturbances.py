"""Errors in the group ``disturbance`` of a config, in general and for an environment."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from lac.config.schemas import schema_of
from lac.envs.disturbances import DisturbanceError, argument_errors, late_errors
from lac.envs.factory import environment_factory
from lac.settings.disturbances import KINDS, Disturbance
from lac.settings.rules import nearest


def disturbance_errors(node: DictConfig) -> list[str]:
    """Errors of a disturbance that do not depend on the environment."""
    errors = _key_errors(node)
    if errors:
        return errors
    try:
        settings: dict[str, Any] = OmegaConf.to_container(node, resolve=True)  # type: ignore[assignment]
    except InterpolationResolutionError as error:
        return [f"{error.full_key}: {str(error).splitlines()[0]}"]
    return argument_errors(settings, "disturbance.")


def disturbance_fit_errors(
    plain: Mapping[str, Any], disturbance: Mapping[str, Any], steps: int | None = None
) -> list[str]:
    """Errors of a disturbance for the environment of a training config, found by building both once.

    Args:
        plain: A training config.
        disturbance: The group ``disturbance``.
        steps: Length of the episodes; None is the one that the environment and ``train.max_ep_len`` set.
    """
    if disturbance["kind"] == "none":
        return []
    at_step, max_ep_len = disturbance.get("at_step"), plain["train"]["max_ep_len"]
    if at_step is not None and steps is not None and at_step >= steps:
        return [f"disturbance.at_step is {at_step}, but steps={steps} ends episodes before it"]
    if at_step is not None and steps is None and max_ep_len is not None and at_step >= max_ep_len:
        return [f"disturbance.at_step is {at_step}, but train.max_ep_len={max_ep_len} ends episodes before it"]
    try:
        env = environment_factory(plain["env"], disturbance)()
        errors = late_errors(env) if steps is None else []
        env.close()
    except DisturbanceError as error:
        errors = error.errors
    return [f"disturbance.{problem}" for problem in errors]


def unknown_disturbance_key(full_key: str, settings: type) -> str:
    """The error for a key that a kind of disturbance does not have.

    Args:
        full_key: Full name of the key, such as ``disturbance.at_step``.
        settings: Settings of the selected kind.
    """
    if settings is Disturbance:
        return f"{full_key} is not a key of disturbance=none; choose another with disturbance=OPTION"
    has = [f.name for f in fields(settings) if f.name not in {"name", "kind"}]
    hint = nearest(full_key.rpartition(".")[2], has)
    return f"{full_key} is not a key of this disturbance; it has {', '.join(has)}.{hint}"


def _key_errors(node: DictConfig) -> list[str]:
    """Errors in the keys of a disturbance; to be checked before its values."""
    if OmegaConf.is_missing(node, "kind") or OmegaConf.is_missing(node, "name"):
        return ["disturbance is not set; choose one with disturbance=OPTION, or disturbance=none"]
    kind, settings = next(pair for pair in KINDS.items() if schema_of(pair[1]) is OmegaConf.get_type(node))
    if node.kind != kind:
        return [f"disturbance.kind is {node.kind!r}; it must be {kind} here: choose it with disturbance=OPTION"]
    known = [f.name for f in fields(settings)]
    errors = [unknown_disturbance_key(f"disturbance.{name}", settings) for name in map(str, node) if name not in known]
    if not re.fullmatch(r"[\w.+-]+", node.name):
        errors.append(
            f"disturbance.name is {node.name!r}; it must consist of letters, digits and _ . + -, since it names files"
        )
    return errors
