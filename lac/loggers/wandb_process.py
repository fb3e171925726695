"""The process that communicates with Weights & Biases for one run; the only module that imports ``wandb`` to log.

It reads commands as lines of JSON from standard input: ``open``, any number of ``log``, ``finish``. It reports events
in the same format on standard output. If the training process dies, the input closes and the run is marked as failed.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

EventCallback = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Execute the commands on standard input."""
    # The training process decides when a run ends, even if a scheduler signals all processes of a job.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # other code that prints must not write to the channel

    def on_event(event: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError):  # the training has died, but what it has sent is still to be logged
            channel.write(json.dumps(event) + "\n")
            channel.flush()

    serve(map(json.loads, sys.stdin), on_event)


def serve(commands: Iterable[Mapping[str, Any]], on_event: EventCallback) -> None:
    """Execute commands up to ``finish``; the first failure is reported and ends the session.

    Args:
        commands: Each has one entry: the name of the command with its arguments.
        on_event: Called with events: ``warning``, ``mode``, ``url``, ``folder``, and ``is_broken`` at the end.
    """
    session = _Session(on_event)
    name = "starting"
    try:
        for command in commands:
            ((name, arguments),) = command.items()
            {"open": session.open, "log": session.log, "finish": session.finish}[name](arguments)
            if name == "finish":
                break
        else:
            session.abandon()
    except Exception as error:
        text = f"W&B failed in {name!r} ({_first_line(error)}); the run continues without it"
        on_event({"is_broken": True, "warning": text})
        return
    on_event({"is_broken": False})


class _Session:
    """One run on W&B."""

    def __init__(self, on_event: EventCallback) -> None:
        self._on_event = on_event
        self._run: Any = None

    def open(self, arguments: Mapping[str, Any]) -> None:
        """Open the run; if this fails online, open it offline."""
        options = dict(arguments)
        mode, command, timeouts = (options.pop(name) for name in ("mode", "command", "timeouts"))
        sys.argv[:] = command  # W&B records it as the command of the run
        folder = Path(options["dir"]) / "wandb"
        before = set(folder.glob(f"run-*-{options['id']}"))
        try:
            self._run = _init(mode, timeouts, options)
        except Exception as error:
            if mode == "offline":
                raise
            mode = "offline"
            text = f"W&B cannot be reached ({_first_line(error)}); the run is recorded offline"
            self._on_event({"mode": mode, "warning": text})
            _discard_failed_run(set(folder.glob(f"run-*-{options['id']}")) - before)
            self._run = _init(mode, timeouts, options)
        url = self._run.url if mode == "online" else None  # reading the url of an offline run causes a warning
        self._on_event({"mode": mode, "url": url, "folder": str(Path(self._run.dir).parent)})
        _add_hidden_groups(self._run, options["config"])
        self._run.define_metric("*", step_metric="env_steps")

    def log(self, metrics: Mapping[str, float]) -> None:
        """Log one line of metrics; W&B leaves out those that it has, from before the run was continued."""
        self._run.log(dict(metrics), step=int(metrics["env_steps"]), commit=True)

    def finish(self, results: Mapping[str, Any]) -> None:
        """Add the results and close the run, even if they cannot be added."""
        try:
            self._add(results)
        finally:
            self._close(results["exit_code"])

    def abandon(self) -> None:
        """Close the run as failed, since the training process has died."""
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
            self._on_event({"warning": f"W&B did not upload all data in time; `wandb sync {folder}` uploads the rest"})


def _init(mode: str, timeouts: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    import wandb  # noqa: PLC0415 (a failing import is reported like any other failure)

    return wandb.init(
        mode=mode,  # type: ignore[arg-type]
        settings=wandb.Settings(
            silent=True,
            console="off",
            **timeouts,
            finish_timeout_raises=True,
            # A run that is killed loses one second instead of fifteen.
            x_transaction_log_flush_interval=1.0,
            # The process whose CPU and memory W&B monitors.
            x_stats_pid=os.getppid(),
            program=sys.argv[0],
        ),
        **options,
    )


def _discard_failed_run(folders: Iterable[Path]) -> None:
    """End the service, which keeps a run that it could not open, and delete the folder that this run has made."""
    import wandb  # noqa: PLC0415

    wandb.teardown()
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)


def _add_hidden_groups(run: Any, config: Mapping[str, Any]) -> None:
    """Add the keys of config groups that a W&B sweep hides, under dotted names.

    If the sweep's agent selects ``algo=lac``, W&B fixes ``algo`` to that word, and the keys of the group are lost.
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
