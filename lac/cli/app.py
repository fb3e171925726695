"""What the scripts share: one message for wrong input, and an orderly end."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.lac_sweepers import GridSweeper, OptunaSweeper
from lac.cli.errors import explain, first_sentence
from lac.config.checks import ConfigError
from lac.config.help import groups_text, help_text
from lac.config.naming import run_name, sweep_name
from lac.config.schemas import CONFIG_DIR, register_schemas
from lac.runs.folder import SUMMARY
from lac.sweeps.job import run_sweep_job
from lac.sweeps.shutdown import exit_on_signal

T = TypeVar("T")

_IN_A_JOB = "_lac_raised_in_a_job"  # marks errors of a run, which are no errors of the command line

WANTS_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR", "0") not in {"", "0"}


def register() -> None:
    """Make schemas and resolvers known to Hydra; scripts call it before their main function."""
    register_schemas()
    # Hydra's own search does not see into every kind of installation.
    Plugins.instance().register(GridSweeper)
    Plugins.instance().register(OptunaSweeper)
    # In place of those of the launchers' packages, which Hydra has registered by now.
    for preset in sorted((CONFIG_DIR / "cli" / "launcher").glob("*.yaml")):
        ConfigStore.instance().store(group="hydra/launcher", name=preset.stem, node=OmegaConf.load(preset))
    if not OmegaConf.has_resolver("lac.run_name"):
        OmegaConf.register_new_resolver("lac.run_name", run_name)
        OmegaConf.register_new_resolver("lac.sweep_name", sweep_name)
        OmegaConf.register_new_resolver("lac.help", help_text)
        OmegaConf.register_new_resolver("lac.groups", groups_text)


def run_app(main: Callable[[], Any], config_name: str) -> NoReturn:
    """Run a Hydra main function; wrong input ends it with one message and exit status 2.

    ``HYDRA_FULL_ERROR=1`` shows the traceback instead. Ctrl-C and SIGTERM end a run as interrupted.
    """
    # Hydra would print its own message and exit with 1; this makes it raise.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    signal.signal(signal.SIGTERM, exit_on_signal)
    # Constructor arguments and attributes are free, so that Hydra need not know them beforehand.
    free = ("env.kwargs.", "disturbance.values.")
    sys.argv[1:] = [f"++{text}" if text.startswith(free) else text for text in sys.argv[1:]]
    if not WANTS_TRACEBACK:
        _refuse_folder_of_a_run(sys.argv[1:])
    try:
        main()
    except ConfigError as error:
        if WANTS_TRACEBACK:
            raise
        _refuse(error.errors)
    except Exception as error:
        if WANTS_TRACEBACK or getattr(error, _IN_A_JOB, False):
            raise
        _refuse(explain(error, config_name, sys.argv[1:]) or [first_sentence(error)])
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _refuse_folder_of_a_run(arguments: Sequence[str]) -> None:
    for text in arguments:
        key, _, folder = text.partition("=")
        if key == "hydra.run.dir" and (Path(folder) / SUMMARY).exists():
            _refuse([f"{key} is {folder!r}, which holds a run already; give another folder"])


def run_job(task: Callable[[DictConfig], T], cfg: DictConfig) -> T | None:
    """Run one job of a script; a config that cannot be run ends the program, without Hydra's own words.

    A job of a sweep does not raise: what went wrong is told in its own folder, and the others go on.
    """
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return run_sweep_job(task, cfg)
    try:
        return task(cfg)
    except ConfigError as error:
        if WANTS_TRACEBACK:
            raise
        _refuse(error.errors)
    except Exception as error:
        setattr(error, _IN_A_JOB, True)
        raise


def _refuse(errors: Sequence[str]) -> NoReturn:
    heading = "This cannot be run:" if len(errors) == 1 else f"This cannot be run, for {len(errors)} reasons:"
    print("\n  ".join([heading, *errors]), file=sys.stderr)
    sys.exit(2)
