"""What is wrong with a config, found without building anything."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from lac.config.disturbances import Disturbance
from lac.config.environments import disturbance_errors
from lac.config.help import options
from lac.config.schemas import ALGORITHMS, owners
from lac.config.settings import ACTIVATION_NAMES, WANDB_MODES, Algo, TrainConfig
from lac.envs.making import env_errors
from lac.settings.rules import Choice, nearest, setting_errors


class ConfigError(ValueError):
    """A config that cannot be run; ``errors`` are sentences that name the keys."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("; ".join(sentences))
        self.errors = list(sentences)


def config_errors(cfg: DictConfig) -> list[str]:
    """Everything wrong with a training config that can be told without building anything."""
    try:
        missing = sorted(name for name in OmegaConf.missing_keys(cfg) if not name.startswith("disturbance."))
    except InterpolationResolutionError as error:
        return [f"{error.full_key}: {str(error).splitlines()[0]}"]
    errors = [f"{name} is not set; {_HINTS.get(name, 'give it a value')}" for name in missing]
    errors += _value_errors(cfg) + disturbance_errors(cfg.disturbance)
    if "env.id" in missing:
        return errors
    return errors + env_errors(cfg.env.id, OmegaConf.to_container(cfg.env.kwargs))  # type: ignore[arg-type]


_HINTS = {"env.id": "give the id of a Gymnasium environment, such as env.id=Pendulum-v1"}


def choice_errors(overrides: Sequence[str]) -> list[str]:
    """The group of recommended settings is optional, so that Hydra takes any option of it."""
    choices = options("tuned")
    given = [text.partition("=")[2] for text in overrides if text.startswith("tuned=")]
    return [
        f"tuned is {word!r}; it must be one of {', '.join(choices)}.{nearest(word, choices)}"
        for word in given
        if word not in choices
    ]


def _value_errors(cfg: DictConfig) -> list[str]:
    """Everything that is wrong with the values of a training config, as sentences that name the key."""
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    algo_schema = OmegaConf.get_type(cfg.algo) or Algo
    errors = list(_unknown_keys(TrainConfig, plain, algo=algo_schema))
    for group in ("algo", "env", "lr_schedule", "device", "train"):
        errors += setting_errors(plain[group], f"{group}.")
    errors += setting_errors({"seed": plain["seed"]})
    errors += _network_errors(plain["network"])
    algorithm = plain["algo"]["name"]
    if ALGORITHMS.get(algorithm) is not algo_schema:
        errors.append(f"algo.name is {algorithm!r}; it must be {Choice(tuple(ALGORITHMS))}; choose it with algo=NAME")
    mode = plain["wandb"]["mode"]
    if mode not in WANDB_MODES:
        errors.append(f"wandb.mode is {mode!r}; it must be {Choice(WANDB_MODES)}.{nearest(mode, WANDB_MODES)}")
    start_policy = plain["train"]["start_policy"]
    if start_policy is not None and not Path(start_policy).exists():
        errors.append(
            f"train.start_policy is {start_policy!r}, which does not exist; give a run folder or a policy file"
        )
    if plain["train"]["export"]:
        errors.append("train.export is true; exporting comes with a later release, the policy is saved all the same")
    return errors


def _network_errors(network: Mapping[str, Any]) -> list[str]:
    errors = []
    for part, sizes in network["hidden_sizes"].items():
        if not sizes or any(size < 1 for size in sizes):
            errors.append(
                f"network.hidden_sizes.{part} is {sizes}; it must be a list of at least one whole number above 0"
            )
    for setting in ("activation", "output_activation"):
        for part, name in network[setting].items():
            if name not in ACTIVATION_NAMES:
                hint = nearest(name, ACTIVATION_NAMES)
                errors.append(f"network.{setting}.{part} is {name!r}; it must be {Choice(ACTIVATION_NAMES)}.{hint}")
    scale = network["observation_scale"]
    numbers = scale if isinstance(scale, list) else [scale]
    if scale is not None and not all(
        isinstance(n, (int, float)) and not isinstance(n, bool) and n > 0 for n in numbers
    ):
        errors.append(f"network.observation_scale is {scale}; it must be null, a number above 0 or a list of them")
    return errors


def _unknown_keys(schema: type, node: Mapping[str, Any], prefix: str = "", **parts: type) -> Iterator[str]:
    """Keys that were forced in with ``+``, which OmegaConf allows on structured configs.

    Args:
        schema: Schema of the node.
        node: What is configured.
        prefix: Full name of the node, with a dot.
        parts: Schemas of parts that are narrower than ``schema`` tells.
    """
    hints = get_type_hints(schema) | parts
    for name, value in node.items():
        if name not in hints:
            holder = prefix.rstrip(".") or "the config"
            having = owners(prefix + name)
            known = f"belongs to {' and '.join(having)}" if having else "is not a key"
            yield f"{prefix}{name} {known}; {holder} has {', '.join(hints)}.{nearest(name, hints)}"
        elif hints[name] is Disturbance:  # its keys depend on its kind
            continue
        elif is_dataclass(hints[name]) and isinstance(value, Mapping):
            yield from _unknown_keys(hints[name], value, f"{prefix}{name}.")
