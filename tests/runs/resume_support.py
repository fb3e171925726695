"""Trainings that are killed and go on, and what they have in the end."""

import hashlib
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import gymnasium
import numpy as np
import torch
from run_support import metrics_without_times, summary_of

import lac
from lac.envs.disturbances import disturbed
from lac.runs.checkpoints import newest_checkpoint
from lac.runs.folder import checkpoint_files
from lac.settings.algorithms import ALGORITHMS
from lac.settings.arguments import training_fields

NOISE = {"kind": "noise", "target": "observation", "mean": 0.0, "std": 0.1, "dims": None}
SHORT = {"epochs": 4, "steps_per_epoch": 300, "update_after": 200, "update_every": 50, "steps_per_update": 3}
SHORT |= {"batch_size": 16, "num_test_episodes": 2, "final_test_episodes": 2, "replay_size": 800, "seed": 3}
SHORT |= {"ac_kwargs": {"hidden_sizes": {"actor": [8], "critic": [8]}}}


def maker(
    env_id: str = "lac/Oscillator-v1", disturbance: Mapping | None = None, steps: int = 70, **kwargs: object
) -> Callable:
    """A function that makes environments whose episodes are shorter than an epoch."""

    def make() -> gymnasium.Env:
        env = gymnasium.make(env_id, max_episode_steps=steps, **kwargs)
        return env if disturbance is None else disturbed(env, disturbance)

    return make


def train(algorithm: str, run: Path, make: Callable, checkpoint_seconds: float = 1000.0, **settings) -> None:
    """Train into a folder, or go on with what is there, unless it was killed after its end was recorded."""
    if summary_of(run).get("status") != "finished":
        train_on(algorithm, run, make, checkpoint_seconds, **settings)


def train_on(
    algorithm: str,
    run: Path,
    make: Callable,
    checkpoint_seconds: float = 1000.0,
    logging: Mapping | None = None,
    **settings,
) -> None:
    """Train into a folder, or go on with what is there, with further entries of ``logger_kwargs``."""
    known = training_fields(ALGORITHMS[algorithm])
    known = {*known, "ac_kwargs", "callbacks"}
    given = {name: value for name, value in (SHORT | settings).items() if name in known}
    place = {"resume" if (run / "summary.json").exists() else "output_dir": str(run)}
    logging = {**place, "quiet": True, "checkpoint_seconds": checkpoint_seconds, **(logging or {})}
    getattr(lac, algorithm)(make, **given, logger_kwargs=logging)


def end_of_child(task: Callable[[], None], when: Callable[[], bool] | None) -> bool:
    """Run a task in a forked process, which is killed when it is time; returns whether it came to its end."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            task()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    while True:
        done, status = os.waitpid(pid, 0 if when is None else os.WNOHANG)
        if done:
            assert status in {0, signal.SIGKILL}, f"it ended with {status}"
            return status == 0
        if when is not None and when():
            os.kill(pid, signal.SIGKILL)
            when = None
        time.sleep(0.001)


def train_with_kills(task: Callable[[], None], run: Path, kills: int, longest: float, seed: int = 0) -> int:
    """Run a task until it comes to its end, killed at random moments; returns how often it was.

    Every third time the moment is counted from the start of the process, which may be before its first step, otherwise
    from its third checkpoint.
    """
    rng, killed = np.random.default_rng(seed), 0
    while not end_of_child(task, _moment(run, rng.uniform(0.0, longest), killed % 3 == 0) if killed < kills else None):
        killed += 1
    return killed


def _moment(run: Path, seconds: float, is_from_start: bool) -> Callable[[], bool]:
    start = time.monotonic() if is_from_start else None
    seen = {*checkpoint_files(run)}
    enough = len(seen) + 3

    def has_come() -> bool:
        nonlocal start
        seen.update(checkpoint_files(run))
        if start is None and len(seen) >= enough:
            start = time.monotonic()
        return start is not None and time.monotonic() >= start + seconds

    return has_come


def fingerprint(run: Path) -> dict[str, str]:
    """A checksum of each part of what a finished run has: weights, optimisers, buffer, generators, metrics, files."""
    assert summary_of(run)["status"] == "finished"
    checkpoint, problems = newest_checkpoint(run)
    assert checkpoint is not None
    assert problems == []
    parts = {name: part for name, part in checkpoint.training.items() if name != "clock"}
    parts["rows"] = [np.concatenate(parts["buffer"].pop("rows"))]
    parts["metrics"] = metrics_without_times(run)
    parts |= {file.name: file.read_bytes().hex() for file in (run / "policy").iterdir()}
    parts["results"] = {name: summary_of(run)[name] for name in ("final", "final_long", "best")}
    return {name: _checksum(part) for name, part in parts.items()}


def _checksum(part: object) -> str:
    digest = hashlib.sha256()
    _feed(part, digest.update)
    return digest.hexdigest()[:16]


def _feed(part: object, update: Callable[[bytes], None]) -> None:
    if isinstance(part, Mapping):
        for name, entry in sorted(part.items()):
            update(name.encode())
            _feed(entry, update)
    elif isinstance(part, (list, tuple)):
        for entry in part:
            _feed(entry, update)
    elif isinstance(part, (torch.Tensor, np.ndarray)):
        update((part.numpy() if isinstance(part, torch.Tensor) else part).tobytes())
    else:
        update(repr(part).encode())
