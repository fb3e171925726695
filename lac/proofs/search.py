"""The search for what can be proved near the equilibrium. Nothing here is trusted: :mod:`ellipses` decides."""

import contextlib
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_discrete_lyapunov

from lac.proofs.closed_loop import ClosedLoop
from lac.proofs.covers import MOST, Squares, failing, square_around_disc
from lac.proofs.domains import FloatArray
from lac.proofs.ellipses import Frame, contracts, converges, decrease_test, decreases, rest_radius, slope_norms, traps
from lac.proofs.enclosures import NotProvedError
from lac.proofs.flow import HORIZON

_WEIGHTS = np.logspace(-2, 2, 17)
_RINGS, _ANGLES = 100, 64
_SMALLEST_RING = 1e-4  # of the region's widths, about, where nothing but rounding keeps the loop from its equilibrium
_LEVEL_DEPTH = 16
_JACOBIAN_STEPS = (1e-3, 1e-2, 1e-5)  # of the region's widths
_TRAPS = 16
_TRIED = 6  # frames for each of them
_LARGEST_CONTRACTION = 0.999


class Levels(NamedTuple):
    """Levels of V with a meaning; see :class:`lac.proofs.certificate.Certificate`."""

    core: float
    contraction: float
    trap: float
    level: float


def find_equilibrium(loop: ClosedLoop, low: FloatArray, high: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The state ``[2]`` that a simulation comes to rest in, after steps of Newton's method.

    Raises:
        NotProvedError: None of the simulations comes to rest within the limits.
    """
    states = rng.uniform(low, high, (64, 2))
    with np.errstate(all="ignore"):
        for _ in range(2 * HORIZON):
            states = loop.simulate(states)
            states = states[~loop.have_terminated(states)]
            if not len(states):
                break
    if not len(states):
        raise NotProvedError("every simulation leaves the limits, so there is nothing to be proved")
    rest = np.abs(loop.simulate(states) - states).max(axis=1)
    best = states[rest.argmin()]
    if rest.min() > 1e-3 * (high - low).max():
        raise NotProvedError("no simulation comes to rest, so there is no equilibrium to prove anything about")
    for _ in range(20):
        slopes = np.eye(2) - jacobian(loop, best, 1e-7 * (high - low))
        move = np.linalg.lstsq(slopes, _drift(loop, best))[0]
        if np.abs(_drift(loop, best + move)).max() < np.abs(_drift(loop, best)).max():
            best = best + move
    return np.asarray(best)


def _drift(loop: ClosedLoop, state: FloatArray) -> FloatArray:
    return np.asarray((loop.simulate(state[None]) - state)[0])


def jacobian(loop: ClosedLoop, state: FloatArray, steps: FloatArray) -> FloatArray:
    """The Jacobian of one step by central differences, ``[2, 2]``."""
    moves = np.diag(steps)
    difference = loop.simulate(state + moves) - loop.simulate(state - moves)
    return np.asarray((difference / (2 * steps[:, None])).T)


def find_frame(loop: ClosedLoop, centre: FloatArray, widths: FloatArray, deadline: float) -> tuple[Frame, Levels]:
    """The frame with the largest ellipse in which samples decrease, of those with a proof, and what is proved.

    Raises:
        NotProvedError: No ellipse around the equilibrium can be proved.
    """
    for step in _JACOBIAN_STEPS:
        frames = sorted(_candidates(loop, centre, widths, step), key=lambda pair: -pair[0])
        for _, frame in frames[:_TRIED]:
            contracting = find_core(loop, frame)
            if contracting is None or time.monotonic() > deadline:
                continue
            core, contraction = contracting
            trap = find_trap(loop, frame, core)
            level = find_level(loop, frame, trap, _sampled_level(loop, frame, trap))
            levels = Levels(core, contraction, trap, level)
            if converges(loop, frame, *levels):
                return frame, levels
    raise NotProvedError(
        "no ellipse around the equilibrium can be proved to attract: it may be unstable or only just stable, or the "
        "policy has a bend there, as one of relu without biases has, which tanh does not have (network.activation, "
        "network.output_activation)"
    )


def _candidates(loop: ClosedLoop, centre: FloatArray, widths: FloatArray, step: float) -> Iterator[tuple[float, Frame]]:
    """Frames of solutions of the discrete Lyapunov equation, and the area in which samples decrease."""
    A = jacobian(loop, centre, step * widths)
    if np.abs(np.linalg.eigvals(A)).max() >= 1:
        return
    for weight in _WEIGHTS:
        P = solve_discrete_lyapunov(A.T, np.diag([1.0, weight] / widths**2))
        with contextlib.suppress(LinAlgError):
            frame = Frame(centre, np.linalg.inv(cholesky(P)))
            norm = np.linalg.norm(np.linalg.inv(frame.basis) @ A @ frame.basis, 2)
            if norm < _LARGEST_CONTRACTION:
                inner = max(2 * rest_radius(loop, frame, float(norm)), _SMALLEST_RING)
                level = _sampled_level(loop, frame, inner**2)
                yield level * abs(np.linalg.det(frame.basis)), frame


def find_core(loop: ClosedLoop, frame: Frame) -> tuple[float, float] | None:
    """The largest core in which the loop contracts, squares of one size allowing, and its contraction."""
    radii = np.logspace(0, -6, 40)
    whole = Squares(np.zeros((2, len(radii))), radii)
    for i in np.flatnonzero(slope_norms(loop, frame, whole) < 1.5):
        squares = square_around_disc(radii[i] ** 2)
        norm = slope_norms(loop, frame, squares.where(squares.smallest_norms() <= radii[i] ** 2)).max()
        if norm < _LARGEST_CONTRACTION and contracts(loop, frame, radii[i] ** 2, norm):
            return float(radii[i] ** 2), float(norm)
    return None


def find_trap(loop: ClosedLoop, frame: Frame, core: float) -> float:
    """The smallest of some levels from the core up that traps every trajectory, and outside of which V decreases."""
    for trap in core * 1.7 ** np.arange(_TRAPS):
        if traps(loop, frame, trap) and decreases(loop, frame, trap, 2 * trap):
            return float(trap)
    return float(core)


def _rings(radii: FloatArray) -> FloatArray:
    angles = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    return np.asarray(radii[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], -1))


def _sampled_level(loop: ClosedLoop, frame: Frame, core: float) -> float:
    """The level up to which samples decrease, from the core outwards."""
    radii = np.sqrt(core) * np.logspace(0, 4, _RINGS)
    z = _rings(radii)
    states = (frame.centre + z @ frame.basis.T).reshape(-1, 2)
    with np.errstate(all="ignore"):
        after = (loop.simulate(states) - frame.centre) @ np.linalg.inv(frame.basis).T
        norms = np.linalg.norm(after, axis=1).reshape(z.shape[:2]).max(axis=1)
        ends = loop.have_terminated(states).reshape(z.shape[:2]).any(axis=1)
    bad = np.flatnonzero(ends | ~(norms < radii * (1 - 1e-3)))
    first = bad[0] if len(bad) else len(radii) - 1
    return float(radii[first] ** 2)


def find_level(loop: ClosedLoop, frame: Frame, core: float, largest: float) -> float:
    """The largest level up to ``largest`` that is proved: squares that fail lower it, at once where it is really so."""
    test, level = decrease_test(loop, frame, core), largest
    squares = square_around_disc(largest)
    for _ in range(_LEVEL_DEPTH):
        squares = failing(test, squares.where(squares.smallest_norms() <= level))
        if not squares.half_widths.size:
            return level
        if squares.half_widths.size > MOST:
            break
        z = squares.centres.T
        states = frame.centre + z @ frame.basis.T
        after = (loop.simulate(states) - frame.centre) @ np.linalg.inv(frame.basis).T
        before = (z**2).sum(axis=1)
        violates = ((after**2).sum(axis=1) >= before) & (before > core) | loop.have_terminated(states)
        level = min([level, *before[violates]])
        squares = squares.quartered()
    smallest = squares.smallest_norms()
    return float(min([level, *smallest]) * (1 - 1e-6))
