"""The metrics of a run in files: the lines that count, and copies of them."""

import math
from collections.abc import Mapping
from pathlib import Path

from lac.loggers.copies import Copy, CsvCopy, TensorboardCopy
from lac.loggers.jsonl import JsonlLogger, read_metrics
from lac.settings.logging import CopySettings


class MetricsFiles(JsonlLogger):
    """A file of metrics with its copies, which are made anew from it at the start, so that they never differ from it.

    Args:
        path: The file.
        position: Bytes of it that are kept; what lies behind is removed.
        copies: Which copies are kept beside it.
    """

    def __init__(self, path: Path, position: int, copies: CopySettings) -> None:
        super().__init__(path, position)
        self._copies: list[Copy] = [CsvCopy(path.with_suffix(".csv"))] if copies.csv else []
        if copies.tensorboard:
            self._copies.append(TensorboardCopy(path.with_name("tensorboard")))
        for row in read_metrics(path) if self._copies else ():
            self._copy(row)

    def log(self, metrics: Mapping[str, float]) -> None:
        """Write one line, and copy it."""
        super().log(metrics)
        self._copy({name: value if math.isfinite(value) else None for name, value in metrics.items()})

    def close(self) -> None:
        """Close the file and its copies."""
        super().close()
        for copy in self._copies:
            copy.close()

    def _copy(self, row: Mapping[str, float | None]) -> None:
        for copy in self._copies:
            copy.log(row)
