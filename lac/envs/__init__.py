"""Environments, and the one place that makes them ready."""

from lac.envs.costs import RewardAsCost
from lac.envs.making import AnyEnv, AnyVectorEnv, make_env, prepare
from lac.envs.vector import prepare_vector

__all__ = ["AnyEnv", "AnyVectorEnv", "RewardAsCost", "make_env", "prepare", "prepare_vector"]
