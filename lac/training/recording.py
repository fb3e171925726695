"""The interface between a training and what records it."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lac.agents import Agent
from lac.buffers import ReplayBuffer
from lac.evaluation.final_tests import FinalTests
from lac.evaluation.yardsticks import DesignedTests
from lac.settings.training import LoopSettings
from lac.training.plan import TrainingPlan
from lac.training.stopping import Stop

Metrics = dict[str, float]


class Training(Protocol):
    """What a recorder sees of a training, to save its state.

    Attributes:
        buffer: The replay buffer, whose transitions are saved apart.
    """

    buffer: ReplayBuffer

    @property
    def env_steps(self) -> int:
        """Environment steps so far."""

    @property
    def is_complete(self) -> bool:
        """Whether no further step follows."""

    def state_dict(self, with_rows: bool = True) -> dict[str, Any]:
        """Everything that the training needs to continue, with or without the transitions of the replay buffer."""


class Recorder(Protocol):
    """Records a run, for instance into a run folder."""

    def start(self, agent: Agent, plan: TrainingPlan, engine: str) -> None:
        """Called before the first step, with the name of the engine."""

    def warn(self, text: str) -> None:
        """Called with a sentence about what may be unintended."""

    def progress(self, env_steps: int, values: Mapping[str, float]) -> None:
        """Called after a round of updates."""

    def epoch(self, metrics: Metrics, agent: Agent) -> Stop | None:
        """Called after an epoch; the training stops if it returns a reason."""

    def between_steps(self, training: Training) -> None:
        """Called after each vector step, where the state of the training is whole; it may end the process."""

    def stopped(self, reason: str, loop: LoopSettings) -> None:
        """Called before the final tests of a training that stops early, with the settings that have made it stop."""

    def trained(
        self, agent: Agent, test: Callable[[bool], FinalTests], yardstick: Callable[[], DesignedTests | None]
    ) -> None:
        """Called after the last epoch, if there are tests, with a function that tests the present weights.

        Its argument is whether for longer as well. The other one tests the controller that is designed for the
        environment on the same resets.
        """
