"""The robots, for the tests of them."""

import gymnasium
import numpy as np
import pytest

import lac  # noqa: F401 (registers the environments)

# name: (Gymnasium's observations without the 2 of ours, actions, seconds per step, time limit, highest action)
ROBOTS = {
    "Swimmer": (8, 2, 0.04, 250, 1.0),
    "HalfCheetah": (17, 6, 0.05, 200, 1.0),
    "Hopper": (11, 3, 0.008, 250, 1.0),
    "Walker2d": (17, 6, 0.008, 250, 1.0),
    "Ant": (27, 8, 0.05, 250, 1.0),
    "Humanoid": (348, 17, 0.015, 250, 0.4),
}
UPRIGHT = ["Hopper", "Walker2d", "Ant", "Humanoid"]
every_robot = pytest.mark.parametrize("name", ROBOTS)


def made(name, **kwargs):
    return gymnasium.make(f"lac/{name}Cost-v1", disable_env_checker=True, **kwargs).unwrapped


def actions(env, number, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(env.action_space.low, env.action_space.high).astype(np.float32) for _ in range(number)]


def x_position(name, model, data):
    """What each robot's velocity is the difference of."""
    if name == "Ant":
        return data.body("torso").xpos[0]
    if name == "Humanoid":
        return model.body_mass @ data.xipos[:, 0] / model.body_mass.sum()
    return data.qpos[0]


def placed_at(env, qpos):
    """A state at rest."""
    return np.append(qpos, np.zeros(env.model.nv))


def fallen(env):
    """A position that no robot that can fall calls healthy."""
    qpos = env.data.qpos.copy()
    qpos[2] = 5.0  # radians for Hopper and Walker2d, metres for the other two
    return qpos
