"""Several environments stepped together, as a Gymnasium vector environment."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from lac.envs.boundary import VectorBoundary
from lac.envs.costs import costs_of_rewards, reward_maximum
from lac.envs.factory import AnyEnv, AnyVectorEnv, wrap_env
from lac.settings.rules import ArgumentError

Array = npt.NDArray[Any]
VectorStep = tuple[Array, Array, Array, Array, dict[str, Any]]

TRAINING_SEEDS = 2**30
"""Training episodes have reset seeds below this number and test episodes have those above it, so that none is in both.
All are below ``2**31``, since many simulators keep their seed in a C int."""


class Spaces(NamedTuple):
    """The spaces of a single environment; see :class:`lac.envs.factory.HasSpaces`."""

    observation_space: Space[Any]
    action_space: Space[Any]


class SerialVectorEnv(VectorEnv[Array, Array, Array]):
    """Steps environments one after another; an environment whose episode ends is reset in the same step.

    It behaves as :class:`gymnasium.vector.SyncVectorEnv` with ``AutoresetMode.SAME_STEP``, but leaves the ``info`` of
    its members as it is: to collect it in arrays takes longer than the step of a small system.

    Args:
        envs: At least one environment as :func:`lac.envs.wrap_env` makes them, all with equal spaces.

    Attributes:
        infos: What each member said in its last step.
    """

    def __init__(self, envs: Sequence[AnyEnv]) -> None:
        self.envs = list(envs)
        self.num_envs = len(self.envs)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = envs[0].observation_space
        self.single_action_space = envs[0].action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.infos: list[dict[str, Any]] = [{}] * self.num_envs
        self._batch_shape, self._dtype = self.observation_space.shape or (), self.observation_space.dtype

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Start an episode in each environment; environment ``i`` gets ``seed + i``."""
        seeds = [None if seed is None else (seed + i) % TRAINING_SEEDS for i in range(self.num_envs)]
        observations = np.empty(self._batch_shape, self._dtype)
        for i, (env, own_seed) in enumerate(zip(self.envs, seeds, strict=True)):
            observations[i] = env.reset(seed=own_seed, options=options)[0]
        return observations, {}

    def step(self, actions: Array) -> VectorStep:
        """One step of each environment; ``infos["final_obs"]`` has the last observations of episodes that ended."""
        observations, costs = np.empty(self._batch_shape, self._dtype), np.empty(self.num_envs)
        terminated, truncated = np.empty(self.num_envs, np.bool_), np.empty(self.num_envs, np.bool_)
        infos: dict[str, Any] = {}
        for i, env in enumerate(self.envs):
            obs, costs[i], has_failed, has_timed_out, self.infos[i] = env.step(actions[i])
            terminated[i], truncated[i] = has_failed, has_timed_out
            if has_failed or has_timed_out:
                infos.setdefault("final_obs", np.full(self.num_envs, None))[i] = obs
                infos.setdefault("_final_obs", np.zeros(self.num_envs, np.bool_))[i] = True
                obs = env.reset()[0]
            observations[i] = obs
        return observations, costs, terminated, truncated, infos

    def close_extras(self, **kwargs: Any) -> None:
        """Close all environments."""
        for env in self.envs:
            env.close()


class VectorRewardAsCost(VectorWrapper):
    """:class:`lac.envs.costs.RewardAsCost` of a vector environment.

    With ``AutoresetMode.NEXT_STEP`` the step after the last one of an episode only resets, and its reward means
    nothing: it costs 0.

    Args:
        envs: The vector environment, with an autoreset mode.
        reward_max: Upper bound of the reward of each per step.
    """

    def __init__(self, envs: AnyVectorEnv, reward_max: float) -> None:
        super().__init__(envs)
        self._reward_max = reward_max
        self._resets_in_next_step = self.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
        self._is_resetting = np.zeros(self.num_envs, np.bool_)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Start an episode in each environment."""
        self._is_resetting[:] = False
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: Array) -> VectorStep:
        """One step of each environment; a reward above its declared bound is an error."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        costs = costs_of_rewards(np.where(self._is_resetting, self._reward_max, rewards), self._reward_max)
        if self._resets_in_next_step:
            self._is_resetting = terminations | truncations
        return observations, costs, terminations, truncations, infos


def member_info(infos: Mapping[str, Any], i: int, is_last: bool) -> dict[str, Any]:
    """What one member said in the ``infos`` of a vector environment.

    Args:
        infos: From its last step: arrays by key, with masks of the members that have the key as ``_KEY``.
        i: The member.
        is_last: Whether its episode ended in the step, with a reset in the same step: then it is ``final_info``.
    """
    if is_last:
        final = infos.get("final_info", {})
        return member_info(final, i, False) if isinstance(final, Mapping) else dict(final[i] or {})
    own = {}
    for key, values in infos.items():
        mask = infos.get(f"_{key}")
        if key.startswith("_") or key in {"final_obs", "final_info"} or (mask is not None and not mask[i]):
            continue
        if isinstance(values, Mapping):
            own[key] = member_info(values, i, False)
        else:  # what has no axis of members is of all of them
            own[key] = values[i] if np.ndim(values) > 0 else values
    return own


def wrap_vector_env(
    env_fn: Callable[[], AnyEnv | AnyVectorEnv], num_envs: int, opt_type: str, max_ep_len: int | None
) -> AnyVectorEnv:
    """The environments of a training, wrapped for an agent; see :func:`lac.envs.factory.wrap_env`.

    Args:
        env_fn: Makes one environment, or a vector environment with an autoreset mode.
        num_envs: Number of environments; 1 or its own number for a vector environment.
        opt_type: Whether their scalar is a cost (``minimize``) or a reward (``maximize``).
        max_ep_len: Time limit in steps in addition to their own; must be None for a vector environment.

    Raises:
        ValueError: The environments do not support these settings.
    """
    first = env_fn()
    if isinstance(first, VectorEnv):
        return _wrapped_vector(first, num_envs, opt_type, max_ep_len)
    others = [env_fn() for _ in range(num_envs - 1)]
    return SerialVectorEnv([wrap_env(env, opt_type, max_ep_len) for env in (first, *others)])


def _wrapped_vector(envs: AnyVectorEnv, num_envs: int, opt_type: str, max_ep_len: int | None) -> AnyVectorEnv:
    mode = envs.metadata.get("autoreset_mode")
    if mode not in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP):
        raise ValueError(
            f"the vector environment's metadata['autoreset_mode'] is {mode}; it must be AutoresetMode.SAME_STEP or "
            "AutoresetMode.NEXT_STEP (gymnasium.vector)"
        )
    if num_envs not in (1, envs.num_envs):
        raise ArgumentError("num_envs", f"is {num_envs}, but the vector environment has {envs.num_envs}; leave it out")
    if max_ep_len is not None:
        raise ArgumentError(
            "max_ep_len",
            f"is {max_ep_len}, but env_fn makes a vector environment; set its time limit with max_episode_steps of "
            "gymnasium.make_vec instead",
        )
    if opt_type == "maximize":
        return VectorRewardAsCost(VectorBoundary(envs, "reward"), reward_maximum(envs))
    return VectorBoundary(envs)
