"""Environments, and the one place that makes them ready."""

from lac.envs.costs import RewardAsCost
from lac.envs.making import AnyEnv, make_env, prepare

__all__ = ["AnyEnv", "RewardAsCost", "make_env", "prepare"]
