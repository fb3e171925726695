"""What is wrong with the disturbance of a config, by itself and in its environment."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lac.config.disturbances import key_errors
from lac.envs.disturbances import DisturbanceError, argument_errors
from lac.envs.factory import environment_factory


def disturbance_errors(node: DictConfig) -> list[str]:
    """What is wrong with a disturbance, whatever the environment."""
    settings: dict[str, Any] = OmegaConf.to_container(node, resolve=True)  # type: ignore[assignment]
    return key_errors(node) or argument_errors(settings, "disturbance.")


def disturbance_fit_errors(plain: Mapping[str, Any], disturbance: Mapping[str, Any]) -> list[str]:
    """What is wrong with a disturbance in the environment of a training config, found by building it once."""
    if disturbance["kind"] == "none":
        return []
    at_step, max_ep_len = disturbance.get("at_step"), plain["train"]["max_ep_len"]
    if at_step is not None and max_ep_len is not None and at_step >= max_ep_len:
        return [f"disturbance.at_step is {at_step}, but train.max_ep_len={max_ep_len} ends episodes before it"]
    try:
        environment_factory(plain["env"], disturbance)().close()
    except DisturbanceError as error:
        return [f"disturbance.{problem}" for problem in error.errors]
    return []
