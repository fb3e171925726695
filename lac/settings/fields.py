"""What the schemas of configs are made of: dataclasses whose fields tell what a key means."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_type_hints

from omegaconf import MISSING


def key(meaning: str) -> Any:
    """A config key without a default; the meaning is shown by ``--help``."""
    return field(default=MISSING, metadata={"help": meaning})


@dataclass(frozen=True)
class Leaf:
    """A key of a schema: its type and what it means."""

    type: Any
    meaning: str


def leaves(schema: type, prefix: str = "") -> Iterator[tuple[str, Leaf]]:
    """The full name of each key of a schema."""
    hints = get_type_hints(schema)
    for f in fields(schema):
        if is_dataclass(hints[f.name]):
            yield from leaves(hints[f.name], f"{prefix}{f.name}.")
        else:
            yield prefix + f.name, Leaf(hints[f.name], f.metadata["help"])
