"""Endurance: a run of the main job that is killed, stopped and given a full disk, beside one that nothing disturbs.

Both have to end with the same bits, and neither may need more and more memory or files. Usage, with overrides::

    python tools/soak.py --minutes 30 --epochs 2400 --folder outputs/soak [wandb.mode=offline ...]

The disturbed run lies on a tmpfs in a mount namespace of this process, so that its disk can be filled: a write then
fails with ENOSPC as on any full disk. It does not show what a power cut loses, nor errors that a disk reports as late
as in fsync. Where users have no ``unshare``, the disk is not filled, and the report says so.

``samples.jsonl`` and ``events.jsonl`` in the folder are what was measured and done, ``report.json`` the result.
"""

import argparse
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from soak_job import REPLAY, ROOT, Job, needs, watch

_MARK = "LAC_SOAK_NAMESPACE"
_DISK_BYTES = 96 * 2**20
_MB_PER_MINUTE = 0.2
"""Growth of the resident memory of the undisturbed run that passes, over all but its first fifth."""
_SETTINGS = ["env=oscillator", f"train.replay_size={REPLAY}", "train.checkpoint_seconds=2"]


def enter_namespace() -> bool:
    """Begin this program again in a mount namespace of its own; returns whether it is in one."""
    inside = ["unshare", "--map-root-user", "--mount"]
    can_enter = shutil.which("unshare") is not None and not subprocess.run([*inside, "true"], check=False).returncode
    if can_enter and not os.environ.get(_MARK):
        os.environ[_MARK] = "1"
        os.execvp(inside[0], [*inside, sys.executable, *sys.argv])
    return can_enter


class Soak:
    """Disturbs a run until it has come to its end.

    Args:
        job: The run.
        disk: The mount point of the disk on which it lies; None if that cannot be filled.
        seed: Seed of what is done, and when.
        minutes: How long; then the run is left alone to its end.
    """

    def __init__(self, job: Job, disk: Path | None, seed: int, minutes: float) -> None:
        self._job, self._disk, self._rng = job, disk, np.random.default_rng(seed)
        self._end = time.monotonic() + 60 * minutes
        self.faults: list[str] = []

    def events(self) -> Iterator[dict[str, Any]]:
        """Disturb the run; yields what was done and what came of it."""
        kinds = ["kill", "kill", "kill", "terminate", "interrupt", *(["full"] * 2 if self._disk else [])]
        self._job.start()
        while True:
            kind = str(self._rng.choice(kinds))
            # Every fourth time before or shortly after the first step, otherwise up to a minute and a half.
            seconds = self._rng.uniform(0, 6) if self._rng.random() < 0.25 else np.exp(self._rng.uniform(1.6, 4.5))
            status = self._job.end(seconds if time.monotonic() < self._end else None)
            if status is None:
                event = self._fill() if kind == "full" else self._signal(kind)
                yield {"kind": kind, "after": round(float(seconds), 2), **event, "checkpoint": self._examined(kind)}
            elif status != 0:
                self._fault(f"it ended with {status} though nothing was done: {self._job.printed[-2000:]}")
            if status or self._job.is_finished:
                return
            self._job.start()

    def _signal(self, kind: str) -> dict[str, Any]:
        number = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "interrupt": signal.SIGINT}[kind]
        self._job.process.send_signal(number)
        status = self._job.end(120, kill=True)
        # Before the run has begun, Python's own handlers end the process.
        is_clear = status == -number or (status in {128 + number, 0} and "Traceback" not in self._job.printed)
        if not is_clear:
            self._fault(f"{kind}: exit status {status}: {self._job.printed[-2000:]}")
        return {"status": status}

    def _fill(self) -> dict[str, Any]:
        """Fill the disk up to a few KB, until the run ends; it has to fail again, and then there is space.

        What the first process could not complete is gone, so that the second one may have the space for a further
        checkpoint; the one that was there must not be lost for it.
        """
        assert self._disk is not None
        ballast = self._disk / "ballast"
        take_space(ballast, left=int(self._rng.integers(0, 40_000)))
        status = self._job.end(90, kill=True)
        first, newest = self._checked_failure(status), self._newest()
        self._job.start()
        again = self._job.end(120, kill=True)
        second = self._checked_failure(again)
        if self._newest() < newest:
            self._fault(f"full: the newest checkpoint was {newest!r} and is {self._newest()!r}")
        ballast.unlink()
        return {"status": status, "again": again, "says": first, "says again": second}

    def _checked_failure(self, status: int | None) -> str:
        """The last lines that the process has printed, which must name the folder and what to do."""
        text = self._job.printed
        is_clear = "No space left" in text and "free space" in text and "Traceback" not in text
        if status not in {0, None} and not (status in {1, 2} and is_clear):
            self._fault(f"full: exit status {status}, and it says: {text[-3000:]}")
        return text[-600:]

    def _newest(self) -> str:
        """The name of the newest checkpoint, which is that of its steps; empty where there is none."""
        return max((path.name for path in (self._job.folder / "checkpoints").glob("step-*")), default="")

    def _examined(self, kind: str) -> int | None:
        """The steps of the newest checkpoint, which must be whole; lines of metrics must have no gap and no double."""
        from lac.runs.checkpoints import newest_checkpoint  # noqa: PLC0415 (imports torch, in the namespace alone)

        checkpoint, problems = newest_checkpoint(self._job.folder)
        self.faults += [f"{kind}: {problem}" for problem in problems]
        metrics = self._job.folder / "metrics.jsonl"
        lines = metrics.read_bytes().split(b"\n")[:-1] if metrics.is_file() else []
        epochs = [json.loads(line)["epoch"] for line in lines]
        if epochs != list(range(1, len(epochs) + 1)):
            self._fault(f"{kind}: the epochs in metrics.jsonl are {epochs}")
        return None if checkpoint is None else checkpoint.env_steps

    def _fault(self, text: str) -> None:
        print(f"FAULT {text}", flush=True)
        self.faults.append(text)


def take_space(file: Path, left: int) -> None:
    """Make a file that takes all the space of its disk but about so many bytes, while other processes write there."""
    with file.open("wb") as stream:
        while True:
            free = os.statvfs(file)
            try:
                os.posix_fallocate(stream.fileno(), 0, max(1, free.f_bavail * free.f_frsize - left))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            else:
                return


def differences(first: Path, second: Path) -> list[str]:
    """The parts in which two finished runs differ, as the tests of resuming compare them."""
    sys.path.insert(0, str(ROOT / "tests" / "runs"))
    from resume_support import fingerprint  # noqa: PLC0415 (imports torch)

    one, other = fingerprint(first), fingerprint(second)
    return [name for name in one if one[name] != other[name]]


def main() -> None:
    """Run both, and print the report; the exit status is 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the run is disturbed")
    parser.add_argument("--epochs", type=int, default=2400, help="the length of both runs")
    parser.add_argument("--folder", type=Path, required=True, help="where the results lie; it must not exist")
    parser.add_argument("--seed", type=int, default=0, help="seed of what is done, and when")
    parser.add_argument("overrides", nargs="*", help="further overrides of both runs")
    given = parser.parse_args()
    can_fill = enter_namespace()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has the ones in its background ignore it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given.folder.mkdir(parents=True)
    folder = given.folder.resolve()
    disk = Path(tempfile.mkdtemp(prefix="soak-"))
    if can_fill:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(disk)], check=True)
    command = [*_SETTINGS, f"train.epochs={given.epochs}", "wandb.mode=disabled", *given.overrides]
    jobs = {
        "undisturbed": Job(folder / "undisturbed", folder / "undisturbed.log", command),
        "disturbed": Job(disk / "run", folder / "disturbed.log", command),
    }
    stop = threading.Event()
    watcher = threading.Thread(target=watch, args=(jobs, folder / "samples.jsonl", stop))
    jobs["undisturbed"].start()
    watcher.start()
    soak, events = Soak(jobs["disturbed"], disk if can_fill else None, given.seed, given.minutes), []
    try:
        with (folder / "events.jsonl").open("w", buffering=1) as stream:
            for event in soak.events():
                events.append(event)
                stream.write(json.dumps(event) + "\n")
        jobs["undisturbed"].end()
    finally:
        stop.set()
        watcher.join()
        for job in jobs.values():
            job.process.kill()
            job.process.wait()
        shutil.copytree(disk / "run", folder / "disturbed")
        if can_fill:
            subprocess.run(["umount", str(disk)], check=False)
        shutil.rmtree(disk)
    report = _report(folder, soak, events, can_fill)
    (folder / "report.json").write_text(json.dumps(report, indent=2))
    print(json.dumps(report, indent=2))
    sys.exit(1 if report["faults"] else 0)


def _report(folder: Path, soak: Soak, events: list[dict[str, Any]], can_fill: bool) -> dict[str, Any]:
    samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    needed = {name: needs([s for s in samples if s["run"] == name]) for name in ("undisturbed", "disturbed")}
    faults = list(soak.faults)
    if not faults:
        faults += [f"the runs differ in {part}" for part in differences(folder / "undisturbed", folder / "disturbed")]
    still = needed["undisturbed"]
    slope = still["rss_mb"].get("per minute", 0.0)
    if still["minutes"] > 5 and slope > _MB_PER_MINUTE:
        faults.append(f"the memory grows by {slope} MB a minute")
    for name in ("files", "threads"):
        first, second = still[name]["medians of halves"]
        if second > first:
            faults.append(f"the number of {name} grows from {first} to {second}")
    kinds = [event["kind"] for event in events]
    return {
        "disk was filled": can_fill,
        "events": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "checkpoints from which it went on": len({event["checkpoint"] for event in events} - {None}),
        "needed": needed,
        "faults": faults,
    }


if __name__ == "__main__":
    main()
