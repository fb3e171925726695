"""Closed loops whose behaviour is known."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from scipy.linalg import expm

from lac.envs.system import Signals, StartRegion, System
from lac.stability.findings import Effort

SMALL = Effort(states=2000, many_steps=300, rollouts=200, pilot=300, fit=1500, iterations=100, pushed=100, long=4)
TINY = Effort(states=400, many_steps=100, rollouts=100, pilot=60, fit=400, iterations=20, pushed=20, long=4)
NOTHING = {"file": None, "sha256": None, "algorithm": "test"}
HERE = {"id": "test", "kwargs": {}}


class Oscillation(System):
    """A mass on a spring with damping, ``x'' + 2 zeta omega x' + omega^2 x = omega^2 u``, exact for held inputs."""

    goal_tolerance = (0.02, np.inf)

    def __init__(self, zeta=0.4, omega=2.0, dt=0.01):
        super().__init__(Box(-1.0, 1.0, (1,), np.float64), Box(-np.inf, np.inf, (2,), np.float64), 2, n_forces=1)
        self.zeta, self.omega, self.dt = zeta, omega, dt
        self.A = expm(np.array([[0.0, 1.0], [-(omega**2), -2 * zeta * omega]]) * dt)

    def _initial_state(self, options):
        return np.array([-1.0, 0.0])

    def start_region(self):
        return StartRegion(np.array([-1.0, 0.0]), np.array([-1.0, 0.0]), np.copy)

    def _transition(self, state, action, noise, xp):
        return state @ self.A.T

    def _cost(self, states, actions):
        return (states**2).sum(axis=-1), np.zeros(states.shape[:-1], np.bool_)

    def signals(self, states):
        return Signals(np.zeros_like(states), states.copy())


class Line(System):
    """``x' = 0.9 x + 0.5 u`` in a plane, with starts in [-1, 1]^2."""

    goal_tolerance = 0.1

    def __init__(self):
        super().__init__(Box(-1.0, 1.0, (2,), np.float64), Box(-np.inf, np.inf, (2,), np.float64), 2)

    def _initial_state(self, options):
        return self.np_random.uniform(-1, 1, 2)

    def start_region(self):
        return StartRegion(np.full(2, -1.0), np.ones(2), np.copy)

    def _transition(self, state, action, noise, xp):
        return 0.9 * state + 0.5 * action

    def _cost(self, states, actions):
        return (states**2).sum(axis=-1), np.abs(states).max(axis=-1) > 2.0

    def signals(self, states):
        return Signals(np.zeros_like(states), states.copy())


def in_time_limit(system, steps):
    return gymnasium.wrappers.TimeLimit(system, steps)


def zero(observations):
    return np.zeros((len(observations), 2))
