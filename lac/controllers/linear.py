"""The linear-quadratic regulator of a system, from its own equations and its own cost by finite differences."""

from typing import Any

import numpy as np
from scipy.linalg import solve_discrete_are

from lac.controllers.controller import Controller, ControllerError
from lac.envs.factory import HasSpaces
from lac.envs.system import FloatArray, System
from lac.settings.controllers import INPUT_WEIGHT
from lac.settings.rules import raise_if_any, value_error

SMALL_WEIGHT = 1e-3
"""Weight of the squared input where a cost has none: the regulator needs one, and a small one changes little."""

_DYNAMICS_STEP = 1e-5
_COST_STEP = 1e-3
"""Within the radius of 0.01 in which a bonus for small errors is constant."""


class LinearRegulator(Controller):
    """``u = -K x``, bounded by the action box: optimal for the linearised system and the quadratic cost.

    ``K`` minimises the sum of ``x' Q x + u' R u`` over an infinite horizon for ``x' = A x + B u``, the system's own
    ``dynamics`` at the origin, with ``A`` and ``B`` by central differences. ``Q`` and ``R`` are half the second
    derivatives of the system's own cost there.

    Attributes:
        A: ``[n, n]``.
        B: ``[n, m]``.
        Q: ``[n, n]``.
        R: ``[m, m]``.
        gain: ``K``, ``[m, n]``.

    Args:
        env: Environment.
        system: Its system, which shows its whole state and rests in the origin without input.
        input_weight: ``R`` is this times the identity. None is the cost's own ``R``, or ``SMALL_WEIGHT`` times the
            identity where the cost does not charge for every input.
    """

    name = "lqr"

    def __init__(self, env: HasSpaces, system: System | None, input_weight: float | None = None) -> None:
        raise_if_any(filter(None, [value_error("input_weight", input_weight, INPUT_WEIGHT)]))
        self._input_weight = input_weight
        super().__init__(env, system)

    @classmethod
    def suits(cls, system: System | None) -> bool:
        """Whether the observation is the state, and the origin is at rest without input and moved by inputs."""
        if system is None or system.observation_space.shape != (system.state_dim,):
            return False
        state, still = np.arange(1.0, system.state_dim + 1), np.zeros(system.state_dim)
        if not np.array_equal(system.observe(state), state) or not system.action_space.contains(_no_input(system)):
            return False
        after = system.dynamics(still, _no_input(system), _no_noise(system))
        return bool(np.allclose(after, 0.0, rtol=0, atol=1e-9) and np.abs(linearised(system)[1]).max() > 1e-9)

    def _design(self, system: System) -> None:
        self.A, self.B = linearised(system)
        self.Q, own_R = cost_weights(system)
        weight = self._input_weight
        if weight is None and np.linalg.eigvalsh(own_R).min() <= 0.0:
            weight = SMALL_WEIGHT
        self.R = own_R if weight is None else weight * np.eye(len(own_R))
        self.gain = regulator_gain(self.A, self.B, self.Q, self.R)

    def _law(self, observations: FloatArray) -> FloatArray:
        return -observations @ self.gain.T


def linearised(system: System) -> tuple[FloatArray, FloatArray]:
    """``A`` ``[n, n]`` and ``B`` ``[n, m]`` of one step at the origin, without input and noise."""
    n, m = system.state_dim, len(_no_input(system))
    noise = _no_noise(system)
    steps = _DYNAMICS_STEP * np.eye(n + m)
    forward, backward = (
        np.array([system.dynamics(step[:n], step[n:], noise) for step in sign * steps]) for sign in (1, -1)
    )
    jacobian = ((forward - backward) / (2 * _DYNAMICS_STEP)).T
    return jacobian[:, :n], jacobian[:, n:]


def cost_weights(system: System) -> tuple[FloatArray, FloatArray]:
    """``Q`` ``[n, n]`` and ``R`` ``[m, m]`` of the cost near the origin, ``x' Q x + u' R u``.

    Raises:
        ControllerError: The cost is not quadratic there.
    """
    n, m = system.state_dim, len(_no_input(system))
    steps = np.eye(n + m)

    def cost(point: FloatArray) -> FloatArray:
        return system.costs(point[..., :n], point[..., n:])

    def half_hessian(h: float) -> FloatArray:
        pairs = h * (steps[:, None] + steps[None]), h * (steps[:, None] - steps[None])
        both, opposed = (cost(pair.reshape(-1, n + m)).reshape(n + m, n + m) for pair in pairs)
        # Central differences of the even part; of a quadratic it is exact.
        return (both - opposed) / (4 * h * h)

    weights, wider = half_hessian(_COST_STEP), half_hessian(2 * _COST_STEP)
    scale = np.abs(weights).max()
    Q, R = weights[:n, :n], weights[n:, n:]
    if not np.allclose(weights, wider, rtol=0, atol=1e-6 * scale) or np.linalg.eigvalsh(Q).min() < -1e-6 * scale:
        raise ControllerError(f"the cost of {type(system).__name__} is not quadratic near the origin, as lqr needs it")
    # What is left of a weight that is zero would count as one.
    return np.where(np.abs(Q) > 1e-9 * scale, Q, 0.0), np.where(np.abs(R) > 1e-9 * scale, R, 0.0)


def regulator_gain(A: FloatArray, B: FloatArray, Q: FloatArray, R: FloatArray) -> FloatArray:
    """``K = (R + B' P B)^-1 B' P A`` with the solution ``P`` of the discrete Riccati equation, ``[m, n]``.

    Raises:
        ControllerError: No gain stabilises the system, or the cost does not show how it moves.
    """
    try:
        P = solve_discrete_are(A, B, Q, R)
    except np.linalg.LinAlgError as error:
        raise ControllerError(f"lqr finds no gain that stabilises the linearised system: {error}") from error
    gain: FloatArray = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    return gain


def _no_input(system: System) -> FloatArray:
    return np.zeros(system.action_space.shape)


def _no_noise(system: Any) -> FloatArray:
    return np.zeros_like(system.draw_noise())
