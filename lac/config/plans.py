"""The plan of the training that a config describes, and what does not fit in it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from lac.envs.factory import HasSpaces, environment_factory, validate_spaces, wrap_env
from lac.envs.vector import Spaces
from lac.settings.algorithms import ALGORITHMS
from lac.settings.arguments import key_of_argument
from lac.settings.rules import ArgumentError
from lac.settings.training import LoopSettings, ScheduleSettings


def training_plan(plain: Mapping[str, Any]) -> Any:
    """The plan of the training that a config describes."""
    from lac.training.plan import TrainingPlan  # noqa: PLC0415 (imports torch)

    loop = {f.name: plain["train"][f.name] for f in fields(LoopSettings)}
    return TrainingPlan(
        algorithm=ALGORITHMS[plain["algo"]["name"]](**plain["algo"]),
        seed=plain["seed"],
        loop=LoopSettings(**loop),
        schedule=ScheduleSettings(**plain["lr_schedule"]),
        ac_kwargs=plain["network"],
        num_envs=plain["env"]["num_envs"],
        termination_cost=plain["env"]["termination_cost"],
        device=plain["device"]["name"],
        engine=plain["device"]["engine"],
    )


def fit_errors(plain: Mapping[str, Any], spaces: HasSpaces, checks_memory: bool = True) -> list[str]:
    """What does not fit the spaces of the environment or this machine: ``start_policy``, and sizes beyond its memory.

    Args:
        plain: The config, without errors in its values.
        spaces: The environment that the agent gets.
        checks_memory: Whether the training is to run on this machine.
    """
    from lac.training.memory import memory_errors  # noqa: PLC0415 (imports torch)
    from lac.training.scaling import with_scale_of_start_policy  # noqa: PLC0415 (imports torch)

    plan = training_plan(plain)
    if checks_memory:
        observations, actions = validate_spaces(spaces)
        errors = memory_errors(plan, observations.shape[0], actions.shape[0], name=str)
        if errors:
            return errors
    if plan.loop.start_policy is None:
        return []
    try:
        # On the CPU, since the check is the same everywhere.
        replace(with_scale_of_start_policy(plan), device="cpu").build_agent(spaces)
    except ArgumentError as error:
        return [f"{key_of_argument(error.argument)} {error.reason}"]
    except (ValueError, FileNotFoundError) as error:
        return [f"train.start_policy: {error}"]
    return []


def fit_errors_of_jobs(configs: Iterable[Mapping[str, Any]], checks_memory: bool) -> list[str]:
    """As :func:`fit_errors` for the jobs of a sweep; an environment that cannot be built is left to its job."""
    spaces: dict[str, HasSpaces | None] = {}
    found: dict[str, list[str]] = {}
    for plain in configs:
        algo, train = plain["algo"], plain["train"]
        env = json.dumps([plain["env"], algo["opt_type"], train["max_ep_len"]])
        fit = json.dumps([env, algo["name"], algo.get("horizon_length"), plain["network"], train])
        if env not in spaces:
            spaces[env] = _spaces(plain)
        own = spaces[env]
        if fit not in found and own is not None:
            found[fit] = fit_errors(plain, own, checks_memory)
    return list(dict.fromkeys(error for errors in found.values() for error in errors))


def _spaces(plain: Mapping[str, Any]) -> HasSpaces | None:
    """The spaces of a config's environment; None if it cannot be built."""
    try:
        env = wrap_env(environment_factory(plain["env"])(), plain["algo"]["opt_type"], plain["train"]["max_ep_len"])
        spaces = Spaces(*validate_spaces(env))
        env.close()
    except Exception:  # whatever the code of an environment raises
        return None
    return spaces
