"""What an examination of a closed loop takes, and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lac.agents import LAC
from lac.envs.system import FloatArray
from lac.evaluation.final_tests import LONG
from lac.stability.bounds import Proportion
from lac.stability.candidates import Candidate
from lac.stability.closed_loop import ClosedLoop, Outcome, Traces
from lac.stability.convergence import Rung, failed
from lac.stability.decrease import Decrease, Samples
from lac.stability.falsification import Falsification


@dataclass(frozen=True)
class Effort:
    """How many states and trajectories are examined.

    Attributes:
        states: Of the one-step decrease.
        many_steps: Of the decrease within several steps.
        rollouts: Trajectories from the start region.
        pilot: States and trajectories of each pilot sample, on which nothing is claimed.
        fit: States of the fit.
        iterations: Steps of the optimiser in the fit.
        pushed: Trajectories on each rung of the ladder.
        long: Length of a trajectory in episodes of the training.
    """

    states: int = 100_000
    many_steps: int = 20_000
    rollouts: int = 1000
    pilot: int = 2000
    fit: int = 24_000
    iterations: int = 1500
    pushed: int = 500
    long: int = LONG


class TrainedFor(NamedTuple):
    """What a learned Lyapunov function was trained to be."""

    alpha3: float
    """The decrease that was asked for, as a share of the cost."""
    gamma: float
    """Discount of the sum of costs that it stands for."""
    horizon: int = 0
    """Steps of that sum, not discounted then; 0 is the infinite one."""

    @classmethod
    def of(cls, agent: LAC, horizon: int = 0) -> "TrainedFor":
        """What the settings of an agent say, which do not have the horizon."""
        return cls(agent.settings.alpha3, agent.settings.gamma, horizon)


@dataclass
class Examination:
    """Everything that was found of one closed loop.

    Attributes:
        region: What the starts are drawn from.
        steps: Length of the trajectories that did not terminate; of the shortest one.
        goal_tolerance: Smallest tolerance of an entry of the error in the goal set; None without states.
        core: Of :func:`lac.stability.region.core_cost`; None where states cannot be set.
        candidates: What holds of each candidate, by its name.
        missing: Why there is no such candidate, by its name.
        best: The candidate with the fewest violations among pilot states; None without one.
        rollouts: Trajectories that terminated or did not settle.
        terminated: Trajectories that terminated.
        settling: Of :func:`lac.stability.convergence.settling`.
        mean_condition: Of :func:`lac.stability.critic.mean_condition`; None without a learned function.
        critic: Of :func:`lac.stability.critic.honesty`; None without one.
        rungs: The ladder of pushes.
        falsification: Of the best candidate; None without one or without a declared region.
        failures: Starts of trajectories that failed, ``[n, state_dim]``.
        multipliers: Floquet multipliers of the orbit; None without one.
        functions: The candidates themselves, for pictures.
        outcome: The trajectories that were counted, for pictures.
        traces: A few recorded ones, for pictures.
        loop: The closed loop, for pictures.
        sample: Pilot states of R with a successor, for pictures.
        honesty: Values of the learned function and simulated sums of the cost, for a picture.
        seconds: Of each part.
    """

    region: Mapping[str, Any]
    steps: int
    rollouts: Proportion
    terminated: int
    settling: Mapping[str, float]
    goal_tolerance: float | None = None
    core: float | None = None
    candidates: dict[str, Decrease] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    best: str | None = None
    mean_condition: Mapping[str, Any] | None = None
    critic: Mapping[str, Any] | None = None
    rungs: Sequence[Rung] = ()
    falsification: Falsification | None = None
    failures: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    multipliers: FloatArray | None = None
    functions: dict[str, Candidate] = field(default_factory=dict)
    outcome: Outcome | None = None
    traces: Traces | None = None
    loop: ClosedLoop | None = None
    sample: Samples | None = None
    honesty: tuple[FloatArray, FloatArray] | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def terminated_starts(self) -> FloatArray:
        """The starts among ``failures`` of trajectories that terminated, ``[n, state_dim]``."""
        if self.outcome is None:
            return self.failures
        return np.asarray(self.failures[self.outcome.terminated[failed(self.outcome)]])
