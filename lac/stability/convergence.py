"""Whether trajectories reach the goal set and stay in it, how fast, and under which pushes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lac.envs.system import BoolArray, FloatArray
from lac.stability.bounds import Proportion, proportion, quantile_bound
from lac.stability.closed_loop import ClosedLoop, Outcome, Push

_QUANTILE = 0.99
RUNGS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Pushes as multiples of the half-width of the actions."""


@dataclass(frozen=True)
class Rung:
    """Trajectories that were pushed in the middle of their time.

    Attributes:
        magnitude: Of the external force in one step, each entry with a random sign, in its own units.
        failures: Trajectories that terminated or were not back in the goal set to stay.
    """

    magnitude: float
    failures: Proportion


def failed(outcome: Outcome) -> BoolArray:
    """Whether each trajectory terminated or did not settle, ``[n]``."""
    return ~np.isfinite(outcome.settling_steps)


def settling(outcome: Outcome, confidence: float) -> dict[str, float]:
    """Settling time, overshoot, peak cost and error after the transient, each with a bound of its 99 % quantile.

    What is infinite stays so, and NaN counts as infinite: a trajectory that never settled is the slowest.
    """
    times = outcome.settling_steps
    quantities = {
        "": times,
        "overshoot_": outcome.overshoot,
        "peak_cost_": outcome.peak_costs,
        "late_rmse_": outcome.late_rmse,
    }
    result: dict[str, float] = {}
    for name, numbers in quantities.items():
        values = np.where(np.isnan(numbers), np.inf, numbers)
        result[f"{name}median"] = float(np.median(values))
        result[f"{name}max"] = float(values.max())
        result[f"{name}quantile_99_bound"] = quantile_bound(values, _QUANTILE, confidence)
    return result


def ladder(
    loop: ClosedLoop, starts: FloatArray, steps: int, confidence: float, rng: np.random.Generator
) -> Sequence[Rung]:
    """Trajectories under a push of one step in the middle, the same starts and signs on every rung.

    Args:
        loop: The closed loop; without an entry of an external force there are no rungs.
        starts: ``[n, state_dim]``.
        steps: Length of a trajectory.
        confidence: Of each bound.
        rng: Draws the signs.
    """
    num_forces = len(loop.system.external_force)
    if num_forces == 0:
        return []
    space = loop.system.action_space
    half_width = float(np.mean((space.high - space.low) / 2))
    signs = rng.choice([-1.0, 1.0], size=(len(starts), num_forces))
    rungs = []
    for multiple in RUNGS:
        outcome = loop.run(starts, steps, Push(steps // 2, multiple * half_width * signs))
        rungs.append(Rung(multiple * half_width, proportion(failed(outcome), confidence)))
    return rungs


def largest_passed(rungs: Sequence[Rung], probability: float) -> float | None:
    """The highest magnitude up to which each rung fails with at most ``1 - probability``; None if there is none."""
    passed = None
    for rung in rungs:
        if rung.failures.bound > 1 - probability:
            break
        passed = rung.magnitude
    return passed
