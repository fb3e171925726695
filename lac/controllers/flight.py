"""The geometric tracking controller of a quadrotor (Lee, Leok and McClamroch 2010, arXiv 1003.2005)."""

import numpy as np

from lac.controllers.controller import Controller
from lac.envs.quadrotor import QuadrotorTracking
from lac.envs.system import FloatArray, System

ROTATION_GAIN, RATE_GAIN = 8.81, 2.54  # of the paper's example, whose quadrotor this is
LEAST_THRUST = 0.92  # as a share of the weight


class GeometricController(Controller):
    """Thrust along the wanted force, torques against the errors of attitude and rate.

    ``F = fd . R e3`` and ``M = -k_R e_R - k_W e_W``, with the force ``fd = kx e_x + kv e_v + m g e3 - m xd''`` from
    which the environment derives its reference attitude. The observation holds the errors alone:

    * ``fd . R e3 = |fd| (Rd' R)_33``, and the rotation ``Rd' R`` follows from ``e_R`` for errors up to 90 degrees;
    * ``xd''`` is not observed and is left out of ``|fd|``: at most 6 % of the weight on this helix;
    * the gyroscopic and feed-forward torques need rates that are not observed, and are left out.

    In the observation ``markov`` vectors are seen from the body, and the direction of gravity is observed: there
    ``fd . R e3`` is the last entry of ``R' fd``.

    Where ``fd`` is small the reference attitude turns faster than any body can follow. The exact law is lost in the
    first step from the starts of this task, 76 degrees off; with a least thrust of 0.92 of the weight none is lost.
    """

    name = "geometric"

    @classmethod
    def suits(cls, system: System | None) -> bool:
        """Whether it is the quadrotor."""
        return isinstance(system, QuadrotorTracking)

    def _design(self, system: QuadrotorTracking) -> None:
        self._kx, self._kv = system.kx, system.kv
        self._weight = system.m * system.g
        self._sees_gravity = system.observation == "markov"

    def _law(self, observations: FloatArray) -> FloatArray:
        position, velocity, rotation, rate = np.split(observations[..., :12], 4, axis=-1)
        gravity = observations[..., 15:18] if self._sees_gravity else np.array([0.0, 0.0, 1.0])
        force = self._kx * position + self._kv * velocity + self._weight * gravity
        length = np.linalg.norm(force, axis=-1, keepdims=True)
        along = force[..., 2:] if self._sees_gravity else length * _upright_share(rotation)
        thrust = np.maximum(along, LEAST_THRUST * self._weight)
        return np.concatenate((thrust, -ROTATION_GAIN * rotation - RATE_GAIN * rate), axis=-1)


def _upright_share(rotation: FloatArray) -> FloatArray:
    """``E_33`` of the rotation ``E`` by less than 90 degrees with ``e_R = vee(E - E') / 2``, ``[..., 1]``.

    ``E = I + hat(e_R) + hat(e_R)^2 / (1 + cos)``, ``|e_R|`` being the sine of the angle.
    """
    squared = rotation * rotation
    cos = np.sqrt(np.maximum(1.0 - squared.sum(axis=-1, keepdims=True), 0.0))
    return np.asarray(1.0 - squared[..., :2].sum(axis=-1, keepdims=True) / (1.0 + cos))
