"""Weights & Biases; the only place that imports it. Nothing here can stop, hang or delay a training run."""

import netrc
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MODES = ("auto", "online", "offline", "disabled")

_INIT_TIMEOUT = 20.0
_FINISH_TIMEOUT = 30.0


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
    goes on without.

    Args:
        settings: Where the run is filed.
        run_dir: The run folder; offline runs go to ``wandb/`` in it.
        config: The resolved configuration.
        warn: Called with a warning.
    """

    _staging: str | None = None  # what WANDB_DATA_DIR was set to for an earlier run of this process

    def __init__(
        self, settings: WandbSettings, run_dir: Path, config: Mapping[str, Any], warn: Callable[[str], None]
    ) -> None:
        self._settings, self._run_dir, self._config, self._warn = settings, run_dir, config, warn
        self._run: Any = None
        self.mode, self.reason = resolve_mode(settings.mode)

    @property
    def offline_folder(self) -> Path | None:
        """The folder of an offline run, which ``wandb sync`` takes."""
        return Path(self._run.dir).parent if self._run is not None and self.mode == "offline" else None

    @property
    def description(self) -> dict[str, Any]:
        """Mode, and id and address of the run where there is one."""
        url = self._run.url if self._run is not None and self.mode == "online" else None
        return {"mode": self.mode, "id": getattr(self._run, "id", None), "url": url}

    def start(self) -> None:
        """Open the run; when that fails online, open it offline."""
        if self.mode == "disabled":
            return
        try:
            self._run = self._open(self.mode)
        except Exception as error:
            if self.mode == "offline":
                self._warn(f"W&B cannot open an offline run ({_first_line(error)}); the run goes on without it")
                self.mode = "disabled"
                return
            self._warn(f"W&B cannot be reached ({_first_line(error)}); the run is recorded offline")
            self.mode, self.reason = "offline", "W&B could not be reached"
            self._guarded("opening an offline run", self._reopen)

    def log(self, metrics: Mapping[str, float]) -> None:
        """Log one line of metrics."""
        if self._run is not None:
            self._guarded("logging", lambda: self._run.log(dict(metrics)))

    def finish(
        self, summary: Mapping[str, Any], picture: Path | None, policy_folder: Path | None, exit_code: int
    ) -> None:
        """Add the summary, the learning curve and the policy, and close the run."""
        if self._run is not None:
            self._guarded("finishing", lambda: self._add_and_close(summary, picture, policy_folder, exit_code))

    def _add_and_close(
        self, summary: Mapping[str, Any], picture: Path | None, policy_folder: Path | None, exit_code: int
    ) -> None:
        try:
            self._add_results(summary, picture, policy_folder)
        finally:
            self._run.finish(exit_code=exit_code)

    def _reopen(self) -> None:
        self._run = self._open("offline")

    def _open(self, mode: str) -> Any:
        import wandb  # noqa: PLC0415 (half a second that `--cfg job` does not need)

        # Artifacts are staged here instead of in the home folder.
        if os.environ.get("WANDB_DATA_DIR") in {None, WandbLogger._staging}:
            WandbLogger._staging = str((self._run_dir / "wandb").resolve())
            os.environ["WANDB_DATA_DIR"] = WandbLogger._staging
        s = self._settings
        run = wandb.init(
            dir=str(self._run_dir),
            mode=mode,  # type: ignore[arg-type]
            project=s.project,
            entity=s.entity,
            group=s.group,
            name=s.name,
            job_type=s.job_type,
            tags=list(s.tags),
            config=dict(self._config),
            # In a worker that runs several jobs an earlier run would be returned otherwise.
            reinit="finish_previous",
            settings=wandb.Settings(
                silent=True,
                console="off",
                init_timeout=_INIT_TIMEOUT,
                finish_timeout=_FINISH_TIMEOUT,
                # A run that is killed loses one second instead of fifteen.
                x_transaction_log_flush_interval=1.0,
            ),
        )
        run.define_metric("*", step_metric="env_steps")
        return run

    def _add_results(self, summary: Mapping[str, Any], picture: Path | None, policy_folder: Path | None) -> None:
        import wandb  # noqa: PLC0415

        self._run.summary.update(dict(summary))
        if picture is not None and picture.exists():
            self._run.log({"learning_curve": wandb.Image(str(picture))})
        if policy_folder is not None and policy_folder.exists():
            artifact = wandb.Artifact(f"policy-{self._run.id}", type="policy")
            for file in sorted(policy_folder.iterdir()):
                artifact.add_file(str(file))
            self._run.log_artifact(artifact)

    def _guarded(self, what: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except Exception as error:
            self._warn(f"W&B failed while {what} ({_first_line(error)}); the run goes on without it")
            self._run, self.mode = None, "disabled"
            self._abandon()

    @staticmethod
    def _abandon() -> None:
        """Let go of W&B's service, so that its own end of the process does not complain once more."""
        import wandb  # noqa: PLC0415

        with suppress(Exception, SystemExit):
            wandb.teardown()


def resolve_mode(mode: str) -> tuple[str, str]:
    """The mode to use and the reason for it; ``auto`` is online where a key is configured."""
    if mode not in MODES:
        raise ValueError(f"wandb.mode is {mode!r}; it must be one of {', '.join(MODES)}")
    if mode != "auto":
        return mode, "as asked"
    wished = os.environ.get("WANDB_MODE", "")
    if wished in MODES[1:]:
        return wished, f"WANDB_MODE={wished}"
    if _has_key():
        return "online", "an API key is configured"
    return "offline", "no API key is configured"


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
