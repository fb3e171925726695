"""One job of a sweep, in the process that a launcher has started for it."""

import os
import shutil
import traceback
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TypeVar

from filelock import Timeout
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lac.files import relative_to_cwd
from lac.runs.folder import FAILED, FINISHED, INTERRUPTED, LOG, mark_failed, read_summary, run_lock, status
from lac.sweeps.folder import archive_attempt, goes_on, is_stopped, request_stop
from lac.sweeps.launchers import is_in_sweep_process
from lac.sweeps.shutdown import Terminated, stopped_with_sweep

T = TypeVar("T")


def run_sweep_job(task: Callable[[DictConfig], T], cfg: DictConfig) -> T | None:
    """Run a job and record its errors in its run folder; returns None after an error and if the job need not run.

    In a worker process the job ends with the status ``interrupted`` when the sweep is stopped.
    """
    hydra = HydraConfig.get()
    sweep_folder, folder = Path(hydra.sweep.dir), Path(hydra.runtime.output_dir)
    if is_stopped(sweep_folder):
        _remove_empty_folder(folder)
        return None
    continues = goes_on(folder)  # as one that a cluster has requeued
    if status(folder) == INTERRUPTED and not continues:
        # Hydra has written .hydra/ again.
        shutil.copytree(archive_attempt(sweep_folder, folder.name) / ".hydra", folder / ".hydra")
    if status(folder) is not None and not continues:
        return None  # after a sweep was killed, a queue may contain a job twice
    try:
        lock = run_lock(folder).acquire(timeout=1)
    except Timeout:
        return None
    with lock:
        return _run(task, cfg, sweep_folder, folder)


def _run(task: Callable[[DictConfig], T], cfg: DictConfig, sweep_folder: Path, folder: Path) -> T | None:
    hydra = HydraConfig.get()
    in_process = is_in_sweep_process()
    if not in_process:
        os.chdir(hydra.runtime.cwd)  # workers of Ray start elsewhere
    try:
        with nullcontext() if in_process else stopped_with_sweep(sweep_folder):
            cost = task(cfg)
    except Terminated:
        return None
    except Exception as error:
        if read_summary(folder).get("status") != FAILED:
            mark_failed(folder, "".join(traceback.format_exception(error)))
        log = relative_to_cwd(folder / LOG)
        print(f"{folder.name}: failed, {type(error).__name__}: {error}\n  see {log}", flush=True)
        if cfg.fail_fast:
            request_stop(sweep_folder)
        return None
    summary = read_summary(folder)
    final = summary.get("final", {})
    result = ""
    if "cost_mean" in final:
        result = f", test cost {final['cost_mean']:.1f}, early terminations {final['death_rate']:.0%}"
    print(f"{folder.name}: {summary.get('status', FINISHED)} after {summary.get('wall_time')} s{result}", flush=True)
    return cost


def _remove_empty_folder(folder: Path) -> None:
    """Remove the folder that Hydra has created for a job that does not start."""
    if status(folder) is None:
        shutil.rmtree(folder / ".hydra", ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()
