"""The recommended settings as arguments of the Python API."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from lac.config.checks import flat
from lac.config.help import options, register_help
from lac.config.schemas import CONFIG_DIR, register_schemas
from lac.envs.factory import registered_spec
from lac.settings.algorithms import ALGORITHMS
from lac.settings.arguments import training_fields
from lac.settings.commands import config_keys
from lac.settings.rules import Choice, Text, nearest, raise_if_wrong

_OF_THE_CALLER = ("seed", "device", "engine", "opt_type")
_ANY_SYSTEM = "gym"


def recommended(env_id: str, algo: str = "lac") -> dict[str, Any]:
    """The recommended settings of an environment, as arguments of :func:`lac.lac`, ``latc`` or ``sac``.

    ``lac.lac(env_fn, **lac.recommended("lac/VanDerPol-v1"), seed=0)`` trains as the command
    ``python scripts/train.py env=van_der_pol seed=0`` does, to the bit.

    The length of episodes is no argument of those functions: a warning says where the command has another one than
    ``gymnasium.make(env_id)``. For the cart-pole, ``env_fn`` makes the environment with ``max_episode_steps=500``.

    Args:
        env_id: The id of an environment, ``MODULE:ID`` of one that a module registers, or the name of an option of
            ``env=``. One without settings of its own gets the recipe that all share (``conf/recipe``).
        algo: ``lac``, ``latc`` or ``sac``.

    Returns:
        Arguments that differ from their defaults, and ``ac_kwargs``. Seed, device and ``opt_type`` are the caller's.

    Raises:
        ValueError: The algorithm or the environment is unknown.
    """
    raise_if_wrong(env_id=(env_id, Text()), algo=(algo, Choice(tuple(ALGORITHMS))))
    with _composing():
        config = _config(env_id, algo)
    values = flat(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]
    arguments = training_fields(ALGORITHMS[algo])
    given = {
        leaf.argument: values[key]
        for key, leaf in config_keys("train", algo).items()
        if leaf.argument in arguments and leaf.argument not in _OF_THE_CALLER and values[key] != leaf.default
    }
    _warn_of_length(config.env)
    return {"ac_kwargs": OmegaConf.to_container(config.network, resolve=True), **given}


def _config(env: str, algorithm: str) -> DictConfig:
    """The config of the command for an option of ``env=``, or for the one with this id and no arguments."""
    names = options("env")
    if env in names:
        return compose("train", overrides=[f"env={env}", f"algo={algorithm}"])
    for name in names:
        settings = dict(OmegaConf.load(CONFIG_DIR / "env" / f"{name}.yaml"))
        if settings.get("id") == env and "kwargs" not in settings:
            return compose("train", overrides=[f"env={name}", f"algo={algorithm}"])
    if ":" not in env and registered_spec(env) is None:
        hint = nearest(env, [*names, *gymnasium.registry])
        raise ValueError(
            f"env_id is {env!r}, which is not registered with Gymnasium (MODULE:ID is one of another module).{hint}"
        )
    return compose("train", overrides=[f"env={_ANY_SYSTEM}", f"algo={algorithm}"])


def _warn_of_length(env: DictConfig) -> None:
    steps = env.max_episode_steps
    if steps is not None and env.id in gymnasium.registry and gymnasium.spec(env.id).max_episode_steps != steps:
        warnings.warn(
            f"the recommended settings are for episodes of {steps} steps; let env_fn call "
            f"gymnasium.make({env.id!r}, max_episode_steps={steps})",
            stacklevel=3,
        )


@contextmanager
def _composing() -> Iterator[None]:
    """Compose configs of this package, also within a program that uses Hydra itself."""
    register_schemas()
    register_help()
    outer, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
    try:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = outer
