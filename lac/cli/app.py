"""What the commands share: Hydra's registrations, one message for wrong input, and the exit status."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lac.cli.errors import explain, first_line
from lac.cli.signals import end_with_cleanup
from lac.config.checks import ConfigError
from lac.config.environment_variables import resolve_typed_variables_only
from lac.config.help import register_help
from lac.config.naming import run_name, sweep_name
from lac.config.schemas import CONFIG_DIR, register_schemas
from lac.files import space_advice
from lac.runs.folder import abandon_claim
from lac.sweeps.job import run_sweep_job
from lac.sweeps.shutdown import ignore_signals

T = TypeVar("T")

# Constructor arguments, attributes and varied keys are free: Hydra takes keys that no schema has only with this prefix.
_FREE_KEYS = ("env.kwargs.", "disturbance.values.", "vary.")

WANTS_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR", "0") not in {"", "0"}


def register() -> None:
    """Make schemas, launcher presets and resolvers known to Hydra."""
    register_schemas()
    Plugins.instance()  # registers the presets of the launchers' packages, which those here replace
    for preset in sorted((CONFIG_DIR / "cli" / "launcher").glob("*.yaml")):
        ConfigStore.instance().store(group="hydra/launcher", name=preset.stem, node=OmegaConf.load(preset))
    OmegaConf.register_new_resolver("lac.run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("lac.sweep_name", sweep_name, replace=True)
    register_help()


def run_app(config_name: str, task: Callable[[DictConfig], Any]) -> NoReturn:
    """Run a task with the config that Hydra composes from ``sys.argv``, and end the process.

    Wrong input ends it with one message and exit status 2, an error while it runs with one message and exit status 1;
    ``HYDRA_FULL_ERROR=1`` shows the traceback instead.
    Ctrl-C and SIGTERM end a run as interrupted.

    Args:
        config_name: Name of the command, which is that of its main config.
        task: Called with the config of each job.
    """
    register()
    # Hydra would print its own message and exit with 1; this makes it raise.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    # Hydra takes no option between overrides.
    words = sorted(sys.argv[1:], key=lambda text: text not in {"-m", "--multirun"})
    sys.argv[1:] = [with_free_keys_added(text) for text in words]
    if config_name != "train":
        _refuse_sweep(config_name, sys.argv[1:])
    typed = list(sys.argv[1:])
    resolve_typed_variables_only(typed)

    def job(cfg: DictConfig) -> Any:
        resolve_typed_variables_only(typed)  # again, since a job may run in another process
        if HydraConfig.get().mode == RunMode.RUN:  # for a sweep it is done before its first job
            end_with_cleanup()
        return run_job(task, cfg)

    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(job)()
    except ConfigError as error:
        if WANTS_TRACEBACK:
            raise
        refuse(error.errors)
    except Exception as error:
        if WANTS_TRACEBACK:
            raise
        refuse(explain(error, config_name, sys.argv[1:]) or [_sentence(error)])
    except KeyboardInterrupt:
        _exit_after_signal(128 + signal.SIGINT)
    except SystemExit as error:
        if isinstance(error.code, int) and error.code > 128:
            _exit_after_signal(error.code)
        raise
    sys.exit(0)


def _exit_after_signal(status: int) -> NoReturn:
    ignore_signals()  # a further one would show a traceback of the interpreter's own clean-up
    sys.exit(status)


def with_free_keys_added(override: str) -> str:
    """An override in the form that Hydra takes for keys that no schema has, where it sets one."""
    return f"++{override}" if override.startswith(_FREE_KEYS) else override


def run_job(task: Callable[[DictConfig], T], cfg: DictConfig) -> T | None:
    """Run one job of a command; an error ends the process with one message.

    The exit status is 2 if the config cannot be run, and 1 after any other error.
    A job of a sweep does not raise: its errors are recorded in its own folder, and the other jobs continue.
    """
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return run_sweep_job(task, cfg)
    try:
        return task(cfg)
    except ConfigError as error:
        abandon_claim(Path(HydraConfig.get().runtime.output_dir))
        if WANTS_TRACEBACK:
            raise
        refuse(error.errors)
    except Exception as error:
        if WANTS_TRACEBACK:
            raise
        _fail(error)


def refuse(errors: Sequence[str]) -> NoReturn:
    """Print the errors and end the process with exit status 2."""
    heading = "This cannot be run:" if len(errors) == 1 else f"This cannot be run, for {len(errors)} reasons:"
    print("\n  ".join([heading, *errors]), file=sys.stderr)
    sys.exit(2)


def _fail(error: Exception) -> NoReturn:
    """Print why a job has failed and end the process with exit status 1; a run has the traceback in its log."""
    lines = [f"This failed: {type(error).__name__}: {first_line(error)}", *getattr(error, "__notes__", ())]
    print("\n  ".join([*lines, "HYDRA_FULL_ERROR=1 shows the traceback"]), file=sys.stderr)
    sys.exit(1)


def _sentence(error: Exception) -> str:
    """An error of Hydra or OmegaConf that no override explains."""
    key = getattr(error, "full_key", None)
    sentence = f"{key}: {first_line(error)}" if key else first_line(error)
    if not isinstance(error, OSError):  # the folder may be what cannot be resolved
        return sentence
    advice = space_advice(error, Path(HydraConfig.get().run.dir) if HydraConfig.initialized() else Path.cwd())
    return sentence if advice is None else f"{sentence}; {advice}"


def _refuse_sweep(command: str, arguments: Sequence[str]) -> None:
    """Refuse a sweep of a command other than ``train``; its jobs would be taken for trainings."""
    given = get_args_parser().parse_args(list(arguments))
    wanted = ["-m"] if given.multirun else [text for text in given.overrides if text == "hydra.mode=MULTIRUN"]
    if wanted:
        refuse([f"{wanted[0]} is for train; leave it out, and start {command} once for each of several values"])
