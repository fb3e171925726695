"""What an epoch gathers: the diagnostics of its updates, and its times."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lac.engines import Diagnostics


class EpochDiagnostics:
    """The diagnostics of the updates since the last epoch, of which metrics are the means.

    Args:
        names: Their names.
        device: Where the engine computes them.
    """

    def __init__(self, names: tuple[str, ...], device: torch.device) -> None:
        self._names, self._device = names, device
        self._updates: list[Mapping[str, Tensor] | Tensor] = []

    def __len__(self) -> int:
        """The number of updates."""
        return len(self._updates)

    def add(self, update: Mapping[str, Tensor]) -> None:
        """Add what an update has returned."""
        self._updates.append(update)

    def means(self) -> dict[str, float]:
        """The mean of each quantity, copied to the CPU in one transfer; none without updates."""
        if not self._updates:
            return {}
        return dict(zip(self._names, self._rows().mean(dim=0).tolist(), strict=True))

    def clear(self) -> None:
        """Begin a new epoch."""
        self._updates = []

    def state_dict(self) -> dict[str, Any]:
        """The diagnostics of each update, ``[n, names]``; None without updates."""
        return {"rows": self._rows().cpu() if self._updates else None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        rows = state["rows"]
        self._updates = [] if rows is None else list(rows.to(self._device))

    def _rows(self) -> Tensor:
        return torch.stack([self._row(update) for update in self._updates])

    def _row(self, update: Mapping[str, Tensor] | Tensor) -> Tensor:
        if isinstance(update, Tensor):
            return update
        if isinstance(update, Diagnostics):
            return torch.from_numpy(update.numbers)
        return torch.stack([update[name] for name in self._names])


class Clock:
    """Measures the seconds since the start, interruptions left out, and the speed of the current epoch."""

    def __init__(self) -> None:
        self._before = {"run": 0.0, "epoch": 0.0, "updates": 0.0}
        self.begin()

    def begin(self) -> None:
        """Start to measure; what was measured before an interruption counts."""
        now = time.perf_counter()
        self._start, self._epoch_start = now - self._before["run"], now - self._before["epoch"]
        self._update_seconds = self._before["updates"]

    @contextmanager
    def updating(self) -> Iterator[None]:
        """A context whose time is that of updates."""
        started = time.perf_counter()
        yield
        self._update_seconds += time.perf_counter() - started

    def metrics(self, steps: int, updates: int) -> dict[str, float]:
        """The times of the epoch that ends now; starts the next epoch."""
        now = time.perf_counter()
        metrics = {
            "time/seconds": now - self._start,
            "time/steps_per_second": steps / (now - self._epoch_start),
            "time/updates_per_second": updates / self._update_seconds if updates else 0.0,
        }
        self._epoch_start, self._update_seconds = now, 0.0
        return metrics

    def state_dict(self) -> dict[str, float]:
        """The seconds since the start, since that of the epoch, and in updates."""
        now = time.perf_counter()
        return {"run": now - self._start, "epoch": now - self._epoch_start, "updates": self._update_seconds}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Continue from what :meth:`state_dict` returned, from the next call of :meth:`begin` on."""
        self._before = dict(state)
