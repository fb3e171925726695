"""A cascade for the cart that follows a sine: the tilt of the pole gives the acceleration, the force gives the tilt."""

import math

import numpy as np

from lac.controllers.controller import Controller
from lac.controllers.waves import Wave
from lac.envs.cart_pole import CartPoleTrackingCost
from lac.envs.system import FloatArray, System

# Chosen at random around a first guess, with the reference at 0.2 Hz and the starts of the seeds 0 to 299.
CART_RATE, CART_DAMPING = 0.66, 1.37
POLE_RATE, POLE_DAMPING = 8.9, 1.05
LARGEST_TILT = 0.96
"""As a share of the angle at which the episode terminates."""
REVERSED = 0.48
"""The reference falls if the cart moves back faster than this share of the reference's speed."""


class Cascade(Controller):
    """Follow the reference with feed-forward of its speed and acceleration, at large tilts of the pole, too.

    A cart whose pole has the tilt ``theta`` accelerates by ``g tan theta - (4/3) l theta'' / cos theta``. The outer
    loop asks for the tilt ``atan(s)``, bounded::

        s = r'' / (g + (4/3) l f^2) + (w^2 (r - x) + 2 d w (r' - v)) / g

    The first term moves the cart as the reference ``r`` of frequency ``f`` does, for small tilts exactly; the second
    corrects it (``w = CART_RATE``). The inner loop inverts the nonlinear equations: the force gives the pole the
    angular acceleration that leads it to that tilt (``POLE_RATE``). A linear regulator does not do: at 0.2 Hz the
    reference asks for 45 degrees.

    Of the reference its value alone is observed, unless its rate is shown. ``r''`` and ``|r'|`` follow from it. The
    direction is that in which the cart moves; one that is nearly at rest counts as one that is to go forwards, as at
    the start.
    """

    name = "cascade"

    @classmethod
    def suits(cls, system: System | None) -> bool:
        """Whether a cart follows a reference."""
        return isinstance(system, CartPoleTrackingCost)

    def _design(self, system: CartPoleTrackingCost) -> None:
        frequency = 2 * math.pi * system.reference_frequency
        self._wave = Wave(system.reference_offset, system.reference_amplitude, frequency)
        self._shows_reference, self._shows_error = system.shows_reference, system.shows_reference_error
        self._shows_rate = system.shows_reference_rate
        self._gravity, self._mass = system.gravity, system.masspole + system.masscart
        self._half, self._pole_mass = system.length / 2, system.masspole
        self._reference_pull = self._gravity + 4 / 3 * self._half * frequency * frequency
        self._steepest = math.tan(LARGEST_TILT * system.theta_threshold)

    def _law(self, observations: FloatArray) -> FloatArray:
        x, v, theta, omega = np.moveaxis(observations[..., :4], -1, 0)
        r = self._reference(observations)
        r_dot = observations[..., -1] if self._shows_rate else self._guessed_rate(r, v)
        correction = CART_RATE**2 * (r - x) + 2 * CART_DAMPING * CART_RATE * (r_dot - v)
        wanted = self._wave.acceleration(r) / self._reference_pull + correction / self._gravity
        slope = np.clip(wanted, -self._steepest, self._steepest)
        # The derivatives of the feed-forward alone, and none where the tilt is bounded.
        share = np.where(slope == wanted, -(self._wave.frequency**2) / self._reference_pull, 0.0)
        slope_dot, slope_ddot = share * r_dot, share * self._wave.acceleration(r)
        squared = 1 + slope * slope
        tilt, tilt_dot = np.arctan(slope), slope_dot / squared
        tilt_ddot = slope_ddot / squared - 2 * slope * tilt_dot * tilt_dot
        turn = tilt_ddot + POLE_RATE**2 * (tilt - theta) + 2 * POLE_DAMPING * POLE_RATE * (tilt_dot - omega)
        return self._force(theta, omega, turn)[..., None]

    def _guessed_rate(self, r: FloatArray, v: FloatArray) -> FloatArray:
        speed = self._wave.speed(r)
        return np.where(v >= -REVERSED * speed, speed, -speed)

    def _reference(self, observations: FloatArray) -> FloatArray:
        if self._shows_reference:
            return observations[..., 4]
        if self._shows_error:
            return observations[..., 0] - observations[..., 4]
        return np.full(observations.shape[:-1], self._wave.offset)  # it does not move

    def _force(self, theta: FloatArray, omega: FloatArray, turn: FloatArray) -> FloatArray:
        """The force that gives the pole the angular acceleration ``turn``, from the equations of the cart-pole."""
        sin, cos = np.sin(theta), np.cos(theta)
        lever = self._half * (4 / 3 - self._pole_mass * cos * cos / self._mass)
        push = (self._gravity * sin - lever * turn) / cos
        return np.asarray(self._mass * push - self._pole_mass * self._half * omega * omega * sin)
