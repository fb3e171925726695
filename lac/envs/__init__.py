"""Environments, and the one place that makes them ready."""

from lac.envs.costs import RewardAsCost
from lac.envs.factory import AnyEnv, AnyVectorEnv, make_env, wrap_env
from lac.envs.vector import wrap_vector_env

__all__ = ["AnyEnv", "AnyVectorEnv", "RewardAsCost", "make_env", "wrap_env", "wrap_vector_env"]
