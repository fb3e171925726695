"""What the environments we own have in common: a state one can read and set, a batched step, an external force."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box

from lac.envs.vectors import constant, copied

FloatArray = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

_OF_THE_EPISODE = {"_state", "_np_random", "_np_random_seed", "render_mode", "spec"}


class Signals(NamedTuple):
    """What a controller is judged by, ``[..., k]`` each."""

    reference: FloatArray
    state_of_interest: FloatArray


class BatchStep(NamedTuple):
    """One step of many systems at once."""

    states: FloatArray
    """After the step, ``[B, state_dim]``."""
    costs: FloatArray
    """``[B]``"""
    terminated: BoolArray
    """``[B]``"""


class StartRegion(NamedTuple):
    """The states that an examination starts from: a box of numbers, from each of which a state is made."""

    low: FloatArray
    """``[k]``"""
    high: FloatArray
    """``[k]``"""
    make: Callable[[FloatArray], FloatArray]
    """States ``[B, state_dim]`` from numbers ``[B, k]`` in the box."""


class System(gymnasium.Env[FloatArray, FloatArray], ABC):
    """A controlled system with a cost: ``x' = f(x, u, w)``, in float64.

    The state holds everything that the future depends on, time included where the reference depends on it;
    noise is drawn apart from the dynamics. So one step of one system and one step of ten thousand are the same
    code: subclasses write :meth:`_transition`, :meth:`_cost` and the like for arrays ``[n]`` and ``[B, n]`` alike.

    :meth:`dynamics` and :meth:`observe` are pure: they change nothing, and they work on numpy arrays, on torch tensors
    on the CPU (with gradients) and on whatever else has the functions that :mod:`lac.envs.vectors` names. A step is
    ``dynamics(state, bounded(action), noise)``; there is no second copy of the equations.

    Physical constants are plain attributes and take effect at once; set them on the unwrapped environment.
    Two attributes are there for disturbances: ``external_force`` (``[n_forces]``; none where that is 0) is added
    beside the action, after its clipping; ``process_disturbance`` (``[state_dim]``) to the state after each step.

    ``goal_tolerance`` is the goal set: an episode has settled when the state of interest stays this close to its
    reference to the end, entry by entry, in its units (:mod:`lac.evaluation.settling`). It is a plain attribute, too,
    and a class of its own default; None is no goal set.

    ``observation_names`` and ``action_names`` name each entry with its unit, as in ``"theta [rad]"``, for whoever wires
    an exported policy to a plant; None where they are not declared. ``signal_names`` names the
    entries of the state of interest in the same way, for figures.

    Where the reference depends on the time, ``clock`` is the entry of the state that holds it, and :attr:`period` the
    steps after which the reference repeats itself. An examination of stability starts from :meth:`start_region`.

    A class that has ``rgb_array`` among its render modes draws itself in :meth:`_picture`.

    Args:
        action_space: Bounded action box.
        observation_space: Observation box.
        state_dim: Number of entries of the state.
        clip_action: Whether actions are clipped to their box; otherwise one outside is an error.
        n_forces: Number of entries of the external force.
        render_mode: One of ``metadata["render_modes"]``, or None.
    """

    observation_names: Sequence[str] | None = None
    action_names: Sequence[str] | None = None
    goal_tolerance: float | Sequence[float] | None = None
    clock: int | None = None
    signal_names: Sequence[str] = ()

    def __init__(
        self,
        action_space: Box,
        observation_space: Box,
        state_dim: int,
        clip_action: bool = True,
        n_forces: int = 0,
        render_mode: str | None = None,
    ) -> None:
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise ValueError(f"render_mode is {render_mode!r}; {type(self).__name__} knows None and {modes}")
        self.action_space: Box = action_space  # type: ignore[assignment]
        self.observation_space: Box = observation_space  # type: ignore[assignment]
        self.state_dim = state_dim
        self.clip_action = clip_action
        self.external_force: FloatArray = np.zeros(n_forces)
        self.process_disturbance: float | FloatArray = 0.0
        self.render_mode = render_mode
        self._state: FloatArray = np.zeros(state_dim)

    # What a system is --------------------------------------------------------------------------------

    @abstractmethod
    def _initial_state(self, options: Mapping[str, Any]) -> FloatArray:
        """Draw a start from ``self.np_random``, ``[state_dim]``; ``options`` are those of :meth:`reset`."""

    def draw_noise(self, size: int | None = None) -> FloatArray:
        """Draw the noise of one step from ``self.np_random``.

        Args:
            size: Number of systems; None is one alone.

        Returns:
            ``[noise_dim]``, or ``[size, noise_dim]``; ``noise_dim`` is 0 where there is no noise.
        """
        return np.zeros(0 if size is None else (size, 0))

    @abstractmethod
    def _transition(self, state: Any, action: Any, noise: Any, xp: Any) -> Any:
        """:meth:`dynamics` without the process disturbance, in new memory; pure."""

    @abstractmethod
    def _cost(self, states: FloatArray, actions: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Costs and terminations, ``[...]`` each, from the states after the step and the actions that led there."""

    @abstractmethod
    def signals(self, states: FloatArray) -> Signals:
        """Reference and state of interest in these states ``[..., state_dim]``."""

    def observe(self, states: Any, xp: Any = np) -> Any:
        """The observations in these states, ``[..., obs_dim]``, in memory of their own; pure, as :meth:`dynamics`."""
        return copied(states, xp)

    def dynamics(self, state: Any, action: Any, noise: Any, xp: Any = np) -> Any:
        """The next state, ``x' = f(x, u, w)``, with the current constants, external force and process disturbance.

        Args:
            state: ``[..., state_dim]``, laid out as ``get_state()["state"]``.
            action: ``[..., act_dim]``, in its box; see :meth:`bounded`.
            noise: ``[..., noise_dim]``, laid out as :meth:`draw_noise`.
            xp: The namespace of the arguments: ``numpy``, ``torch``, or another one; see :mod:`lac.envs.vectors`.
        """
        return self._transition(state, action, noise, xp) + constant(self.process_disturbance, xp)

    def bounded(self, action: Any, xp: Any = np) -> Any:
        """Actions clipped to their box, ``[..., act_dim]``."""
        low, high = constant(self.action_space.low, xp), constant(self.action_space.high, xp)
        return xp.minimum(xp.maximum(action, low), high)

    @property
    def period(self) -> float | None:
        """Steps after which the reference repeats itself; 1 where it is fixed, None where it never does."""
        return 1.0

    def start_region(self) -> StartRegion | None:
        """The region that an examination of stability starts from, all phases of the reference included.

        None, as it is unless a class declares one: the starts are those of :meth:`reset`.
        """
        return None

    def in_goal(self, states: FloatArray) -> BoolArray | None:
        """Whether these states ``[..., state_dim]`` are in the goal set, ``[...]``; None where there is none."""
        if self.goal_tolerance is None:
            return None
        reference, interest = self.signals(states)
        return np.asarray((np.abs(interest - reference) <= np.asarray(self.goal_tolerance)).all(axis=-1))

    def costs(self, states: FloatArray, actions: FloatArray) -> FloatArray:
        """Costs ``[...]`` of the steps that led to these states ``[..., state_dim]`` under these actions."""
        return self._cost(states, actions)[0]

    def _picture(self) -> Pixels:
        """The present state drawn, ``[height, width, 3]``."""
        raise NotImplementedError(f"{type(self).__name__} cannot be drawn")

    # Stepping ----------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Seed of the environment's generator.
            options: ``low`` and ``high`` replace the bounds of the drawn start (one number per drawn entry);
                ``random: False`` starts from a fixed state.
        """
        super().reset(seed=seed)
        self._state = self._initial_state(options or {})
        return self._observed()

    def step(self, action: npt.ArrayLike) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """One step; the second value is the cost."""
        actions = self._allowed(np.asarray(action, dtype=np.float64))
        self._state = self.dynamics(self._state, actions, self.draw_noise())
        cost, terminated = self._cost(self._state, actions)
        observation, info = self._observed()
        return observation, float(cost), bool(terminated), False, info

    def step_batch(
        self, states: npt.ArrayLike, actions: npt.ArrayLike, noise: npt.ArrayLike | None = None
    ) -> BatchStep:
        """One step of many systems with the present constants; the environment itself is left as it is.

        Args:
            states: ``[B, state_dim]``, laid out as ``get_state()["state"]``.
            actions: ``[B, act_dim]``.
            noise: ``[B, noise_dim]``, laid out as :meth:`draw_noise`; None draws it from the environment's
                generator.
        """
        before = np.asarray(states, dtype=np.float64)
        allowed = self._allowed(np.asarray(actions, dtype=np.float64))
        if noise is None:
            noise = self.draw_noise(len(before))
        after = self.dynamics(before, allowed, np.asarray(noise, dtype=np.float64))
        return BatchStep(after, *self._cost(after, allowed))

    def has_dynamics_of(self, other: object) -> bool:
        """Whether the other is of the same class, steps as :class:`System` does, and has the same constants now."""
        if type(other) is not type(self) or type(self).step is not System.step:
            return False
        return _are_equal(constants_of(self), constants_of(other))

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that the future depends on: ``state`` ``[state_dim]``, and ``generator``, that of the noise.

        The step count of a surrounding time limit is not part of it.
        """
        return {"state": self._state.copy(), "generator": generator_state(self.np_random)}

    def set_state(self, state: Mapping[str, npt.ArrayLike] | npt.ArrayLike) -> tuple[FloatArray, dict[str, Any]]:
        """Go to a state of :meth:`get_state`, or to a bare ``[state_dim]``, which leaves the generator alone.

        Returns:
            Observation and info, as ``reset`` does.

        Raises:
            ValueError: The state has another shape or is not finite.
        """
        parts = state if isinstance(state, Mapping) else {"state": state}
        values = np.array(parts["state"], dtype=np.float64)
        if values.shape != (self.state_dim,) or not np.isfinite(values).all():
            raise ValueError(f"the state is {values}; it must be {self.state_dim} finite numbers")
        self._state = values
        if "generator" in parts:
            set_generator_state(self.np_random, np.asarray(parts["generator"]))
        return self._observed()

    def render(self) -> Pixels | None:
        """A picture of the present state, ``[height, width, 3]``; None without a render mode."""
        return None if self.render_mode is None else self._picture()

    def _allowed(self, actions: FloatArray) -> FloatArray:
        """Actions in their box: clipped to it, or refused where ``clip_action`` is off."""
        if self.clip_action:
            inside: FloatArray = self.bounded(actions)
            return inside
        low, high = self.action_space.low, self.action_space.high
        if not ((actions >= low) & (actions <= high)).all():
            raise ValueError(f"action {actions} is outside {self.action_space} and clip_action is off")
        return actions

    def _observed(self) -> tuple[FloatArray, dict[str, Any]]:
        reference, interest = self.signals(self._state)
        info = {"reference": reference, "state_of_interest": interest, "reference_error": interest - reference}
        return self.observe(self._state), info

    def _start(self, options: Mapping[str, Any], low: npt.ArrayLike, high: npt.ArrayLike, size: int) -> FloatArray:
        """One uniform draw of ``size`` numbers, between the bounds that ``options`` may replace."""
        start: FloatArray = self.np_random.uniform(options.get("low", low), options.get("high", high), size)
        return start


def constants_of(system: object) -> dict[str, Any]:
    """Everything that tells two systems of a class apart but the episode that they are in."""
    return {name: value for name, value in vars(system).items() if name not in _OF_THE_EPISODE}


def _are_equal(one: Any, other: Any) -> bool:
    """Whether two constants are equal, entry by entry where they have entries."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_are_equal(value, other[name]) for name, value in one.items())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_are_equal, one, other))
    return one is other or bool(one == other)


def generator_state(generator: np.random.Generator) -> npt.NDArray[np.uint64]:
    """The state of a PCG64 generator as six words: state and increment (two each), and its spare half draw."""
    state: dict[str, Any] = dict(generator.bit_generator.state)
    words = [state["state"]["state"], state["state"]["inc"]]
    halves = [half for word in words for half in (word >> 64, word & (2**64 - 1))]
    return np.array([*halves, state["has_uint32"], state["uinteger"]], dtype=np.uint64)


def set_generator_state(generator: np.random.Generator, words: npt.NDArray[Any]) -> None:
    """Put a PCG64 generator into a state of :func:`generator_state`."""
    state_high, state_low, inc_high, inc_low, has_half, half = (int(word) for word in words)
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": (state_high << 64) | state_low, "inc": (inc_high << 64) | inc_low},
        "has_uint32": has_half,
        "uinteger": half,
    }
