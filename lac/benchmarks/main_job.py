"""The main job from typing to prompt: a whole run in a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lac.runs.folder import METRICS, SUMMARY

MAIN_JOB = ("env=oscillator", "algo.alpha3=0.1", "device=cpu", "wandb.mode=offline", "seed=0")
"""The command of the README, without what would differ between machines: a GPU, an account at W&B, the seed."""


class MainJob:
    """Trains with the command line, and keeps the seconds of each run.

    Args:
        arguments: The arguments of ``train``.

    Attributes:
        problem: A sentence about a run that failed; None if none has.
    """

    def __init__(self, arguments: Sequence[str] = MAIN_JOB) -> None:
        self._arguments = list(arguments)
        self._runs: list[dict[str, float | None]] = []
        self.problem: str | None = None

    def run(self) -> None:
        """Train once, in a temporary folder, unless a run before has failed."""
        if self.problem is not None:
            return
        with TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "lac", "train", *self._arguments, f"hydra.run.dir={folder}/run"]
            before, started = os.times(), time.perf_counter()
            ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=_environment(), check=False)
            wall, after = time.perf_counter() - started, os.times()
            if ended.returncode != 0:
                self.problem = f"the main job failed: {ended.stderr.strip()[-500:]}"
                return
            last = (Path(folder) / "run" / METRICS).read_text(encoding="utf-8").splitlines()[-1]
            summary = json.loads((Path(folder) / "run" / SUMMARY).read_text(encoding="utf-8"))
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        self._runs.append(
            {
                "training_seconds": json.loads(last)["time/seconds"],
                "wall_seconds": wall,
                "cpu_seconds": spent,
                "final_cost": summary["final"].get("cost_mean"),
            }
        )

    def as_data(self) -> dict[str, object]:
        """What was measured, in types of JSON."""
        return {"arguments": self._arguments, "runs": self._runs}


def _environment() -> dict[str, str]:
    """Environment variables with which the process imports the package that this one has imported."""
    path = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path)}
