"""The saved config of a run as plain data."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from lac.runs.folder import present_file, unreadable


def read_config(file: Path) -> dict[str, Any]:
    """The config in a file, which may come from someone else.

    Interpolations stay as they are written, those of environment variables included, and nothing is instantiated: a
    key ``_target_`` is a key like any other.

    Raises:
        RunError: The file is missing, empty or damaged.
    """
    try:
        config = OmegaConf.to_container(OmegaConf.load(present_file(file)), resolve=False)
    except Exception as error:  # that of the system, of the YAML reader, or of OmegaConf
        raise unreadable(file, error) from error
    if not isinstance(config, dict) or not config:
        raise unreadable(file, "it does not hold keys and values")
    return {str(key): value for key, value in config.items()}
