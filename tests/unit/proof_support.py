"""Systems and policies that are proved, or must not be."""

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box

from lac import LAC
from lac.envs.stabilisation import StabilisedSystem, VanDerPol
from lac.envs.system import Signals, System
from lac.envs.vectors import pack, unpack

_SHIFT = 50.0  # keeps a neuron from bending


class LinearPlant(System):
    """A user's own system: an unstable linear plant, written entry by entry; its episodes end by time only."""

    def __init__(self):
        super().__init__(Box(-5.0, 5.0, (1,), np.float64), Box(-np.inf, np.inf, (2,), np.float64), state_dim=2)

    def _initial_state(self, options):
        return self._start(options, -1.0, 1.0, 2)

    def _transition(self, state, action, noise, xp):
        (x, v), (u,) = unpack(state, xp), unpack(action, xp)
        return pack([x + 0.1 * v, 0.05 * x + v + 0.1 * u], xp)

    def _cost(self, states, actions):
        costs = (states**2).sum(axis=-1) + 0.1 * (actions**2).sum(axis=-1)
        return costs, np.zeros(costs.shape, bool)

    def signals(self, states):
        return Signals(np.zeros_like(states), states.copy())


class Bumped(LinearPlant):
    """A stable plant with a bump, on which small errors of the action hold a state."""

    limits = np.array([10.0, 10.0])

    def _transition(self, state, action, noise, xp):
        (x, v), (u,) = unpack(state, xp), unpack(action, xp)
        bump = 0.15 * (xp.tanh(50.0 * (x - 0.73)) - xp.tanh(50.0 * (x - 0.83)))
        return pack([0.5 * x + bump + u, 0.5 * v], xp)


class ReversedVanDerPol(VanDerPol):
    """In reversed time the origin attracts all that is within the limit cycle, and nothing outside."""

    def derivative(self, x, u, force, xp):
        return [-entry for entry in super().derivative(x, u, force, xp)]


class Lookup(VanDerPol):
    """Equations that are written for numpy alone."""

    def derivative(self, x, u, force, xp):
        return [x[1], np.interp(x[0], [-1.0, 1.0], [1.0, -1.0])]


class Clockwork(StabilisedSystem):
    """Three states."""

    def __init__(self):
        super().__init__((1, 1, 1), (2, 2, 2), 1.0, (1, 1, 1), (1,), 1, False, True)

    def derivative(self, x, u, force, xp):
        return [-x[0], -x[1], u[0]]


def van_der_pol():
    return gymnasium.make("lac/VanDerPol-v1")


def pendulum():
    return gymnasium.make("lac/PendulumStabilise-v1")


def agent_for(env, hidden=(12, 12), activation="relu", seed=0):
    """An agent with random weights."""
    torch.manual_seed(seed)
    kwargs = {"hidden_sizes": list(hidden), "activation": activation, "output_activation": activation}
    return LAC(env, ac_kwargs={**kwargs, "observation_scale": [2.0, 3.0]}, device="cpu")


def regulating_agent(env, gain, seed=0, unevenness=0.02):
    """An agent whose mean is about ``-gain x``, squashed: one neuron that is never off, and small random weights.

    Args:
        env: With one action in a box around zero.
        gain: Two numbers.
        seed: Of the random weights.
        unevenness: Their scale.
    """
    agent = agent_for(env, seed=seed)
    half_width = float(env.action_space.high[0])
    with torch.no_grad():
        for parameter in agent.ac.pi.parameters():
            parameter.mul_(unevenness)
        first, second, mean = agent.ac.pi.net[0], agent.ac.pi.net[2], agent.ac.pi.mu_layer
        first.weight[0] += torch.tensor(gain, dtype=torch.float32) * torch.tensor([2.0, 3.0])
        first.bias[0] += _SHIFT
        second.weight[0, 0] += 1.0
        mean.weight[0, 0] -= 1 / half_width
        mean.bias[0] += _SHIFT / half_width
    return agent


def simulated(env, policy, starts, steps, action_error=0.0, rng=None):
    """The states after some steps, with random action errors, by the environment's own batched step."""
    system, states = env.unwrapped, starts
    half_width = (system.action_space.high - system.action_space.low) / 2
    ended = np.zeros(len(states), bool)
    for _ in range(steps):
        actions = policy.get_action(states, deterministic=True).astype(np.float64)
        if action_error:
            actions = actions + action_error * half_width * rng.uniform(-1, 1, actions.shape)
        states, _, terminated = system.step_batch(states, actions)
        ended |= terminated
    return states, ended
