"""The variants of a study: every combination of values of a disturbance, and the nominal case."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from itertools import product
from typing import Any

import numpy as np

from lac.envs.disturbances import argument_errors
from lac.settings.disturbances import KINDS
from lac.settings.fields import leaves
from lac.settings.rules import nearest, plain, shown

NOMINAL = "nominal"
MAX_VARIED = 2
ATTRIBUTES = "values."
"""Start of the keys of a disturbance that are attributes of the system."""


@dataclass(frozen=True)
class Grid:
    """A disturbance, of which one or two keys take several values.

    Attributes:
        disturbance: Its ``kind`` and its arguments; those that are varied may be missing. ``constants`` are
            attributes of the system that are other ones in every point.
        vary: The values of each varied key, such as ``magnitude``, or ``values.length`` for an attribute.
    """

    disturbance: Mapping[str, Any]
    vary: Mapping[str, Sequence[Any]]

    @classmethod
    def of(cls, disturbance: Mapping[str, Any], vary: Mapping[str, Any]) -> "Grid":
        """A grid as it is typed: keys of ``vary`` may be nested, and values may be a text ``FROM:TO:NUMBER``."""
        return cls(disturbance, {key: _listed(values) for key, values in _flat(vary)})

    def points(self) -> Iterator[dict[str, Any]]:
        """The values of the varied keys, one combination after the other; the last key varies fastest."""
        for values in product(*self.vary.values()):
            yield dict(zip(self.vary, values, strict=True))

    def disturbance_at(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The whole disturbance with these values of the varied keys."""
        settings = completed(self.disturbance)
        attributes = dict(settings.get("values") or {})
        for key, value in values.items():
            if key.startswith(ATTRIBUTES):
                attributes[key.removeprefix(ATTRIBUTES)] = value
            else:
                settings[key] = value
        return settings | ({"values": attributes} if "values" in settings else {})


@dataclass(frozen=True)
class Variant:
    """One case that policies are tested in.

    Attributes:
        grid: Number of its grid, counted from 0; None for the nominal case.
        values: Values of the varied keys.
        disturbance: The whole disturbance; None for the nominal case.
    """

    grid: int | None
    values: Mapping[str, Any]
    disturbance: Mapping[str, Any] | None

    @property
    def label(self) -> str:
        """The values as text, which distinguishes the variants of a grid; ``nominal`` without a disturbance."""
        return " ".join(f"{key}={value_text(value)}" for key, value in self.values.items()) or NOMINAL


def variants(grids: Sequence[Grid]) -> list[Variant]:
    """The nominal case, and every point of every grid."""
    disturbed = [
        Variant(number, values, grid.disturbance_at(values))
        for number, grid in enumerate(grids)
        for values in grid.points()
    ]
    return [Variant(None, {}, None), *disturbed]


def _flat(vary: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, values in vary.items():
        if isinstance(values, Mapping):
            yield from _flat(values, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", values


def _listed(values: Any) -> Any:
    """The numbers of a text such as ``0.1:2:20``, evenly spaced with both ends; anything else as it is."""
    match = re.fullmatch(r"([^:]+):([^:]+):(\d+)", values) if isinstance(values, str) else None
    if match is None:
        return plain(values)
    try:
        low, high, number = float(match[1]), float(match[2]), int(match[3])
    except ValueError:
        return values
    # Twelve digits, since 0.1 + 2 * 0.1 is 0.30000000000000004.
    return [_whole(float(f"{value:.12g}")) for value in np.linspace(low, high, number).tolist()]


def _whole(value: float) -> float:
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def grid_errors(grid: Grid) -> list[str]:
    """Errors of a grid that do not depend on the environment; sentences that begin with ``disturbance`` or ``vary``."""
    errors = _kind_errors(grid.disturbance)
    errors = errors or _vary_errors(grid, grid.disturbance["kind"]) or _name_errors(grid.disturbance)
    if errors:
        return errors
    for values in grid.points():
        settings = grid.disturbance_at(values)
        missing = _missing(settings)
        if missing:
            return [f"disturbance.{name} is not set; give it, or vary it" for name in missing]
        errors += argument_errors(settings, "disturbance.")
    return list(dict.fromkeys(named_as_varied(error, grid.vary) for error in errors))


def disturbance_errors(disturbance: Any) -> list[str]:
    """The same of a single disturbance, of which nothing is varied; ``none`` is one, too."""
    if not isinstance(disturbance, Mapping):
        return [f"disturbance is {shown(disturbance)}; it must be a mapping with kind and its arguments"]
    if disturbance.get("kind") == "none":
        return []
    errors = _kind_errors(disturbance) or _name_errors(disturbance)
    if errors:
        return errors
    settings = completed(disturbance)
    missing = [f"disturbance.{name} is not set; give it" for name in _missing(settings)]
    return missing or argument_errors(settings, "disturbance.")


def _kind_errors(disturbance: Mapping[str, Any]) -> list[str]:
    kind, disturbing = disturbance.get("kind"), [name for name in KINDS if name != "none"]
    if kind in disturbing:
        return []
    hint = nearest(kind, disturbing) if isinstance(kind, str) else ""
    return [f"disturbance.kind is {shown(kind)}; it must be one of {', '.join(disturbing)}.{hint}"]


def _name_errors(disturbance: Mapping[str, Any]) -> list[str]:
    known = dict(leaves(KINDS[disturbance["kind"]]))
    return [
        f"disturbance.{name} is not a key of this disturbance; it has {', '.join(sorted(set(known) - _OF_ALL))}."
        f"{nearest(str(name), known)}"
        for name in disturbance
        if name not in {*known, "constants"}
    ]


def _missing(settings: Mapping[str, Any]) -> list[str]:
    known = dict(leaves(KINDS[settings["kind"]]))
    return [name for name in known if name not in settings and name not in _OF_ALL]


_OF_ALL = {"kind", "name"}


def _vary_errors(grid: Grid, kind: str) -> list[str]:
    names = [name for name, _ in leaves(KINDS[kind]) if name not in _OF_ALL]
    if not 1 <= len(grid.vary) <= MAX_VARIED:
        given = f"has {', '.join(grid.vary)}" if grid.vary else "is empty"
        return [f"vary {given}; give the values of one or two keys, as vary.{_example(names[0])}=[1,2,3]"]
    errors = []
    for key, values in grid.vary.items():
        is_attribute = key.startswith(ATTRIBUTES) and "values" in names and key != ATTRIBUTES
        if not is_attribute and (key not in names or key == "values"):
            has = ", ".join(map(_example, names))
            hint = f" Did you mean 'vary.values.{key}'?" if "values" in names else nearest(key, names)
            errors.append(f"vary.{key} is not a key of this disturbance; it has {has}.{hint}")
        elif not isinstance(values, (list, tuple)) or not values:
            errors.append(f"vary.{key} is {values!r}; it must be a list, as [1,2,3], or FROM:TO:NUMBER, as 0.1:2:20")
        elif len({value_text(value) for value in values}) < len(values):
            errors.append(f"vary.{key} is {list(values)}; its values must differ from each other")
    return errors


def _example(name: str) -> str:
    return f"{ATTRIBUTES}ATTRIBUTE" if name == "values" else name


def named_as_varied(error: str, vary: Mapping[str, Any]) -> str:
    """An error about ``disturbance.KEY``, with ``vary.KEY`` in its place if that is where the value comes from."""
    subject = error.partition(" ")[0]
    key = subject.removeprefix("disturbance.")
    return error.replace(subject, f"vary.{key}", 1) if key in vary else error


def completed(disturbance: Mapping[str, Any]) -> dict[str, Any]:
    """A disturbance with the default of each argument that is not given, where there is one."""
    usual = {name: leaf.default for name, leaf in leaves(KINDS[disturbance["kind"]]) if leaf.default is not MISSING}
    return {"name": disturbance["kind"], **usual, **disturbance}


def value_text(value: Any) -> str:
    """A value of a varied key in tables and labels; 1 and 1.0 have the same text."""
    return value if isinstance(value, str) else json.dumps(_shortest(value))


def _shortest(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_shortest(element) for element in value]
    return _whole(value) if isinstance(value, float) else value
