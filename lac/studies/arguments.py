"""The arguments that functions for trained policies have in common: a policy, and what makes its environment."""

from collections.abc import Callable, Mapping
from typing import Any

from lac.envs import AnyEnv, wrap_env
from lac.envs.disturbances import disturbed
from lac.envs.factory import flattened
from lac.evaluation.rollouts import Policy, deterministic
from lac.runs import Run

Factory = Callable[[], AnyEnv]


def acting(policy: Any, env_fn: Factory | None) -> tuple[Policy, Factory]:
    """The deterministic actions of a policy that is no run, and what makes its environment.

    Raises:
        ValueError: It cannot act, or its environment is not given.
    """
    if not (callable(policy) or hasattr(policy, "get_action")):
        raise ValueError(f"policy is {policy!r}; it must be an agent, a controller, a function, or a run")
    if env_fn is None:
        raise ValueError("env_fn is not given; a policy that is no run needs it")
    if not callable(env_fn):
        raise ValueError(
            f"env_fn is {env_fn!r}; it must be a function that makes an environment, as lambda: gymnasium.make(...)"
        )
    return deterministic(policy), env_fn


def raise_if_other_opt_type(run: Run, opt_type: str) -> None:
    """Raise an error where ``maximize`` is asked for in the environment of a run that gives costs.

    ``minimize`` is the default of every function, which a run with rewards may leave as it is.
    """
    own = run.config.get("algo", {}).get("opt_type")
    if opt_type == "maximize" and own != opt_type:
        raise ValueError(
            f"opt_type is {opt_type!r}, but the environment of {run} has {own!r}; leave it out, or give env_fn"
        )


def made(env_fn: Factory, opt_type: str, disturbance: Mapping[str, Any] | None) -> AnyEnv:
    """An environment with a cost, under a disturbance where one is given."""
    env = env_fn()
    return wrap_env(env if disturbance is None else disturbed(flattened(env), disturbance), opt_type)
