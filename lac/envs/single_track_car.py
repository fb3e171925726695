"""A car on a slippery road that is to follow a straight line, after the benchmark of MSACL (arXiv 2512.24955)."""

import math
from typing import Any

from lac.envs import rendering
from lac.envs.stabilisation import StabilisedSystem
from lac.envs.system import Pixels
from lac.envs.vectors import Entries

FOOT = 0.3048
"""In metres: the car's data are in feet and pounds."""
POUND_FORCE = 4.4482216152605
"""In newtons."""


class SingleTrackCar(StabilisedSystem):
    """The errors of a single-track car against a point that moves along a straight line with speed ``v_ref``.

    State ``(sx, sy, delta, ve, psi, w, beta)``: errors of position along and across, steering angle, error of speed,
    heading, yaw rate, slip angle. Actions ``(rate of steering, acceleration a)``, in [-5, 5] rad/s and m/s^2. With
    ``v = v_ref + ve`` and loads ``Ff = CS (g lr - a h)``, ``Fr = CS (g lf + a h)``, from 0.1 m/s on::

        dsx = v cos(psi + beta) - v_ref,   dsy = v sin(psi + beta),   dpsi = w
        ddelta = rate,   dve = a
        dw    = mu m / (Iz L) (-(lf^2 Ff + lr^2 Fr) w / v + (lr Fr - lf Ff) beta + lf Ff delta)
        dbeta = mu / (v L) ((lr Fr - lf Ff) w / v - (Fr + Ff) beta + Ff delta) - w

    Below 0.1 m/s wheels roll without slip, with ``B = (lr / (L cos^2 delta)) / (1 + (tan(delta) lr / L)^2)``::

        dpsi = v cos(beta) tan(delta) / L,   dbeta = B rate
        dw = a cos(beta) tan(delta) / L + rate / L (v cos(beta) / cos^2 delta - v sin(beta) tan(delta) B)
        ddelta = dve = 0

    The last line is the original's slip: a car this slow can neither steer nor move off again.
    ``low_speed_trap=False`` keeps ``ddelta`` and ``dve`` of the faster car. Steps of 0.01 s are unstable up to about
    0.108 m/s. An external force is ``(along the velocity, to its left, yaw torque)`` in N and N m; the last two
    have no effect on a car that rolls without slip.

    Args:
        low_speed_trap: Whether steering and acceleration fail below 0.1 m/s, as in the original.
        bonus: Whether the bonus is part of the cost.
        clip_action: Whether actions are clipped to their box; otherwise one outside is an error.
        render_mode: None or ``rgb_array``.
    """

    observation_names = ("sx [m]", "sy [m]", "delta [rad]", "ve [m/s]", "psi [rad]", "w [rad/s]", "beta [rad]")
    action_names = ("rate of steering [rad/s]", "acceleration [m/s^2]")
    signal_names = observation_names

    def __init__(
        self,
        low_speed_trap: bool = True,
        bonus: bool = False,
        clip_action: bool = True,
        render_mode: str | None = None,
    ) -> None:
        limits = (1, 1, 1.066, 1, math.pi / 2, math.pi / 2, math.pi / 3)
        super().__init__((0.5,) * 7, limits, 5.0, (2, 2, 1, 1, 1, 1, 1), (0.1, 0.1), 3, bonus, clip_action, render_mode)
        self.low_speed_trap = low_speed_trap
        self.low_speed = 0.1
        self.v_ref = 1.0
        self.g = 9.81
        self.lf = 3.793293 * FOOT
        self.lr = 4.667707 * FOOT
        self.h = 2.01355 * FOOT
        self.m = 74.91452 * POUND_FORCE / FOOT
        self.Iz = 1321.416 * POUND_FORCE * FOOT
        self.mu = 0.1 * 1.0489
        self.CS = 21.92 / 1.0489

    def derivative(self, x: Entries, u: Entries, force: Entries, xp: Any) -> Entries:
        """The equations above."""
        v = self.v_ref + x[3]
        slow = xp.abs(v) < self.low_speed
        if not slow.any():
            return self._slipping(v, x, u, force, xp)
        # The speed is replaced where the other equations hold, for it may be zero there.
        slipping = self._slipping(xp.where(slow, self.low_speed, v), x, u, force, xp)
        rolling = self._rolling(v, x, u, force, xp)
        return [xp.where(slow, *either) for either in zip(rolling, slipping, strict=True)]

    def _slipping(self, v: Any, x: Entries, u: Entries, force: Entries, xp: Any) -> Entries:
        _, _, delta, _, psi, w, beta = x
        rate, a = u
        L = self.lf + self.lr
        front = self.CS * (self.g * self.lr - a * self.h)
        rear = self.CS * (self.g * self.lf + a * self.h)
        moment = self.lr * rear - self.lf * front
        turning = -(self.lf**2 * front + self.lr**2 * rear) * w / v + moment * beta + self.lf * front * delta
        sliding = moment * w / v - (rear + front) * beta + front * delta
        return (
            v * xp.cos(psi + beta) - self.v_ref,
            v * xp.sin(psi + beta),
            rate,
            a + force[0] / self.m,
            w,
            self.mu * self.m / (self.Iz * L) * turning + force[2] / self.Iz,
            self.mu / (v * L) * sliding - w + force[1] / (self.m * v),
        )

    def _rolling(self, v: Any, x: Entries, u: Entries, force: Entries, xp: Any) -> Entries:
        _, _, delta, _, psi, _, beta = x
        rate, a = u
        L = self.lf + self.lr
        tan, cos2 = xp.tan(delta), xp.cos(delta) ** 2
        sin_beta, cos_beta = xp.sin(beta), xp.cos(beta)
        B = self.lr / (L * cos2) / (1 + (tan * self.lr / L) ** 2)
        turning = a * cos_beta * tan + rate * v * (cos_beta / cos2 - sin_beta * tan * B)
        responds = 0.0 if self.low_speed_trap else 1.0
        return (
            v * xp.cos(psi + beta) - self.v_ref,
            v * xp.sin(psi + beta),
            responds * rate,
            responds * (a + force[0] / self.m),
            v * cos_beta * tan / L,
            turning / L,
            B * rate,
        )

    def _picture(self) -> Pixels:
        sx, sy, delta, _, psi, _, beta = self._state.tolist()
        return rendering.single_track_car((sx, sy), psi, delta, beta, (self.lf, self.lr))
