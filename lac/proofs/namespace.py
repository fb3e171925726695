"""The namespace ``xp`` in which a system's own ``dynamics`` and ``observe`` run on enclosures; see lac.envs.vectors."""

from typing import Any

import numpy as np

from lac.proofs.enclosures import Enclosure, NotProvedError


class Vector(list[Any]):
    """The entries of a vector along its last axis: enclosures, or numbers."""

    def __add__(self, other: Any) -> "Vector":
        if isinstance(other, (int, float)):
            return Vector(entry + other for entry in self) if other else self
        return Vector(mine + its for mine, its in zip(self, other, strict=True))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, tuple):  # [..., i] of an array
            index = index[-1]
        return super().__getitem__(index)


def asarray(value: Any) -> Any:
    """A constant vector as it is: its entries are numbers."""
    return value


def unbind(vectors: Any, axis: int) -> list[Any]:
    """The entries along the last axis, which is the only one."""
    return [float(entry) if isinstance(entry, np.floating) else entry for entry in vectors]


def stack(entries: Any, axis: int) -> Vector:
    """The vector of these entries."""
    return Vector(entries)


def concatenate(vectors: Any, axis: int) -> Vector:
    """The vector of the entries of several."""
    return Vector(entry for vector in vectors for entry in vector)


def maximum(vector: Any, bounds: Any) -> Vector:
    """Entry by entry, the maximum of a vector and constants."""
    return Vector(_enclosed(entry).at_least(bound) for entry, bound in zip(vector, bounds, strict=True))


def minimum(vector: Any, bounds: Any) -> Vector:
    """Entry by entry, the minimum of a vector and constants."""
    return Vector(_enclosed(entry).at_most(bound) for entry, bound in zip(vector, bounds, strict=True))


def where(*_: Any) -> Any:
    """There is no choice between cases in a proof."""
    raise NotProvedError("the dynamics choose between cases with where, which has no enclosure")


def _function(name: str) -> Any:
    """A function of one number by its name: the method of an enclosure, numpy's of a number."""

    def function(x: Any) -> Any:
        return getattr(x, name)() if isinstance(x, Enclosure) else getattr(np, name)(x)

    return function


sin, cos, tan, tanh, exp, sqrt, abs = map(_function, ("sin", "cos", "tan", "tanh", "exp", "sqrt", "__abs__"))


def _enclosed(entry: Any) -> Enclosure:
    if isinstance(entry, Enclosure):
        return entry
    raise NotProvedError(f"an action is a {type(entry).__name__} that does not depend on the state")
