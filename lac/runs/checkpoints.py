"""The checkpoints of a run: when they are written, which are kept, and which one a run continues from."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lac.files import remove_temporary_files
from lac.runs.folder import CHECKPOINTS, METRICS, checkpoint_files, checkpoint_name
from lac.runs.row_files import RowFiles
from lac.runs.state_file import DamagedError, read_state, write_state
from lac.training.recording import Training

_SHARE = 0.05
"""The largest share of a run's time that is spent on checkpoints, except that at its end."""


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint that was read.

    Attributes:
        path: Its file.
        env_steps: Environment steps up to it.
        training: The state for :class:`~lac.training.trainer.Trainer`.
        record: The state of what records the run.
        rows: The files with the transitions of the replay buffer.
    """

    path: Path
    env_steps: int
    training: dict[str, Any]
    record: dict[str, Any]
    rows: RowFiles


def newest_checkpoint(run_dir: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint of a run, and a sentence about each newer one, which is not whole.

    None where there is no whole one; without sentences, there is none at all.
    """
    problems: list[str] = []
    for path in reversed(checkpoint_files(run_dir)):
        try:
            return _read(run_dir, path), problems
        except DamagedError as error:
            problems.append(f"the checkpoint {path.name} is not whole ({error})")
    return None, problems


def _read(run_dir: Path, path: Path) -> Checkpoint:
    state = read_state(path)
    metrics, needed = run_dir / METRICS, state["record"]["metrics_bytes"]
    has_lines = "metrics" in state["record"]  # checkpoints of earlier versions have none, and need the file
    if needed and not has_lines and (not metrics.is_file() or metrics.stat().st_size < needed):
        raise DamagedError(f"it was written when {METRICS} had {needed} bytes, and that is shorter now")
    rows = RowFiles(path.parent, state["rows"])
    state["training"]["buffer"]["rows"] = rows.rows(state["rows"]["oldest"])
    return Checkpoint(path, state["env_steps"], state["training"], state["record"], rows)


class Checkpoints:
    """Writes the checkpoints of a run.

    One is due when the time between two has passed; if writing takes long, later, so that it stays a small share of the
    run's time.

    Args:
        run_dir: The run folder.
        keep: How many are kept; 0 writes none.
        seconds: Seconds between two.
        after: The checkpoint from which the run continues; newer ones, which are not whole, are removed.
    """

    def __init__(self, run_dir: Path, keep: int, seconds: float, after: Checkpoint | None = None) -> None:
        self._folder, self._keep, self._seconds = run_dir / CHECKPOINTS, keep, seconds
        self._rows = RowFiles(self._folder) if after is None else after.rows
        self._oldest: dict[Path, int] = {}
        remove_temporary_files(self._folder)
        last = None if after is None else after.path
        for path in checkpoint_files(self._folder.parent):
            if last is None or path > last:
                path.unlink()
        self._due = time.monotonic() + seconds

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() >= self._due and self._keep > 0

    def write(self, training: Training, record: Callable[[], Mapping[str, Any]]) -> None:
        """Write one, and remove what is no longer needed.

        Args:
            training: The training, between two steps.
            record: Returns the state of what records the run.

        Raises:
            OSError: It cannot be written; the checkpoints before are as good as ever.
        """
        if self._keep == 0:
            return
        started = time.monotonic()
        try:
            self._folder.mkdir(exist_ok=True)
            rows = self._rows.append(training.buffer)
            state = {
                "env_steps": training.env_steps,
                "training": training.state_dict(with_rows=False),
                "record": record(),
                "rows": rows,
            }
            path = self._folder / checkpoint_name(training.env_steps)
            write_state(path, state)
            self._oldest[path] = rows["oldest"]
            self._remove_others()
        finally:
            now = time.monotonic()
            self._due = now + max(self._seconds, (now - started) * (1.0 / _SHARE - 1.0))

    def _remove_others(self) -> None:
        files = checkpoint_files(self._folder.parent)
        for path in files[: -self._keep]:
            path.unlink()
            self._oldest.pop(path, None)
        # What an earlier process has written may need rows that this one does not know of.
        self._rows.remove_before(min(self._oldest.get(path, 0) for path in files[-self._keep :]))
