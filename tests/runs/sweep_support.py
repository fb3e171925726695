"""Sweeps as tests start them, and what they find in sweep folders."""

import hashlib
import json
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TRAIN = Path(__file__).parents[2] / "scripts" / "train.py"

TINY = [
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
    "wandb.mode=disabled",
]


def jobs_of(sweep: Path) -> list[Path]:
    found = [path for path in sweep.glob("[0-9]*") if path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.partition("-")[0]))


def summary_of(run: Path) -> dict:
    file = run / "summary.json"
    return json.loads(file.read_text()) if file.exists() else {}


def statuses(sweep: Path) -> list[str | None]:
    return [summary_of(job).get("status") for job in jobs_of(sweep)]


def finished(sweep: Path) -> list[Path]:
    return [job for job in jobs_of(sweep) if summary_of(job).get("status") == "finished"]


def lines_of_metrics(run: Path) -> int:
    file = run / "metrics.jsonl"
    return file.read_text().count("\n") if file.exists() else 0


def metrics_without_times(run: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def contents(run: Path) -> dict[str, str]:
    return {str(file.relative_to(run)): checksum(file) for file in run.rglob("*") if file.is_file()}


def table_of(console: str) -> list[list[str]]:
    """The table at the end, without its seconds."""
    rows = [re.split(r"  +", line.strip()) for line in console.splitlines()]
    (start,) = [number for number, row in enumerate(rows) if row[0] == "status"]
    return [[*row[:4], row[-1]] for row in rows[start + 2 :]]


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
    """A sweep in a session of its own."""

    process: subprocess.Popen
    console_file: Path

    @property
    def console(self) -> str:
        return self.console_file.read_text()

    def wait_until(self, happened: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, f"nothing happens:\n{self.console}"
            time.sleep(0.01)

    def wait_in_sweep_until(self, happened: Callable[[], bool]) -> None:
        def happened_in_time() -> bool:
            assert self.process.poll() is None, f"the sweep has ended:\n{self.console}"
            return happened()

        self.wait_until(happened_in_time)

    def end(self) -> int:
        return self.process.wait(timeout=120)

    def kill(self) -> None:
        """Kill the process that was started, and wait for what it has left."""
        self.process.kill()
        self.process.wait()
        self.wait_until_alone()

    def wait_until_alone(self) -> None:
        self.wait_until(lambda: processes_of_session(self.process.pid) == [])
