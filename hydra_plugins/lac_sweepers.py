"""The sweepers of lac for Hydra, which looks for plugins in this namespace only and imports them at every start."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NoReturn

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class _LacSweeper(Sweeper):
    """What the sweepers of lac share.

    Args:
        params: Overrides that a config file gives for the sweep; the command line wins over them.
    """

    def __init__(self, params: Mapping[str, str] | None) -> None:
        self._params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra before the sweep."""
        self._config, self._loader = config, hydra_context.config_loader
        _refuse_missing_launcher(config)
        self._launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def _with_params(self, arguments: Sequence[str]) -> list[str]:
        return [*(f"{key}={value}" for key, value in self._params.items()), *arguments]


class GridSweeper(_LacSweeper):
    """Every combination of the values on the command line, each once; a sweep that was interrupted is continued.

    Args:
        params: Overrides that a config file gives for the sweep; the command line wins over them.
        max_batch_size: How many jobs are handed to the launcher at a time; None: all.
    """

    def __init__(self, params: Mapping[str, str] | None = None, max_batch_size: int | None = None) -> None:
        super().__init__(params)
        self._max_batch_size = max_batch_size

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep that these overrides describe."""
        from lac.sweeps.grid import run_grid  # noqa: PLC0415 (every start imports this file)

        run_grid(self._config, self._loader, self._with_params(arguments), self._launch)

    def _launch(self, overrides: Sequence[Sequence[str]], first_number: int) -> None:
        size = self._max_batch_size or max(1, len(overrides))
        for start in range(0, max(1, len(overrides)), size):
            self._launcher.launch(overrides[start : start + size], initial_job_idx=first_number + start)


class OptunaSweeper(_LacSweeper):
    """Search for the values with the least test cost; ``conf/hydra/sweeper/optuna.yaml`` lists its settings.

    Args:
        params: Overrides that a config file gives for the search; the command line wins over them.
        settings: The other settings; the search and its jobs read them from the config.
    """

    def __init__(self, params: Mapping[str, str] | None = None, **settings: Any) -> None:
        super().__init__(params)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the search that these overrides describe."""
        if find_spec("optuna") is None:
            _refuse("hydra/sweeper", "optuna", "sweep")
        from lac.sweeps.search.search import run_search  # noqa: PLC0415 (every start imports this file)

        run_search(self._config, self._loader, self._with_params(arguments), self._launch)

    def _launch(self, overrides: Sequence[Sequence[str]], first_number: int) -> None:
        self._launcher.launch(overrides, initial_job_idx=first_number)


def _refuse_missing_launcher(config: DictConfig) -> None:
    from lac.sweeps.launchers import launcher_of  # noqa: PLC0415 (every start imports this file)

    launcher = launcher_of(config.hydra.launcher)
    if launcher.extra is not None and find_spec(f"hydra_plugins.{launcher.package}") is None:
        _refuse("hydra/launcher", config.hydra.runtime.choices["hydra/launcher"], launcher.extra)


def _refuse(group: str, name: str, extra: str) -> NoReturn:
    from lac.config.checks import ConfigError  # noqa: PLC0415 (as above)

    command = f"pip install -c constraints.txt -e '.[{extra}]'"
    raise ConfigError([f"{group} is {name!r}, which is not installed; {command}"])
