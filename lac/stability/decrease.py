"""Whether a candidate decreases along the closed loop, and whether its level sets are invariant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lac.envs.system import BoolArray, FloatArray
from lac.stability.bounds import Proportion, proportion
from lac.stability.candidates import Candidate
from lac.stability.closed_loop import ClosedLoop
from lac.stability.region import in_core

HORIZONS = (1, 2, 5, 10, 20)
_RATIOS = (0.01, 0.5, 0.99)
_LEVELS = 200


@dataclass(frozen=True)
class Decrease:
    """What holds of a candidate.

    Attributes:
        one_step: States of R outside the core where it does not decrease in one step.
        visited: The same for visited states, one of each rollout.
        within: For each ``k``, states of R where it is not lower at any of the steps 1 to ``k``.
        at: For each ``k``, states of R where it is not lower at step ``k``.
        ratios: Quantiles 1 %, 50 % and 99 % of ``V(s') / V(s)`` in R outside the core.
        level: The level set that is examined, chosen on other states; None where no level was found.
        invariance: States in it that leave it in one step.
        level_share: Share of R in the level set.
    """

    one_step: Proportion
    visited: Proportion
    within: Mapping[int, Proportion]
    at: Mapping[int, Proportion]
    ratios: Sequence[float]
    level: float | None
    invariance: Proportion
    level_share: float


class Samples:
    """States with their successors, drawn once for all candidates.

    Args:
        loop: The closed loop.
        states: Independent states, ``[n, state_dim]``.
        core: See :func:`lac.stability.region.in_core`.
        steps: Number of successors.
    """

    def __init__(self, loop: ClosedLoop, states: FloatArray, core: float, steps: int = 1) -> None:
        costs, _ = loop.costs(states)
        self.outside: BoolArray = ~in_core(loop.system, states, costs, core)
        self.states = states
        self.successors: list[FloatArray] = []
        self.in_core: list[BoolArray] = []
        self.terminated: list[BoolArray] = []
        for _ in range(steps):
            states = loop.step(states)
            costs, ends = loop.costs(states)
            self.successors.append(states)
            self.in_core.append(in_core(loop.system, states, costs, core))
            self.terminated.append(ends)


def decrease(
    candidate: Candidate, region: Samples, visited: Samples, pilot: Samples, many_steps: Samples, confidence: float
) -> Decrease:
    """Count where a candidate does not decrease.

    A step that ends in the core counts as a decrease. Terminations do not count here, which are what trajectories are
    judged by, but for the level set: who terminates has left it.

    Args:
        candidate: The candidate.
        region: Fresh states of R with one successor.
        visited: Visited states with one successor, one of each rollout.
        pilot: States of R with one successor, on which the level is chosen and nothing is claimed.
        many_steps: Fresh states of R with ``max(HORIZONS)`` successors.
        confidence: Of each bound.
    """
    now, then = candidate(region.states), candidate(region.successors[0])
    outside = region.outside
    ratios = then[outside] / np.maximum(now[outside], 1e-12)
    level = _invariant_level(candidate, pilot)
    inside = now <= level if level is not None else np.zeros(len(now), np.bool_)
    leaves = ~(then <= level) | region.terminated[0] if level is not None else inside
    first = candidate(many_steps.states)
    is_lower = [_is_lower(many_steps, k, first, candidate(many_steps.successors[k])) for k in range(max(HORIZONS))]
    tested = many_steps.outside
    return Decrease(
        one_step=proportion(~_is_lower(region, 0, now, then)[outside], confidence),
        visited=proportion(
            ~_is_lower(visited, 0, candidate(visited.states), candidate(visited.successors[0]))[visited.outside],
            confidence,
        ),
        within={k: proportion(~np.any(is_lower[:k], axis=0)[tested], confidence) for k in HORIZONS},
        at={k: proportion(~is_lower[k - 1][tested], confidence) for k in HORIZONS},
        ratios=[float(q) for q in np.quantile(ratios, _RATIOS)] if ratios.size else [],
        level=level,
        invariance=proportion(leaves[inside], confidence),
        level_share=float(inside.mean()),
    )


def _is_lower(samples: Samples, k: int, before: FloatArray, after: FloatArray) -> BoolArray:
    return np.asarray((after < before) | samples.in_core[k])


def _invariant_level(candidate: Candidate, pilot: Samples) -> float | None:
    """The highest of many levels that no pilot state crosses upwards in one step; None if each is crossed."""
    now, then = candidate(pilot.states), candidate(pilot.successors[0])
    then = np.where(pilot.terminated[0], np.inf, then)
    levels = np.quantile(now, np.linspace(0.005, 1.0, _LEVELS))
    for level in levels[::-1]:
        if not ((now <= level) & ~(then <= level)).any():
            return float(level)
    return None


def as_numbers(result: Decrease) -> dict[str, Any]:
    """For a report."""
    return {
        "one_step": numbers(result.one_step),
        "visited": numbers(result.visited),
        "k_steps": {str(k): {"within": numbers(result.within[k]), "at": numbers(result.at[k])} for k in HORIZONS},
        "ratio_quantiles": dict(zip(("0.01", "0.5", "0.99"), result.ratios, strict=False)),
        "level": result.level,
        "level_share": result.level_share,
        "invariance": numbers(result.invariance),
    }


def numbers(counted: Proportion) -> dict[str, float]:
    """For a report."""
    return {"n": counted.n, "violations": counted.failures, "bound": counted.bound}
