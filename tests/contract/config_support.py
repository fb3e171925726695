"""Composing the training config, and the options and keys that there are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from lac.cli.app import register

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"

Compose = Callable[..., DictConfig]


@contextmanager
def composing() -> Iterator[Compose]:
    """Composes the training config with overrides, as the script does."""
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda *overrides: compose("train", overrides=list(overrides))


def options(group: str) -> list[str]:
    return sorted(str(path.relative_to(CONF / group).with_suffix("")) for path in (CONF / group).rglob("*.yaml"))


def keys_of(node: object, prefix: str = "") -> Iterator[str]:
    """The full names of the values in nested dictionaries; the free dictionary env.kwargs is one value."""
    for name, value in node.items():
        if isinstance(value, dict) and prefix + name != "env.kwargs":
            yield from keys_of(value, f"{prefix}{name}.")
        else:
            yield prefix + name
