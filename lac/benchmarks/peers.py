"""Updates of SAC in other packages, where they are installed (extra ``benchmark``)."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import gymnasium
import numpy as np

PEERS = {"Stable-Baselines3": "stable_baselines3", "sbx (JAX)": "sbx"}
"""Packages with a class ``SAC`` of the same interface, by their names."""


def missing_peers() -> list[str]:
    """The peers that are not installed."""
    return [name for name, module in PEERS.items() if find_spec(module) is None]


def peer_updates(
    env: gymnasium.Env[Any, Any], width: int, batch_size: int, number: int, stored: int
) -> dict[str, Callable[[], object]]:
    """A function for each installed peer that runs updates of its SAC with sampling, in one call.

    Args:
        env: Environment whose spaces the networks have.
        width: Width of the two hidden layers.
        batch_size: Transitions per update.
        number: Updates in a call.
        stored: Random transitions in the replay buffer.
    """
    absent = missing_peers()
    return {
        f"SAC of {name}": _updates(import_module(module).SAC, env, width, batch_size, number, stored)
        for name, module in PEERS.items()
        if name not in absent
    }


def _updates(
    algorithm: Any, env: gymnasium.Env[Any, Any], width: int, batch_size: int, number: int, stored: int
) -> Callable[[], object]:
    logger = import_module("stable_baselines3.common.logger").configure(None, [])
    model = algorithm(
        "MlpPolicy",
        env,
        policy_kwargs={"net_arch": [width, width]},
        batch_size=batch_size,
        buffer_size=stored,
        device="cpu",
        seed=0,
    )
    model.set_logger(logger)
    rng = np.random.default_rng(0)
    obs_shape, act_shape = env.observation_space.shape or (), env.action_space.shape or ()
    for _ in range(stored):
        obs, obs_next = rng.uniform(0, 10, (2, 1, *obs_shape))
        action, reward = rng.uniform(-1, 1, (1, *act_shape)), rng.uniform(-10, 0, 1)
        model.replay_buffer.add(obs, obs_next, action, reward, np.zeros(1), [{}])

    def run() -> None:
        model.train(gradient_steps=number, batch_size=batch_size)

    return run
