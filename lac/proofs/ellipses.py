"""What is proved near the equilibrium: a contraction in a small ellipse, a decrease in a larger one around it."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lac.proofs.closed_loop import ClosedLoop
from lac.proofs.covers import Squares, Test, holds_everywhere, square_around_disc
from lac.proofs.domains import Domain, FloatArray, U, outward
from lac.proofs.enclosures import Enclosure
from lac.proofs.namespace import Vector

_DEPTH = 18


@dataclass(frozen=True)
class Frame:
    """Coordinates ``z`` with ``x = centre + basis z``, in which ``V(x) = |z|^2``: its level sets are discs.

    ``V(x) = (x - centre)' P (x - centre)`` with ``P = (basis basis')^-1``.
    """

    centre: FloatArray
    """``[2]``"""
    basis: FloatArray
    """``[2, 2]``, not singular"""

    def __post_init__(self) -> None:
        if self._determinant() == 0:
            raise ValueError(f"the basis {self.basis.tolist()} of the ellipse is singular")

    def _rows(self) -> list[list[Fraction]]:
        return [[Fraction(entry) for entry in row] for row in self.basis.tolist()]

    def _determinant(self) -> Fraction:
        (a, b), (c, d) = self._rows()
        return a * d - b * c

    @property
    def P(self) -> FloatArray:  # noqa: N802
        """The matrix of ``V``, ``[2, 2]``, rounded: proofs use the basis."""
        return np.asarray(np.linalg.inv(self.basis @ self.basis.T), np.float64)

    def states(self, z: list[Enclosure]) -> Vector:
        """The states at the coordinates ``z``."""
        (a, b), (c, d) = self.basis.tolist()
        return Vector([a * z[0] + b * z[1] + float(self.centre[0]), c * z[0] + d * z[1] + float(self.centre[1])])

    def coordinates(self, states: Vector) -> list[Enclosure]:
        """The coordinates of states: the inverse of the basis is rational, and is rounded once."""
        (a, b), (c, d) = self._rows()
        determinant = self._determinant()
        inverse = ((d / determinant, -b / determinant), (-c / determinant, a / determinant))
        away = [state - float(middle) for state, middle in zip(states, self.centre, strict=True)]
        rows = [[_rounded(entry, away[0].domain) for entry in row] for row in inverse]
        return [row[0] * away[0] + row[1] * away[1] for row in rows]


def _rounded(number: Fraction, domain: Domain) -> Enclosure:
    return Enclosure.constant(float(number), abs(float(number)) * 2 * U, domain)


def contracts(loop: ClosedLoop, frame: Frame, core: float, contraction: float) -> bool:
    """Whether the closed loop contracts by ``contraction < 1`` in ``V <= core``, and stays in it without action error.

    That is ``|f(x) - f(y)| <= contraction |x - y|`` in the norm of ``V`` for all ``x`` and ``y`` in the core and any
    action error, the same for both, and ``|f(centre) - centre| <= (1 - contraction) sqrt(core)`` without one.
    """
    if not (0 < contraction < 1 and 0 < core < np.inf):
        return False
    stays = rest_radius(loop.without_error(), frame, contraction) ** 2 <= core * (1 - 1e-12)
    return stays and holds_everywhere(
        lambda squares: slope_norms(loop, frame, squares) <= contraction,
        square_around_disc(core),
        lambda squares: squares.smallest_norms() <= core,
        _DEPTH,
    )


def rest_radius(loop: ClosedLoop, frame: Frame, contraction: float) -> float:
    """A ball around the centre in the norm of ``V`` that trajectories in a core with this contraction end in.

    ``r = |f(centre) - centre| / (1 - contraction)``, since ``|f(x) - centre| <= contraction |x - centre| + (1 -
    contraction) r``. Without an action error all end in the equilibrium, which is therefore in the ball.
    """
    centre = Squares(np.zeros((2, 1)), np.zeros(1))
    moved = [np.abs(entry.value) + entry.radius for entry in _stepped(loop, frame, centre)[1]]
    return float(outward(np.hypot(*moved)[0]) / (1 - contraction) * (1 + 1e-12))


def traps(loop: ClosedLoop, frame: Frame, trap: float) -> bool:
    """Whether ``V <= trap`` is mapped into itself, whatever the action error."""

    def stays(squares: Squares) -> npt.NDArray[np.bool_]:
        after = _stepped(loop, frame, squares)[1]
        return np.asarray((after[0] * after[0] + after[1] * after[1]).high <= trap)

    return 0 < trap < np.inf and holds_everywhere(
        stays, square_around_disc(trap), lambda squares: squares.smallest_norms() <= trap, _DEPTH
    )


def bounds_of_ball(frame: Frame, radius: float) -> FloatArray:
    """Half-widths of a box around the centre that holds a ball of the norm of ``V``, ``[2]``."""
    return np.asarray(outward(np.hypot(frame.basis[:, 0], frame.basis[:, 1]) * radius))


def decreases(loop: ClosedLoop, frame: Frame, inner: float, level: float) -> bool:
    """Whether ``V`` decreases in ``inner <= V <= level`` for every action error, and that is within the limits."""
    return 0 < inner <= level < np.inf and holds_everywhere(
        decrease_test(loop, frame, inner),
        square_around_disc(level),
        lambda squares: squares.smallest_norms() <= level,
        _DEPTH,
    )


def converges(loop: ClosedLoop, frame: Frame, core: float, contraction: float, trap: float, level: float) -> bool:
    """Whether trajectories from ``V <= level`` are trapped, and without action error come to rest."""
    return (
        0 < core <= trap <= level
        and contracts(loop, frame, core, contraction)
        and decreases(loop.without_error(), frame, core, trap)
        and traps(loop, frame, trap)
        and decreases(loop, frame, trap, level)
    )


def decrease_test(loop: ClosedLoop, frame: Frame, inner: float) -> Test:
    """The test that squares are within the limits, and ``V`` decreases in each or is at most ``inner``."""

    def test(squares: Squares) -> npt.NDArray[np.bool_]:
        z, after = _stepped(loop, frame, squares)
        change = after[0] * after[0] + after[1] * after[1] - z[0] * z[0] - z[1] * z[1]
        inside = loop.are_within_limits(frame.states(z))
        return np.asarray(inside & ((change.high < 0) | (squares.largest_norms() <= inner)))

    return test


def slope_norms(loop: ClosedLoop, frame: Frame, squares: Squares) -> FloatArray:
    """Upper bounds of the spectral norms of the slopes of one step, in the coordinates of the frame, ``[B]``.

    The norm of a matrix with the rows ``(a, b)`` and ``(c, d)`` is half of
    ``|(a + d, b - c)| + |(a - d, b + c)|``; that of the radii is at most the root of the sum of their squares.
    """
    after = _stepped(loop, frame, squares)[1]
    (a, b), (c, d) = (entry.slopes for entry in after)
    norms = (np.hypot(a + d, b - c) + np.hypot(a - d, b + c)) / 2
    radii = np.sqrt(sum((entry.radii**2).sum(axis=0) for entry in after))
    return outward(norms + radii)


def _stepped(loop: ClosedLoop, frame: Frame, squares: Squares) -> tuple[list[Enclosure], list[Enclosure]]:
    """The coordinates of squares, and those after one step."""
    half_widths = np.broadcast_to(squares.half_widths, squares.centres.shape)
    z = Enclosure.coordinates(squares.centres, Domain.box(half_widths))
    with np.errstate(all="ignore"):  # what is not finite passes no test
        return z, frame.coordinates(loop.step(frame.states(z)))
