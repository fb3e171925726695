"""A run that goes on: in its own folder, from its newest whole checkpoint."""

import os
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from lac.agents.policy_files import policy_path
from lac.files import write_bytes
from lac.loggers.wandb import WandbSettings
from lac.runs.checkpoints import Checkpoint, newest_checkpoint
from lac.runs.config_file import read_config
from lac.runs.folder import (
    ATTEMPTS,
    CONFIG,
    FINISHED,
    INTERRUPTED,
    METRICS,
    PRUNED,
    SUMMARY,
    UNMADE,
    RunError,
    is_multi_seed,
    locked_run,
    read_summary,
    status,
)
from lac.runs.provenance import changes_since
from lac.settings.policies import BEST
from lac.training.stopping import Stop

AUTO = "auto"
_OF_ENVIRONMENT = ("id", "kwargs", "max_episode_steps", "reward_max", "goal_tolerance")


@dataclass(frozen=True)
class Resumption:
    """What a run continues from.

    Attributes:
        folder: The run folder.
        summary: Its summary, as the run has left it.
        checkpoint: The checkpoint; None where the run has not come to its first one, and begins again.
        notes: Sentences about checkpoints that are not whole.
    """

    folder: Path
    summary: Mapping[str, Any]
    checkpoint: Checkpoint | None
    notes: list[str] = field(default_factory=list)

    @property
    def training(self) -> Mapping[str, Any] | None:
        """The state of the training; None at the beginning."""
        return None if self.checkpoint is None else self.checkpoint.training

    @property
    def record(self) -> Mapping[str, Any]:
        """The state of what recorded the run; empty at the beginning."""
        return {} if self.checkpoint is None else self.checkpoint.record

    @property
    def seed(self) -> int | None:
        """The seed of the run; None where it has recorded none."""
        seed = self.summary.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def wandb_id(self) -> str | None:
        """The id of the run on W&B, which it also has where it begins again."""
        described: Mapping[str, Any] = self.record.get("wandb") or self.summary.get("wandb") or {}
        return described.get("id")

    def labels(self, settings: WandbSettings, kept: Collection[str]) -> WandbSettings:
        """The labels of the run on W&B, which is the same run there.

        Args:
            settings: Mode and labels of this call.
            kept: The labels that stay as they were.
        """
        before = self.record.get("wandb", {}).get("labels", {})
        return replace(settings, **{name: before[name] for name in kept if name in before})

    @property
    def env_steps(self) -> int:
        """The environment steps that have been taken."""
        return 0 if self.checkpoint is None else self.checkpoint.env_steps

    @property
    def lines(self) -> list[str]:
        """From where the run continues, and why not from a later checkpoint, in words."""
        place = "the beginning, since it has no checkpoint yet"
        if self.checkpoint is not None:
            place = f"step {self.env_steps} ({self.checkpoint.path.name})"
        return [*(f"  note       {note}" for note in self.notes), f"  continues  from {place}"]

    def restore_metrics(self) -> str | None:
        """Put the lines of metrics back to what they were at the checkpoint; returns a sentence if they had changed."""
        saved, file = self.record.get("metrics"), self.folder / METRICS
        if saved is None:
            return None
        lines = zlib.decompress(saved.tobytes())
        found = file.read_bytes()[: len(lines)] if file.is_file() else b""
        if found == lines:
            return None
        write_bytes(file, lines)
        if not found:
            return f"{METRICS} was missing or empty; it has the lines of the checkpoint again"
        pairs = zip_longest(found.split(b"\n"), lines.split(b"\n"))
        number = next(i for i, (one, other) in enumerate(pairs, start=1) if one != other)
        return f"line {number} of {METRICS} was not what the run had written; it is put back as the checkpoint has it"

    def restore_best_policy(self) -> None:
        """Put the best policy back to what it was at the checkpoint."""
        best = self.record.get("best_policy")
        if best is not None:
            write_bytes(policy_path(self.folder, BEST), best.tobytes())

    def raise_if_nothing_is_left(self, is_complete: bool, stop: Stop | None) -> None:
        """Raise an error where a finished run would be given no more steps.

        Args:
            is_complete: Whether no further step follows.
            stop: Why it ends before its last epoch, if it does.
        """
        if is_complete and self.summary.get("status") == FINISHED:
            if stop is not None:
                change = "change stop_below or patience, or leave out the callback that stopped it, to extend it"
                raise RunError(f"{self.folder} stopped early ({stop.reason}); {change}")
            raise RunError(f"{self.folder} is finished; give more epochs than it has, to extend it")

    def raise_if_other_environment(self, part: Mapping[str, Any], unmade: str | None) -> None:
        """Raise an error where an environment is not that of the run, as far as both can be made by name.

        Args:
            part: The part ``env`` of the config that the training has now.
            unmade: Why its environment cannot be made from it, if so.
        """
        file = self.folder / CONFIG
        if unmade is not None or self.summary.get(UNMADE) is not None or not file.is_file():
            return
        before = read_config(file).get("env", {})
        # Earlier versions wrote ids without the module that registers them.
        own, there = ({name: one.get(name) for name in _OF_ENVIRONMENT} for one in (part, before))
        own["id"], there["id"] = (str(one["id"]).rpartition(":")[2] for one in (own, there))
        changed = [f"{name} {own[name]!r} instead of {there[name]!r}" for name in own if own[name] != there[name]]
        if changed:
            raise RunError(
                f"env_fn makes another environment than that of {self.folder}: {', '.join(changed)}; a run goes on in "
                "the environment in which it was begun"
            )

    def entry(self, deviations: Iterable[str]) -> dict[str, Any]:
        """This resumption as the summary of the run lists it.

        Args:
            deviations: Why the training does not continue with the same bits.
        """
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "env_steps": self.env_steps,
            "checkpoint": None if self.checkpoint is None else self.checkpoint.path.name,
            "deviations": [*deviations, *changes_since(self.summary)],
        }


@contextmanager
def resumed(folder: Path) -> Iterator[Resumption]:
    """Read what a run continues from; within the block no other process can have the folder.

    Raises:
        RunError: There is no such run, it cannot be continued, or another process has it.
    """
    if not (folder / SUMMARY).is_file():
        raise RunError(f"{folder} has no {SUMMARY}: no run has begun there that could go on; give the folder of a run")
    if is_multi_seed(folder):
        raise RunError(f"{folder} holds a run for each of several seeds; give {folder / 'seed-K'}")
    lock = locked_run(folder)
    try:
        summary = read_summary(folder)
        state = summary.get("status")
        if state == PRUNED:
            raise RunError(f"{folder} was pruned by its search, so it does not go on; train another run")
        checkpoint, notes = newest_checkpoint(folder)
        if checkpoint is None and (notes or state == FINISHED):
            why = "; ".join(notes) if notes else "it was trained with keep_checkpoints=0 or by an earlier version"
            raise RunError(f"{folder} has no checkpoint to go on from ({why}); train the run again")
        if checkpoint is not None and notes:
            notes.append(f"{checkpoint.path.name} before it is used")
        yield Resumption(folder, summary, checkpoint, notes)
    finally:
        lock.release()


def newest_unfinished(root: Path) -> Path:
    """The run, or the job of several seeds, below a folder that was interrupted last.

    Raises:
        RunError: There is none.
    """
    found: list[tuple[float, Path]] = []
    for here, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != ATTEMPTS and not name.startswith(".")]
        if SUMMARY in files:
            folder = Path(here)
            if _is_interrupted(folder):
                found.append((max((folder / name).stat().st_mtime for name in files), folder))
    if not found:
        raise RunError(f"there is no unfinished run in {root}; give the folder of a run")
    newest = max(found)[1]
    return newest.parent if _is_seed_of_job(newest) else newest


def _is_interrupted(folder: Path) -> bool:
    try:
        return status(folder) == INTERRUPTED
    except RunError:
        return False


def _is_seed_of_job(folder: Path) -> bool:
    try:
        return is_multi_seed(folder.parent)
    except RunError:
        return False
