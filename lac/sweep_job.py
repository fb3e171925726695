"""One job of a sweep, in whatever process a launcher has put it."""

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lac.files import shown
from lac.run_folder import FAILED, FINISHED, LOG, RUNNING, mark_failed, read_summary, status
from lac.sweep import is_stopped, stop

T = TypeVar("T")

SWEEPER = "LAC_SWEEPER_PID"
"""Environment variable in which a sweep tells its worker processes whose children they are."""

_SECONDS_BETWEEN_LOOKS = 0.5


def run_sweep_job(task: Callable[[DictConfig], T], cfg: DictConfig) -> T | None:
    """Run a job and keep what goes wrong in its own folder; returns None then.

    The job ends itself, as ``interrupted``, when the sweep is stopped or its parent process has died.
    """
    hydra = HydraConfig.get()
    folder, sweep_folder = shown(Path(hydra.runtime.output_dir)), Path(hydra.sweep.dir)
    if is_stopped(sweep_folder) or status(folder) in {RUNNING, FINISHED}:
        return None  # a launcher that lost its way may have queued the job twice
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, exit_on_signal)
    try:
        with _ended_with_the_sweep(sweep_folder):
            cost = task(cfg)
        seconds = read_summary(folder).get("wall_time")
        told = f", test cost {cost:.1f}" if isinstance(cost, float) else ""
        print(f"job {hydra.job.num} finished after {seconds} s{told}", flush=True)
        return cost
    except Exception as error:
        text = "".join(traceback.format_exception(error))
        if read_summary(folder).get("status") != FAILED:
            mark_failed(folder, text)
            with (folder / LOG).open("a", encoding="utf-8") as log:
                log.write(text)
        print(f"job {hydra.job.num} failed: {type(error).__name__}: {error}\n  see {folder / LOG}", flush=True)
        if cfg.fail_fast:
            stop(sweep_folder)
    except SystemExit:
        if _is_orphan():
            os._exit(128 + signal.SIGTERM)  # a worker without a parent has nowhere to go back to
        if not is_stopped(sweep_folder):
            raise
    return None


@contextmanager
def _ended_with_the_sweep(sweep_folder: Path) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_SECONDS_BETWEEN_LOOKS):
            if _is_orphan() or is_stopped(sweep_folder):
                os.kill(os.getpid(), signal.SIGTERM)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _is_orphan() -> bool:
    """Whether this was a child of a sweep that has died; jobs of a cluster outlive the sweep on purpose."""
    sweeper = os.environ.get(SWEEPER)
    return sweeper == _PARENT and sweeper != str(os.getppid())


_PARENT = str(os.getppid())


def exit_on_signal(number: int, _frame: object) -> NoReturn:
    """A signal handler that lets everything clean up."""
    raise SystemExit(128 + number)
