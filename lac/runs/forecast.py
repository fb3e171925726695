"""How long the rest of a run takes, said once, as soon as its speed is known on this machine."""

from collections.abc import Mapping

from lac.settings.training import LoopSettings

_WORTH_SAYING = 10
"""Seconds to go below which nothing is said."""


class Forecast:
    """Estimates the time that a run has to go.

    Updates are counted apart from steps and tests: the first epochs have fewer of them than the later ones, or none.

    Args:
        loop: The length of the run, its rounds of updates and its tests.
    """

    def __init__(self, loop: LoopSettings) -> None:
        self._loop = loop
        self._is_said = False

    def after(self, metrics: Mapping[str, float]) -> str | None:
        """A sentence after an epoch with these metrics; None if there is nothing to say, or no longer."""
        seconds = None if self._is_said else self._seconds_left(metrics)
        if seconds is None:
            return None
        self._is_said = True
        return f"  about {_duration(seconds)} to go at this speed" if seconds >= _WORTH_SAYING else None

    def _seconds_left(self, metrics: Mapping[str, float]) -> float | None:
        """The seconds from here to the end; None before the first update, unless there will be none."""
        loop, steps = self._loop, int(metrics["env_steps"])
        updates = loop.updates_until(steps) - loop.updates_until(steps - loop.steps_per_epoch)
        if metrics["time/updates_per_second"] == 0:  # of a finite horizon, before the first of its sums is complete
            updates = 0
        updates_left = loop.total_updates - loop.updates_until(steps)
        if updates == 0 and updates_left > 0:
            return None
        epoch = loop.steps_per_epoch / metrics["time/steps_per_second"]
        per_update = 1.0 / metrics["time/updates_per_second"] if updates else 0.0
        others = max(0.0, epoch - updates * per_update)
        return others * (loop.total_steps - steps) / loop.steps_per_epoch + updates_left * per_update


def _duration(seconds: float) -> str:
    """A rounded duration in words."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
