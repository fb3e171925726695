"""The process that talks to Weights & Biases for one run; the only place that imports it.

Commands come as lines of JSON on standard input: ``open``, any number of ``log``, ``finish``; what happens is
told the same way on standard output. A training that vanishes closes the input, and the run as failed.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

Tell = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Serve standard input."""
    # The training process decides when a run ends, also where a scheduler signals all processes of a job.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody but us writes to the channel

    def tell(event: Mapping[str, Any]) -> None:
        channel.write(json.dumps(event) + "\n")
        channel.flush()

    serve(map(json.loads, sys.stdin), tell)


def serve(commands: Iterable[Mapping[str, Any]], tell: Tell) -> None:
    """Carry out commands until the last one; the first failure ends it, and is told once.

    Args:
        commands: Each has one entry: the name of the command with its arguments.
        tell: Called with events: ``warning``, ``mode``, ``url``, ``folder``, and ``is_broken`` at the end.
    """
    session = _Session(tell)
    doing = "starting"
    try:
        for command in commands:
            ((doing, arguments),) = command.items()
            {"open": session.open, "log": session.log, "finish": session.finish}[doing](arguments)
            if doing == "finish":
                break
        else:
            session.abandon()
    except Exception as error:
        text = f"W&B failed in {doing!r} ({_first_line(error)}); the run goes on without it"
        tell({"is_broken": True, "warning": text})
        return
    tell({"is_broken": False})


class _Session:
    """One run."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._run: Any = None

    def open(self, arguments: Mapping[str, Any]) -> None:
        """Open the run; when that fails online, open it offline."""
        options = dict(arguments)
        mode, command, timeouts = (options.pop(name) for name in ("mode", "command", "timeouts"))
        sys.argv[:] = command  # what W&B notes as the command of the run
        try:
            self._run = _init(mode, timeouts, options)
        except Exception as error:
            if mode == "offline":
                raise
            mode = "offline"
            text = f"W&B cannot be reached ({_first_line(error)}); the run is recorded offline"
            self._tell({"mode": mode, "warning": text})
            _let_go(Path(options["dir"]) / "wandb", options["id"])
            self._run = _init(mode, timeouts, options)
        url = self._run.url if mode == "online" else None  # W&B warns where there is none
        self._tell({"mode": mode, "url": url, "folder": str(Path(self._run.dir).parent)})
        _file_hidden_groups(self._run, options["config"])
        self._run.define_metric("*", step_metric="env_steps")

    def log(self, metrics: Mapping[str, float]) -> None:
        """Log one line of metrics."""
        self._run.log(dict(metrics))

    def finish(self, results: Mapping[str, Any]) -> None:
        """Add the results and close the run, even if they cannot be added."""
        try:
            self._add(results)
        finally:
            self._close(results["exit_code"])

    def abandon(self) -> None:
        """The training process has vanished."""
        if self._run is not None:
            self._close(exit_code=1)

    def _add(self, results: Mapping[str, Any]) -> None:
        import wandb  # noqa: PLC0415 (as below)

        self._run.summary.update(dict(results["summary"]))
        picture, policy_folder = results["picture"], results["policy_folder"]
        if picture is not None and Path(picture).exists():
            self._run.log({"learning_curve": wandb.Image(picture)})
        if policy_folder is not None and Path(policy_folder).exists():
            artifact = wandb.Artifact(f"policy-{self._run.id}", type="policy")
            for file in sorted(Path(policy_folder).iterdir()):
                artifact.add_file(str(file))
            self._run.log_artifact(artifact)

    def _close(self, exit_code: int) -> None:
        folder = Path(self._run.dir).parent
        try:
            self._run.finish(exit_code=exit_code)
        except TimeoutError:
            self._tell({"warning": f"W&B did not take everything in time; `wandb sync {folder}` uploads the rest"})


def _init(mode: str, timeouts: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    import wandb  # noqa: PLC0415 (a failing import is told as any other failure)

    return wandb.init(
        mode=mode,  # type: ignore[arg-type]
        settings=wandb.Settings(
            silent=True,
            console="off",
            **timeouts,
            finish_timeout_raises=True,
            # A run that is killed loses one second instead of fifteen.
            x_transaction_log_flush_interval=1.0,
            # Whose CPU and memory are shown.
            x_stats_pid=os.getppid(),
            program=sys.argv[0],
        ),
        **options,
    )


def _let_go(folder: Path, run_id: str) -> None:
    """End the service, which holds on to a run that it could not open, and remove the empty run."""
    import wandb  # noqa: PLC0415

    wandb.teardown()
    for path in folder.glob(f"run-*-{run_id}"):
        shutil.rmtree(path, ignore_errors=True)


def _file_hidden_groups(run: Any, config: Mapping[str, Any]) -> None:
    """File the keys of groups that a sweep of W&B hides, under dotted names.

    Where its agent chooses ``algo=lac``, W&B locks ``algo`` to that word, and our keys of that name are lost.
    """
    for name, value in config.items():
        if isinstance(value, dict) and not isinstance(run.config[name], Mapping):
            run.config.update(dict(_dotted(value, name)))


def _dotted(node: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, dict) and value:
            yield from _dotted(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}", value


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    main()
