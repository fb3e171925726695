"""Weights & Biases, at arm's length: a process of its own talks to it, and training never waits for that.

Init without a network takes until its timeout, a service process that is stopped blocks ``run.log`` for ever,
and a run that is left open is handed to the next job of the same worker. None of this reaches a process that
only writes lines to a pipe, from a thread.
"""

import json
import netrc
import os
import secrets
import string
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any
from urllib.parse import urlsplit

MODES = ("auto", "online", "offline", "disabled")

INIT_TIMEOUT = 20.0
"""Seconds after which a run that cannot be opened online is opened offline; training goes on meanwhile."""

FINISH_TIMEOUT = 30.0
"""Seconds that W&B gets for uploading at the end of a run; what is left lies in the run folder for ``wandb sync``."""

_GRACE = 10.0  # after which the process is killed, whatever it is doing
_COMMAND = (sys.executable, "-P", "-m", "lac.loggers.wandb_process")
_HOSTS = ("api.forge.coreweave.com", "api.wandb.ai")  # `wandb login` files the key under the first since wandb 0.31


@dataclass(frozen=True)
class WandbSettings:
    """Where a run is filed; names as on the command line."""

    mode: str = "auto"
    project: str = "lac"
    entity: str | None = None
    group: str | None = None
    name: str | None = None
    job_type: str | None = None
    tags: Sequence[str] = ()


class WandbLogger:
    """A copy of the metrics on Weights & Biases.

    A service that cannot be reached, a wrong key or a process that dies gives one warning, and the run
    goes on without. No call but :meth:`finish` waits, and that one for ``FINISH_TIMEOUT + 10`` seconds at most.

    Args:
        settings: Where the run is filed.
        run_dir: The run folder; the run's files go to ``wandb/`` in it.
        config: The resolved configuration.
        warn: Called with a warning, from the thread that calls the logger.
    """

    def __init__(
        self, settings: WandbSettings, run_dir: Path, config: Mapping[str, Any], warn: Callable[[str], None]
    ) -> None:
        self._settings, self._run_dir, self._config, self._warn = settings, run_dir.resolve(), config, warn
        self._process: _Process | None = None
        self._id: str | None = None
        self._url: str | None = None
        self._folder: Path | None = None
        self.mode, self.reason = resolve_mode(settings.mode)

    @property
    def offline_folder(self) -> Path | None:
        """The folder of an offline run, which ``wandb sync`` takes."""
        return self._folder if self.mode == "offline" else None

    @property
    def description(self) -> dict[str, Any]:
        """Mode, and id and address of the run where there is one."""
        return {"mode": self.mode, "id": self._id, "url": self._url if self.mode == "online" else None}

    def start(self) -> None:
        """Have the run opened; when that fails online, it is opened offline."""
        if self.mode == "disabled":
            return
        self._id = _agents_run_id() or "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
        s = self._settings
        options = {name: getattr(s, name) for name in ("project", "entity", "group", "name", "job_type")}
        options |= {"tags": list(s.tags), "config": dict(self._config), "dir": str(self._run_dir), "id": self._id}
        try:
            self._process = _Process(_environment(self._run_dir))
        except OSError as error:
            self._give_up(f"W&B cannot be started ({error}); the run goes on without it")
            return
        timeouts = {"init_timeout": INIT_TIMEOUT, "finish_timeout": FINISH_TIMEOUT}
        self._process.send({"open": {"mode": self.mode, "command": sys.argv, "timeouts": timeouts, **options}})

    def log(self, metrics: Mapping[str, float]) -> None:
        """Log one line of metrics."""
        if self._process is not None:
            self._process.send({"log": dict(metrics)})
            self._take_notice()

    def finish(
        self, summary: Mapping[str, Any], picture: Path | None, policy_folder: Path | None, exit_code: int
    ) -> None:
        """Add the summary, the learning curve and the policy, and close the run."""
        if self._process is None:
            return
        results = {
            "summary": dict(summary),
            "picture": str(picture) if picture is not None else None,
            "policy_folder": str(policy_folder) if policy_folder is not None else None,
            "exit_code": exit_code,
        }
        self._process.send({"finish": results})
        has_ended = self._process.end(FINISH_TIMEOUT + _GRACE)
        self._take_notice()
        if self._process is not None and not has_ended:
            self._give_up("W&B does not come to an end and is left; what it has taken lies in the run folder")
        elif self._process is not None:
            self._process.kill()
            self._process = None

    def _take_notice(self) -> None:
        """Act on what the process has told."""
        while self._process is not None and (event := self._process.event()) is not None:
            self.mode, self._url = event.get("mode", self.mode), event.get("url", self._url)
            self._folder = Path(event["folder"]) if "folder" in event else self._folder
            if event.get("is_broken"):
                self._give_up(event["warning"])
            elif "warning" in event:
                self._warn(event["warning"])

    def _give_up(self, warning: str) -> None:
        self._warn(warning)
        if self._process is not None:
            self._process.kill()
        self._process, self.mode = None, "disabled"


class _Process:
    """The process that talks to W&B: lines of JSON go in and come out, each through a thread of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        # A session of its own: Ctrl-C is meant for the training, which then closes the run.
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
        """Hand over a command, without waiting."""
        self._commands.put(json.dumps(command) + "\n")

    def event(self) -> dict[str, Any] | None:
        """The next thing that the process has told, None if there is none."""
        try:
            return self._events.get_nowait()
        except Empty:
            return None

    def end(self, timeout: float) -> bool:
        """No more commands; whether the process ends within ``timeout`` seconds."""
        self._commands.put(None)
        self._reader.join(timeout)
        return not self._reader.is_alive()

    def kill(self) -> None:
        """End the process, at once; W&B's service ends itself when it is gone."""
        self._popen.kill()
        self._popen.wait()

    def _write(self, pipe: IO[str]) -> None:
        with suppress(OSError), pipe:
            for line in iter(self._commands.get, None):
                pipe.write(line)
                pipe.flush()

    def _read(self, pipe: IO[str]) -> None:
        is_told = False
        with suppress(OSError, ValueError), pipe:
            for line in pipe:
                event = json.loads(line)
                is_told = is_told or "is_broken" in event
                self._events.put(event)
        if not is_told:
            self._events.put({"is_broken": True, "warning": "W&B's process has ended; the run goes on without it"})


def resolve_mode(mode: str) -> tuple[str, str]:
    """The mode to use and the reason for it; ``auto`` is online where a key is configured."""
    if mode not in MODES:
        raise ValueError(f"wandb.mode is {mode!r}; it must be one of {', '.join(MODES)}")
    if mode != "auto":
        return mode, "as asked"
    wished = os.environ.get("WANDB_MODE", "")
    if wished in MODES[1:]:
        return wished, f"WANDB_MODE={wished}"
    if has_key():
        return "online", "an API key is configured"
    return "offline", "no API key is configured"


def has_key() -> bool:
    """Whether an API key is configured, in the environment or by ``wandb login``."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    address = urlsplit(os.environ.get("WANDB_BASE_URL") or f"https://{_HOSTS[0]}")
    hosts = _HOSTS if address.hostname in _HOSTS else (address.netloc, address.hostname or "")
    try:
        keys = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    return any(host in keys.hosts for host in hosts)


def _agents_run_id() -> str | None:
    """The run that an agent of a W&B sweep has opened for this process."""
    return os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None


def _environment(run_dir: Path) -> dict[str, str]:
    """What W&B is to know; not how to continue another run, nor whose service to use."""
    kept = {name: value for name, value in os.environ.items() if name not in {"WANDB_RESUME", "WANDB_SERVICE"}}
    # Artifacts are staged in the run folder instead of the home folder.
    kept.setdefault("WANDB_DATA_DIR", str(run_dir / "wandb"))
    roots = [str(Path(__file__).parents[2]), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(roots)}
