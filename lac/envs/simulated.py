"""What our MuJoCo environments have in common: a state that is read and set exactly, an external force, the signals."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.error import DependencyNotInstalled

from lac.envs.system import FloatArray, Signals, generator_state, set_generator_state

try:
    import mujoco
except ImportError as error:
    raise DependencyNotInstalled('MuJoCo is not installed; install it with: pip install -e ".[mujoco]"') from error

# MuJoCo would write its warnings to a file in the current folder.
mujoco.set_mju_user_warning(logging.getLogger(__name__).warning)

_INTEGRATION = mujoco.mjtState.mjSTATE_INTEGRATION


class Simulated(gymnasium.Env[Any, npt.NDArray[Any]], ABC):
    """One of Gymnasium's MuJoCo environments with a cost in place of its reward.

    It holds that environment and is not a wrapper of it, so that ``env.unwrapped`` leads here. The physical constants
    are those of ``model``, MuJoCo's own, and take effect at once: ``env.unwrapped.model.opt.gravity[2] = -5``.
    ``external_force`` (``[3]``, newtons, in world coordinates) pulls at the centre of mass of the robot's main body
    throughout each step, beside the action.

    Args:
        simulation: The environment of Gymnasium.
    """

    main_body: ClassVar[str]
    """Name of the body that the external force acts on."""

    computed: ClassVar[tuple[str, ...]] = ("qacc_warmstart",)
    """Fields of MuJoCo's data that a step leaves different from what ``qpos`` and ``qvel`` give, and that the next step
    or the observation uses."""

    def __init__(self, simulation: Any) -> None:
        self.simulation = simulation
        self.action_space = simulation.action_space
        self.observation_space = simulation.observation_space
        self.metadata = simulation.metadata
        self.external_force: FloatArray = np.zeros(3)
        self._main_body: int = simulation.model.body(self.main_body).id

    @property
    def render_mode(self) -> str | None:
        """What :meth:`render` gives: that of Gymnasium's environment, which draws."""
        mode: str | None = self.simulation.render_mode
        return mode

    @render_mode.setter
    def render_mode(self, mode: str | None) -> None:
        self.simulation.render_mode = mode

    @property
    def model(self) -> Any:
        """MuJoCo's ``MjModel``: the constants."""
        return self.simulation.model

    @property
    def data(self) -> Any:
        """MuJoCo's ``MjData``: the state and what follows from it."""
        return self.simulation.data

    @property
    def dt(self) -> float:
        """Seconds per step."""
        return float(self.simulation.dt)

    # What a task is ----------------------------------------------------------------------------------

    @abstractmethod
    def signals(self) -> Signals:
        """The present reference and state of interest, ``[k]`` each."""

    @abstractmethod
    def _task_state(self) -> dict[str, FloatArray]:
        """What the task remembers beside the physics."""

    @abstractmethod
    def _set_task_state(self, state: Mapping[str, FloatArray]) -> None:
        """Set some of it."""

    def _start_task(self) -> None:
        """Begin an episode; draws from ``self.np_random`` come after those of the physics."""

    @abstractmethod
    def _moved(self, action: npt.NDArray[Any], info: Mapping[str, Any]) -> float:
        """The cost of the step that ``action`` led through; ``info`` is that of Gymnasium."""

    def _observe(self, observation: Any) -> Any:
        """What is observed, given what Gymnasium's environment observes."""
        return observation

    # Stepping ----------------------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, as Gymnasium's environment does."""
        super().reset(seed=seed)
        self.simulation.np_random = self.np_random
        observation, info = self.simulation.reset(options=options)
        self._start_task()
        return self._observe(observation), info | self._signal_info()

    def step(self, action: npt.NDArray[Any]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step; the second value is the cost."""
        self.data.xfrc_applied[self._main_body, :3] = self.external_force
        observation, _, terminated, truncated, info = self.simulation.step(action)
        cost = self._moved(action, info)
        return self._observe(observation), cost, bool(terminated), bool(truncated), info | self._signal_info()

    def _signal_info(self) -> dict[str, Any]:
        reference, interest = self.signals()
        return {"reference": reference, "state_of_interest": interest, "reference_error": interest - reference}

    def render(self) -> Any:
        """A picture, of the kind that ``render_mode`` names."""
        return self.simulation.render()

    def close(self) -> None:
        """Close windows and rendering contexts."""
        self.simulation.close()

    # The state ---------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that the future depends on.

        ``state`` (positions ``[nq]``, then velocities ``[nv]``), ``time`` (``[1]``, seconds since the reset) and
        ``integration``, all that MuJoCo integrates from (``mjSTATE_INTEGRATION``), in which both are again;
        ``qacc_warmstart``, from which its solver starts; what else a step leaves behind (see ``computed``); what the
        task remembers; and ``generator``. The step count of a surrounding time limit is not part of it.
        """
        physics = {"state": np.concatenate((self.data.qpos, self.data.qvel)), "time": np.array([self.data.time])}
        integration = np.empty(mujoco.mj_stateSize(self.model, _INTEGRATION))
        mujoco.mj_getState(self.model, self.data, integration, _INTEGRATION)
        physics["integration"] = integration
        physics |= {name: np.array(getattr(self.data, name)) for name in self.computed}
        return {**physics, **self._task_state(), "generator": generator_state(self.np_random)}

    def set_state(self, state: Mapping[str, npt.ArrayLike] | npt.ArrayLike) -> tuple[Any, dict[str, Any]]:
        """Go to a state of :meth:`get_state`, or to a bare ``[nq + nv]``.

        Parts that are left out stay as they are, but what MuJoCo computes from others (``computed``) follows them:
        ``state`` is enough to place a robot. ``state`` and ``time`` win over what ``integration`` has of them.

        Returns:
            Observation and info, as ``reset`` does.

        Raises:
            ValueError: A part has another name or shape, or is not finite.
        """
        parts = self._checked(state if isinstance(state, Mapping) else {"state": state})
        if "integration" in parts:
            mujoco.mj_setState(self.model, self.data, parts["integration"], _INTEGRATION)
        if "state" in parts:
            self.data.qpos[:], self.data.qvel[:] = np.split(parts["state"], [self.model.nq])
        if "time" in parts:
            self.data.time = parts["time"].item()
        mujoco.mj_forward(self.model, self.data)
        for name in self.computed:
            if name in parts:
                getattr(self.data, name)[...] = parts[name]
        self._set_task_state(parts)
        if "generator" in parts:
            set_generator_state(self.np_random, parts["generator"])
        return self._observe(self.simulation._get_obs()), self._signal_info()

    def _checked(self, state: Mapping[str, npt.ArrayLike]) -> dict[str, npt.NDArray[Any]]:
        present, parts = self.get_state(), {name: np.asarray(values) for name, values in state.items()}
        for name, values in parts.items():
            if name not in present:
                raise ValueError(f"the state has a part {name!r}; its parts are {', '.join(present)}")
            if values.shape != present[name].shape or not np.isfinite(values).all():
                raise ValueError(
                    f"{name!r} in the state is {values}; it must be finite numbers of shape {present[name].shape}"
                )
        return parts
