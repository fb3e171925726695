"""What is timed, and its timing for one round."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Thing:
    """Something that is timed, and the seconds that it took.

    Attributes:
        group: What it is compared with.
        name: What it is.
        call: Does it.
        parts: A call consists of so many equal parts, such as the updates of a round; seconds are those of a part.
        flops: Floating-point operations of the matrix products of a part; 0 where they are not counted.
        cpu: Seconds of the CPU of this process, all threads together, which other processes disturb less than those
            of the clock; a number for each round.
        wall: Seconds of the clock.
    """

    group: str
    name: str
    call: Callable[[], object]
    parts: int = 1
    flops: float = 0.0
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def time(self, seconds: float) -> None:
        """Call it for that many seconds of the clock, at least once, after one call that is not counted."""
        self.call()
        calls, cpu, wall = 0, time.process_time(), time.perf_counter()
        while calls == 0 or time.perf_counter() - wall < seconds:
            self.call()
            calls += 1
        number = calls * self.parts
        self.cpu.append((time.process_time() - cpu) / number)
        self.wall.append((time.perf_counter() - wall) / number)

    def as_data(self) -> dict[str, object]:
        """What was measured, in types of JSON."""
        return {
            "group": self.group,
            "name": self.name,
            "flops": self.flops,
            "cpu_seconds": self.cpu,
            "wall_seconds": self.wall,
        }
