"""The seconds of a whole training run, from typing the command to the prompt."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory


@dataclass(frozen=True)
class WholeRun:
    """Seconds of a run in a process of its own, W&B offline included.

    Attributes:
        command: Its arguments after ``train``.
        training: From the first step to the last.
        wall: From the start of the process to its end.
        cpu: Seconds of the CPU in all of its processes.
        final_cost: Test cost of its final policy.
    """

    command: str
    training: float
    wall: float
    cpu: float
    final_cost: float


def whole_run(arguments: Sequence[str]) -> WholeRun:
    """Train once in a temporary folder.

    Raises:
        RuntimeError: The run failed; the message is what it printed.
    """
    with TemporaryDirectory() as folder:
        words = [*arguments, "device=cpu", "wandb.mode=offline", f"hydra.run.dir={folder}/run"]
        before, started = os.times(), time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-m", "lac", "train", *words], capture_output=True, text=True, cwd=folder, check=False
        )
        wall, after = time.perf_counter() - started, os.times()
        if ended.returncode != 0:
            raise RuntimeError(f"the run {' '.join(arguments)} failed: {ended.stderr.strip()[-500:]}")
        rows = [json.loads(line) for line in Path(folder, "run", "metrics.jsonl").read_text().splitlines()]
        summary = json.loads(Path(folder, "run", "summary.json").read_text())
    cpu = sum(after[2:4]) - sum(before[2:4])
    cost = summary.get("final", {}).get("cost_mean", float("nan"))
    return WholeRun(" ".join(arguments), rows[-1]["time/seconds"], wall, cpu, cost)
