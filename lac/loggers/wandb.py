"""Logging to Weights & Biases through a separate process, so that training never waits for it.

Three problems of ``wandb`` in the training process are avoided: ``init`` without a network blocks until its timeout,
a stopped service process blocks ``run.log`` for ever, and the next job of the same worker inherits an open run. The
training process only writes lines to a pipe, from a thread.
"""

import json
import math
import os
import secrets
import string
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from lac.loggers.wandb_environment import (
    MAX_TAG_LENGTH,
    all_tags,
    data_folder,
    process_environment,
    resolve_mode,
    sweep_run_id,
    with_unused,
)

INIT_TIMEOUT = 20.0
"""Seconds after which a run that cannot be opened online is opened offline; training continues meanwhile."""

FINISH_TIMEOUT = 30.0
"""Seconds for the upload at the end of a run; ``wandb sync`` can upload the rest from the run folder later."""

_GRACE = 10.0  # seconds beyond FINISH_TIMEOUT until the process is killed
_COMMAND = (sys.executable, "-P", "-m", "lac.loggers.wandb_process")
MAX_NAME_LENGTH = 128  # of a run, a group or a job type on W&B


@dataclass(frozen=True)
class WandbSettings:
    """Mode, project and labels of a run on W&B; names as on the command line."""

    mode: str = "auto"
    project: str = "lac"
    entity: str | None = None
    group: str | None = None
    name: str | None = None
    job_type: str | None = None
    tags: Sequence[str] = ()


class WandbLogger:
    """Copies the metrics to Weights & Biases.

    If the service cannot be reached, the key is wrong or the process dies, the logger warns once and the run
    continues without W&B. Only :meth:`finish` blocks, for at most ``FINISH_TIMEOUT + 10`` seconds.

    Args:
        settings: Mode, project and labels of the run.
        run_dir: The run folder; W&B writes to ``wandb/`` in it, or in ``WANDB_DIR`` where that is set.
        config: The resolved configuration.
        warn: Called with a warning, from the thread that calls the logger.
        continued: Id of the run there that is continued; None begins one.
    """

    def __init__(
        self,
        settings: WandbSettings,
        run_dir: Path,
        config: Mapping[str, Any],
        warn: Callable[[str], None],
        continued: str | None = None,
    ) -> None:
        self._settings, self._config, self._warn = settings, config, warn
        self._data_folder = data_folder(run_dir)
        self._process: _Process | None = None
        self._continued = continued
        self._id: str | None = None
        self._url: str | None = None
        self._folder: Path | None = None
        self.mode, reason = resolve_mode(settings.mode)
        self.reason = reason if self.mode == "disabled" else with_unused(reason, _unused_variables(settings))

    @property
    def offline_folder(self) -> Path | None:
        """The folder of an offline run, for ``wandb sync``; None if there is none."""
        return self._folder if self.mode == "offline" else None

    @property
    def description(self) -> dict[str, Any]:
        """Mode, id and address of the run; id and address are None if there is no run."""
        return {"mode": self.mode, "id": self._id, "url": self._url if self.mode == "online" else None}

    def start(self) -> None:
        """Open the run; if this fails online, open it offline."""
        if self.mode == "disabled":
            return
        self._id = self._continued or sweep_run_id() or _new_id()
        options = self._labels() | {"config": dict(self._config), "dir": str(self._data_folder), "id": self._id}
        if self._continued is not None:
            options["resume"] = "allow"
        try:
            self._process = _Process(process_environment(self._data_folder))
        except OSError as error:
            self._disable(f"W&B cannot be started ({error}); the run continues without it")
            return
        timeouts = {"init_timeout": INIT_TIMEOUT, "finish_timeout": FINISH_TIMEOUT}
        self._process.send({"open": {"mode": self.mode, "command": sys.argv, "timeouts": timeouts, **options}})

    def _labels(self) -> dict[str, Any]:
        """Project and labels in the form that W&B takes; a run is not lost for a label that is too long."""
        s = self._settings
        tags, refused = all_tags(s.tags)
        for tag in refused:
            self._warn(f"the tag {tag!r} is left out: W&B takes tags of at most {MAX_TAG_LENGTH} characters")
        names = {"group": s.group, "name": s.name, "job_type": s.job_type}
        short = {key: name and name[:MAX_NAME_LENGTH] for key, name in names.items()}
        return {"project": s.project, "entity": s.entity, **short, "tags": tags}

    def log(self, metrics: Mapping[str, float]) -> None:
        """Log one line of metrics; a value that is not finite is null, as in ``metrics.jsonl``."""
        if self._process is not None:
            line = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
            self._process.send({"log": line})
            self._handle_events()

    def finish(
        self,
        summary: Mapping[str, Any],
        picture: Path | None,
        policy_folder: Path | None,
        exit_code: int,
        is_impatient: Callable[[], bool] = lambda: False,
    ) -> None:
        """Add the summary, the learning curve and the policy, and close the run.

        Args:
            summary: Results of the run.
            picture: Picture of the learning curve.
            policy_folder: Folder of the policies.
            exit_code: Exit status of the run.
            is_impatient: Asked while W&B finishes; if true, it is stopped.
        """
        if self._process is None:
            return
        results = {
            "summary": dict(summary),
            "picture": str(picture) if picture is not None else None,
            "policy_folder": str(policy_folder) if policy_folder is not None else None,
            "exit_code": exit_code,
        }
        self._process.send({"finish": results})
        is_done = self._process.end(FINISH_TIMEOUT + _GRACE, is_impatient)
        self._handle_events()
        if self._process is not None and not is_done:
            self._disable("W&B does not finish and is stopped; its data up to now is in the run folder")
        elif self._process is not None:
            self._process.kill()
            self._process = None

    def _handle_events(self) -> None:
        """Handle the events that the process has reported."""
        while self._process is not None and (event := self._process.event()) is not None:
            self.mode, self._url = event.get("mode", self.mode), event.get("url", self._url)
            self._folder = Path(event["folder"]) if "folder" in event else self._folder
            if event.get("is_broken"):
                self._disable(event["warning"])
            elif "warning" in event:
                self._warn(event["warning"])

    def _disable(self, warning: str) -> None:
        self._warn(warning)
        if self._process is not None:
            self._process.kill()
        self._process, self.mode = None, "disabled"


def _new_id() -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


class _Process:
    """The process that communicates with W&B, by lines of JSON; one thread writes to it and one reads from it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        # In a new session, so that Ctrl-C reaches only the training, which then closes the run.
        self._popen = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._commands: SimpleQueue[str | None] = SimpleQueue()
        self._events: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._writer = threading.Thread(target=self._write, args=[self._popen.stdin], daemon=True)
        self._reader = threading.Thread(target=self._read, args=[self._popen.stdout], daemon=True)
        self._writer.start()
        self._reader.start()

    def send(self, command: Mapping[str, Any]) -> None:
        """Queue a command, without blocking."""
        self._commands.put(json.dumps(command) + "\n")

    def event(self) -> dict[str, Any] | None:
        """The next event that the process has reported; None if there is none."""
        try:
            return self._events.get_nowait()
        except Empty:
            return None

    def end(self, timeout: float, is_impatient: Callable[[], bool]) -> bool:
        """Send no more commands; return whether the process ends within ``timeout`` seconds and the user's patience."""
        self._commands.put(None)
        deadline = time.monotonic() + timeout
        while self._reader.is_alive() and time.monotonic() < deadline and not is_impatient():
            self._reader.join(0.2)
        return not self._reader.is_alive()

    def kill(self) -> None:
        """Kill the process; W&B's service then ends on its own."""
        self._popen.kill()
        self._popen.wait()

    def _write(self, pipe: IO[str]) -> None:
        with suppress(OSError), pipe:
            for line in iter(self._commands.get, None):
                pipe.write(line)
                pipe.flush()

    def _read(self, pipe: IO[str]) -> None:
        has_reported_end = False
        with suppress(OSError, ValueError), pipe:
            for line in pipe:
                event = json.loads(line)
                has_reported_end = has_reported_end or "is_broken" in event
                self._events.put(event)
        if not has_reported_end:
            self._events.put({"is_broken": True, "warning": "W&B's process has ended; the run continues without it"})


def _unused_variables(settings: WandbSettings) -> list[str]:
    """The environment variables of W&B, as ``NAME=VALUE``, that ask for something else than the settings."""
    labels = {
        "WANDB_PROJECT": settings.project,
        "WANDB_ENTITY": settings.entity,
        "WANDB_RUN_GROUP": settings.group,
        "WANDB_JOB_TYPE": settings.job_type,
    }
    if sweep_run_id() is None:  # each run is a new one
        labels |= {"WANDB_RUN_ID": "", "WANDB_RESUME": ""}
    given = {name: os.environ.get(name) for name in labels}
    return [f"{name}={given[name]}" for name, used in labels.items() if given[name] and used not in {None, given[name]}]
