"""The state of an environment in the middle of an episode, through all wrappers around it."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Space
from gymnasium.wrappers.utils import RunningMeanStd

from lac.envs.factory import AnyEnv

State = dict[str, Any]

_CONSTANT = (str, bytes, Space, EnvSpec, gymnasium.Env, type)
"""Kinds of what a wrapper holds that is the same in a wrapper which was built in the same way."""
_SEQUENCES = {list, tuple, deque}
_STATISTICS = ("mean", "var", "count")


class NoStateError(ValueError):
    """An environment whose state cannot be saved or set; the message is a phrase that says why."""


def generator_state(generator: np.random.Generator) -> State:
    """The state of a generator of numpy, whatever its kind."""
    return dict(generator.bit_generator.state)


def set_generator_state(generator: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Put a generator into a state of :func:`generator_state`."""
    generator.bit_generator.state = dict(state)


def env_state(env: AnyEnv) -> State:
    """The state of an environment: that of its system, from ``get_state``, and that of each wrapper.

    Of a wrapper, all numbers, arrays, queues, generators and running statistics that it holds are its state: step
    counts of time limits and of disturbances, for instance. Functions, spaces and texts are constants.

    Raises:
        NoStateError: The system has no ``get_state`` and ``set_state``, or a wrapper holds something else.
    """
    system = env.unwrapped
    get_state, name = getattr(system, "get_state", None), type(system).__name__
    if not callable(get_state) or not callable(getattr(system, "set_state", None)):
        raise NoStateError(f"{name} has no get_state and set_state")
    try:
        state = get_state()
    except Exception as error:  # a method of this name that takes or does something else
        raise NoStateError(f"get_state of {name} fails ({type(error).__name__}: {error})") from error
    if not isinstance(state, Mapping):
        raise NoStateError(f"get_state of {name} gives no dictionary")
    return {"system": _saved(dict(state), f"get_state of {name}"), "wrappers": [_wrapper(w) for w in _wrappers(env)]}


def set_env_state(env: AnyEnv, state: Mapping[str, Any]) -> None:
    """Put an environment that was built and wrapped in the same way into a state of :func:`env_state`.

    Raises:
        NoStateError: It does not fit.
    """
    wrappers = list(_wrappers(env))
    names = [type(wrapper).__name__ for wrapper in wrappers]
    if names != [saved["name"] for saved in state["wrappers"]]:
        raise NoStateError(f"the wrappers of {type(env.unwrapped).__name__} are {', '.join(names)}, and were others")
    for wrapper, saved in zip(wrappers, state["wrappers"], strict=True):
        for name, value in saved["values"].items():
            setattr(wrapper, name, _restored(value, vars(wrapper).get(name)))
    system: Any = env.unwrapped
    try:
        system.set_state(_restored(state["system"], None))
    except Exception as error:  # whatever the code of an environment raises
        raise NoStateError(f"set_state of {type(system).__name__} fails ({type(error).__name__}: {error})") from error


def _wrappers(env: AnyEnv) -> Iterator[gymnasium.Wrapper[Any, Any, Any, Any]]:
    while isinstance(env, gymnasium.Wrapper):
        yield env
        env = env.env


def _wrapper(wrapper: gymnasium.Wrapper[Any, Any, Any, Any]) -> State:
    name = type(wrapper).__name__
    values = {key: value for key, value in vars(wrapper).items() if not _is_constant(value)}
    return {"name": name, "values": {key: _saved(value, f"{key} of {name}") for key, value in values.items()}}


def _is_constant(value: object) -> bool:
    return isinstance(value, _CONSTANT) or (callable(value) and not isinstance(value, RunningMeanStd))


def _saved(value: Any, name: str) -> Any:
    """A value of a wrapper as plain data; mutable parts are copies."""
    if value is None or isinstance(value, (bool, int, float, str, np.generic)):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return value.copy()
    if isinstance(value, np.random.Generator):
        return {"generator": generator_state(value)}
    if isinstance(value, RunningMeanStd):
        return {"statistics": {key: _saved(getattr(value, key), name) for key in _STATISTICS}}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"mapping": {key: _saved(part, name) for key, part in value.items()}}
    if type(value) not in _SEQUENCES:
        raise NoStateError(f"{name} is of the type {type(value).__name__}, which cannot be saved")
    parts = [_saved(part, name) for part in value]
    return {type(value).__name__: parts, "longest": value.maxlen if isinstance(value, deque) else None}


def _restored(saved: Any, present: Any) -> Any:
    """The value of :func:`_saved`; generators and statistics that are there already are changed in place."""
    if not isinstance(saved, Mapping):
        return saved.copy() if isinstance(saved, np.ndarray) else saved
    kind, content = next(iter(saved.items()))
    if kind == "generator":
        generator = present if isinstance(present, np.random.Generator) else np.random.default_rng()
        set_generator_state(generator, content)
        return generator
    if kind == "statistics":
        statistics = present if isinstance(present, RunningMeanStd) else RunningMeanStd()  # type: ignore[no-untyped-call]
        for key in _STATISTICS:
            setattr(statistics, key, _restored(content[key], None))
        return statistics
    if kind == "mapping":
        return {key: _restored(part, None) for key, part in content.items()}
    parts = [_restored(part, None) for part in content]
    return {"list": parts, "tuple": tuple(parts), "deque": deque(parts, maxlen=saved["longest"])}[kind]
