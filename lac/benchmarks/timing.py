"""Timing several things in turn, round after round, so that what else the machine does disturbs all alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Seconds of one thing, a number per round.

    Attributes:
        name: What was timed.
        cpu: Seconds of the CPU, which other processes disturb less than those of the clock.
        wall: Seconds of the clock.
    """

    name: str
    cpu: Sequence[float]
    wall: Sequence[float]

    @property
    def cpu_median(self) -> float:
        """The median of the seconds of the CPU."""
        return float(np.median(self.cpu))

    @property
    def wall_median(self) -> float:
        """The median of the seconds of the clock."""
        return float(np.median(self.wall))

    def per(self, number: float) -> "Timing":
        """The timing of one of ``number`` equal parts of a call."""
        return Timing(self.name, [t / number for t in self.cpu], [t / number for t in self.wall])

    def ratios(self, floor: "Timing") -> list[float]:
        """Seconds of the CPU as multiples of those of a floor, round by round."""
        return [own / limit for own, limit in zip(self.cpu, floor.cpu, strict=True)]


def timed_in_turn(things: Mapping[str, Callable[[], object]], rounds: int, round_seconds: float) -> dict[str, Timing]:
    """Time each thing once a round.

    Args:
        things: Functions by what they do.
        rounds: Number of rounds.
        round_seconds: Seconds spent on each thing in a round, after one call that is not counted.
    """
    timings = {name: Timing(name, [], []) for name in things}
    for _ in range(rounds):
        for name, call in things.items():
            cpu, wall = _seconds_per_call(call, round_seconds)
            timings[name] = Timing(name, [*timings[name].cpu, cpu], [*timings[name].wall, wall])
    return timings


def _seconds_per_call(call: Callable[[], object], at_least: float) -> tuple[float, float]:
    call()
    cpu, wall, calls = time.process_time(), time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - wall < at_least:
        call()
        calls += 1
    return (time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls
