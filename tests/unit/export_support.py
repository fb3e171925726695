"""A policy in numpy, from a state dict and the definition of the actor, and a C file as a function of numpy."""

import ctypes
import math
import subprocess

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.ctypeslib import ndpointer

from lac.envs.vector import Spaces

LOW, HIGH = np.array([-0.1, 2.0]), np.array([0.7, 5.0])
SPACES = Spaces(Box(-np.inf, np.inf, (3,), np.float64), Box(LOW, HIGH, dtype=np.float64))
SCALE = np.array([0.5, 2.0, 30.0], np.float32)
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

_erf = np.vectorize(math.erf)
ACTIVATIONS = {
    "relu": lambda x: x * (x > 0),
    "tanh": lambda x: 1 - 2 / (1 + np.exp(2 * x)),
    "elu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    "gelu": lambda x: x * (0.5 + 0.5 * _erf(x * math.sqrt(0.5))),
    "silu": lambda x: x * (0.5 + 0.5 * np.tanh(x / 2)),
    "softplus": lambda x: np.where(x > 20, x, np.logaddexp(0, x)),
    "identity": lambda x: x,
}


def an_agent(cls, widths, activation, output_activation, steepness=1.0):
    """An agent with unequal bounds and scales, whose actions fill their box."""
    torch.manual_seed(1)
    networks = {
        "hidden_sizes": {"actor": widths, "critic": [4]},
        "activation": activation,
        "output_activation": {"actor": output_activation},
        "observation_scale": SCALE.tolist(),
    }
    agent = cls(SPACES, ac_kwargs=networks)
    with torch.no_grad():
        actor, obs = agent.ac.pi, torch.tensor(observations(), dtype=torch.float32)
        mean = actor.mu_layer(actor.net(actor.scale_input(obs)))
        factor = steepness / mean.std(dim=0)
        actor.mu_layer.weight *= factor[:, None]
        actor.mu_layer.bias.copy_((actor.mu_layer.bias - mean.mean(dim=0)) * factor)
    return agent


def actions(agent, obs, activation, output_activation):
    """The deterministic actions ``[B, 2]`` for observations ``[B, 3]``, in float64."""
    state = {name: value.double().numpy() for name, value in agent.ac.state_dict().items()}
    hidden = obs * (np.float32(1.0) / SCALE).astype(np.float64)
    indices = sorted({int(name.split(".")[2]) for name in state if name.startswith("pi.net.")})
    for index in indices:
        function = ACTIVATIONS[output_activation if index == indices[-1] else activation]
        hidden = function(hidden @ state[f"pi.net.{index}.weight"].T + state[f"pi.net.{index}.bias"])
    mean = np.tanh(hidden @ state["pi.mu_layer.weight"].T + state["pi.mu_layer.bias"])
    low, high = LOW, HIGH
    half, centre = ((high - low) / 2).astype(np.float32), ((high + low) / 2).astype(np.float32)
    return np.clip(centre.astype(np.float64) + half.astype(np.float64) * mean, low, high)


def observations(n=500):
    """Within the scales and beyond; each is a float32."""
    drawn = np.random.default_rng(7).normal(size=(n, 3)) * SCALE
    return drawn.astype(np.float32).astype(np.float64)


def c_function(file, folder, dtype=np.float64):
    """The function in a C file, from observations ``[B, 3]`` to actions ``[B, 2]``."""
    library = folder / f"{file.stem}.so"
    subprocess.run(["gcc", *FLAGS, "-shared", "-fPIC", str(file), "-o", str(library), "-lm"], check=True, timeout=60)
    function = ctypes.CDLL(str(library)).lac_policy
    function.argtypes, function.restype = [ndpointer(dtype, shape=(3,)), ndpointer(dtype, shape=(2,))], None

    def act(obs):
        result = np.full((len(obs), 2), np.nan, dtype)
        for row, action in zip(np.ascontiguousarray(obs, dtype), result, strict=True):
            function(row, action)
        return result

    return act
