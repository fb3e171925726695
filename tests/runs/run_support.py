"""Runs as tests start them, and what they find in run folders."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
TRAIN = ROOT / "scripts" / "train.py"

SIZE = ["train.steps_per_epoch=150", "train.update_after=100", "train.update_every=50", "train.steps_per_update=2"]
TINY_RUN = ["env=oscillator", "tuned=none", "network=small", "train.epochs=2", "train.num_test_episodes=2", *SIZE]


def metrics_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def lines_of_metrics(run: Path) -> int:
    file = run / "metrics.jsonl"
    return file.read_text().count("\n") if file.exists() else 0


def metrics_without_times(run: Path) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in metrics_of(run)]


def summary_of(run: Path) -> dict:
    file = run / "summary.json"
    return json.loads(file.read_text()) if file.exists() else {}


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "policy" / "final.safetensors")


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def contents(run: Path) -> dict[str, str]:
    """A checksum of each file of a run."""
    return {str(file.relative_to(run)): checksum(file) for file in run.rglob("*") if file.is_file()}


def wandb_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.wandb"))


def wandb_records(file: Path, environment: dict[str, str] | None = None) -> dict[str, list[dict]]:
    """The records of an offline run by type, as W&B's own reader tells them."""
    wandb = Path(sys.executable).with_name("wandb")
    command = [str(wandb), "leet", "inspect", "--json", str(file)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=True)
    records: dict[str, list[dict]] = {}
    for line in result.stdout.splitlines():
        record = json.loads(line)
        records.setdefault(record["type"], []).append(record[record["type"]])
    return records


def processes_of_session(leader: int) -> list[int]:
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, _group, session = file.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(session) == leader and state != "Z":
            found.append(int(file.parent.name))
    return found


@dataclass
class Running:
    """A command in a session of its own."""

    process: subprocess.Popen
    console_file: Path

    @property
    def console(self) -> str:
        return self.console_file.read_text()

    def wait_until(self, happened: Callable[[], bool], seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, f"nothing happens:\n{self.console}"
            time.sleep(0.01)

    def wait_alive_until(self, happened: Callable[[], bool]) -> None:
        def happened_in_time() -> bool:
            assert self.process.poll() is None, f"it has ended:\n{self.console}"
            return happened()

        self.wait_until(happened_in_time)

    def end(self) -> int:
        return self.process.wait(timeout=300)

    def kill(self) -> None:
        """Kill the process that was started, and wait for what it has left."""
        self.process.kill()
        self.process.wait()
        self.wait_until_alone()

    def wait_until_alone(self) -> None:
        self.wait_until(lambda: processes_of_session(self.process.pid) == [])
