"""Systems to disturb, and what their states are."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit

import lac  # noqa: F401 (registers the environments)
from lac.envs.oscillator import Oscillator
from lac.envs.system import Signals, System

ACTION = np.array([0.2, 0.5, 0.0])
N_STEPS = 12


class Cart(System):
    """A unit mass on a line: position, velocity; the force on it is the clipped action plus the external force."""

    def __init__(self):
        super().__init__(Box(-1.0, 1.0, (1,)), Box(-np.inf, np.inf, (2,), np.float64), state_dim=2, n_forces=1)

    def _initial_state(self, options):
        return np.array(options.get("start", (0.0, 0.0)))

    def _transition(self, states, actions, noise, xp):
        x, v = states[..., :1], states[..., 1:]
        return np.concatenate((x + v, v + actions + self.external_force), axis=-1)

    def _cost(self, states, actions):
        return states[..., 0] ** 2, np.zeros(states.shape[:-1], bool)

    def signals(self, states):
        return Signals(np.zeros_like(states[..., :1]), states[..., :1])


class Foreign(gymnasium.Env):
    """An environment of somebody else: no state to read, no force to set."""

    observation_space = Box(-1.0, 1.0, (2,), np.float32)
    action_space = Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self):
        self.actions = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.actions.append(action)
        return self.np_random.uniform(-1.0, 1.0, 2).astype(np.float32), 0.0, False, False, {}


def oscillator(**kwargs):
    return gymnasium.make("lac/Oscillator-v1", max_cost=np.inf, **kwargs)


def cart():
    return TimeLimit(Cart(), 100)


def states_of(env, seed=0, n_steps=N_STEPS, action=ACTION, **reset):
    """States of an episode with a constant action, ``[n_steps + 1, state_dim]``."""
    env.reset(seed=seed, **reset)
    states = [env.unwrapped.get_state()["state"]]
    for _ in range(n_steps):
        env.step(action)
        states.append(env.unwrapped.get_state()["state"])
    return np.array(states)


def predicted(states, actions, force=0.0):
    """What another oscillator makes of these states ``[T, 7]`` in one step, each with its own action."""
    system = Oscillator(max_cost=np.inf)
    system.external_force = np.zeros(3) + force
    return system.step_batch(states, np.broadcast_to(actions, (len(states), 3))).states


def pushes(n_steps, size, *hit):
    """A push of one size in the steps that are hit, ``[n_steps, 3]``."""
    return size * np.isin(np.arange(n_steps), hit)[:, None] * np.ones(3)
