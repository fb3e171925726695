"""The folders that a command is given, and the file that it writes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lac.config.checks import ConfigError
from lac.files import write_bytes


def given_folders(cfg: DictConfig, name: str, or_files: bool = False) -> list[Path]:
    """The folder, or the list of them, under the key ``name``; each once.

    Args:
        cfg: The config.
        name: The key.
        or_files: Whether a file will do.

    Raises:
        ConfigError: The key is not set, or a value is not a folder that is there; all such values are named.
    """
    if OmegaConf.is_missing(cfg, name):
        raise ConfigError([f"{name} is not set; give a folder, as {name}=outputs/..."])
    value: Any = OmegaConf.to_container(cfg, resolve=True)[name]  # type: ignore[call-overload, index]
    given = value if isinstance(value, list) else [value]
    errors = [error for error in (_error(name, item, or_files) for item in given) if error is not None]
    if not given:
        errors = [f"{name} is an empty list; give a folder, as {name}=outputs/..."]
    if errors:
        raise ConfigError(errors)
    return [Path(path) for path in dict.fromkeys(given)]


def _error(name: str, value: object, or_files: bool) -> str | None:
    if not isinstance(value, str):
        shown = "null" if value is None else repr(value)
        return f"{name} is {shown}, which is not the name of a folder; put quotes around a name such as \"'2025'\""
    if not value.strip():
        return f"{name} is empty; give the folder of a run or of a sweep (. is the present one)"
    if not os.path.isdir(value) and not (or_files and os.path.isfile(value)):
        problem = "is not a folder" if os.path.exists(value) else "does not exist"
        file = ", or runs.jsonl of a report" if or_files else ""
        return f"{name}: {value} {problem}; give the folder of a run or of a sweep{file}"
    return None


def write_output(file: str, text: str) -> None:
    """Write the file that is given under the key ``output``.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        if not file.strip() or os.path.isdir(file):
            raise OSError("it must be the name of a file")
        write_bytes(Path(file), text.encode())
    except OSError as error:
        raise ConfigError([f"output is {file!r}, which cannot be written ({error}); give another file"]) from error


def without_runs(folders: Sequence[Path], found: Sequence[Path]) -> list[str]:
    """A sentence for each folder in which nothing was found.

    Args:
        folders: The folders that were given.
        found: The folders of runs, readable or not, that were found in them.
    """
    above = {parent for folder in found for name in _names(folder) for parent in (name, *name.parents)}
    return [f"{folder} has no runs in it" for folder in folders if above.isdisjoint(_names(folder))]


def _names(folder: Path) -> set[Path]:
    """Its absolute paths, with links and without."""
    return {Path(os.path.abspath(folder)), Path(os.path.realpath(folder))}
