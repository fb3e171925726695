"""The saved config of a run as plain data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from lac.files import write_bytes
from lac.runs.folder import present_file, unreadable

_DEFAULTS = """\
defaults:
  - /schema/train@_here_
  - /schema/disturbance/{disturbance}@disturbance
  - /schema/algo/{algo}@algo
  - cli@hydra: train
  - _self_
  - override hydra/sweeper: grid
  - override hydra/job_logging: none
  - override hydra/hydra_logging: none
"""
"""What makes a config one that the command ``train`` can run again."""


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


def write_config(file: Path, config: Mapping[str, Any], comment: str, is_runnable: bool = True) -> None:
    """Write the config of a training.

    Args:
        file: The file.
        config: The config, resolved.
        comment: Lines that precede it.
        is_runnable: Whether the command ``train`` can run it again, with ``--config-dir`` and ``--config-name``.
    """
    lines = [f"# {line}" for line in comment.splitlines()]
    if is_runnable:
        lines.append(_DEFAULTS.format(algo=config["algo"]["name"], disturbance=config["disturbance"]["kind"]))
    text = "\n".join([*lines, OmegaConf.to_yaml(OmegaConf.create(dict(config)))])
    write_bytes(file, text.encode())
