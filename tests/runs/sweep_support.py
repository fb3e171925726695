"""Overrides of small sweeps, and readers of sweep folders and tables; run_support.py starts them."""

import importlib.util
import re
from pathlib import Path

import pytest
from run_support import summary_of

TINY_SWEEP = [
    "-m",
    "env=oscillator",
    "tuned=none",
    "network=small",
    "train.epochs=2",
    "train.steps_per_epoch=60",
    "train.update_after=40",
    "train.update_every=20",
    "train.steps_per_update=2",
    "train.batch_size=32",
    "train.num_test_episodes=1",
    "train.final_test_episodes=1",
    "wandb.mode=disabled",
]
# An epoch of a second: a worker takes half of one to notice that its parent was killed.
SLOWER_SWEEP = [*TINY_SWEEP, "train.steps_per_epoch=3000", "train.steps_per_update=20"]
ENDLESS = [*TINY_SWEEP, "train.epochs=100000", "seed=0,1,2,3", "hydra.sweep.dir=sweep"]

needs_joblib = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None, reason="the extra [sweep] is not installed"
)
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")


def jobs_of(sweep: Path) -> list[Path]:
    found = [path for path in sweep.glob("[0-9]*") if path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.partition("-")[0]))


def statuses(sweep: Path) -> list[str | None]:
    return [summary_of(job).get("status") for job in jobs_of(sweep)]


def finished(sweep: Path) -> list[Path]:
    return [job for job in jobs_of(sweep) if summary_of(job).get("status") == "finished"]


def table_of(console: str) -> list[list[str]]:
    """The table at the end, without its seconds."""
    rows = [re.split(r"  +", line.strip()) for line in console.splitlines()]
    (start,) = [number for number, row in enumerate(rows) if row[0] == "status"]
    return [[*row[:4], row[-1]] for row in rows[start + 2 :]]
