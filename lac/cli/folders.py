"""The folders that a command is given."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from lac.config.checks import ConfigError


def given_folders(cfg: DictConfig, name: str) -> list[Path]:
    """The folder, or the list of them, under the key ``name``.

    Raises:
        ConfigError: The key is not set.
    """
    if OmegaConf.is_missing(cfg, name):
        raise ConfigError([f"{name} is not set; give a folder, as {name}=outputs/..."])
    given = [cfg[name]] if isinstance(cfg[name], str) else list(cfg[name])
    return [Path(path) for path in given]
