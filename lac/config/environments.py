"""From the parts ``env`` and ``disturbance`` of a config to an environment, and what is wrong with them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lac.config.disturbances import key_errors
from lac.envs.disturbances import DisturbanceError, argument_errors, disturbed
from lac.envs.making import AnyEnv, flattened, make_env


def environment_factory(env: Mapping[str, Any], disturbance: Mapping[str, Any] | None = None) -> Callable[[], AnyEnv]:
    """What makes the environment of a config, under a disturbance if there is one."""
    make = partial(make_env, env["id"], env["max_episode_steps"], env["kwargs"], env["reward_max"])
    return make if disturbance is None else partial(_make_disturbed, make, disturbance)


def _make_disturbed(make: Callable[[], AnyEnv], disturbance: Mapping[str, Any]) -> AnyEnv:
    return disturbed(flattened(make()), disturbance)


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
