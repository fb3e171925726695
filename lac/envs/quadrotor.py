"""A quadrotor that is to follow a helix, after the benchmark of MSACL (arXiv 2512.24955)."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from gymnasium.spaces import Box

from lac.envs import rendering
from lac.envs.stabilisation import ErrorSystem
from lac.envs.system import FloatArray, Pixels, Signals, StartRegion
from lac.envs.vectors import Entries, pack, unpack

Observation = Literal["error", "markov"]


class QuadrotorTracking(ErrorSystem):
    """A rigid body with one thrust and three torques, to follow a helix with a given heading.

    State (17): position ``p`` and velocity ``v`` in the world, whose z axis points **down**; attitude ``q``, a unit
    quaternion from body to world, real part first; body rate ``W``; reference rate ``Wd``; time ``t``. Actions
    ``(F, M)``: thrust in [0, 2 m g] N against the body's z axis, torques in [-10, 10] N m, or less. With the rotation
    ``R`` of ``q``, a step is 4 steps of explicit Euler of 0.01 s, every right-hand side from before::

        dp = v,   dv = g e3 - F R e3 / m,   dR = R hat(W),   dW = J^-1 (M - W x J W)

    after each of which ``R`` becomes the nearest rotation. The reference, and the attitude that leads to it::

        xd = (0.4 t, 0.4 sin t, 0.6 cos t),   heading h = (cos t, sin t, 0)
        fd = kx (p - xd) + kv (v - xd') + m (g e3 - xd'')
        b3 = fd / |fd|,   b2 = b3 x h / |b3 x h|,   Rd = [b2 x b3, b2, b3]
        Wd = vee(Rd^T (Rd - Rd of the step before)) / dt,   0 at the start

    The error, and observation, is ``e = (p - xd, v - xd', vee(Rd^T R - R^T Rd) / 2, W - R^T Rd Wd)``. It is not Markov:
    neither ``W`` nor the phase ``t`` nor the attitude follows from it. The observation ``markov`` (23) is::

        (R^T (p - xd), R^T (v - xd'), e_R, e_W, W, R^T e3, R^T h, cos t, sin t)

    in m, m/s, 1, rad/s, rad/s and 1. Vectors are seen from the body, so that what a torque does to them is the same in
    all headings; the directions of gravity and of the heading, with the phase, give ``R``. ``Wd``, a difference, jumps
    beyond all limits where ``fd`` is small. The episode terminates when an error exceeds 10. The bonus is
    ``10 (1 - max_i |e_i| / 0.1)`` where that is positive.

    The goal set, ``goal_tolerance``, is a position within 0.1 m of the reference along each axis.

    Starts: ``p``, ``v`` and ``W`` uniform within 0.01, the rotation vector normal with deviation 0.01, drawn in the
    order ``p, v, rotation, W``; options ``low`` and ``high`` (``[9]``) bound ``(p, v, W)``. The start without chance
    is at rest in the origin. The original draws the rotation from numpy's global generator, so that no seed repeats
    its starts; here all is drawn from the environment's own.

    ``Rd`` is found with the present mass; the action box stays as built. An external force is a force in the world
    and a torque in the body, ``[6]``, in N and N m.

    Args:
        bonus: Whether the bonus is part of the cost.
        clip_action: Whether actions are clipped to their box; otherwise one outside is an error.
        observation: ``error``, as published, or ``markov``.
        torque_limit: Largest torque about each axis, in N m; 10 as published.
        start_spread: Half of the starts are up to this share, 0 to 1, of the way from the origin at rest to the
            reference's position and velocity, uniformly; 0 as published.
        render_mode: None or ``rgb_array``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012 (as Gymnasium declares it)

    goal_tolerance = 0.1
    clock = 16
    signal_names = ("x [m]", "y [m]", "z [m]")

    def __init__(
        self,
        bonus: bool = False,
        clip_action: bool = True,
        observation: Observation = "error",
        torque_limit: float = 10.0,
        start_spread: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        if observation not in get_args(Observation):
            raise ValueError(f"observation is {observation!r}; it must be one of {', '.join(get_args(Observation))}")
        if not torque_limit > 0:
            raise ValueError(f"torque_limit is {torque_limit}; it must be above 0, as the published 10")
        if not 0 <= start_spread <= 1:
            raise ValueError(f"start_spread is {start_spread}; it must be from 0 to 1")
        self.observation: Observation = observation
        self._start_spread = start_spread
        self.m = 4.34
        self.g = 9.8
        self.J = (0.0820, 0.0845, 0.1377)
        self.kx = 69.44
        self.kv = 24.304
        self.reference_speed = 0.4
        self.reference_amplitudes = (0.4, 0.6)
        self.dt = 0.04
        self.substeps = 4
        self.bonus_radius = 0.1
        self.bonus_max = 10.0
        torques = np.full(3, torque_limit)
        actions = Box(np.append(0.0, -torques), np.append(2 * self.m * self.g, torques), dtype=np.float64)
        weights = (1e-4, 0.01, 0.01, 0.01)
        n_beside = 11 if observation == "markov" else 0
        super().__init__(actions, 17, 6, (10.0,) * 12, (1.0,) * 12, weights, bonus, clip_action, n_beside, render_mode)

    def reference(self, t: Any, xp: Any = np) -> tuple[Entries, Entries, Entries, Entries]:
        """Position, velocity, acceleration and heading to follow at time ``t`` in seconds, entry by entry."""
        speed, (across, down) = self.reference_speed, self.reference_amplitudes
        sin, cos, zero = xp.sin(t), xp.cos(t), 0.0 * t
        position, velocity = (speed * t, across * sin, down * cos), (speed + zero, across * cos, -down * sin)
        return position, velocity, (zero, -across * sin, -down * cos), (cos, sin, zero)

    def rotation(self, states: FloatArray) -> FloatArray:
        """The rotation matrix from body to world, ``[..., 3, 3]``."""
        return np.array(_columns(unpack(states[..., 6:10], np))).T

    def signals(self, states: FloatArray) -> Signals:
        """The position to follow and the position."""
        position, *_ = self.reference(unpack(states, np)[16])
        return Signals(np.array(position).T, states[..., :3].copy())

    def observe(self, states: Any, xp: Any = np) -> Any:
        """The error, or what the class describes as ``markov``."""
        error = self.error(states, xp)
        if self.observation == "error":
            return error
        e, x = unpack(error, xp), unpack(states, xp)
        axes, W = _columns(x[6:10]), x[10:13]
        _, _, _, heading = self.reference(x[16], xp)
        position, velocity, head = ([_dot(axis, a) for axis in axes] for a in (e[:3], e[3:6], heading))
        down = [axis[2] for axis in axes]
        cos, sin, _ = heading
        return pack([*position, *velocity, *e[6:], *W, *down, *head, cos, sin], xp)

    def error(self, states: Any, xp: Any = np) -> Any:
        """The errors of position, velocity, attitude and rate, ``[..., 12]``."""
        x = unpack(states, xp)
        p, v, W, Wd, t = x[:3], x[3:6], x[10:13], x[13:16], x[16]
        xd, vd, _, _ = self.reference(t, xp)
        Rd = self._reference_attitude(p, v, t, xp)
        E = [[_dot(body, desired) for desired in Rd] for body in _columns(x[6:10])]
        rotation = ((E[1][2] - E[2][1]) / 2, (E[2][0] - E[0][2]) / 2, (E[0][1] - E[1][0]) / 2)
        rate = (wi - _dot(row, Wd) for wi, row in zip(W, E, strict=True))
        return pack([*_minus(p, xd), *_minus(v, vd), *rotation, *rate], xp)

    @property
    def period(self) -> None:
        """None: the helix never returns."""
        return None

    def start_region(self) -> StartRegion:
        """Position, velocity and body rate of the starts at time 0, upright."""
        return StartRegion(np.full(9, -0.01), np.full(9, 0.01), _upright)

    def _initial_state(self, options: Mapping[str, Any]) -> FloatArray:
        state = np.zeros(self.state_dim)
        state[6] = 1.0
        if not options.get("random", True):
            return state
        low = np.broadcast_to(options.get("low", -0.01), 9)
        high = np.broadcast_to(options.get("high", 0.01), 9)
        state[:6] = self.np_random.uniform(low[:6], high[:6])
        rotation_vector = 0.01 * self.np_random.standard_normal(3)
        angle = np.sqrt(rotation_vector @ rotation_vector)
        # sinc(z) is sin(pi z) / (pi z).
        state[6:10] = np.cos(angle / 2), *(rotation_vector / 2 * np.sinc(angle / (2 * np.pi)))
        state[10:13] = self.np_random.uniform(low[6:], high[6:])
        if self._start_spread > 0:
            share = self._start_spread * max(0.0, self.np_random.uniform(-1.0, 1.0))
            position, velocity, *_ = self.reference(0.0)
            state[:6] += share * np.array([*position, *velocity])
        return state

    def _transition(self, state: Any, action: Any, noise: Any, xp: Any) -> Any:
        x, u, force = unpack(state, xp), unpack(action, xp), unpack(self.external_force, xp)
        body, t = x[:13], x[16]
        b1_before, b2_before, b3_before = self._reference_attitude(body[:3], body[3:6], t, xp)
        for _ in range(self.substeps):
            body = self._substep(body, u, force, xp)
        t = t + self.dt
        b1, b2, b3 = self._reference_attitude(body[:3], body[3:6], t, xp)
        # vee(Rd^T (Rd - before)) = -vee(Rd^T before): Rd^T Rd = I has no skew part.
        turned = _dot(b3, b2_before), _dot(b1, b3_before), _dot(b2, b1_before)
        return pack([*body, *(-angle / self.dt for angle in turned), t], xp)

    def _substep(self, body: Entries, u: Entries, force: Entries, xp: Any) -> list[Any]:
        h = self.dt / self.substeps
        p, v, q, W = body[:3], body[3:6], body[6:10], body[10:]
        (w1, w2, w3), (J1, J2, J3) = W, self.J
        f1, f2, f3 = (external - u[0] * axis for external, axis in zip(force[:3], _thrust_axis(q), strict=True))
        m1, m2, m3 = (moment + external for moment, external in zip(u[1:], force[3:], strict=True))
        acceleration = f1 / self.m, f2 / self.m, f3 / self.m + self.g
        spin = (m1 - (J3 - J2) * w2 * w3) / J1, (m2 - (J1 - J3) * w3 * w1) / J2, (m3 - (J2 - J1) * w1 * w2) / J3
        turn = h * w1, h * w2, h * w3
        return [*_plus(p, h, v), *_plus(v, h, acceleration), *_turned(q, turn, xp), *_plus(W, h, spin)]

    def _reference_attitude(self, p: Entries, v: Entries, t: Any, xp: Any) -> tuple[Entries, Entries, Entries]:
        """The columns of ``Rd``."""
        xd, vd, ad, b1 = self.reference(t, xp)
        f1, f2, f3 = (
            self.kx * (pi - xi) + self.kv * (vi - wi) - self.m * ai
            for pi, xi, vi, wi, ai in zip(p, xd, v, vd, ad, strict=True)
        )
        b3 = _unit((f1, f2, f3 + self.m * self.g), xp)
        b2 = _unit(_cross(b3, b1), xp)
        return _cross(b2, b3), b2, b3

    def _picture(self) -> Pixels:
        target, position = self.signals(self._state)
        path = np.array(np.broadcast_arrays(*self.reference(self._state[16] + np.linspace(-9.0, 9.0, 181))[0])).T
        return rendering.quadrotor(position, self.rotation(self._state), target, path)

    def _missed_bonus(self, largest: FloatArray) -> FloatArray:
        return np.asarray(self.bonus_max * np.minimum(largest / self.bonus_radius, 1.0))


def _upright(numbers: FloatArray) -> FloatArray:
    """States ``[..., 17]`` from positions, velocities and body rates ``[..., 9]``, at time 0."""
    states = np.zeros((*numbers.shape[:-1], 17))
    states[..., :6], states[..., 10:13] = numbers[..., :6], numbers[..., 6:]
    states[..., 6] = 1.0
    return states


# Vectors and quaternions, entry by entry ----------------------------------------------------------------


def _plus(a: Entries, h: float, b: Entries) -> Entries:
    return [ai + h * bi for ai, bi in zip(a, b, strict=True)]


def _minus(a: Entries, b: Entries) -> Entries:
    return [ai - bi for ai, bi in zip(a, b, strict=True)]


def _dot(a: Entries, b: Entries) -> Any:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Entries, b: Entries) -> Entries:
    (a1, a2, a3), (b1, b2, b3) = a, b
    return a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, a1 * b2 - a2 * b1


def _unit(a: Entries, xp: Any) -> Entries:
    # A vector of length zero stays zero.
    length = xp.sqrt(sum(ai * ai for ai in a) + 1e-300)
    return [ai / length for ai in a]


def _columns(q: Entries) -> tuple[Entries, Entries, Entries]:
    """The columns of the rotation matrix of a quaternion of any length but zero."""
    w, x, y, z = q
    s = 2 / (w * w + x * x + y * y + z * z)
    first = 1 - s * (y * y + z * z), s * (x * y + w * z), s * (x * z - w * y)
    second = s * (x * y - w * z), 1 - s * (x * x + z * z), s * (y * z + w * x)
    return first, second, _thrust_axis(q)


def _thrust_axis(q: Entries) -> Entries:
    """The third column alone."""
    w, x, y, z = q
    s = 2 / (w * w + x * x + y * y + z * z)
    return s * (x * z + w * y), s * (y * z - w * x), 1 - s * (x * x + y * y)


def _turned(q: Entries, r: Entries, xp: Any) -> Entries:
    """The quaternion of the rotation nearest to ``R (I + hat(r))``.

    ``I + hat(r)`` turns by ``atan |r|`` about ``r``, stretches the plane across ``r``, and leaves ``r``: its polar
    factor is that turn, with the quaternion ``(1, r tan(atan(|r|) / 2) / |r|)`` up to its length.
    """
    w, x, y, z = q
    scale = 1 / (1 + xp.sqrt(1 + _dot(r, r)))
    a, b, c = (scale * ri for ri in r)
    return _unit(
        (w - x * a - y * b - z * c, x + w * a + y * c - z * b, y + w * b + z * a - x * c, z + w * c + x * b - y * a),
        xp,
    )
