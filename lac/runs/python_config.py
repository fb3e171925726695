"""The config of a training from Python, in the schema of the command ``train``."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import VectorEnv

from lac.agents.description import written_out
from lac.envs.factory import make_env
from lac.runs.folder import one_line
from lac.settings.disturbances import Disturbance
from lac.settings.fields import setting_errors
from lac.settings.logging import CopySettings, LoggerSettings
from lac.settings.rules import plain, shown
from lac.settings.training import EnvSettings, KeepSettings
from lac.training.plan import TrainingPlan
from lac.training.state import global_generators, set_global_generators

_DECLARED = ("reward_max", "goal_tolerance")
"""Attributes of an environment that a config can set."""
_NO_NAME = "gym"
"""The short name of an environment that has none of its own."""
_STEPS = 5
"""Steps of an episode in which an environment shows which attributes are its state."""
_LARGEST = 1000
"""Numbers in an attribute that may be a setting."""
_ABSENT = object()
_SCRIPT = "__main__"
_WITHOUT_MODULE = {"gymnasium", "lac", _SCRIPT, ""}
"""Packages whose environments are there in every process, and modules that no other process can import."""


def config_of_plan(
    plan: TrainingPlan, logging: LoggerSettings, env: gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]
) -> tuple[dict[str, Any], str | None]:
    """The config of a training from Python, and why its environment cannot be made from it.

    Args:
        plan: The plan of the training.
        logging: What it records.
        env: An environment that ``env_fn`` gave.

    Returns:
        The config, whose part ``env`` has at least a name, and a phrase; None where the environment can be made again.
    """
    part, reason = _part_of(env)
    keep, copies = ({f.name: getattr(logging, f.name) for f in fields(kind)} for kind in (KeepSettings, CopySettings))
    start_policy = plan.loop.start_policy
    config = {
        "algo": asdict(plan.algorithm),
        "env": {**part, "termination_cost": plan.termination_cost, "num_envs": plan.num_envs},
        "network": written_out(plan.actor_critic, plan.ac_kwargs),
        "lr_schedule": asdict(plan.schedule),
        "device": {"name": plan.device, "engine": plan.engine},
        "disturbance": asdict(Disturbance(name="none", kind="none")),
        "train": {
            **asdict(plan.loop),
            "start_policy": None if start_policy is None else str(Path(start_policy).absolute()),
            **keep,
        },
        "loggers": copies,
        "seed": plan.seed,
    }
    return plain(config), reason


def _part_of(env: Any) -> tuple[dict[str, Any], str | None]:
    """The keys of the environment itself in the part ``env`` of a config, and why it cannot be made from them."""
    spec = env.spec
    part: dict[str, Any] = {
        "name": _NO_NAME,
        "id": type(env.unwrapped).__name__ if spec is None else spec.id,
        "max_episode_steps": None,
        "reward_max": None,
        "goal_tolerance": None,
        "kwargs": {},
    }
    if isinstance(env, VectorEnv):
        return part, "it is a vector environment"
    if spec is None:
        return part, "gymnasium.make did not make it"
    if spec.additional_wrappers:
        return part, f"it has the wrapper {spec.additional_wrappers[-1].name}"
    registered = gymnasium.registry.get(spec.id)
    if registered is None:
        return part, f"{spec.id} is not registered"
    part["id"] = _importable_id(registered)
    limit = spec.max_episode_steps
    if limit is None and registered.max_episode_steps is not None:
        return part, f"it has no time limit, and that of another one is {registered.max_episode_steps} steps"
    part["max_episode_steps"] = None if limit == registered.max_episode_steps else limit
    own = {key: value for key, value in spec.kwargs.items() if not _equal(value, registered.kwargs.get(key, _ABSENT))}
    part["kwargs"] = plain({key: value for key, value in own.items() if key != "render_mode"})
    errors = setting_errors(EnvSettings, part, "env.")
    errors += [f"its argument {key} is {shown(part['kwargs'][key])}" for key in _not_plain(part["kwargs"])]
    return part, errors[0] if errors else _difference_of_new(env, part)


def is_of_script(env_id: str) -> bool:
    """Whether an environment is registered in the script that is run, so that another process does not know it."""
    registered = gymnasium.registry.get(env_id)
    return registered is not None and _module_of(registered.entry_point) == _SCRIPT


def _importable_id(registered: EnvSpec) -> str:
    """The id with the module that registers it, where not every process has it."""
    module = _module_of(registered.entry_point)
    is_known = module.partition(".")[0] in _WITHOUT_MODULE
    return registered.id if is_known else f"{module}:{registered.id}"


def _module_of(entry_point: Any) -> str:
    """The module of an environment, whose import should register it, too; empty where it is not known."""
    if isinstance(entry_point, str):
        return entry_point.partition(":")[0]
    return getattr(entry_point, "__module__", None) or ""


def _difference_of_new(env: Any, part: dict[str, Any]) -> str | None:
    """What an environment of these settings has otherwise than the one that is there, as a phrase.

    What a config can declare is added to the settings.
    """
    generators = global_generators()  # of which an environment may draw
    try:
        new = make_env(part["id"], part["max_episode_steps"], part["kwargs"])
        settings = _settings_of(new)
        new.close()
    except Exception as error:  # whatever the code of an environment raises
        return f"another one cannot be made: {one_line(error)}"
    finally:
        set_global_generators(generators)
    own = vars(env.unwrapped)
    for name in _DECLARED:
        if name in own and not _equal(own[name], settings.get(name)):
            part[name] = plain(own[name])
    others = (name for name in settings if name not in _DECLARED and not _equal(own.get(name), settings[name]))
    changed = next(others, None)
    if changed is None:
        return None
    return f"its attribute {changed} is {shown(own.get(changed))}, and that of another one {shown(settings[changed])}"


def _settings_of(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """The public attributes with numbers or texts that an episode leaves as they are."""
    before = deepcopy(_attributes(env))
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(_STEPS):
        if any(env.step(env.action_space.sample())[2:4]):
            env.reset()
    after = _attributes(env)
    return {name: value for name, value in before.items() if name in after and _equal(value, after[name])}


def _attributes(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """The public attributes that a config could hold; large arrays are data and no settings."""
    named = {k: v for k, v in vars(env.unwrapped).items() if not k.startswith("_") and k != "render_mode"}
    small = plain({name: value for name, value in named.items() if _size(value) <= _LARGEST})
    return {name: value for name, value in small.items() if _is_plain(value)}


def _size(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.size
    return len(value) if isinstance(value, (list, tuple, Mapping)) else 1


def _equal(one: Any, other: Any) -> bool:
    one, other = plain(one), plain(other)
    try:
        first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
        return first.shape == second.shape and np.array_equal(first, second, equal_nan=True)
    except (TypeError, ValueError):
        return bool(one == other)


def _not_plain(kwargs: Mapping[str, Any]) -> Iterator[str]:
    return (key for key, value in kwargs.items() if not _is_plain(value))


def _is_plain(value: Any) -> bool:
    """Whether a config can hold the value."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(entry) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return isinstance(value, (str, int, float, type(None)))
