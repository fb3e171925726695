"""Hydra's launchers: their properties, and running jobs with them."""

import os
import re
import socket
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from omegaconf import DictConfig

from lac.config.checks import ConfigError
from lac.loggers.heartbeat import heartbeat
from lac.runs.folder import INTERRUPTED, RunError, read_summary
from lac.sweeps.compose import with_output_dir
from lac.sweeps.queue import ENDED, Job, JobSource, Supervisor
from lac.sweeps.shutdown import graceful_shutdown

LaunchOverrides = Callable[[Sequence[Sequence[str]], int], object]
"""Runs jobs, given their overrides and the number of the first; returns when all have ended."""

_RAY_TIMEOUT = 10.0  # seconds
_sweep_pid: int | None = None


@dataclass(frozen=True)
class Launcher:
    """Properties of a launcher.

    Attributes:
        in_process: Whether it runs jobs in the sweep's own process, one at a time.
        limit_key: Its setting that limits the jobs at a time; negative values count from the number of cores.
        uses_ray: Whether it runs jobs on Ray.
        package: Package in ``hydra_plugins`` that provides it; None: Hydra itself.
        extra: Extra of this project that installs the package.
    """

    in_process: bool = False
    limit_key: str | None = None
    uses_ray: bool = False
    package: str | None = None
    extra: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether its jobs certainly run on this machine."""
        return self.in_process or self.limit_key is not None


_SUBMITIT = Launcher(package="hydra_submitit_launcher", extra="slurm")
_UNKNOWN = Launcher()

LAUNCHERS = {
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher": Launcher(in_process=True),
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher": Launcher(
        limit_key="n_jobs", package="hydra_joblib_launcher", extra="sweep"
    ),
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher": _SUBMITIT,
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher": _SUBMITIT,
    "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher": Launcher(
        uses_ray=True, package="hydra_ray_launcher", extra="ray"
    ),
}
"""The known launchers by the ``_target_`` of their configs."""


def launcher_of(config: DictConfig) -> Launcher:
    """The properties of the launcher with a config; the defaults for an unknown launcher."""
    return LAUNCHERS.get(config._target_, _UNKNOWN)


def runs_in_process(config: DictConfig) -> bool:
    """Whether the launcher with a config runs jobs in the sweep's own process; only to be asked there."""
    launcher = launcher_of(config)
    return launcher.in_process or (launcher.limit_key is not None and _most_at_a_time(config, launcher.limit_key) == 1)


def is_in_sweep_process() -> bool:
    """Whether this is the process that has called :func:`run_jobs`."""
    return os.getpid() == _sweep_pid


def _most_at_a_time(config: DictConfig, limit_key: str) -> int:
    """How many jobs joblib runs at a time: it knows which cores this process may use."""
    joblib = import_module("joblib")  # it comes with the launcher
    return int(joblib.effective_n_jobs(config[limit_key]))


def number_of_slots(n_jobs: int | None, config: DictConfig) -> int:
    """Number of jobs to launch at a time, each in its own call.

    Args:
        n_jobs: The requested number; None: as many as the launcher runs.
        config: The launcher's config.

    Raises:
        ConfigError: The launcher runs fewer at a time.
    """
    launcher = launcher_of(config)
    if launcher.in_process:
        limit, hint = 1, "add hydra/launcher=joblib"
    elif launcher.limit_key is not None:
        limit = _most_at_a_time(config, launcher.limit_key)
        hint = f"raise hydra.launcher.{launcher.limit_key}"
    else:
        return n_jobs or os.cpu_count() or 1
    if n_jobs is not None and n_jobs > limit:
        raise ConfigError([f"hydra.sweeper.n_jobs is {n_jobs}, but the launcher runs {limit} at a time; {hint}"])
    return n_jobs or limit


def start_ray(config: DictConfig, launch: LaunchOverrides) -> None:
    """Start Ray, or connect to its cluster, if the launcher with a config runs jobs there.

    To be called before the sweep installs its signal handlers, since Ray replaces them when it starts.

    Raises:
        ConfigError: No cluster answers at the configured address.
    """
    if not launcher_of(config).uses_ray:
        return
    address = config.ray.init.address
    host_and_port = re.fullmatch(r"(?:ray://)?(.+):(\d+)", address or "")
    try:
        if host_and_port:
            # Ray itself retries for minutes, and then ends the process.
            host, port = host_and_port[1].strip("[]"), int(host_and_port[2])
            socket.create_connection((host, port), _RAY_TIMEOUT).close()
    except OSError as error:
        raise ConfigError(
            [
                f"hydra.launcher.ray.init.address is {address!r}, where no cluster answers: {error}; "
                "give the HOST:PORT of a running one"
            ]
        ) from None
    launch([], 0)


def run_jobs(folder: Path, source: JobSource, config: DictConfig, launch: LaunchOverrides, slots: int = 1) -> None:
    """Run the jobs of a source with a launcher of Hydra; on a signal, jobs in other processes shut down gracefully.

    Args:
        folder: The sweep folder; this process holds its lock.
        source: Gives the jobs.
        config: The launcher's config.
        launch: The launcher.
        slots: Number of batches at a time.

    Raises:
        SystemExit: A signal was received; its status is that of the signal.
        Exception: The launcher has run no job of a batch.
    """

    def launch_jobs(jobs: Sequence[Job]) -> None:
        launch([with_output_dir(job.overrides, folder, job.folder) for job in jobs], jobs[0].number)

    global _sweep_pid  # noqa: PLW0603 (a job asks whether its process is that of the sweep)
    _sweep_pid = os.getpid()
    shutdown = nullcontext() if runs_in_process(config) else graceful_shutdown(folder)
    with heartbeat(lambda: f"the sweep is running, {_ended(folder)} jobs in its folder have ended"), shutdown:
        Supervisor(folder, source, launch_jobs, lambda text: print(text, flush=True)).run(slots)


def _ended(folder: Path) -> int:
    """How many jobs of a sweep have ended, by what they have recorded."""
    ended = 0
    for job in folder.glob("[0-9]*"):
        with suppress(RunError):  # the end of the sweep reports it
            ended += read_summary(job).get("status") in {*ENDED, INTERRUPTED}
    return ended
