"""A pole that is balanced on a cart, which goes to the origin or follows a reference."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from gymnasium.spaces import Box

from lac.envs import rendering
from lac.envs.system import BoolArray, FloatArray, Pixels, Signals, StartRegion, System
from lac.envs.vectors import Entries, constant, pack, unpack

Integrator = Literal["euler", "semi-implicit"]

START_LOW, START_HIGH = np.array([-5.0, -0.2, -0.2, -0.2]), np.array([5.0, 0.2, 0.2, 0.2])
FIXED_START = np.array([0.1, 0.2, 0.3, 0.1])
SPEED_BOUND = 50.0
"""Declared bound of ``v`` (m/s) and ``omega`` (rad/s) in the observation box; the dynamics do not enforce it."""


class CartPole(System):
    """The dynamics both tasks share; the action is a horizontal force on the cart, ``F`` in [-20, 20] newtons.

    Position and velocity of the cart, angle and rate of the pole, ``(x, v, theta, omega)``, in metres, radians and
    seconds; ``theta = 0`` is upright. With half the pole's length ``l = length / 2`` and ``mt = m + M`` ::

        h      = (F + m l omega^2 sin theta) / mt
        omega' = (g sin theta - h cos theta) / (l (4/3 - m cos^2 theta / mt))
        v'     = h - m l omega' cos theta / mt

    Barto, Sutton and Anderson (1983), without friction. A step is explicit Euler with the old velocities, or
    semi-implicit with the new ones.

    ``gravity masscart masspole length tau integrator x_threshold theta_threshold max_cost`` are plain attributes:
    set them on the unwrapped environment. ``length`` is the whole pole; Han et al. (2020) give the half. An external
    force (one entry, newtons) acts on the cart in addition to the clipped action.

    Args:
        observation_space: Observation box.
        state_dim: 4, or more with what a task adds to the state.
        theta_threshold: Largest angle before the episode terminates, radians.
        gravity: In m/s^2.
        integrator: ``euler`` or ``semi-implicit``.
        max_cost: The episode terminates when the cost exceeds this; also the cost of a terminating step.
        clip_action: Whether actions are clipped to their box; otherwise one outside is an error.
        render_mode: None or ``rgb_array``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012 (as Gymnasium declares it)
    observation_names: Sequence[str] = ("x [m]", "v [m/s]", "theta [rad]", "omega [rad/s]")
    action_names = ("force [N]",)

    def __init__(
        self,
        observation_space: Box,
        state_dim: int,
        theta_threshold: float,
        gravity: float,
        integrator: Integrator,
        max_cost: float,
        clip_action: bool,
        render_mode: str | None,
    ) -> None:
        if integrator not in get_args(Integrator):
            raise ValueError(f"integrator is {integrator!r}; it must be one of {', '.join(get_args(Integrator))}")
        actions = Box(-20.0, 20.0, (1,), np.float64)
        super().__init__(actions, observation_space, state_dim, clip_action, n_forces=1, render_mode=render_mode)
        self.gravity = gravity
        self.masscart = 1.0
        self.masspole = 0.1
        self.length = 1.0
        self.tau = 0.02
        self.integrator: Integrator = integrator
        self.x_threshold = 10.0
        self.theta_threshold = theta_threshold
        self.max_cost = max_cost

    def _cart_start(self, options: Mapping[str, Any]) -> FloatArray:
        return self._start(options, START_LOW, START_HIGH, 4) if options.get("random", True) else FIXED_START.copy()

    def _integrated(self, state: Entries, action: Any, xp: Any) -> tuple[Any, Any, Any, Any]:
        """The next ``x, v, theta, omega``."""
        x, v, theta, omega = state[:4]
        force = unpack(action + constant(self.external_force, xp), xp)[0]
        sin, cos = xp.sin(theta), xp.cos(theta)
        half = 0.5 * self.length
        mass, moment = self.masspole + self.masscart, self.masspole * half
        push = (force + moment * (omega * omega) * sin) / mass
        angular = (self.gravity * sin - cos * push) / (half * (4.0 / 3.0 - self.masspole * (cos * cos) / mass))
        linear = push - moment * angular * cos / mass

        tau = self.tau
        v_next, omega_next = v + tau * linear, omega + tau * angular
        if self.integrator == "euler":
            return x + tau * v, v_next, theta + tau * omega, omega_next
        return x + tau * v_next, v_next, theta + tau * omega_next, omega_next

    def _or_terminated(self, costs: FloatArray, states: FloatArray) -> tuple[FloatArray, BoolArray]:
        """``costs``, and ``max_cost`` where the step terminates."""
        x, _, theta, _ = states.T[:4]
        terminated = (abs(x) > self.x_threshold) | (abs(theta) > self.theta_threshold) | (costs > self.max_cost)
        return np.where(terminated, self.max_cost, costs), terminated

    def _picture(self) -> Pixels:
        x, _, theta, _ = self._state[:4]
        goal = self.signals(self._state).reference[0]
        return rendering.cart_pole(x, theta, self.length, goal, self.x_threshold)


class CartPoleCost(CartPole):
    """Balance the pole at the origin. Terminates beyond 10 m, beyond 20 degrees, or above a cost of 100.

    The cost is ``(x / 10)^2 + 20 (theta / theta_threshold)^2`` after the step, and 100 on the step that terminates.
    An observation is the state ``(x, v, theta, omega)``. ``info``: the reference is ``(0, 0)``, the state of
    interest ``(x, theta)``; the goal set, ``goal_tolerance``, is within 0.5 m and 0.2 rad. Episodes start from ``x``
    within 5 m and the rest within 0.2.

    Han et al. (2020) used ``gravity=10``; see :class:`CartPole` for the rest.
    """

    goal_tolerance = (0.5, 0.2)
    signal_names = ("position [m]", "angle [rad]")

    def __init__(
        self,
        gravity: float = 9.8,
        integrator: Integrator = "euler",
        max_cost: float = 100.0,
        clip_action: bool = True,
        render_mode: str | None = None,
    ) -> None:
        theta = 20 * 2 * math.pi / 360
        bound = np.array([20.0, SPEED_BOUND, 2 * theta, SPEED_BOUND])
        observations = Box(-bound, bound, dtype=np.float64)
        super().__init__(observations, 4, theta, gravity, integrator, max_cost, clip_action, render_mode)

    def signals(self, states: FloatArray) -> Signals:
        """The origin, and position and angle."""
        interest = states[..., 0:3:2].copy()
        return Signals(np.zeros_like(interest), interest)

    def start_region(self) -> StartRegion:
        """The box of starts."""
        return StartRegion(START_LOW, START_HIGH, np.copy)

    def _initial_state(self, options: Mapping[str, Any]) -> FloatArray:
        return self._cart_start(options)

    def _transition(self, state: Any, action: Any, noise: Any, xp: Any) -> Any:
        return pack(self._integrated(unpack(state, xp), action, xp), xp)

    def _cost(self, states: FloatArray, actions: FloatArray) -> tuple[FloatArray, BoolArray]:
        position, angle = states.T[0] / self.x_threshold, states.T[2] / self.theta_threshold
        return self._or_terminated(position * position + 20 * (angle * angle), states)


class CartPoleTrackingCost(CartPole):
    """Let the cart follow a sine with the pole up. Terminates beyond 10 m, beyond 60 degrees, or above a cost of 100.

    The reference is ``r(t) = C + A sin(2 pi f t)`` metres, ``t`` in seconds, with the plain attributes
    ``reference_offset reference_amplitude reference_frequency`` (0, 7, f). The cost is
    ``(x - r)^2 + (theta / theta_threshold)^2`` after the step, and 100 on the step that terminates. An observation is
    ``(x, v, theta, omega, r)``; ``info``: reference ``r``, state of interest ``x``; the goal set, ``goal_tolerance``,
    is ``|x - r| <= 0.5`` metres. The state holds the time, too.

    With the default frequency, that of the reference implementation, an episode of 5 s sees a fortieth of a period
    and ``r`` only rises from 0 to 1.1: its 1/200 was meant per step, as in the oscillator. 0.2 gives a period per
    episode. There the reference stays in the observation even if it is excluded; here it is left out. As published the
    observation does not distinguish a reference that rises from one that falls: with its rate, in m/s, it is Markov.

    Args:
        reference_frequency: In hertz; 0 is a constant reference.
        exclude_reference_from_observation: Whether ``r`` is left out.
        exclude_reference_error_from_observation: Whether ``x - r`` is left out.
        gravity: See :class:`CartPole`, as for the following.
        integrator: Likewise.
        max_cost: Likewise.
        clip_action: Likewise.
        render_mode: Likewise.
        exclude_reference_rate_from_observation: Whether ``r'``, the last entry, is left out, as published.
    """

    goal_tolerance = 0.5
    clock = 4
    signal_names = ("position [m]",)

    def __init__(
        self,
        reference_frequency: float = 0.005,
        exclude_reference_from_observation: bool = False,
        exclude_reference_error_from_observation: bool = True,
        gravity: float = 9.8,
        integrator: Integrator = "euler",
        max_cost: float = 100.0,
        clip_action: bool = True,
        render_mode: str | None = None,
        exclude_reference_rate_from_observation: bool = True,
    ) -> None:
        shown = [not exclude_reference_from_observation, not exclude_reference_error_from_observation]
        if not any(shown) and reference_frequency != 0.0:
            raise ValueError(
                "exclude_reference_from_observation and exclude_reference_error_from_observation are both True: "
                "a moving reference would not be observed; set one of them to False, or reference_frequency to 0"
            )
        shows_rate = not exclude_reference_rate_from_observation
        theta = 60 * 2 * math.pi / 360
        bound = np.array([20.0, SPEED_BOUND, 2 * theta, SPEED_BOUND] + (sum(shown) + shows_rate) * [np.inf])
        observations = Box(-bound, bound, dtype=np.float64)
        super().__init__(observations, 5, theta, gravity, integrator, max_cost, clip_action, render_mode)
        self.reference_offset = 0.0
        self.reference_amplitude = 7.0
        self.reference_frequency = reference_frequency
        self.shows_reference, self.shows_reference_error = shown
        self.shows_reference_rate = shows_rate
        names = zip(("r [m]", "x - r [m]", "r' [m/s]"), (*shown, shows_rate), strict=True)
        self.observation_names = (*self.observation_names, *(name for name, is_shown in names if is_shown))

    def reference(self, t: Any, xp: Any = np) -> Any:
        """The reference of the cart's position at time ``t``, in seconds."""
        wave = xp.sin(2 * math.pi * self.reference_frequency * t)
        return xp.asarray(self.reference_offset + self.reference_amplitude * wave)

    @property
    def period(self) -> float:
        """Steps of a period of the reference; 1 where its frequency is 0."""
        return 1 / (abs(self.reference_frequency) * self.tau) if self.reference_frequency else 1.0

    def start_region(self) -> StartRegion:
        """The box of starts at time 0, since a cart far from its reference is lost."""
        return StartRegion(np.append(START_LOW, 0.0), np.append(START_HIGH, 0.0), np.copy)

    def reference_rate(self, t: Any, xp: Any = np) -> Any:
        """The reference's derivative, in m/s."""
        frequency = 2 * math.pi * self.reference_frequency
        return xp.asarray(self.reference_amplitude * frequency * xp.cos(frequency * t))

    def signals(self, states: FloatArray) -> Signals:
        """The reference and the position."""
        return Signals(self.reference(states[..., 4:5]), states[..., 0:1].copy())

    def observe(self, states: Any, xp: Any = np) -> Any:
        """Cart and pole, then the reference, the error and the reference's rate as far as they are shown."""
        reference, position = self.reference(states[..., 4:5], xp), states[..., 0:1]
        parts = [states[..., :4]]
        if self.shows_reference:
            parts.append(reference)
        if self.shows_reference_error:
            parts.append(position - reference)
        if self.shows_reference_rate:
            parts.append(self.reference_rate(states[..., 4:5], xp))
        return xp.concatenate(parts, -1)

    def _initial_state(self, options: Mapping[str, Any]) -> FloatArray:
        return np.append(self._cart_start(options), 0.0)

    def _transition(self, state: Any, action: Any, noise: Any, xp: Any) -> Any:
        x = unpack(state, xp)
        return pack((*self._integrated(x, action, xp), x[4] + self.tau), xp)

    def _cost(self, states: FloatArray, actions: FloatArray) -> tuple[FloatArray, BoolArray]:
        error, angle = states.T[0] - self.reference(states.T[4]), states.T[2] / self.theta_threshold
        return self._or_terminated(error * error + angle * angle, states)
