"""A pendulum whose state is estimated from a noisy measurement; the action is the gain of the observer."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium.spaces import Box

from lac.envs import rendering
from lac.envs.system import BoolArray, FloatArray, Pixels, Signals, StartRegion, System
from lac.envs.vectors import copied, pack, unpack

START_HIGH = np.array([math.pi / 2, math.pi / 2, math.pi / 4, math.pi / 4])
FIXED_START = np.array([0.0, 0.0, math.pi / 4, 0.0])


class Ex3EKF(System):
    """Learn the gain of an observer, as an extended Kalman filter computes it, for a noisy pendulum.

    State: estimated angle and rate, then the true ones, ``(xh1, xh2, x1, x2)``, in radians and seconds. Two actions,
    the gains ``u`` in [-10, 10]. A step, in this order::

        x1  <- x1 + dt x2;   x2 <- x2 - dt g l_net sin(x1);   (x1, x2) += w,     w ~ N(0, Q)
        e    = sin(x1) + v - sin(xh1 + dt xh2),     v ~ N(0, measurement_std^2)
        xh1 <- xh1 + dt xh2 + dt u1 e;   xh2 <- xh2 - dt g sin(xh1) + dt u2 e

    with ``Q = q [[dt^3/3, dt^2/2], [dt^2/2, dt]]``. A measurement gets lost with probability ``missing_rate``; then
    ``e = 0``. The cost is the squared distance of estimate and truth after the step; the episode terminates when it
    exceeds 100. ``dt g l_net q measurement_std missing_rate max_cost`` are plain attributes: set them on the
    unwrapped environment. An external force (one entry, rad/s^2) accelerates the pendulum unknown to the observer.

    ``info``: the reference is the truth and the state of interest the estimate. The reference implementation gives
    the measurement and the estimation error there, which cannot be compared with each other. The goal set,
    ``goal_tolerance``, is an estimate within 0.5 rad and 0.5 rad/s of the truth.

    ``reset`` takes ``low`` and ``high`` for its four draws: true angle and rate, error of the estimated angle and
    rate. ``random: False`` starts at rest, 45 degrees off, with an estimate of zero.

    Args:
        exclude_truth_from_observation: Whether only the estimate is observed, which is what a filter knows; in the
            reference implementation the truth is observed as well.
        correct_length: Whether pendulum and observer both accelerate with ``g / l_net``. In the reference
            implementation it is ``g l_net`` and ``g``, the same only for ``l_net = 1``.
        max_cost: The episode terminates when the cost exceeds this.
        clip_action: Whether actions are clipped to their box; otherwise one outside is an error.
        render_mode: None or ``rgb_array``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (as Gymnasium declares it)
    action_names = ("gain of the angle [-]", "gain of the rate [1/s]")
    goal_tolerance = 0.5
    signal_names = ("estimated angle [rad]", "estimated rate [rad/s]")

    def __init__(
        self,
        exclude_truth_from_observation: bool = False,
        correct_length: bool = False,
        max_cost: float = 100.0,
        clip_action: bool = True,
        render_mode: str | None = None,
    ) -> None:
        self._n_observed = 2 if exclude_truth_from_observation else 4
        actions = Box(-10.0, 10.0, (2,), np.float64)
        observations = Box(-10000.0, 10000.0, (self._n_observed,), np.float64)
        super().__init__(actions, observations, 4, clip_action, n_forces=1, render_mode=render_mode)
        names = ("estimated angle [rad]", "estimated rate [rad/s]", "angle [rad]", "rate [rad/s]")
        self.observation_names = names[: self._n_observed]
        self.correct_length = correct_length
        self.dt = 0.1
        self.g = 9.81
        self.l_net = 1.0
        self.q = 0.01
        self.measurement_std = 0.1
        self.missing_rate = 0.0
        self.max_cost = max_cost

    def draw_noise(self, size: int | None = None) -> FloatArray:
        """``(w1, w2, v, whether the measurement arrives)``."""
        rng, many = self.np_random, () if size is None else (size,)
        process = rng.standard_normal((*many, 2)) @ _process_noise_factor(self.q, self.dt).T
        measurement = rng.normal(0.0, self.measurement_std, (*many, 1))
        arrives = rng.binomial(1, 1.0 - self.missing_rate, (*many, 1))
        return np.concatenate((process, measurement, arrives), axis=-1)

    def signals(self, states: FloatArray) -> Signals:
        """The truth and the estimate."""
        return Signals(states[..., 2:].copy(), states[..., :2].copy())

    def observe(self, states: Any, xp: Any = np) -> Any:
        """The estimate, and the truth unless it is excluded."""
        return copied(states[..., : self._n_observed], xp)

    def start_region(self) -> StartRegion:
        """The box of the four numbers that :meth:`reset` draws."""
        return StartRegion(-START_HIGH, START_HIGH, _start)

    def _initial_state(self, options: Mapping[str, Any]) -> FloatArray:
        drawn = self._start(options, -START_HIGH, START_HIGH, 4)
        # The reference implementation draws a measurement here without using it; this keeps the same random stream.
        self.np_random.normal(0.0, self.measurement_std)
        if not options.get("random", True):
            return FIXED_START.copy()
        return _start(drawn)

    def _transition(self, state: Any, action: Any, noise: Any, xp: Any) -> Any:
        angle_hat, rate_hat, angle, rate = unpack(state, xp)
        gain_angle, gain_rate = unpack(action, xp)
        noise_angle, noise_rate, noise_measured, arrives = unpack(noise, xp)
        force = unpack(self.external_force, xp)[0]
        dt = self.dt
        pull = self.g / self.l_net if self.correct_length else self.g * self.l_net
        modelled_pull = pull if self.correct_length else self.g

        angle = angle + dt * rate
        rate = rate - pull * xp.sin(angle) * dt + dt * force + noise_rate
        angle = angle + noise_angle
        predicted = angle_hat + dt * rate_hat
        innovation = arrives * (xp.sin(angle) + noise_measured - xp.sin(predicted))
        # The rate follows from the corrected angle, as in the reference implementation.
        angle_hat = predicted + dt * gain_angle * innovation
        rate_hat = rate_hat - modelled_pull * xp.sin(angle_hat) * dt + dt * gain_rate * innovation
        return pack((angle_hat, rate_hat, angle, rate), xp)

    def _cost(self, states: FloatArray, actions: FloatArray) -> tuple[FloatArray, BoolArray]:
        angle_hat, rate_hat, angle, rate = states.T
        angle_error, rate_error = angle_hat - angle, rate_hat - rate
        costs = angle_error * angle_error + rate_error * rate_error
        return costs, costs > self.max_cost

    def _picture(self) -> Pixels:
        return rendering.pendulum(truth=self._state[2], estimate=self._state[0])


def _start(drawn: FloatArray) -> FloatArray:
    """States ``[..., 4]`` from true angle and rate, and the errors of their estimates, ``[..., 4]``."""
    truth, errors = drawn[..., :2], drawn[..., 2:]
    return np.concatenate((truth + errors, truth), axis=-1)


@lru_cache(maxsize=16)
def _process_noise_factor(q: float, dt: float) -> FloatArray:
    """A factor ``F F^T = Q``, ``[2, 2]``: the one by which numpy's ``multivariate_normal`` makes its numbers."""
    u, variances, _ = np.linalg.svd(q * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]))
    return np.asarray(u * np.sqrt(variances))
