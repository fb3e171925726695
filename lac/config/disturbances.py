"""The types of the keys of each kind of disturbance, and what is wrong with such a part of a config."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lac.settings.fields import Leaf, key, leaves
from lac.settings.rules import nearest


@dataclass
class Disturbance:
    """What disturbs the environment: nothing, or one of the kinds below."""

    name: str = key("short name of the disturbance, used in file names")
    kind: str = key("what kind it is; choose it with disturbance=OPTION")


_MAGNITUDE = "size, in units of the channel: one number, or one for each entry"
_CHANNEL = "action (before it is bounded) or external_force (not bounded)"
_PERIOD = "period in steps; that of a reference in the environment's unit of time"


@dataclass
class Impulse(Disturbance):
    """A push of one step."""

    magnitude: Any = key(_MAGNITUDE)
    at_step: int | None = key("index of the step that is hit; the first is 0")
    every: int | None = key("or: steps between hits, of which the first is step 0")
    direction: str = key("sign_of_action (against it), sign_of_state (away from 0) or constant")
    state_index: int | None = key("index of the state whose sign is the direction")
    channel: str = key(_CHANNEL)


@dataclass
class Noise(Disturbance):
    """Gaussian noise."""

    target: str = key("action, observation or process")
    mean: Any = key("mean: one number, or one for each of dims")
    std: Any = key("standard deviation, likewise")
    dims: Any = key("indices that get noise; null: all (not for process noise)")


@dataclass
class Sinusoid(Disturbance):
    """A sine in every step."""

    magnitude: Any = key(_MAGNITUDE)
    period: float | None = key(_PERIOD)
    random_phase: bool = key("whether the phase is drawn for each episode and entry; otherwise 0")
    channel: str = key(_CHANNEL)


@dataclass
class Parameters(Disturbance):
    """Other constants of the system."""

    values: dict[str, Any] = key("attributes of the environment and their values, as disturbance.values.K=5")


@dataclass
class Reference(Disturbance):
    """Another reference."""

    constant: float | None = key("value of a constant reference")
    period: float | None = key(_PERIOD)
    offset: float | None = key("mean of the sine; null: as the environment has it")
    amplitude: float | None = key("amplitude of the sine; null: as the environment has it")
    phase: float | None = key("phase of the sine; null: as the environment has it")


SCHEMAS: dict[str, type[Disturbance]] = {
    "none": Disturbance,
    "impulse": Impulse,
    "noise": Noise,
    "sinusoid": Sinusoid,
    "parameters": Parameters,
    "reference": Reference,
}
"""The schema of each kind."""


def kind_leaves(prefix: str) -> Iterator[tuple[str, Leaf]]:
    """The keys that kinds of disturbances have beside those of all, each once; the meaning tells whose it is."""
    common = {f.name for f in fields(Disturbance)}
    found: dict[str, tuple[Leaf, list[str]]] = {}
    for kind, schema in SCHEMAS.items():
        for name, leaf in leaves(schema):
            if name not in common:
                found.setdefault(name, (leaf, []))[1].append(kind)
    for name, (leaf, kinds) in found.items():
        yield prefix + name, Leaf(leaf.type, f"({', '.join(kinds)}) {leaf.meaning}")


def missing_key_sentence(full_key: str, schema: type) -> str:
    """What to say of a key that the kind of disturbance with this schema has not."""
    if schema is Disturbance:
        return f"{full_key} is not a key of disturbance=none; choose another with disturbance=OPTION"
    has = [f.name for f in fields(schema) if f.name not in {"name", "kind"}]
    hint = nearest(full_key.rpartition(".")[2], has)
    return f"{full_key} is not a key of this disturbance; it has {', '.join(has)}.{hint}"


def key_errors(node: DictConfig) -> list[str]:
    """What is wrong with the keys of a disturbance, before anything looks at its arguments."""
    if OmegaConf.is_missing(node, "kind") or OmegaConf.is_missing(node, "name"):
        return ["disturbance is not set; choose one with disturbance=OPTION, or disturbance=none"]
    kind, schema = next(pair for pair in SCHEMAS.items() if pair[1] is OmegaConf.get_type(node))
    if node.kind != kind:
        return [f"disturbance.kind is {node.kind!r}; it must be {kind} here: choose it with disturbance=OPTION"]
    known = [f.name for f in fields(schema)]
    errors = [missing_key_sentence(f"disturbance.{name}", schema) for name in map(str, node) if name not in known]
    if not re.fullmatch(r"[\w.+-]+", node.name):
        errors.append(
            f"disturbance.name is {node.name!r}; it must be letters, digits and any of _ . + -: it names files"
        )
    return errors
