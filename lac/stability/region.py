"""Where a closed loop is examined: start states, all phases of the reference, and the core that is left out."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lac.envs.system import BoolArray, FloatArray, StartRegion, System
from lac.stability.closed_loop import ClosedLoop

_MAX_DRAWS = 50


@dataclass(frozen=True)
class Region:
    """The region R of a system: states from numbers that are uniform in a box, or from resets.

    Attributes:
        system: The system.
        numbers: Its declared region; None draws from resets.
    """

    system: System
    numbers: StartRegion | None

    @classmethod
    def of(cls, system: System) -> "Region":
        """The region that a system declares."""
        return cls(system, system.start_region())

    def starts(self, n: int, rng: np.random.Generator) -> FloatArray:
        """``n`` starts as episodes have them: time 0 where the reference moves, ``[n, state_dim]``."""
        states = self._draw(n, rng)
        if self.system.clock is not None and self.numbers is not None:
            states[:, self.system.clock] = self.numbers.make(self.numbers.low[None])[0, self.system.clock]
        return states

    def states(self, n: int, rng: np.random.Generator, loop: ClosedLoop) -> FloatArray:
        """``n`` states of R, all phases included, in which an episode does not terminate, ``[n, state_dim]``.

        Raises:
            RuntimeError: Nearly all of R terminates.
        """
        found: list[FloatArray] = []
        for _ in range(_MAX_DRAWS):
            drawn = self._draw(n, rng)
            found.append(drawn[~loop.costs(drawn)[1]])
            if sum(map(len, found)) >= n:
                return np.concatenate(found)[:n]
        raise RuntimeError("nearly all states of the region that the system declares terminate an episode at once")

    def made_from(self, draws: FloatArray) -> FloatArray:
        """States from numbers in the unit cube ``[n, k]``; only where the region is declared."""
        assert self.numbers is not None
        low, high = self.numbers.low, self.numbers.high
        return self.numbers.make(low + (high - low) * draws)

    def described(self) -> dict[str, Any]:
        """What it is, for a report."""
        if self.numbers is None:
            return {"kind": "resets"}
        bounds = {"low": self.numbers.low.tolist(), "high": self.numbers.high.tolist()}
        return {"kind": "box", "has_phases": self.system.clock is not None, **bounds}

    def _draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        if self.numbers is not None:
            return self.made_from(rng.random((n, len(self.numbers.low))))
        seeds = rng.integers(2**31, size=n).tolist()
        return np.array([self._reset_state(seed) for seed in seeds])

    def _reset_state(self, seed: int) -> FloatArray:
        self.system.reset(seed=seed)
        return self.system.get_state()["state"]


def core_cost(loop: ClosedLoop, states: FloatArray) -> float:
    """The cost up to which a state of the goal set belongs to the core: see :func:`in_core`.

    It is the lowest cost of sampled states outside the goal set. It depends on the task, and hardly on the policy.

    Args:
        loop: The closed loop.
        states: Among which it is found, ``[n, state_dim]``; nothing is claimed of them.
    """
    outside = states[~_in_goal(loop.system, states)]
    return float(loop.costs(outside)[0].min()) if len(outside) else 0.0


def in_core(system: System, states: FloatArray, costs: FloatArray, core: float) -> BoolArray:
    """Whether states are in the core, in which nothing is asked of a Lyapunov function: goal states of a low cost.

    Args:
        system: With a goal set.
        states: ``[..., state_dim]``
        costs: Of being there, ``[...]``.
        core: Of :func:`core_cost`.
    """
    # A state outside the goal set may cost less than those that were sampled.
    return np.asarray((costs <= core) & _in_goal(system, states))


def _in_goal(system: System, states: FloatArray) -> BoolArray:
    is_inside = system.in_goal(states)
    assert is_inside is not None, "the system has no goal set"
    return is_inside
