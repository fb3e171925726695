"""The reason why a training ends before its last step, as a value that the training loop returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from lac.evaluation.ranking import is_better
from lac.settings.training import LoopSettings


class StopKind(Enum):
    """The kinds of an early end."""

    PRUNED = "pruned"
    DIVERGED = "diverged"
    EARLY = "early"


@dataclass(frozen=True)
class Stop:
    """The end of a training before its last step.

    Attributes:
        kind: The kind of the end.
        reason: A sentence for the user; empty if the kind is sufficient.
    """

    kind: StopKind
    reason: str = ""


class EarlyStopping:
    """Follows the tests of a training, and says when they are good enough or improve no more.

    Args:
        loop: Has ``stop_below`` and ``patience``; without both no training stops early.
    """

    def __init__(self, loop: LoopSettings) -> None:
        self._below, self._patience = loop.stop_below, loop.patience
        self._last: dict[str, float] = {}
        self._best: dict[str, float] = {}
        self._since_best = 0

    def add(self, test: Mapping[str, float]) -> None:
        """Take the test of an epoch, see :meth:`RolloutResults.summary`."""
        self._last = {name: test[name] for name in ("death_rate", "settled", "cost_mean") if name in test}
        self._since_best += 1
        if not self._best or is_better(self._last, self._best):
            self._best, self._since_best = self._last, 0

    @property
    def stop(self) -> Stop | None:
        """The reason to stop after the last test; None otherwise."""
        if self._below is not None and self._last and self._last["death_rate"] == 0:
            cost = self._last["cost_mean"]
            if cost < self._below:
                return Stop(StopKind.EARLY, f"cost {cost:.4g} is below {self._below:g}, without early terminations")
        if self._patience is not None and self._since_best >= self._patience:
            return Stop(StopKind.EARLY, f"no better test in {self._since_best} epochs")
        return None

    def state_dict(self) -> dict[str, Any]:
        """The tests that count; the settings are not in it, so that a training may go on with others."""
        return {"last": self._last, "best": self._best, "since_best": self._since_best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._last, self._best, self._since_best = dict(state["last"]), dict(state["best"]), state["since_best"]
