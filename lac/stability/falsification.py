"""The search for a state at which a candidate does not decrease."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import differential_evolution

from lac.envs.system import FloatArray
from lac.stability.candidates import Candidate
from lac.stability.closed_loop import ClosedLoop
from lac.stability.region import Region, in_core

_POPULATION = 200
_GENERATIONS = 99
_NOTHING = -10.0
"""Stands for minus infinity, which the search could not compute with; an increase is at least -1."""


class Falsification(NamedTuple):
    """The result of a search."""

    evaluations: int
    """States that were tried."""
    found: bool
    """Whether the candidate does not decrease at the worst of them."""
    worst: float
    """Largest ``V(s') / V(s) - 1`` outside the core; minus infinity where all tried states are in it."""
    state: FloatArray
    """Where that is, ``[state_dim]``."""


def falsify(candidate: Candidate, loop: ClosedLoop, region: Region, core: float, seed: int) -> Falsification:
    """Search R for the largest relative increase outside the core, by differential evolution (Storn and Price 1997).

    Args:
        candidate: The candidate.
        loop: The closed loop.
        region: A declared region.
        core: See :func:`lac.stability.region.in_core`.
        seed: Of the search.
    """
    assert region.numbers is not None
    evaluations = 0

    def decrease(columns: FloatArray) -> FloatArray:
        nonlocal evaluations
        evaluations += columns.shape[1]
        return -_relative_increase(candidate, loop, region.made_from(columns.T), core)

    free = region.numbers.high > region.numbers.low
    bounds = [(0.0, 1.0 if is_free else 1e-12) for is_free in free]
    first = np.random.default_rng(seed).random((_POPULATION, len(bounds))) * np.array(bounds)[:, 1]
    result = differential_evolution(
        decrease,
        bounds,
        init=first,
        maxiter=_GENERATIONS,
        tol=0.0,
        atol=-1.0,  # run to the end: values outside any state's reach are all equal at first
        mutation=(0.5, 1.0),
        rng=np.random.default_rng(seed),
        polish=False,
        vectorized=True,
        updating="deferred",
    )
    worst = -float(result.fun)
    if worst == _NOTHING:
        worst = -np.inf
    return Falsification(evaluations, worst >= 0.0, worst, region.made_from(result.x[None])[0])


def _relative_increase(candidate: Candidate, loop: ClosedLoop, states: FloatArray, core: float) -> FloatArray:
    costs, is_over = loop.costs(states)
    after = loop.step(states)
    after_costs, _ = loop.costs(after)
    now, then = candidate(states), candidate(after)
    increase = then / np.maximum(now, 1e-12) - 1.0
    increase = np.where(then < now, increase, np.maximum(increase, 0.0))  # where V is nearly zero, or stays the same
    increase = np.where(np.isnan(increase), np.inf, increase)  # of a state that overflows
    # The core, and what is over already, say nothing; values lead the search out of it.
    begins_in_core, ends_in_core = (in_core(loop.system, *at, core) for at in ((states, costs), (after, after_costs)))
    return np.where(begins_in_core | is_over | ends_in_core, _NOTHING, increase)
