"""The environments that are a System, for tests that ask all of them."""

import contextlib

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator

import lac  # noqa: F401 (registers the environments)
from lac.envs.registration import ENVIRONMENTS
from lac.envs.system import System


def system_ids():
    for env_id in ENVIRONMENTS:
        # An environment whose package is not installed cannot be asked.
        with contextlib.suppress(ImportError, gymnasium.error.DependencyNotInstalled):
            creator = load_env_creator(gymnasium.spec(env_id).entry_point)
            if isinstance(creator, type) and issubclass(creator, System):
                yield env_id


IDS = list(system_ids())


def made(env_id, **kwargs):
    env = gymnasium.make(env_id, disable_env_checker=True, **kwargs).unwrapped
    env.action_space.seed(0)
    env.reset(seed=0)
    return env


def steps(env, actions):
    return [env.step(action) for action in actions]


def random_actions(env, number):
    return np.stack([env.action_space.sample() for _ in range(number)])
