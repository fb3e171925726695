"""A sine of which only the present value is known, and whether it rises."""

from dataclasses import dataclass

import numpy as np

from lac.envs.system import BoolArray, FloatArray


@dataclass(frozen=True)
class Wave:
    """``r(t) = offset + amplitude sin(frequency t + phase)`` with an unknown phase.

    Attributes:
        offset: Mean of the wave.
        amplitude: Largest distance from it.
        frequency: In radians per unit of time.
    """

    offset: float
    amplitude: float
    frequency: float

    def speed(self, value: FloatArray) -> FloatArray:
        """``|dr/dt|`` where the wave has this value."""
        distance = value - self.offset
        return np.asarray(abs(self.frequency) * np.sqrt(np.maximum(self.amplitude**2 - distance * distance, 0.0)))

    def acceleration(self, value: FloatArray) -> FloatArray:
        """``d^2 r/dt^2`` where the wave has this value."""
        return -(self.frequency**2) * (value - self.offset)

    def after(self, time: float, value: FloatArray, rises: BoolArray) -> FloatArray:
        """The value some time after it had this one, rising or falling."""
        if self.frequency == 0.0:
            return value
        angle = abs(self.frequency) * time
        rate = np.where(rises, 1.0, -1.0) * self.speed(value) / abs(self.frequency)
        return np.asarray(self.offset + (value - self.offset) * np.cos(angle) + rate * np.sin(angle))
