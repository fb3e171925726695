"""Disturbances of an environment, as Gymnasium wrappers, and the table that finds them by name.

The protocol is that of Han et al. (2020). A disturbance acts on the environment it is put around, however many
wrappers lie between them, it starts anew with each episode, and it leaves nothing behind::

    env = Impulse(gymnasium.make("lac/Oscillator-v1"), magnitude=1.0, at_step=200)
"""

from collections.abc import Mapping
from typing import Any

from lac.envs.disturbances.attributes import Parameters, Reference
from lac.envs.disturbances.base import AnyEnv, Disturbance, DisturbanceError
from lac.envs.disturbances.pushes import Impulse, Noise, Sinusoid

__all__ = [
    "DISTURBANCES",
    "Disturbance",
    "DisturbanceError",
    "Impulse",
    "Noise",
    "Parameters",
    "Reference",
    "Sinusoid",
    "argument_errors",
    "disturbed",
]

DISTURBANCES: dict[str, type[Disturbance]] = {
    "impulse": Impulse,
    "noise": Noise,
    "sinusoid": Sinusoid,
    "parameters": Parameters,
    "reference": Reference,
}
"""What can disturb, by kind."""


def disturbed(env: AnyEnv, settings: Mapping[str, Any]) -> AnyEnv:
    """An environment under the disturbance of a config: its ``kind``, its arguments, and a ``name`` for people.

    The kind ``none`` gives the environment back.

    Raises:
        DisturbanceError: Arguments are wrong, by themselves or for this environment.
    """
    if settings["kind"] == "none":
        return env
    return DISTURBANCES[settings["kind"]](env, **_arguments(settings))


def argument_errors(settings: Mapping[str, Any], prefix: str) -> list[str]:
    """What is wrong with the arguments of a config, found without an environment."""
    if settings["kind"] == "none":
        return []
    return DISTURBANCES[settings["kind"]].errors(_arguments(settings), prefix)


def _arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in {"name", "kind"}}
