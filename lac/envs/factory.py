"""From the parts ``env`` and ``disturbance`` of a config to an environment."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lac.envs.disturbances import disturbed
from lac.envs.making import AnyEnv, flattened, make_env


def environment_factory(env: Mapping[str, Any], disturbance: Mapping[str, Any] | None = None) -> Callable[[], AnyEnv]:
    """What makes the environment of a config, under a disturbance if there is one."""
    make = partial(make_env, env["id"], env["max_episode_steps"], env["kwargs"], env["reward_max"])
    return make if disturbance is None else partial(_make_disturbed, make, disturbance)


def _make_disturbed(make: Callable[[], AnyEnv], disturbance: Mapping[str, Any]) -> AnyEnv:
    return disturbed(flattened(make()), disturbance)
