"""The gain of a steady-state Kalman filter, for the environment whose action is the gain of an observer."""

import numpy as np
from scipy.linalg import solve_discrete_are

from lac.controllers.controller import Controller
from lac.controllers.linear import linearised
from lac.envs.ex3_ekf import Ex3EKF
from lac.envs.system import FloatArray, System


class KalmanGain(Controller):
    """The constant gain of the Kalman filter of the pendulum near rest, once its covariance has settled.

    With ``x' = A x + w``, ``y = sin(x1) + v = C x + v``, and ``P`` the covariance of the prediction, the estimate
    is corrected by ``K e``, ``K = P C' (C P C' + r)^-1``. The environment corrects the estimate by ``M u e``: ``u``
    solves ``M u = K``. ``A`` and ``M`` are central differences of its ``dynamics``. It is the optimal filter for
    small angles without lost measurements, and does not know how far off the first estimate may be.

    Attributes:
        gain: ``u``, ``[2]``.
    """

    name = "kalman"

    @classmethod
    def suits(cls, system: System | None) -> bool:
        """Whether the action is the gain of an observer."""
        return isinstance(system, Ex3EKF)

    def _design(self, system: Ex3EKF) -> None:
        A, C = linearised(system)[0][2:, 2:], np.array([[1.0, 0.0]])
        dt = system.dt
        noise = system.q * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        r = np.array([[system.measurement_std**2]])
        P = solve_discrete_are(A.T, C.T, noise, r)
        K = P @ C.T / (C @ P @ C.T + r)
        self.gain = np.linalg.solve(_corrections(system), K[:, 0])

    def _law(self, observations: FloatArray) -> FloatArray:
        return np.broadcast_to(self.gain, (*observations.shape[:-1], 2))


def _corrections(system: Ex3EKF, size: float = 1e-5) -> FloatArray:
    """``M``: what a unit of each gain adds to the estimate for a unit of innovation, near rest, ``[2, 2]``."""
    still = np.zeros(system.state_dim)

    def estimates(innovation: float) -> FloatArray:
        noise = np.array([0.0, 0.0, innovation, 1.0])
        return np.array([system.dynamics(still, gain, noise)[:2] for gain in np.eye(2)])

    difference: FloatArray = (estimates(size) - estimates(-size)).T / (2 * size)
    return difference
