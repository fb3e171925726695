"""Yardsticks: controllers that are designed, not trained, with the interface of a trained policy.

``lac.controllers.lqr(env)`` and the like give one for an environment; it has ``get_action`` and can be called.
"""

from lac.controllers.carts import Cascade
from lac.controllers.choosing import CONTROLLERS, designed_controller, make_controller
from lac.controllers.controller import Controller, ControllerError, Zero
from lac.controllers.flight import GeometricController
from lac.controllers.genes import TwoStepAhead
from lac.controllers.linear import LinearRegulator
from lac.controllers.observers import KalmanGain
from lac.envs.factory import HasSpaces

__all__ = [
    "CONTROLLERS",
    "Controller",
    "ControllerError",
    "cascade",
    "designed_controller",
    "geometric",
    "kalman",
    "lqr",
    "make_controller",
    "two_step_ahead",
    "zero",
]


def lqr(env: HasSpaces, input_weight: float | None = None) -> LinearRegulator:
    """The linear-quadratic regulator; see :class:`~lac.controllers.linear.LinearRegulator`.

    Raises:
        ControllerError: It has no meaning in this environment.
    """
    return make_controller(LinearRegulator, env, input_weight=input_weight)


def cascade(env: HasSpaces) -> Cascade:
    """The controller of the cart that follows a sine; see :class:`~lac.controllers.carts.Cascade`.

    Raises:
        ControllerError: As :func:`lqr`; likewise below.
    """
    return make_controller(Cascade, env)


def geometric(env: HasSpaces) -> GeometricController:
    """The controller of the quadrotor; see :class:`~lac.controllers.flight.GeometricController`."""
    return make_controller(GeometricController, env)


def kalman(env: HasSpaces) -> KalmanGain:
    """The gain of the observer; see :class:`~lac.controllers.observers.KalmanGain`."""
    return make_controller(KalmanGain, env)


def two_step_ahead(env: HasSpaces) -> TwoStepAhead:
    """The controller of the gene rings; see :class:`~lac.controllers.genes.TwoStepAhead`."""
    return make_controller(TwoStepAhead, env)


def zero(env: HasSpaces) -> Zero:
    """No input; see :class:`~lac.controllers.controller.Zero`."""
    return make_controller(Zero, env)
