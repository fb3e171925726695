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

    The acceleration that is wanted of the cart, ``r'' + w^2 (r - x) + 2 d w (r' - v)``, is bounded and made by the
    tilt ``atan(acceleration / g)`` (outer loop, ``w = CART_RATE``). The force gives the pole the angular acceleration
    that leads it there, with the nonlinear equations inverted (inner loop, ``w = POLE_RATE``). A linear regulator
    does not do: at 0.2 Hz the reference asks for 48 degrees.

    Of the reference its value alone is observed. ``r''`` and ``|r'|`` follow from it. The direction is that in which
    the cart moves; one that is nearly at rest counts as one that is to go forwards, as at the start.
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
        self._gravity, self._mass = system.gravity, system.masspole + system.masscart
        self._half, self._pole_mass = system.length / 2, system.masspole
        self._most = self._gravity * math.tan(LARGEST_TILT * system.theta_threshold)

    def _law(self, observations: FloatArray) -> FloatArray:
        x, v, theta, omega = np.moveaxis(observations[..., :4], -1, 0)
        r = self._reference(observations)
        speed = self._wave.speed(r)
        r_dot = np.where(v >= -REVERSED * speed, speed, -speed)
        wanted = self._wave.acceleration(r) + CART_RATE**2 * (r - x) + 2 * CART_DAMPING * CART_RATE * (r_dot - v)
        acceleration = np.clip(wanted, -self._most, self._most)
        slope = acceleration / self._gravity
        jerk = np.where(acceleration == wanted, -(self._wave.frequency**2) * r_dot, 0.0)
        tilt, tilt_rate = np.arctan(slope), jerk / self._gravity / (1 + slope * slope)
        turn = POLE_RATE**2 * (tilt - theta) + 2 * POLE_DAMPING * POLE_RATE * (tilt_rate - omega)
        return self._force(theta, omega, turn)[..., None]

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
