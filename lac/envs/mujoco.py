"""Robots that are to move forward at a given velocity: Gymnasium's MuJoCo environments, version 5, with a cost."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box

# First, because its error names what to install where MuJoCo is missing.
from lac.envs.simulated import Simulated  # isort: skip
from gymnasium.envs.mujoco.ant_v5 import AntEnv
from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.envs.mujoco.humanoid_v5 import HumanoidEnv
from gymnasium.envs.mujoco.mujoco_env import MujocoEnv
from gymnasium.envs.mujoco.swimmer_v5 import SwimmerEnv
from gymnasium.envs.mujoco.walker2d_v5 import Walker2dEnv

from lac.envs.system import FloatArray, Signals
from lac.settings.rules import Number, plain

# Arguments of Gymnasium's robots that mean nothing here: weights of the reward, and what the robots set themselves.
_NOT_TAKEN = {
    "forward_reward_weight",
    "healthy_reward",
    "contact_cost_weight",
    "contact_cost_range",
    "model_path",
    "observation_space",
}


def _signature(cls: "type[VelocityCost]") -> inspect.Signature:
    """The arguments of a robot's constructor, so that a wrong name is reported before anything is built."""
    taken: dict[str, inspect.Parameter] = {}
    ours = [c for c in cls.__mro__ if issubclass(c, VelocityCost)]
    for constructor in [vars(c)["__init__"] for c in (*ours, cls.robot, MujocoEnv) if "__init__" in vars(c)]:
        for name, parameter in list(inspect.signature(constructor).parameters.items())[1:]:
            if parameter.kind is not parameter.VAR_KEYWORD and name not in _NOT_TAKEN:
                default = cls.robot_defaults.get(name, parameter.default)
                taken.setdefault(name, parameter.replace(kind=parameter.KEYWORD_ONLY, default=default))
    return inspect.Signature(list(taken.values()))


class VelocityCost(Simulated):
    """A robot whose forward velocity ``v`` is to be ``v_ref``.

    With actions ``a`` the cost of a step is::

        (v - v_ref)^2  [+ ctrl_cost_weight * sum(a^2), if include_ctrl_cost]

    Gymnasium measures ``v`` in m/s, as a difference of positions over the step; at a reset it is reported as 0. An
    observation is Gymnasium's, then ``v_ref``, ``v - v_ref`` and ``v``, each of which can be left out.
    ``reference_forward_velocity`` is a plain attribute, too: the present ``v_ref``. The goal set,
    ``goal_tolerance``, is ``|v - v_ref| <= 0.3`` m/s; a gait moves faster and slower within each stride.

    The robots are those of Han et al. (2020) and of stable-gym 0.20, whose arguments and defaults these are; its
    ``randomise_reference_forward_velocity`` is ``reference_forward_velocity=(0.5, 1.5)`` here.

    Args:
        reference_forward_velocity: ``v_ref`` in m/s, or two bounds between which each reset draws it uniformly.
        include_ctrl_cost: Whether control has a cost.
        ctrl_cost_weight: Its weight; None is the robot's own, 0.001 for Hopper and Walker2d and 0.0001 otherwise.
        exclude_reference_from_observation: Whether ``v_ref`` is left out.
        exclude_reference_error_from_observation: Whether ``v - v_ref`` is left out.
        exclude_x_velocity_from_observation: Whether ``v`` is left out.
        robot: Arguments of Gymnasium's environment, such as ``reset_noise_scale``, ``xml_file``, ``render_mode``.

    Raises:
        ValueError: An argument has a value that is not allowed.
        TypeError: An argument of another name.
    """

    main_body = "torso"
    goal_tolerance: float | Sequence[float] | None = 0.3
    signal_names = ("forward velocity [m/s]",)
    robot: ClassVar[type[Any]]
    """Gymnasium's class."""
    robot_defaults: ClassVar[Mapping[str, Any]] = {}
    """What differs from Gymnasium's defaults."""
    robot_ctrl_cost_weight: ClassVar[float] = 1e-4

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if hasattr(cls, "robot"):
            cls.metadata = cls.robot.metadata
            cls.__signature__ = _signature(cls)  # type: ignore[attr-defined]

    def __init__(
        self,
        reference_forward_velocity: float | Sequence[float] = 1.0,
        include_ctrl_cost: bool = False,
        ctrl_cost_weight: float | None = None,
        exclude_reference_from_observation: bool = False,
        exclude_reference_error_from_observation: bool = True,
        exclude_x_velocity_from_observation: bool = False,
        **robot: Any,
    ) -> None:
        inspect.signature(type(self)).bind(**robot)
        self._bounds = _reference_bounds(reference_forward_velocity)
        self._observed = np.array(
            [
                not exclude_reference_from_observation,
                not exclude_reference_error_from_observation,
                not exclude_x_velocity_from_observation,
            ]
        )
        if self._bounds[0] < self._bounds[1] and not self._observed[:2].any():
            raise ValueError(
                f"reference_forward_velocity is {reference_forward_velocity}, drawn at each reset, and both reference "
                "and error are excluded from the observation; let one of them be observed"
            )
        _require("ctrl_cost_weight", ctrl_cost_weight, Number(low=0, optional=True))
        super().__init__(self.robot(**{**self.robot_defaults, **robot}))
        size = self.simulation.observation_space.shape[0] + int(self._observed.sum())
        self.observation_space = Box(-np.inf, np.inf, (size,), np.float64)
        self.include_ctrl_cost = include_ctrl_cost
        self.ctrl_cost_weight = self.robot_ctrl_cost_weight if ctrl_cost_weight is None else ctrl_cost_weight
        self.reference_forward_velocity = self._bounds[0]
        self._velocity = 0.0

    @property
    def drawn_at_reset(self) -> Sequence[str]:
        """Attributes that each reset draws anew, which are no constants."""
        return ("reference_forward_velocity",) if self._bounds[0] < self._bounds[1] else ()

    def signals(self) -> Signals:
        """The reference velocity and the velocity."""
        return Signals(np.array([self.reference_forward_velocity]), np.array([self._velocity]))

    def _start_task(self) -> None:
        low, high = self._bounds
        if low < high:
            self.reference_forward_velocity = float(self.np_random.uniform(low, high))
        self._velocity = 0.0

    def _moved(self, action: npt.NDArray[Any], info: Mapping[str, Any]) -> float:
        self._velocity = float(info["x_velocity"])
        cost = (self._velocity - self.reference_forward_velocity) ** 2
        if self.include_ctrl_cost:
            cost += self.ctrl_cost_weight * float(np.sum(np.square(action, dtype=np.float64)))
        return cost

    def _observe(self, observation: FloatArray) -> FloatArray:
        reference, velocity = self.reference_forward_velocity, self._velocity
        own = np.array([reference, velocity - reference, velocity])
        return np.concatenate((observation, own[self._observed]))

    def _task_state(self) -> dict[str, FloatArray]:
        reference, velocity = self.signals()
        return {"reference": reference, "velocity": velocity}

    def _set_task_state(self, state: Mapping[str, FloatArray]) -> None:
        if "reference" in state:
            self.reference_forward_velocity = float(state["reference"][0])
        if "velocity" in state:
            self._velocity = float(state["velocity"][0])


class UprightCost(VelocityCost):
    """A robot that can fall. A fall adds a penalty to the cost and, by default, terminates the episode.

    With the defaults, those of the reference, a fall costs 10, which is less than standing still until the time
    limit at about 1 per step: a policy that cannot follow yet does best by falling early. Either of two changes
    makes a fall cost more: ``health_penalty_until=250`` charges the step of the fall and each of those that are left
    of 250, as if the robot lay there; ``terminate_when_unhealthy=False`` lets it lie there.

    Args:
        health_penalty_size: Penalty per unhealthy step; 0 is none.
        health_penalty_until: Length of an episode in steps. A fall at step ``t`` (1, 2, ...) is charged
            ``health_penalty_until - t + 1`` times, at least once. None charges it once.
        terminate_when_unhealthy: Whether a fall terminates; otherwise each unhealthy step is charged.
        options: Arguments of :class:`VelocityCost`, and of Gymnasium's environment.
    """

    def __init__(
        self,
        health_penalty_size: float = 10.0,
        health_penalty_until: int | None = None,
        terminate_when_unhealthy: bool = True,
        **options: Any,
    ) -> None:
        _require("health_penalty_size", health_penalty_size, Number(low=0))
        _require("health_penalty_until", health_penalty_until, Number(low=1, whole=True, optional=True))
        if health_penalty_until is not None and not terminate_when_unhealthy:
            raise ValueError(
                f"health_penalty_until is {health_penalty_until} and terminate_when_unhealthy is off, which charges "
                "each unhealthy step; leave one of the two out"
            )
        self.health_penalty_size = health_penalty_size
        self.health_penalty_until = health_penalty_until
        super().__init__(terminate_when_unhealthy=terminate_when_unhealthy, **options)

    def _moved(self, action: npt.NDArray[Any], info: Mapping[str, Any]) -> float:
        cost = super()._moved(action, info)
        return cost if self.simulation.is_healthy else cost + self.health_penalty_size * self._charged_steps()

    def _charged_steps(self) -> int:
        if self.health_penalty_until is None:
            return 1
        steps = round(float(self.data.time) / self.dt)
        return max(1, self.health_penalty_until - steps + 1)


class SwimmerCost(VelocityCost):
    """Three links in a viscous fluid; never terminates. Two torques in [-1, 1], 8 + 2 observations.

    The reference's target of 1 m/s seems beyond this robot: of 120 periodic gaits the fastest made 0.36 m/s. Han et
    al. (2020) took 0.3.
    """

    robot = SwimmerEnv


class HalfCheetahCost(VelocityCost):
    """A planar runner with two legs; never terminates. Six torques in [-1, 1], 17 + 2 observations."""

    robot = HalfCheetahEnv


class HopperCost(UprightCost):
    """A planar leg that has to hop; terminates at a fall. Three torques in [-1, 1], 11 + 2 observations."""

    robot = HopperEnv
    robot_ctrl_cost_weight = 1e-3


class Walker2dCost(UprightCost):
    """A planar walker with two legs; terminates at a fall. Six torques in [-1, 1], 17 + 2 observations.

    Since its version 5, Gymnasium gives both feet the same friction; the reference's robot, of version 4, moves
    otherwise and is ``xml_file="walker2d.xml"``.
    """

    robot = Walker2dEnv
    robot_ctrl_cost_weight = 1e-3


class AntCost(UprightCost):
    """A torso on four legs; terminates at a fall. Eight torques in [-1, 1], 27 + 2 observations.

    Gymnasium's version 5 observes 78 contact forces as well, which the reference does not:
    ``include_cfrc_ext_in_observation=True`` adds them.
    """

    robot = AntEnv
    robot_defaults: ClassVar[Mapping[str, Any]] = {"include_cfrc_ext_in_observation": False}
    # Steps leave positions of bodies a substep behind; the velocity is measured by them.
    computed = (*UprightCost.computed, "xpos", "cfrc_ext")


class HumanoidCost(UprightCost):
    """A person of 13 bodies; terminates at a fall. 17 torques in [-0.4, 0.4], 348 + 2 observations.

    The reference observes 376 + 2: Gymnasium's version 5 leaves out what is always zero. The velocity is that of the
    centre of mass.
    """

    robot = HumanoidEnv
    # The velocity is measured by xipos, which steps leave a substep behind; the others are observed.
    computed = (*UprightCost.computed, "xipos", "cinert", "cvel", "qfrc_actuator", "cfrc_ext")


def _reference_bounds(velocity: float | Sequence[float]) -> tuple[float, float]:
    velocity = plain(velocity)
    bounds = list(velocity) if isinstance(velocity, Sequence) and not isinstance(velocity, str) else [velocity] * 2
    if len(bounds) != 2 or not all(Number().accepts(bound) for bound in bounds) or bounds[0] > bounds[1]:
        raise ValueError(
            f"reference_forward_velocity is {velocity!r}; it must be a finite number, or two, the lower one first"
        )
    return float(bounds[0]), float(bounds[1])


def _require(name: str, value: object, rule: Number) -> None:
    if not rule.accepts(value):
        raise ValueError(f"{name} is {value!r}; it must be {rule}")
