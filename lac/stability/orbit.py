"""The quadratic Lyapunov function of linear theory, about an equilibrium or a periodic orbit of the closed loop."""

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_discrete_lyapunov

from lac.envs.system import FloatArray
from lac.stability.closed_loop import ClosedLoop, tick

_STEP = 1e-4  # policies compute in float32
_ROUNDS = 8
_MAX_SPECTRAL_RADIUS = 0.9999
_MAX_PERIOD = 5000


class NoOrbitError(RuntimeError):
    """There is no such function; the message is a sentence."""


class Orbit:
    """``V(s) = (x - x_k)' P_k (x - x_k)`` about the orbit ``x_0 .. x_{N-1}`` of the closed loop without noise.

    ``x`` is the state without its clock and ``k`` the phase of the reference in steps; ``N`` is 1 for an equilibrium.
    With the Jacobians ``A_k`` of the closed loop along the orbit, ``P_k = A_k' P_{k+1} A_k + Q`` is the periodic
    Lyapunov equation (Bittanti and Colaneri 2009); ``Q`` weighs each entry by the inverse square of its spread.

    Attributes:
        points: The orbit, ``[N, n]``.
        multipliers: Floquet multipliers, the eigenvalues of ``A_{N-1} ... A_0``; magnitudes below 1.

    Args:
        loop: The closed loop.
        settled: A state that trajectories have settled to, at phase 0, ``[state_dim]``.
        spread: Spread of each entry of the state, ``[state_dim]``.

    Raises:
        NoOrbitError: The reference is not periodic in steps, or the orbit does not attract.
    """

    name = "orbit"

    def __init__(self, loop: ClosedLoop, settled: FloatArray, spread: FloatArray) -> None:
        system = loop.system
        self._loop, self._clock = loop, None if system.clock is None else system.clock % system.state_dim
        self._entries = [i for i in range(system.state_dim) if i != self._clock]
        if system.period is None or abs(system.period - round(system.period)) > 1e-9 or system.period > _MAX_PERIOD:
            raise NoOrbitError("its reference does not repeat itself after a whole number of steps")
        self._num_phases = round(system.period)
        self._start = 0.0 if self._clock is None else float(settled[self._clock])
        self._no_noise = _mean_noise(loop)
        self._tick = tick(system, settled)
        self.points = self._find(settled)
        jacobians = self._jacobians()
        monodromy = np.linalg.multi_dot([*jacobians[::-1], np.eye(len(self._entries))])
        self.multipliers: npt.NDArray[np.complex128] = np.linalg.eigvals(monodromy)
        radius = float(np.abs(self.multipliers).max())
        if not radius < _MAX_SPECTRAL_RADIUS:
            raise NoOrbitError(f"the largest Floquet multiplier is {radius:.4f}, not below 1")
        weights = np.diag(1.0 / np.maximum(spread[self._entries], 1e-6) ** 2)
        self._P = _periodic_lyapunov(jacobians, monodromy, weights)

    def __call__(self, states: FloatArray) -> FloatArray:
        """See :class:`lac.stability.candidates.Candidate`."""
        phases = np.zeros(len(states), np.int64)
        if self._clock is not None:
            steps = (states[:, self._clock] - self._start) / self._tick
            phases = np.rint(steps).astype(np.int64) % self._num_phases
        errors = states[:, self._entries] - self.points[phases]
        return np.asarray(np.einsum("bi,bij,bj->b", errors, self._P[phases], errors))

    def _next(self, states: FloatArray) -> FloatArray:
        noise = np.broadcast_to(self._no_noise, (len(states), *self._no_noise.shape))
        return np.asarray(self._loop.system.dynamics(states, self._loop.actions(states), noise))

    def _find(self, settled: FloatArray) -> FloatArray:
        """The orbit: Newton's method on the map over one period, from where trajectories have settled."""
        state = settled.copy()
        for _ in range(_ROUNDS):
            ends = np.concatenate((state[None], state + _STEP * np.eye(len(state))[self._entries]))
            for _ in range(self._num_phases):
                ends = self._next(ends)
            ends = ends[:, self._entries]
            jacobian = ((ends[1:] - ends[0]) / _STEP).T
            residual = ends[0] - state[self._entries]
            if not np.isfinite(jacobian).all():
                raise NoOrbitError("the closed loop leaves every bound near it")
            change = np.linalg.lstsq(np.eye(len(residual)) - jacobian, residual, rcond=None)[0]
            state[self._entries] += change
            if np.abs(change).max() < 1e-9 * (1 + np.abs(state).max()):
                break
        points = [state]
        for _ in range(self._num_phases - 1):
            points.append(self._next(points[-1][None])[0])
        self._full = np.array(points)
        return self._full[:, self._entries]

    def _jacobians(self) -> FloatArray:
        """Of each step of the orbit, ``[N, n, n]``, by central differences."""
        n = len(self._entries)
        steps = _STEP * np.eye(self._full.shape[1])[self._entries]
        probes = (self._full[:, None, None] + np.array([1.0, -1.0])[None, :, None, None] * steps).reshape(
            -1, self._full.shape[1]
        )
        ends = self._next(probes)[:, self._entries].reshape(self._num_phases, 2, n, n)
        return np.swapaxes((ends[:, 0] - ends[:, 1]) / (2 * _STEP), 1, 2)


def _mean_noise(loop: ClosedLoop) -> FloatArray:
    """The noise that changes nothing: its mean, rounded where an entry is a yes or no."""
    loop.system.np_random = loop.rng
    drawn = loop.system.draw_noise(2000)
    is_flag = np.isin(drawn, (0.0, 1.0)).all(axis=0)
    return np.where(is_flag, np.rint(drawn.mean(axis=0)), 0.0)


def _periodic_lyapunov(jacobians: FloatArray, monodromy: FloatArray, weights: FloatArray) -> FloatArray:
    """``P_k`` for each step, ``[N, n, n]``: that of phase 0 from the map over a period, then backwards."""
    P = np.zeros_like(jacobians)
    following = np.zeros_like(weights)
    for A in jacobians[::-1]:
        following = A.T @ following @ A + weights
    following = solve_discrete_lyapunov(monodromy.T, following)
    for k in range(len(jacobians) - 1, -1, -1):
        following = P[k] = jacobians[k].T @ following @ jacobians[k] + weights
    return P
