"""A run of the soak test as a process, and what it needs: memory, open files, threads, space."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
REPLAY = 20_000
"""Transitions in the replay buffer, which is full after as many steps."""


class Job:
    """One of the two runs: its folder, and the process that has it at the moment.

    Args:
        folder: The run folder.
        log: Receives what its processes print.
        arguments: The command line that begins it.
    """

    def __init__(self, folder: Path, log: Path, arguments: list[str]) -> None:
        self.folder, self.log, self._arguments = folder, log, arguments
        self.process: Any = None
        self.starts = 0

    def start(self) -> None:
        """Begin the run, or let it go on."""
        has_begun = (self.folder / "summary.json").is_file()
        place = [f"resume={self.folder}"] if has_begun else [*self._arguments, f"hydra.run.dir={self.folder}"]
        with self.log.open("ab") as stream:
            self._offset = stream.tell()
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "scripts" / "train.py"), *place], stdout=stream, stderr=subprocess.STDOUT
            )
        self.starts += 1

    def end(self, seconds: float | None = None, kill: bool = False) -> int | None:
        """The exit status; None if the process still runs after the seconds, in which case it may be killed."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            if kill:
                self.process.kill()
                self.process.wait()
            return None

    @property
    def is_finished(self) -> bool:
        """Whether the run has recorded its end."""
        file = self.folder / "summary.json"
        return file.is_file() and json.loads(file.read_text())["status"] == "finished"

    @property
    def printed(self) -> str:
        """What the process has printed."""
        return self.log.read_bytes()[self._offset :].decode(errors="replace")

    def sample(self) -> dict[str, Any] | None:
        """Resident memory in MB, open files and threads of the process, and the size of the folder in MB."""
        try:
            proc = Path(f"/proc/{self.process.pid}")
            status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
            files = len(os.listdir(proc / "fd"))
        except (AttributeError, OSError):  # it has not started, or it has ended
            return None
        if "VmRSS" not in status:  # it has just ended
            return None
        metrics = self.folder / "metrics.jsonl"
        return {
            "start": self.starts,
            "rss_mb": int(status["VmRSS"].split()[0]) / 1024,
            "threads": int(status["Threads"]),
            "files": files,
            "epochs": metrics.read_bytes().count(b"\n") if metrics.is_file() else 0,
            "folder_mb": sum(_size(Path(at) / name) for at, _, names in os.walk(self.folder) for name in names) / 2**20,
        }


def _size(path: Path) -> int:
    with suppress(OSError):  # of a file that was temporary
        return path.stat().st_size
    return 0


def watch(jobs: dict[str, Job], file: Path, stop: threading.Event) -> None:
    """Write a sample of each run every two seconds."""
    begun = time.monotonic()
    with file.open("w", buffering=1) as stream:
        while not stop.wait(2):
            for name, job in jobs.items():
                sample = job.sample()
                if sample is not None:
                    stream.write(json.dumps({"run": name, "t": time.monotonic() - begun, **sample}) + "\n")


def needs(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """What a run needs when its buffer is full, at the end and at most; the slope of its memory within one process."""
    full = [sample for sample in samples if sample["epochs"] * 1000 > REPLAY] or samples
    settled = full[len(full) // 5 :]
    halves = settled[: len(settled) // 2 + 1], settled[len(settled) // 2 :]
    result: dict[str, Any] = {"minutes": round((samples[-1]["t"] - samples[0]["t"]) / 60, 2)}
    for name in ("rss_mb", "folder_mb", "files", "threads"):
        result[name] = {
            "full": round(full[0][name], 1),
            "settled": round(settled[0][name], 1),
            "end": round(samples[-1][name], 1),
            "most": round(max(sample[name] for sample in samples), 1),
            "medians of halves": [round(float(np.median([sample[name] for sample in half])), 2) for half in halves],
        }
    if len({sample["start"] for sample in settled}) == 1 and len(settled) > 2:
        times, memory = (np.array([sample[name] for sample in settled]) for name in ("t", "rss_mb"))
        result["rss_mb"]["per minute"] = round(float(np.polyfit(times, memory, 1)[0] * 60), 4)
    return result
