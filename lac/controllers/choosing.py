"""The table of the controllers, and the one place that makes them."""

from typing import Any, TypeVar

from lac.controllers.carts import Cascade
from lac.controllers.controller import Controller, ControllerError, Zero, nominal_system
from lac.controllers.flight import GeometricController
from lac.controllers.genes import TwoStepAhead
from lac.controllers.linear import LinearRegulator
from lac.controllers.observers import KalmanGain
from lac.envs.factory import HasSpaces, validate_spaces

C = TypeVar("C", bound=Controller)

CONTROLLERS: dict[str, type[Controller]] = {
    kind.name: kind for kind in (LinearRegulator, KalmanGain, GeometricController, TwoStepAhead, Cascade, Zero)
}
"""Each controller by the name with which it is chosen."""


def make_controller(kind: type[C], env: HasSpaces, **settings: Any) -> C:
    """Design a controller for an environment.

    Args:
        kind: Its class.
        env: The environment, with or without wrappers that leave observations, actions and steps as they are.
        settings: Further arguments of the class.

    Raises:
        ControllerError: It has no meaning there; the message names those that have one.
        ValueError: The environment has other spaces than one-dimensional boxes.
    """
    validate_spaces(env)
    system = nominal_system(env)
    if not kind.suits(system):
        available = " and ".join(name for name, other in CONTROLLERS.items() if other.suits(system))
        known = "" if system is not None else ", which is no system of ours, or has wrappers that may change it"
        raise ControllerError(f"{kind.name} has no meaning in {_title(env)}{known}; available there: {available}")
    return kind(env, system, **settings)


def designed_controller(env: HasSpaces) -> Controller | None:
    """The controller that is designed for an environment; None where there is none but :class:`Zero`, which suits all.

    Args:
        env: The environment, with or without wrappers.
    """
    for kind in CONTROLLERS.values():
        if kind is Zero:
            continue
        try:
            return make_controller(kind, env)
        except ControllerError:
            continue
    return None


def _title(env: Any) -> str:
    """The id of an environment, or the name of its class."""
    spec = getattr(env, "spec", None)
    return str(spec.id) if spec is not None else type(env).__name__
