"""Disturbances of an environment, as Gymnasium wrappers, and the table of their kinds.

The protocol is that of Han et al. (2020). A disturbance acts on the unwrapped environment, through any number of
wrappers. It restarts with each episode, and the environment is unchanged after the wrapper is closed::

    env = Impulse(gymnasium.make("lac/Oscillator-v1"), magnitude=1.0, at_step=200)
"""

from collections.abc import Mapping
from typing import Any

import gymnasium

from lac.envs.disturbances.attributes import Parameters, Reference
from lac.envs.disturbances.base import AnyEnv, Disturbance, DisturbanceError, Push, added
from lac.envs.disturbances.pushes import Impulse, Noise, Sinusoid
from lac.envs.time_limits import time_limit

__all__ = [
    "DISTURBANCES",
    "Disturbance",
    "DisturbanceError",
    "Impulse",
    "Noise",
    "Parameters",
    "Push",
    "Reference",
    "Sinusoid",
    "added",
    "argument_errors",
    "disturbed",
    "late_errors",
]

DISTURBANCES: dict[str, type[Disturbance]] = {
    "impulse": Impulse,
    "noise": Noise,
    "sinusoid": Sinusoid,
    "parameters": Parameters,
    "reference": Reference,
}
"""The disturbances by kind."""


def disturbed(env: AnyEnv, settings: Mapping[str, Any]) -> AnyEnv:
    """An environment under the disturbance of a config; the environment itself if ``kind`` is ``none``.

    Args:
        env: Environment.
        settings: The ``kind``, a ``name`` for reports, and the arguments of the disturbance. A published protocol may
            also have ``constants``: attributes of the system that are other ones, too.

    Raises:
        DisturbanceError: An argument is invalid, in general or for this environment.
    """
    if settings["kind"] == "none":
        return env
    if settings.get("constants"):
        env = Parameters(env, settings["constants"])
    return DISTURBANCES[settings["kind"]](env, **_arguments(settings))


def argument_errors(settings: Mapping[str, Any], prefix: str) -> list[str]:
    """Errors in the arguments of a config that are found without an environment."""
    if settings["kind"] == "none":
        return []
    constants = settings.get("constants")
    wrong = Parameters.errors({"values": constants}, f"{prefix}constants: ") if constants is not None else []
    return wrong + DISTURBANCES[settings["kind"]].errors(_arguments(settings), prefix)


def late_errors(env: AnyEnv, num_steps: int | None = None) -> list[str]:
    """Errors of an impulse that comes after the end of the episodes; none without an impulse.

    Args:
        env: Environment.
        num_steps: Length of the episodes; None is the time limit.
    """
    inner: Any = env
    while isinstance(inner, gymnasium.Wrapper):
        if isinstance(inner, Impulse):
            return inner.late_errors(time_limit(env) if num_steps is None else num_steps)
        inner = inner.env
    return []


def _arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in {"name", "kind", "constants"}}
