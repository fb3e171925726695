"""The manifest of a grid, ``sweep.json``: the number and the folder of each config, which stay the same.

When the same sweep is started again, it therefore runs only the jobs that are not finished.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lac.files import write_json
from lac.runs.folder import read_object
from lac.settings.training import KEEP_KEYS
from lac.sweeps.queue import Job

MANIFEST = "sweep.json"
_WITHOUT_EFFECT_ON_RESULTS = ("wandb", "loggers", "dry_run", "fail_fast", "resume")


@dataclass(frozen=True)
class GridJob(Job):
    """A job of a grid.

    Attributes:
        digest: Digest of its resolved config, see :func:`config_digest`.
        differences: The overrides that not all jobs of the sweep share.
    """

    digest: str
    differences: tuple[str, ...]


def config_digest(config: Mapping[str, Any]) -> str:
    """A digest that differs for configs with different results."""
    relevant = {name: value for name, value in config.items() if name not in _WITHOUT_EFFECT_ON_RESULTS}
    if isinstance(relevant.get("train"), Mapping):
        relevant["train"] = {name: value for name, value in config["train"].items() if f"train.{name}" not in KEEP_KEYS}
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()[:16]


class Manifest:
    """The jobs that are recorded in a sweep folder.

    Args:
        folder: The sweep folder, which need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: dict[str, dict[str, Any]] = {}
        if (folder / MANIFEST).exists():
            content = read_object(folder / MANIFEST)
            self._entries = {entry["digest"]: entry for entry in content["jobs"]}

    def jobs(
        self, requested: Sequence[tuple[Sequence[str], str]], name: Callable[[Sequence[str]], str]
    ) -> list[GridJob]:
        """The jobs of a grid: recorded jobs keep their number and folder, others get new ones.

        Args:
            requested: The overrides and the digest of each job, in order, without duplicates.
            name: Makes the name of a folder from the differences of a job.
        """
        all_overrides = [overrides for overrides, _ in requested]
        all_overrides += [entry["overrides"] for entry in self._entries.values()]
        shared = set.intersection(*map(set, all_overrides)) if len(all_overrides) > 1 else set()
        number = self._first_free_number()
        jobs: list[GridJob] = []
        for overrides, digest in requested:
            differences = tuple(text for text in overrides if text not in shared)
            entry = self._entries.get(digest)
            if entry is None:
                entry = {"number": number, "folder": f"{number}-{name(differences or overrides)}"}
                number += 1
            jobs.append(GridJob(entry["number"], entry["folder"], tuple(overrides), digest, differences))
        return jobs

    def write(self, jobs: Sequence[GridJob]) -> None:
        """Write the manifest with jobs added; the overrides of recorded jobs are replaced."""
        entries = self._entries | {
            job.digest: {"number": job.number, "folder": job.folder, "digest": job.digest, "overrides": job.overrides}
            for job in jobs
        }
        write_json(self._folder / MANIFEST, {"jobs": sorted(entries.values(), key=lambda entry: entry["number"])})

    def _first_free_number(self) -> int:
        """The number after the largest one in use, including folders outside the manifest, to overwrite none."""
        matches = [re.match(r"\d+", path.name) for path in self._folder.glob("[0-9]*")]
        numbers = [entry["number"] for entry in self._entries.values()]
        numbers += [int(match[0]) for match in matches if match]
        return max(numbers, default=-1) + 1
