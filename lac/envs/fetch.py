"""A robot arm whose gripper is to be at a goal: FetchReach of Gymnasium-Robotics, with a cost."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.error import DependencyNotInstalled

try:
    import mujoco
    from gymnasium_robotics.envs.fetch.reach import MujocoFetchReachEnv
except ImportError as error:
    raise DependencyNotInstalled(
        'Gymnasium-Robotics is not installed; install it with: pip install -e ".[robotics]"'
    ) from error

if tuple(map(int, mujoco.__version__.split(".")[:2])) >= (3, 12):
    # From then on MuJoCo's joint types do not equal the integers of a model; Gymnasium-Robotics 1.4.2 needs that.
    raise DependencyNotInstalled(
        f"MuJoCo {mujoco.__version__} is too new for Gymnasium-Robotics; "
        'install one that fits, in a new environment, with: pip install -e ".[robotics]"'
    )

from lac.envs.simulated import Simulated
from lac.envs.system import FloatArray, Signals


class FetchReachCost(Simulated):
    """A Fetch arm whose gripper is to reach a point that each reset draws; never terminates.

    The cost is the distance between the two, in metres. Four actions in [-1, 1]: how the gripper is to move, in
    units of 5 cm, and its closing, which has no effect here. Observations are a dict of ``observation`` (10),
    ``achieved_goal`` (3) and ``desired_goal`` (3), as in ``FetchReachDense-v4``; training flattens them in
    alphabetical order of the keys. The goal set, ``goal_tolerance``, is within 5 cm along each axis. Plappert et al.
    (2018).

    Args:
        render_mode: ``human`` or ``rgb_array``.
        width: Of pictures, in pixels.
        height: Of pictures, in pixels.
    """

    metadata = MujocoFetchReachEnv.metadata
    main_body = "robot0:gripper_link"
    goal_tolerance = 0.05
    signal_names = ("x [m]", "y [m]", "z [m]")

    def __init__(self, render_mode: str | None = None, width: int = 480, height: int = 480) -> None:
        super().__init__(MujocoFetchReachEnv(reward_type="dense", render_mode=render_mode, width=width, height=height))
        self._gripper: int = self.model.site("robot0:grip").id

    def signals(self) -> Signals:
        """The goal and the gripper's position, in metres."""
        return Signals(self.simulation.goal.copy(), self.data.site_xpos[self._gripper].copy())

    def _moved(self, action: npt.NDArray[Any], info: Mapping[str, Any]) -> float:
        goal, gripper = self.signals()
        return float(np.linalg.norm(gripper - goal))

    def _task_state(self) -> dict[str, FloatArray]:
        return {"goal": self.simulation.goal.copy()}

    def _set_task_state(self, state: Mapping[str, FloatArray]) -> None:
        if "goal" in state:
            self.simulation.goal = state["goal"].copy()
