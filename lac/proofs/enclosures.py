"""Numbers of the proofs: functions of the state, enclosed over many boxes of states at once, with their slopes.

An :class:`Enclosure` bounds a function ``g`` over a set ``D`` of states about a midpoint ``m``::

    g(m) = value ± error,      g(x) - g(y) = a (x - y)  for all x, y in D,  with some a in slopes ± radii

so ``g(x)`` is within ``value ± (error + max |a (x - m)|)`` for all ``x`` in ``D``. The second line needs no derivative:
it holds for ReLU as for the sine, and it survives sums, products and compositions by school algebra. An unknown that
does not depend on the state, as the action error, is part of ``error``: the lines hold for each of its values.

All is in float64 with the radii rounded up. An operation that rounds to nearest errs by at most ``U`` times the size of
its result; :func:`outward` covers the roundings in the computation of a radius. What overflows becomes infinite or NaN,
which no test of a proof takes for true. ``docs/evidence.md`` has the lemmas.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from lac.proofs.domains import GROWTH, SMALLEST, Domain, FloatArray, U, outward

FUNCTION_ERROR = 2.0**-49
"""Assumed error of numpy's sin, cos and tanh, absolute, and of exp, relative: 16 units in the last place of 1."""


class NotProvedError(ValueError):
    """An operation that has no enclosure; the message is a sentence."""


class Enclosure:
    """Bounds of functions over boxes; the lines are those of the module.

    Args:
        value: ``[B]``, or ``[B, n]`` for ``n`` functions.
        error: Of the same shape, not negative.
        slopes: ``[2, B]`` or ``[2, B, n]``.
        radii: Likewise, not negative.
        domain: What the boxes are.
    """

    __array_ufunc__ = None  # numpy's numbers on the left leave the operation to this class

    def __init__(
        self, value: FloatArray, error: FloatArray, slopes: FloatArray, radii: FloatArray, domain: Domain
    ) -> None:
        self.value, self.error, self.slopes, self.radii, self.domain = value, error, slopes, radii, domain
        #: Middle and half-width of the difference quotients, ``[...]``, where this is a function of another enclosure.
        self.quotients: tuple[FloatArray, FloatArray] | None = None

    @classmethod
    def coordinates(cls, midpoints: FloatArray, domain: Domain) -> list[Enclosure]:
        """The two coordinates of the states of boxes about these midpoints ``[2, B]``."""
        identity = np.broadcast_to(np.eye(2)[..., None], (2, *midpoints.shape))
        nothing = np.zeros_like(midpoints)
        return [cls(midpoints[i], nothing[i], identity[i], nothing, domain) for i in range(2)]

    @classmethod
    def constant(cls, value: float, error: float, domain: Domain) -> Enclosure:
        """A number that is within ``value ± error``, the same for all states."""
        nothing = np.zeros_like(domain.reach)
        return cls(np.full_like(nothing[0], value), np.full_like(nothing[0], error), nothing, nothing, domain)

    @classmethod
    def joined(cls, functions: Sequence[Enclosure]) -> Enclosure:
        """Several functions ``[B]`` as one enclosure ``[B, n]``."""
        value, error, slopes, radii = (
            np.stack([getattr(function, part) for function in functions], axis=-1)
            for part in ("value", "error", "slopes", "radii")
        )
        return cls(value, error, slopes, radii, functions[0].domain)

    def separated(self) -> list[Enclosure]:
        """The functions of ``[B, n]``, one by one."""
        value, error, slopes, radii = self.value, self.error, self.slopes, self.radii
        return [
            Enclosure(value[..., i], error[..., i], slopes[..., i], radii[..., i], self.domain)
            for i in range(value.shape[-1])
        ]

    @cached_property
    def radius(self) -> FloatArray:
        """The function is within ``value ± radius`` over the box."""
        return outward(self.error + self.domain.spread(self.slopes, self.radii))

    @cached_property
    def low(self) -> FloatArray:
        """Lower bound over the box."""
        return self.value - outward(self.radius + 4 * U * np.abs(self.value))

    @cached_property
    def high(self) -> FloatArray:
        """Upper bound over the box."""
        return self.value + outward(self.radius + 4 * U * np.abs(self.value))

    def widened(self, error: float) -> Enclosure:
        """This function plus an unknown of at most this size."""
        return Enclosure(self.value, outward(self.error + error), self.slopes, self.radii, self.domain)

    def narrowed(self, slopes: FloatArray, radii: FloatArray) -> Enclosure:
        """The same function, whose slopes are known to be in ``slopes ± radii``, too."""
        low = np.maximum(self.slopes - self.radii, slopes - radii)
        high = np.minimum(self.slopes + self.radii, slopes + radii)
        rounded = 4 * U * (np.abs(self.slopes) + self.radii + np.abs(slopes) + radii)
        return Enclosure(self.value, self.error, (low + high) / 2, outward((high - low) / 2 + rounded), self.domain)

    # Sums --------------------------------------------------------------------------------------------

    def __neg__(self) -> Enclosure:
        return Enclosure(-self.value, self.error, -self.slopes, self.radii, self.domain)

    def __pos__(self) -> Enclosure:
        return self

    def __add__(self, other: Any) -> Enclosure:
        if isinstance(other, Enclosure):
            value, slopes = self.value + other.value, self.slopes + other.slopes
            error = self.error + other.error + U * np.abs(value)
            radii = self.radii + other.radii + U * np.abs(slopes)
            return Enclosure(value, outward(error), slopes, outward(radii), self.domain)
        value = self.value + _number(other)
        return Enclosure(value, outward(self.error + U * np.abs(value)), self.slopes, self.radii, self.domain)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Enclosure:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Enclosure:
        return (-self).__add__(other)

    # Products ----------------------------------------------------------------------------------------

    def __mul__(self, other: Any) -> Enclosure:
        if isinstance(other, Enclosure):
            return self._times(other)
        factor = _number(other)
        value, slopes = self.value * factor, self.slopes * factor
        error = self.error * np.abs(factor) + U * np.abs(value)
        radii = self.radii * np.abs(factor) + U * np.abs(slopes)
        return Enclosure(value, outward(error), slopes, outward(radii), self.domain)

    __rmul__ = __mul__

    def _times(self, other: Enclosure) -> Enclosure:
        # (g h)(x) - (g h)(y) = g(x) (h(x) - h(y)) + h(y) (g(x) - g(y)), with g(x) in value ± radius
        g, h = self, other
        size_g, size_h = np.abs(g.value), np.abs(h.value)
        value = g.value * h.value
        error = size_g * h.error + g.error * size_h + g.error * h.error + U * np.abs(value)
        first, second = g.value * h.slopes, h.value * g.slopes
        radii = size_g * h.radii + g.radius * (np.abs(h.slopes) + h.radii)
        radii += size_h * g.radii + h.radius * (np.abs(g.slopes) + g.radii)
        radii += 3 * U * (np.abs(first) + np.abs(second))
        return Enclosure(value, outward(error), first + second, outward(radii), g.domain)

    def __truediv__(self, other: Any) -> Enclosure:
        if isinstance(other, Enclosure):
            return self * other.reciprocal()
        divisor = _number(other)
        value, slopes = self.value / divisor, self.slopes / divisor
        error = self.error / np.abs(divisor) + U * np.abs(value)
        radii = self.radii / np.abs(divisor) + U * np.abs(slopes)
        return Enclosure(value, outward(error), slopes, outward(radii), self.domain)

    def __rtruediv__(self, other: Any) -> Enclosure:
        return self.reciprocal().__mul__(other)

    def __pow__(self, exponent: Any) -> Enclosure:
        if exponent not in {2, 3}:
            raise NotProvedError(f"the power {exponent!r} of a state has no enclosure; write it with products")
        return self * self if exponent == 2 else self * self * self

    # Functions of one number -------------------------------------------------------------------------

    def through(self, value: FloatArray, margin: Any, lowest: Any, highest: Any) -> Enclosure:
        """A function of this one.

        Args:
            value: The function at ``self.value``, in float64.
            margin: Bound of the rounding error of ``value``.
            lowest: Lower bound of the function's difference quotients over ``[low, high]``.
            highest: Upper bound of these.
        """
        middle = (lowest + highest) / 2
        spread = outward((highest - lowest) / 2 + 2 * U * (np.abs(lowest) + np.abs(highest)))
        slopes, sizes = middle * self.slopes, np.abs(self.slopes)
        radii = np.abs(middle) * self.radii + spread * (sizes + self.radii) + U * np.abs(slopes)
        steepest = np.maximum(np.abs(lowest), np.abs(highest))
        result = Enclosure(value, outward(steepest * self.error + margin), slopes, outward(radii), self.domain)
        result.quotients = middle, spread
        return result

    def reciprocal(self) -> Enclosure:
        """One over this; without bounds where it may be zero."""
        with np.errstate(all="ignore"):
            value = 1.0 / self.value
            ends = np.stack([1.0 / self.low**2, 1.0 / self.high**2])
            lowest, highest = -ends.max(axis=0) * GROWTH, -ends.min(axis=0) / GROWTH
        lowest = np.where((self.low > 0) | (self.high < 0), lowest, -np.inf)
        return self.through(value, U * np.abs(value), lowest, highest)

    def sin(self) -> Enclosure:
        """The sine."""
        return self._wave(np.sin(self.value), np.cos(self.value))

    def cos(self) -> Enclosure:
        """The cosine."""
        return self._wave(np.cos(self.value), -np.sin(self.value))

    def _wave(self, value: FloatArray, slope: FloatArray) -> Enclosure:
        # The second derivative is minus the function, and the third at most one.
        change = outward(np.abs(value) * self.radius + self.radius**2 / 2 + FUNCTION_ERROR * (2 + self.radius))
        lowest, highest = np.maximum(slope - change, -1.0), np.minimum(slope + change, 1.0)
        return self.through(value, FUNCTION_ERROR, lowest, highest)

    def tan(self) -> Enclosure:
        """The tangent."""
        return self.sin() / self.cos()

    def tanh(self) -> Enclosure:
        """The hyperbolic tangent; its derivative is one minus its square, and falls on both sides of zero."""
        ends = np.tanh(np.stack([self.low, self.high])) ** 2
        smallest = np.where((self.low <= 0) & (self.high >= 0), 0.0, ends.min(axis=0))
        lowest = np.maximum(1.0 - ends.max(axis=0) - 4 * FUNCTION_ERROR, 0.0)
        highest = np.minimum(1.0 - smallest + 4 * FUNCTION_ERROR, 1.0)
        return self.through(np.tanh(self.value), FUNCTION_ERROR, lowest, highest)

    def exp(self) -> Enclosure:
        """The exponential function."""
        value = np.exp(self.value)
        lowest, highest = np.exp(self.low), np.exp(self.high)
        room = 1.0 + 2 * FUNCTION_ERROR
        return self.through(value, outward(FUNCTION_ERROR * value), lowest / room, highest * room + SMALLEST)

    def sqrt(self) -> Enclosure:
        """The square root; without bounds where its argument may be zero."""
        with np.errstate(all="ignore"):
            value = np.sqrt(self.value)
            lowest, highest = 0.5 / np.sqrt(self.high) / GROWTH, 0.5 / np.sqrt(self.low) * GROWTH
        highest = np.where(self.low > 0, highest, np.inf)
        return self.through(value, U * value, lowest, highest)

    def __abs__(self) -> Enclosure:
        low, high = np.where(self.low >= 0, 1.0, -1.0), np.where(self.high <= 0, -1.0, 1.0)
        return self.through(np.abs(self.value), 0.0, low, high)

    def relu(self) -> Enclosure:
        """The positive part."""
        return self.at_least(0.0)

    def at_least(self, bound: Any) -> Enclosure:
        """The maximum of this and a constant."""
        lowest, highest = (self.low >= bound).astype(np.float64), 1.0 - (self.high <= bound)
        return self.through(np.maximum(self.value, bound), 0.0, lowest, highest)

    def at_most(self, bound: Any) -> Enclosure:
        """The minimum of this and a constant."""
        lowest, highest = (self.high <= bound).astype(np.float64), 1.0 - (self.low >= bound)
        return self.through(np.minimum(self.value, bound), 0.0, lowest, highest)

    # Linear maps -------------------------------------------------------------------------------------

    def affine(self, weights: FloatArray, bias: FloatArray) -> Enclosure:
        """``W g + b`` for ``n`` functions ``g``, with ``W`` ``[k, n]`` and ``b`` ``[k]``.

        The error of a sum of ``n + 1`` terms in any order is at most about ``(n + 1) U`` times the sum of their sizes
        (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); twice that is taken, for the radius, too.
        """
        number, wide = self.value.shape[-1], 2 * (self.value.shape[-1] + 4) * U
        sizes, columns = np.abs(weights).T, (-1, number)
        centres = np.concatenate([self.value[None], self.slopes])
        radii = np.concatenate([self.error[None], self.radii]) + wide * np.abs(centres)
        shape = (*centres.shape[:-1], len(weights))
        centres = (centres.reshape(columns) @ weights.T).reshape(shape)
        radii = (radii.reshape(columns) @ sizes).reshape(shape) * (1.0 + wide)
        radii[0] += 2 * U * (np.abs(centres[0]) + np.abs(bias))
        centres[0] += bias
        radii = outward(radii)
        return Enclosure(centres[0], radii[0], centres[1:], radii[1:], self.domain)

    def __bool__(self) -> bool:
        raise NotProvedError("a state is compared with something in the dynamics, which has no enclosure")

    def _compare(self, other: Any) -> bool:
        return bool(self)

    __lt__ = __le__ = __gt__ = __ge__ = _compare
    __eq__ = __ne__ = _compare
    __hash__ = object.__hash__


def _number(other: Any) -> Any:
    """A constant in float64; one that float64 does not hold is not taken."""
    if isinstance(other, (int, float, np.floating, np.integer)) and float(other) == other:
        return float(other)
    raise NotProvedError(f"{other!r} in an operation with a state has no enclosure")
