"""The environments of a training, all made by one function of the user."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv
from gymnasium.wrappers.utils import RunningMeanStd

from lac.envs import AnyEnv, AnyVectorEnv, wrap_env, wrap_vector_env
from lac.envs.checks import raise_if_endless
from lac.envs.vector import SerialVectorEnv, Spaces

EnvFn = Callable[[], AnyEnv | AnyVectorEnv]

_EXAMPLE = "for instance lambda: gymnasium.make('Pendulum-v1')"


class Environments:
    """The environments of a training and those of its tests.

    Args:
        env_fn: Makes a new environment at each call.
        num_envs: Number of environments that are trained in.
        num_test_envs: Number of environments of the tests.
        opt_type: Whether their scalar is a cost (``minimize``) or a reward (``maximize``).
        max_ep_len: Time limit in steps in addition to their own.

    Attributes:
        training: Those that are trained in, as a vector environment.
        tests: Those of the tests.
        spaces: The spaces of each.
        first: What ``env_fn`` gave first, without what is wrapped around it for an agent.
        warnings: Sentences about what may be unintended.

    Raises:
        TypeError: ``env_fn`` is no function, or what it gives is no environment.
        ValueError: ``env_fn`` does not give new environments, or they cannot be used with these settings.
    """

    def __init__(self, env_fn: EnvFn, num_envs: int, num_test_envs: int, opt_type: str, max_ep_len: int | None) -> None:
        maker = _Maker(env_fn, num_envs + num_test_envs)
        try:
            self.training = wrap_vector_env(maker, num_envs, opt_type, max_ep_len)
            self.tests = [wrap_env(maker(), opt_type, max_ep_len) for _ in range(num_test_envs)]
            self.spaces = Spaces(self.training.single_observation_space, self.training.single_action_space)
            members = self.training.envs if isinstance(self.training, SerialVectorEnv) else []
            for env in (*members, *self.tests):
                _raise_if_other_spaces(env, self.spaces)
            if self.tests:
                raise_if_endless(self.tests[0])
        except BaseException:
            _close_all(maker.made)
            raise
        self.first = maker.made[0]
        names = dict.fromkeys(name for env in maker.made for name in _with_running_statistics(env))
        self.warnings = [
            f"each environment has running statistics of its own in {name}, so that training and tests see different "
            "scales; use observation_scale (network.observation_scale) instead"
            for name in names
        ]

    def close(self) -> None:
        """Close all; a failure is a warning, since nothing depends on it any more."""
        _close_all([self.training, *self.tests])


class _Maker:
    """Calls a function that makes environments, and checks what it gives.

    Args:
        env_fn: The function.
        num_calls: How often it is going to be called.

    Attributes:
        made: What it has given, unwrapped by nothing.
    """

    def __init__(self, env_fn: EnvFn, num_calls: int) -> None:
        if isinstance(env_fn, (gymnasium.Env, VectorEnv)) or not callable(env_fn):
            kind = "an environment" if isinstance(env_fn, (gymnasium.Env, VectorEnv)) else repr(env_fn)
            raise TypeError(f"env_fn is {kind}; it must be a function that makes an environment, {_EXAMPLE}")
        self._env_fn, self._num_calls = env_fn, num_calls
        self.made: list[AnyEnv | AnyVectorEnv] = []

    def __call__(self) -> AnyEnv | AnyVectorEnv:
        env = self._call()
        if not isinstance(env, (gymnasium.Env, VectorEnv)):
            raise TypeError(f"env_fn gave {env!r}, which is no environment of Gymnasium; it must make one, {_EXAMPLE}")
        others = {id(part) for other in self.made for part in _innermost(other)}
        own = [id(part) for part in _innermost(env)]
        self.made.append(env)
        if len({*own, *others}) < len(own) + len(others):
            raise ValueError(
                f"env_fn gives the same environment more than once; it must make a new one at each call, {_EXAMPLE}. "
                "A single environment can be used with num_envs=1 and num_test_episodes=0"
            )
        return env

    def _call(self) -> AnyEnv | AnyVectorEnv:
        try:
            return self._env_fn()
        except Exception as error:
            if not self.made:
                raise
            raise ValueError(
                f"env_fn cannot make environment {len(self.made) + 1} of {self._num_calls}: {error}. An environment "
                "that can exist only once can be used with num_envs=1 and num_test_episodes=0"
            ) from error


def _innermost(env: Any) -> list[Any]:
    """The environments inside all wrappers: one, or the members of a vector environment in this process."""
    inner = env.unwrapped
    members = getattr(inner, "envs", None) if isinstance(inner, VectorEnv) else None
    return [inner] if members is None else [member.unwrapped for member in members]


def _with_running_statistics(env: Any) -> Iterator[str]:
    """The names of the wrappers that scale by statistics of what they have seen so far."""
    members = getattr(env.unwrapped, "envs", ()) if isinstance(env, VectorEnv) else ()
    for each in (env, *members):
        layer = each
        while layer is not layer.unwrapped:
            if any(isinstance(value, RunningMeanStd) for value in vars(layer).values()):
                yield type(layer).__name__
            layer = layer.env


def _raise_if_other_spaces(env: AnyEnv, first: Spaces) -> None:
    """Raise an error for an environment that an agent of the first one cannot act in."""
    if env.observation_space.shape != first.observation_space.shape or env.action_space != first.action_space:
        raise ValueError(
            f"env_fn gives environments with different spaces: {first.observation_space} and {first.action_space}, "
            f"then {env.observation_space} and {env.action_space}"
        )


def _close_all(envs: list[Any]) -> None:
    for env in envs:
        try:
            env.close()
        except Exception as error:
            warnings.warn(f"an environment could not be closed: {type(error).__name__}: {error}", stacklevel=2)
