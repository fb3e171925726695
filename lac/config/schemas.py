"""The settings as structured configs of Hydra, generated from the dataclasses of :mod:`lac.settings`."""

from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, cast, get_type_hints

import omegaconf
from hydra.core.config_store import ConfigStore

from lac.settings.algorithms import ALGORITHMS
from lac.settings.commands import COMMANDS
from lac.settings.disturbances import KINDS, Disturbance

_PACKAGED = Path(__file__).parents[1] / "conf"
CONFIG_DIR = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "conf"
"""The YAML files: in a wheel inside the package, in a clone beside it."""


def register_schemas() -> None:
    """Register the schemas with Hydra, in a group of their own, so that they are not offered as options."""
    store = ConfigStore.instance()
    for name, settings in COMMANDS.items():
        store.store(group="schema", name=name, node=schema_of(settings))
    for kind, settings in KINDS.items():
        store.store(group="schema/disturbance", name=kind, node=schema_of(settings))
    for name, settings in ALGORITHMS.items():
        store.store(group="schema/algo", name=name, node=schema_of(settings))


_SCHEMAS: dict[type, type] = {}


def schema_of(settings: type) -> type:
    """The structured config of a dataclass of settings.

    OmegaConf makes a config of a frozen dataclass read-only, but Hydra has to write to it. The structured config is
    therefore a dataclass with the same name, fields and defaults that is not frozen. It does not check its values:
    they are checked after composition, for all keys together.
    """
    if settings in _SCHEMAS:
        return _SCHEMAS[settings]
    bases = tuple(schema_of(base) for base in settings.__bases__ if is_dataclass(base))
    hints = get_type_hints(settings)
    own = [f for f in fields(settings) if f.name in vars(settings).get("__annotations__", {})]
    types = {f.name: schema_of(hints[f.name]) if is_dataclass(hints[f.name]) else hints[f.name] for f in own}
    body = {f.name: _declared(f, types[f.name]) for f in own}
    namespace = {"__annotations__": types, "__doc__": settings.__doc__, "__module__": __name__, **body}
    schema: type = dataclass(kw_only=True)(type(settings.__name__, bases, namespace))
    _SCHEMAS[settings] = schema
    # For pickle, since launchers send configs to worker processes.
    globals()[settings.__name__] = schema
    return schema


def schema_settings(schema: type | None) -> type:
    """The dataclass of an algorithm or a disturbance from which a structured config was generated."""
    every = (*ALGORITHMS.values(), *KINDS.values())
    return next((settings for settings in every if schema_of(settings) is schema), Disturbance)


def _declared(f: "Field[Any]", hint: Any) -> Any:
    if is_dataclass(hint):
        return field(default_factory=cast(type, hint))
    if f.default_factory is not MISSING:
        return field(default_factory=f.default_factory)
    return field(default=omegaconf.MISSING if f.default is MISSING else f.default)


# A worker process that unpickles a config imports this module and finds the schemas by name.
for _settings in (*COMMANDS.values(), *KINDS.values(), *ALGORITHMS.values()):
    schema_of(_settings)
