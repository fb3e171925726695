"""The boundary between an environment and the agent: nothing is shared across it, and all of it has a known type."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

Array = npt.NDArray[Any]


class Boundary(gymnasium.Wrapper[Array, Array, Any, Array]):
    """Copies what passes between an environment and the agent, and converts it to the declared types.

    The environment gets a copy of the action, since it may write into it. Its observations are copied at once, since
    it may use their memory again, and have the dtype of its observation space. Its scalar becomes a float.

    Args:
        env: An environment with array observations.
        scalar: What its scalar is called in messages, ``cost`` or ``reward``.

    Raises:
        ValueError: From :meth:`reset` and :meth:`step`: the environment gave something else.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], scalar: str = "cost") -> None:
        super().__init__(env)
        self._scalar = scalar
        self._space = env.observation_space  # kept, since wrappers look it up in each other

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Start an episode."""
        result = self.env.reset(seed=seed, options=options)
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
            raise ValueError(f"reset() gave {_brief(result)}; it must give an observation and a dictionary")
        obs, info = result
        return converted_observation(obs, self._space, "reset()"), info

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One step."""
        result = self.env.step(np.array(action))
        if not (isinstance(result, tuple) and len(result) == 5 and isinstance(result[4], dict)):
            raise ValueError(
                f"step() gave {_brief(result)}; it must give five values: observation, {self._scalar}, terminated, "
                "truncated, and a dictionary"
            )
        obs, scalar, terminated, truncated, info = result
        obs = converted_observation(obs, self._space, "step()")
        return obs, converted_scalar(scalar, self._scalar, "step()"), bool(terminated), bool(truncated), info


class VectorBoundary(VectorWrapper):
    """:class:`Boundary` of a vector environment that somebody else has written.

    Args:
        envs: The vector environment.
        scalar: What its scalar is called in messages, ``cost`` or ``reward``.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any], scalar: str = "cost") -> None:
        super().__init__(envs)
        self._scalar = scalar

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Start an episode in each environment."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return converted_observation(observations, self.env.observation_space, "reset()"), infos

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """One step of each environment."""
        observations, scalars, terminations, truncations, infos = self.env.step(np.array(actions))
        observations = converted_observation(observations, self.env.observation_space, "step()")
        rows = {f"{self._scalar}s": scalars, "terminations": terminations, "truncations": truncations}
        for name, row in rows.items():
            if np.shape(row) != (self.num_envs,):
                raise ValueError(f"step() gave {name} of shape {np.shape(row)}; it must be ({self.num_envs},)")
        terminated, truncated = np.array(terminations, np.bool_), np.array(truncations, np.bool_)
        if self.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP:
            infos = infos | {"final_obs": self._final_observations(infos, terminated | truncated)}
        return observations, np.array(scalars, np.float64), terminated, truncated, infos

    def _final_observations(self, infos: dict[str, Any], has_ended: Array) -> Array:
        """The last observation of each episode that has ended; None for the others."""
        final = np.full(self.num_envs, None)
        for i in np.flatnonzero(has_ended):
            if "final_obs" not in infos:
                raise ValueError(
                    "step() ended an episode without infos['final_obs'], in which a vector environment with "
                    "AutoresetMode.SAME_STEP gives the last observation"
                )
            final[i] = converted_observation(infos["final_obs"][i], self.env.single_observation_space, "step()")
        return final


def converted_observation(obs: object, space: Space[Any], source: str) -> Array:
    """A copy of an observation, in the dtype of its space.

    Args:
        obs: The observation; a list or an array of another dtype, too.
        space: The space; its bounds are not checked.
        source: What gave the observation, for messages.

    Raises:
        ValueError: It has another shape, or numbers that the dtype cannot hold.
    """
    dtype = space.dtype
    if isinstance(obs, np.ndarray) and obs.dtype == dtype and obs.shape == space.shape:
        return obs.copy()
    dtype = np.dtype(dtype)
    try:
        array = np.asarray(obs)
    except Exception as error:  # lists of different lengths, or whatever objects of users raise
        raise ValueError(f"{source} gave an observation that is no array: {error}") from error
    if array.shape != space.shape:
        raise ValueError(
            f"{source} gave an observation of shape {array.shape}; its observation_space has {space.shape}"
        )
    # Whole numbers are converted one by one; those of another kind only where all of them can be held.
    is_convertible = array.dtype.kind in "biu" or np.can_cast(array.dtype, dtype, "same_kind")
    if not is_convertible:
        raise ValueError(f"{source} gave an observation of dtype {array.dtype}; its observation_space has {dtype}")
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    is_exact = converted == array if dtype.kind in "biu" else np.isfinite(converted) | ~np.isfinite(array)
    if not np.all(is_exact):
        raise ValueError(f"{source} gave the observation {array}, which the dtype of its space, {dtype}, cannot hold")
    return converted


def converted_scalar(scalar: object, name: str, source: str) -> float:
    """A cost or reward as a float; arrays and lists with one number are accepted.

    Raises:
        ValueError: It is not one number.
    """
    if isinstance(scalar, float):  # NumPy's float64, too
        return float(scalar)
    try:
        if isinstance(scalar, (np.ndarray, list, tuple)):
            array = np.asarray(scalar)
            if array.size == 1 and array.dtype.kind in "biuf":
                return float(array.item())
        elif not isinstance(scalar, (str, bytes)):
            return float(scalar)  # type: ignore[arg-type]
    except Exception:  # whatever objects of users raise, and lists of different lengths
        pass
    raise ValueError(f"{source} gave the {name} {scalar!r}; it must be a number")


def _brief(result: object) -> str:
    """A few words about what an environment gave."""
    if isinstance(result, tuple):
        return f"{len(result)} values, the last a {type(result[-1]).__name__}" if result else "nothing"
    return f"a {type(result).__name__}"
