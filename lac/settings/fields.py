"""A setting: one field of a frozen dataclass with its type, default, allowed values and meaning."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from functools import partial
from typing import Any, get_type_hints

from lac.settings.rules import Rule, raise_if_any, value_error

REQUIRED = MISSING
"""The default of a setting that has to be given."""


def setting(default: Any, rule: Rule | None, meaning: str, argument: str | None = None) -> Any:
    """Declare a setting.

    Args:
        default: Its default, or ``REQUIRED``.
        rule: What it may be; None where the type says it all.
        meaning: What it does, for ``--help`` and docstrings.
        argument: Its name in the Python API, where that is not the name of the field.
    """
    metadata = {"rule": rule, "meaning": meaning, "argument": argument}
    if isinstance(default, (list, dict)):
        return field(default_factory=partial(deepcopy, default), metadata=metadata)
    return field(default=default, metadata=metadata)


def group(settings: type) -> Any:
    """Declare a group of settings as a part of another one."""
    return field(default_factory=settings)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of the frozen dataclasses of settings.

    Raises:
        ValueError: A value is not allowed; all such values are named.
    """

    def __post_init__(self) -> None:
        raise_if_any(setting_errors(type(self), vars(self)))


@dataclass(frozen=True)
class Leaf:
    """A setting as a key of a config.

    Attributes:
        type: Its type.
        rule: What it may be; None where the type says it all.
        meaning: What it does.
        argument: Its name in the Python API.
        default: Its default; ``REQUIRED`` where there is none.
    """

    type: Any
    rule: Rule | None
    meaning: str
    argument: str
    default: Any


def leaves(schema: type, prefix: str = "") -> Iterator[tuple[str, Leaf]]:
    """The settings of a dataclass and of its groups, by full name: ``algo.alpha3``."""
    hints = get_type_hints(schema)
    for f in fields(schema):
        if is_dataclass(hints[f.name]):
            yield from leaves(hints[f.name], f"{prefix}{f.name}.")
        else:
            default = f.default if f.default_factory is MISSING else f.default_factory()
            meta = f.metadata
            yield prefix + f.name, Leaf(hints[f.name], meta["rule"], meta["meaning"], argument_name(f), default)


def argument_name(f: "Field[Any]") -> str:
    """The name of a setting in the Python API."""
    return f.metadata["argument"] or f.name


def setting_errors(schema: type, values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """A sentence for each value that is not allowed, groups included; settings without a value are passed over.

    Args:
        schema: Dataclass of settings.
        values: Values by name; those of a group are a mapping.
        prefix: Goes before each name.
    """
    errors: list[str] = []
    hints = get_type_hints(schema)
    for f in fields(schema):
        if f.name not in values:
            continue
        if not is_dataclass(hints[f.name]):
            error = value_error(prefix + f.name, values[f.name], f.metadata["rule"])
            errors += [] if error is None else [error]
        elif isinstance(values[f.name], Mapping):
            errors += setting_errors(hints[f.name], values[f.name], f"{prefix}{f.name}.")
    return errors
