"""A learning rate is a pure function of the training progress."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Schedule:
    """How one learning rate goes from ``initial`` to ``final`` over a run.

    A rate of zero stays zero: it means that the parameter is not trained.
    """

    initial: float
    final: float
    decay_type: str

    def __call__(self, progress: float) -> float:
        """The learning rate at ``progress``, from 0 (start) to 1 (end of training)."""
        if self.initial == 0.0 or self.decay_type == "constant":
            return self.initial
        if self.decay_type == "exponential":
            return self.initial * float((self.final / self.initial) ** progress)
        return self.initial * (1.0 - progress * (1.0 - self.final / self.initial))


def schedules(settings: Mapping[str, Any]) -> dict[str, Schedule]:
    """The schedules of the learning rates in ``settings``, which has the argument names of :func:`lac.api.lac`."""
    return {
        name: Schedule(
            initial=settings[name],
            final=settings[f"{name}_final"],
            decay_type=settings[f"{name}_decay_type"] or settings["lr_decay_type"],
        )
        for name in ("lr_a", "lr_c", "lr_alpha", "lr_labda")
        if name in settings
    }
