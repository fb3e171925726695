"""The key ``resume`` of the command ``train``: which run goes on, with which config."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from lac.config.checks import ConfigError
from lac.config.resuming import continued_config, is_free
from lac.runs.config_file import read_config
from lac.runs.folder import CONFIG, FINISHED, FROM_PYTHON, SUMMARY, RunError, locked_run, read_summary

_ROOT = Path("outputs")


def continue_run(config: DictConfig) -> FileLock:
    """Let Hydra continue a run: in its folder, with its config; returns the lock of the run, which is held.

    Args:
        config: The config that Hydra has composed, with ``hydra``; it is changed.

    Raises:
        ConfigError: The run cannot be continued, or not with these overrides.
    """
    from lac.runs.resuming import AUTO, newest_unfinished  # noqa: PLC0415 (imports torch)

    given = config.resume
    try:
        folder = newest_unfinished(_ROOT) if given == AUTO else Path(str(given))
        folder = folder.absolute()
        if not (folder / SUMMARY).is_file():
            raise RunError(f"no run has begun in {given}; give the folder of a run, or auto for the last one")
        if not (folder / CONFIG).is_file():
            raise RunError(f"{folder} has no {CONFIG}; restore it, or train the run again")
        if read_summary(folder).get(FROM_PYTHON):
            raise RunError(
                f"{folder} was trained from Python: it goes on from there, with logger_kwargs={{'resume': ...}}"
            )
        lock = locked_run(folder)
        saved = read_config(folder / CONFIG)
        before = _overrides_before(folder)
        continued = continued_config(saved, config, OmegaConf.to_container(config.hydra.overrides.task), before)  # type: ignore[arg-type]
        _raise_if_nothing_is_left(folder, saved["train"]["epochs"], continued.train)
    except RunError as error:
        raise ConfigError([f"resume is {str(given)!r}: {error}"]) from error
    continued.resume = str(folder)
    with open_dict(config), read_write(config.hydra), read_write(config.hydra.run):
        for key in continued:
            config[key] = continued[key]
        config.hydra.run.dir = str(folder)
        if config.hydra.output_subdir is not None:
            config.hydra.output_subdir = _free_subfolder(folder, config.hydra.output_subdir)
    return lock


def config_of_job(cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> DictConfig:
    """The config of a job of a sweep: that of its interrupted run, if there is one, which has drawn its seed.

    Raises:
        ConfigError: The saved config cannot be used.
        RunError: It cannot be read.
    """
    if not ((folder / SUMMARY).is_file() and (folder / CONFIG).is_file()):
        return cfg
    return continued_config(read_config(folder / CONFIG), cfg, list(filter(is_free, overrides)))


@contextmanager
def resumption_in(folder: Path) -> Iterator[Any]:
    """What the run in a folder continues from, within the block; None if none has begun there.

    Raises:
        ConfigError: It cannot be continued.
    """
    if not (folder / SUMMARY).is_file():
        yield None
        return
    from lac.runs.resuming import resumed  # noqa: PLC0415 (imports torch)

    with _as_config_error(), resumed(folder) as resumption:
        yield resumption


@contextmanager
def _as_config_error() -> Iterator[None]:
    try:
        yield
    except RunError as error:
        raise ConfigError([f"resume: {error}"]) from error


def _overrides_before(folder: Path) -> list[str]:
    """The overrides with which a run was started; none where Hydra has kept no record."""
    try:
        overrides: Any = OmegaConf.to_container(OmegaConf.load(folder / ".hydra" / "overrides.yaml"))
    except Exception:  # a file of Hydra's that is missing, or whatever is in its place
        return []
    return [text for text in overrides if isinstance(text, str)] if isinstance(overrides, list) else []


def is_stopped(summary: Mapping[str, Any], train: Mapping[str, Any]) -> bool:
    """Whether a run has stopped early with the same settings as these of the group ``train``."""
    stopped = summary.get("stopped")
    return stopped is not None and all(stopped[name] == train[name] for name in ("stop_below", "patience"))


def _raise_if_nothing_is_left(folder: Path, before: int, train: Mapping[str, Any]) -> None:
    epochs, summary = train["epochs"], read_summary(folder)
    if epochs < before:
        raise RunError(f"train.epochs is {epochs}, but the run has {before}; give at least as many")
    if summary.get("status") != FINISHED:
        return
    if is_stopped(summary, train):
        reason = summary["stopped"]["reason"]
        raise RunError(f"{folder} stopped early ({reason}); change train.stop_below or train.patience to extend it")
    if epochs == before and "stopped" not in summary:
        raise RunError(f"{folder} is finished; give more train.epochs than its {before} to extend it")


def _free_subfolder(folder: Path, subfolder: str) -> str:
    """Where Hydra records this call, beside what it recorded of the earlier ones."""
    number = 1
    while (folder / subfolder / f"resumed-{number}").exists():
        number += 1
    return f"{subfolder}/resumed-{number}"
