"""Nonlinear systems that are to be brought to the origin, after the benchmark of MSACL (arXiv 2512.24955)."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box

from lac.envs import rendering
from lac.envs.system import BoolArray, FloatArray, Pixels, Signals, StartRegion, System
from lac.envs.vectors import Entries, pack, unpack


class ErrorSystem(System):
    """A system that observes its error ``e``, and perhaps more, and is to make it vanish.

    The cost, from the error after the step, is ``sum_i Q_i e_i^2 + sum_j R_j u_j^2``; the episode terminates when
    some ``|e_i|`` exceeds ``limits``. MSACL maximises minus this cost plus a bonus for small errors. With ``bonus``
    the cost is the bonus's maximum minus that reward: never negative, and apart from this constant the paper's.
    MSACL's separate cost is ``Q = 1, R = 0``. Actions are clipped to their box; the original takes any.

    ``Q`` ``[n]``, ``R`` ``[act_dim]``, ``limits`` ``[n]``, ``bonus``, ``dt`` (seconds per step),
    ``substeps`` (per step) and the physical constants are plain attributes.

    Args:
        action_space: Bounded action box.
        state_dim: Number of entries of the state.
        n_forces: Number of entries of the external force.
        limits: The episode terminates when an error exceeds these, ``[n]``.
        Q: Weights of the squared error, ``[n]``.
        R: Weights of the squared action, ``[act_dim]``.
        bonus: Whether the bonus is part of the cost.
        clip_action: Whether actions are clipped to their box; otherwise one outside is an error.
        n_beside: Number of observations beside the error.
        render_mode: None or ``rgb_array``.
    """

    def __init__(
        self,
        action_space: Box,
        state_dim: int,
        n_forces: int,
        limits: Sequence[float],
        Q: Sequence[float],
        R: Sequence[float],
        bonus: bool,
        clip_action: bool,
        n_beside: int = 0,
        render_mode: str | None = None,
    ) -> None:
        observations = Box(-np.inf, np.inf, (len(limits) + n_beside,), np.float64)
        super().__init__(action_space, observations, state_dim, clip_action, n_forces, render_mode)
        self.limits: FloatArray = np.array(limits)
        self.Q: FloatArray = np.array(Q)
        self.R: FloatArray = np.array(R)
        self.bonus = bonus

    def error(self, states: Any, xp: Any = np) -> Any:
        """The errors in these states, ``[..., n]``; pure, as :meth:`dynamics`."""
        return self.observe(states, xp)

    @abstractmethod
    def _missed_bonus(self, largest: FloatArray) -> npt.NDArray[Any]:
        """The maximum of the bonus minus the bonus for errors whose largest entry is this, ``[...]``."""

    def _cost(self, states: FloatArray, actions: FloatArray) -> tuple[FloatArray, BoolArray]:
        errors = self.error(states)
        magnitudes = np.abs(errors)
        costs = (errors * errors) @ self.Q + (actions * actions) @ self.R
        if self.bonus:
            costs = costs + self._missed_bonus(magnitudes.max(axis=-1))
        return costs, np.asarray((magnitudes > self.limits).any(axis=-1))


class StabilisedSystem(ErrorSystem):
    """``x' = f(x, u)`` with the origin as its goal; a subclass writes :meth:`derivative`.

    State, observation and error are the same ``x``. A step is ``substeps`` steps of explicit Euler, 5 of 0.01 s,
    with the action held. The bonus is 1 where ``max_i |x_i| <= 0.01``.

    The goal set, ``goal_tolerance``, is ``|x_i| <= 0.1`` in the units of the state.

    A start is uniform in ``|x_i| <= start_i``, one draw; the one without chance is ``start / 2``. The original
    rounds starts and states to float32, here all is float64.

    Args:
        start: Bounds of the start, ``[n]``.
        limits: The episode terminates outside of them, ``[n]``.
        action_limit: Actions are in ``[-action_limit, action_limit]``.
        Q: Weights of the squared state, ``[n]``.
        R: Weights of the squared action, ``[act_dim]``.
        n_forces: Number of entries of the external force.
        bonus: Whether the bonus is part of the cost.
        clip_action: Whether actions are clipped to their box; otherwise one outside is an error.
        render_mode: None or ``rgb_array``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012 (as Gymnasium declares it)
    goal_tolerance = 0.1

    def __init__(
        self,
        start: Sequence[float],
        limits: Sequence[float],
        action_limit: float,
        Q: Sequence[float],
        R: Sequence[float],
        n_forces: int,
        bonus: bool,
        clip_action: bool,
        render_mode: str | None = None,
    ) -> None:
        actions = Box(-action_limit, action_limit, (len(R),), np.float64)
        super().__init__(actions, len(limits), n_forces, limits, Q, R, bonus, clip_action, render_mode=render_mode)
        self.dt = 0.05
        self.substeps = 5
        self.bonus_radius = 0.01
        self._start_bounds = np.array(start)

    @abstractmethod
    def derivative(self, x: Entries, u: Entries, force: Entries, xp: Any) -> Entries:
        """``dx/dt`` in state ``x`` under action ``u`` and external force, entry by entry, in the namespace ``xp``."""

    def signals(self, states: FloatArray) -> Signals:
        """Zero and the state."""
        return Signals(np.zeros_like(states), states.copy())

    def _initial_state(self, options: Mapping[str, Any]) -> FloatArray:
        if not options.get("random", True):
            return self._start_bounds / 2
        return self._start(options, -self._start_bounds, self._start_bounds, self.state_dim)

    def start_region(self) -> StartRegion:
        """The box of starts."""
        return StartRegion(-self._start_bounds, self._start_bounds, np.copy)

    def _transition(self, state: Any, action: Any, noise: Any, xp: Any) -> Any:
        dt = self.dt / self.substeps
        x, u, force = unpack(state, xp), unpack(action, xp), unpack(self.external_force, xp)
        for _ in range(self.substeps):
            x = [xi + dt * dxi for xi, dxi in zip(x, self.derivative(x, u, force, xp), strict=True)]
        return pack(x, xp)

    def _missed_bonus(self, largest: FloatArray) -> npt.NDArray[Any]:
        return largest > self.bonus_radius


class VanDerPol(StabilisedSystem):
    """The Van der Pol oscillator, state ``(x1, x2)``, one action in [-5, 5]; an external force is beside it.

    The origin is an unstable focus in a limit cycle of amplitude 2::

        dx1 = x2
        dx2 = mu (1 - x1^2) x2 - x1 + u
    """

    observation_names = ("x1", "x2")
    action_names = ("u",)
    signal_names = observation_names

    def __init__(self, bonus: bool = False, clip_action: bool = True, render_mode: str | None = None) -> None:
        super().__init__((5, 5), (10, 10), 5.0, (2, 1), (0.1,), 1, bonus, clip_action, render_mode)
        self.mu = 1.0

    def derivative(self, x: Entries, u: Entries, force: Entries, xp: Any) -> Entries:
        """The equations above."""
        x1, x2 = x
        return x2, self.mu * (1 - x1 * x1) * x2 - x1 + u[0] + force[0]

    def _picture(self) -> Pixels:
        return rendering.phase_plane(self._state, self.limits, self._flow)

    def _flow(self, x: FloatArray) -> FloatArray:
        """Derivatives ``[2, ...]`` in states ``[2, ...]`` without action and force."""
        return np.stack(self.derivative((x[0], x[1]), (0.0,), (0.0,), np))


class PendulumStabilise(StabilisedSystem):
    """A pendulum to be held upright, state ``(theta, omega)`` from there; the action is a torque in [-5, 5] N m.

    ::

        dtheta = omega
        domega = (m g L sin(theta) - b omega + u) / (m L^2)

    The torque is 6.8 times what gravity needs, so nothing has to be swung up. Angles are not wrapped and the episode
    terminates beyond pi; starts fill the whole box, and about one in 45 cannot be saved by any action. An external
    force is a torque. The goal set, ``goal_tolerance``, is 0.2 rad and 0.2 rad/s: a step changes ``omega`` by
    up to 6.
    """

    observation_names = ("theta [rad]", "omega [rad/s]")
    action_names = ("torque [N m]",)
    goal_tolerance = 0.2
    signal_names = observation_names

    def __init__(self, bonus: bool = False, clip_action: bool = True, render_mode: str | None = None) -> None:
        box = (math.pi, 10.0)
        super().__init__(box, box, 5.0, (2, 1), (0.1,), 1, bonus, clip_action, render_mode)
        self.g = 9.81
        self.L = 0.5
        self.m = 0.15
        self.b = 0.1

    def derivative(self, x: Entries, u: Entries, force: Entries, xp: Any) -> Entries:
        """The equations above."""
        theta, omega = x
        torque = self.m * self.g * self.L * xp.sin(theta) - self.b * omega + u[0] + force[0]
        return omega, torque / (self.m * self.L**2)

    def _picture(self) -> Pixels:
        return rendering.links([self._state[0]], [self.L])


class DuctedFan(StabilisedSystem):
    """A ducted fan to hover, state ``(x, y, theta, vx, vy, omega)``; two forces in [-5, 5] N steer it.

    ``u1`` is across its axis and turns it, ``u2`` along it and beside the thrust that carries the weight::

        m dvx   = -m g sin(theta)       - d vx + u1 cos(theta) - u2 sin(theta)
        m dvy   =  m g (cos(theta) - 1) - d vy + u1 sin(theta) + u2 cos(theta)
        J domega = r u1

    An external force is ``(F_x, F_y, torque)``, in N and N m.
    """

    observation_names = ("x [m]", "y [m]", "theta [rad]", "vx [m/s]", "vy [m/s]", "omega [rad/s]")
    action_names = ("u1 across [N]", "u2 along [N]")
    signal_names = observation_names

    def __init__(self, bonus: bool = False, clip_action: bool = True, render_mode: str | None = None) -> None:
        limits = (5, 5, math.pi / 2, 5, 5, 5)
        super().__init__((0.5,) * 6, limits, 5.0, (2, 2, 2, 1, 1, 1), (0.1, 0.1), 3, bonus, clip_action, render_mode)
        self.m = 8.5
        self.g = 9.81
        self.r = 0.26
        self.d = 0.95
        self.J = 0.048

    def derivative(self, x: Entries, u: Entries, force: Entries, xp: Any) -> Entries:
        """The equations above."""
        _, _, theta, vx, vy, omega = x
        across, along, sin, cos = u[0], u[1] + self.m * self.g, xp.sin(theta), xp.cos(theta)
        fx = across * cos - along * sin - self.d * vx + force[0]
        fy = across * sin + along * cos - self.d * vy + force[1] - self.m * self.g
        return vx, vy, omega, fx / self.m, fy / self.m, (self.r * across + force[2]) / self.J

    def _picture(self) -> Pixels:
        x, y, theta = self._state[:3].tolist()
        return rendering.ducted_fan(x, y, theta)


class TwoLink(StabilisedSystem):
    """A planar arm of two links to be held upright, state ``(th1, th2, w1, w2)``; the actions are joint torques.

    ``th1`` is the angle of the first link from upright, ``th2`` that of the second link from the first; torques are
    in [-20, 20] N m, of which gravity takes up to 19.6 at the first joint. Without friction::

        M(th2) (dw1, dw2) + C (w1, w2) + G = u
        M11 = I1 + I2 + m1 lc1^2 + m2 (l1^2 + lc2^2 + 2 l1 lc2 cos th2)
        M12 = I2 + m2 (lc2^2 + l1 lc2 cos th2),   M22 = I2 + m2 lc2^2
        h = -m2 l1 lc2 sin th2,   C = [[h w2, h (w1 + w2)], [-h w1, 0]]
        G1 = -(m1 lc1 + m2 l1) g sin th1 + G2,   G2 = -m2 lc2 g sin(th1 + th2)

    The paper calls the goal downward; in its equations it is upright. An external force is a torque at each joint. The
    goal set, ``goal_tolerance``, is 0.2 rad and 0.2 rad/s.
    """

    observation_names = ("th1 [rad]", "th2 [rad]", "w1 [rad/s]", "w2 [rad/s]")
    action_names = ("torque 1 [N m]", "torque 2 [N m]")
    goal_tolerance = 0.2
    signal_names = observation_names

    def __init__(self, bonus: bool = False, clip_action: bool = True, render_mode: str | None = None) -> None:
        limits = (math.pi / 2, math.pi / 2, 20, 20)
        super().__init__((0.5,) * 4, limits, 20.0, (2, 2, 1, 1), (0.1, 0.1), 2, bonus, clip_action, render_mode)
        self.g = 9.81
        self.m1 = self.m2 = 1.0
        self.l1 = 1.0
        self.lc1 = self.lc2 = 0.5
        self.I1 = self.I2 = 1 / 12

    def derivative(self, x: Entries, u: Entries, force: Entries, xp: Any) -> Entries:
        """The equations above."""
        th1, th2, w1, w2 = x
        coupling, link2 = self.m2 * self.l1 * self.lc2, self.I2 + self.m2 * self.lc2**2
        link1 = self.I1 + self.m1 * self.lc1**2 + self.m2 * self.l1**2
        M12 = link2 + coupling * xp.cos(th2)
        M11, M22 = link1 + 2 * M12 - link2, link2
        h = -coupling * xp.sin(th2)
        G2 = -self.m2 * self.lc2 * self.g * xp.sin(th1 + th2)
        G1 = -(self.m1 * self.lc1 + self.m2 * self.l1) * self.g * xp.sin(th1) + G2
        torque1 = u[0] + force[0] - h * w2 * (2 * w1 + w2) - G1
        torque2 = u[1] + force[1] + h * w1 * w1 - G2
        determinant = M11 * M22 - M12 * M12
        return w1, w2, (M22 * torque1 - M12 * torque2) / determinant, (M11 * torque2 - M12 * torque1) / determinant

    def _picture(self) -> Pixels:
        th1, th2 = self._state[:2].tolist()
        # The length of the second link is no constant of the equations; its mass is in its middle.
        return rendering.links([th1, th1 + th2], [self.l1, 2 * self.lc2])
