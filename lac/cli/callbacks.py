"""What Hydra calls before a run, whose folder is claimed before anything is written into it, and before a sweep."""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write
from omegaconf.errors import OmegaConfBaseException

from lac.cli.app import refuse
from lac.cli.resume import continue_run
from lac.cli.signals import end_with_cleanup
from lac.config.checks import ConfigError
from lac.runs.folder import claimed_folder, new_folder


class ClaimFolder(Callback):
    """Gives each run a folder of its own, whatever other processes start at the same time."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Claim the folder that the command line names or whose run goes on, or make one that did not exist."""
        HydraConfig.instance().set_config(config)  # as Hydra does later: the folder's name depends on it
        self._claim(config)
        HydraConfig.instance().set_config(config)  # again: errors name the folder

    def _claim(self, config: DictConfig) -> None:
        if config.get("resume") is not None:
            try:
                self._lock = continue_run(config)
            except ConfigError as error:
                refuse(error.errors)
            except Exception as error:  # as a warning it would let another run begin
                refuse([f"resume is {config.resume!r}, which failed: {type(error).__name__}: {error}"])
            return
        try:
            folder = Path(config.hydra.run.dir).absolute()
        except OmegaConfBaseException:
            return  # Hydra raises it again, and not as a warning
        is_named = any(text.lstrip("+").startswith("hydra.run.dir=") for text in config.hydra.overrides.hydra)
        try:
            if is_named:
                self._lock = claimed_folder(folder)  # kept, since a lock without a name for it is released
            else:
                folder = new_folder(folder)
        except OSError as error:
            # Not an exception, which Hydra would turn into a warning.
            refuse([f"hydra.run.dir is {str(config.hydra.run.dir)!r}, which cannot be used: {error}"])
        with read_write(config.hydra.run):
            config.hydra.run.dir = str(folder)


class CleanUpOnSignals(Callback):
    """Lets Ctrl-C and SIGTERM end a sweep with its jobs; a single run does that for itself."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Let signals raise from now on."""
        end_with_cleanup()
