"""Learning rates: each a pure function of the training progress."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lac.agents import Agent
from lac.settings.training import LoopSettings, ScheduleSettings

_NAMES = {"lr_a": "actor", "lr_c": "critic", "lr_alpha": "alpha", "lr_labda": "labda"}


@dataclass(frozen=True)
class Schedule:
    """The decay of one learning rate from ``initial`` to ``final`` over a run.

    An initial rate of zero stays zero: the parameter is not trained.
    """

    initial: float
    final: float
    decay_type: str

    def __call__(self, progress: float) -> float:
        """The learning rate at ``progress``, from 0 (start) to 1 (end of training)."""
        if self.initial == 0.0 or self.decay_type == "constant":
            return self.initial
        if self.decay_type == "exponential":
            return self.initial * float((self.final / self.initial) ** progress)
        return self.initial * (1.0 - progress * (1.0 - self.final / self.initial))


class LearningRates:
    """The learning rates of an agent over a run.

    Args:
        agent: The agent whose rates are set; its initial rates are those of its settings.
        schedule: Their schedules.
        loop: Length of the run and its rounds of updates.
    """

    def __init__(self, agent: Agent, schedule: ScheduleSettings, loop: LoopSettings) -> None:
        self._agent, self._loop, self.decay_ref = agent, loop, schedule.decay_ref
        self._env_steps = 0
        self.schedules = {
            name: Schedule(
                initial=getattr(agent.settings, name),
                final=getattr(schedule, f"{name}_final"),
                decay_type=getattr(schedule, f"{name}_decay_type") or schedule.decay_type,
            )
            for name in agent.RATES
        }

    def at(self, env_steps: int) -> dict[str, float]:
        """The learning rates after that many environment steps, by argument name."""
        loop = self._loop
        if self.decay_ref == "epoch":
            done, last = env_steps // loop.steps_per_epoch, loop.epochs - 1
        else:
            done = max(0, (env_steps - loop.first_round) // loop.update_every + 1)
            last = max(0, (loop.total_steps - loop.update_after) // loop.update_every)
        progress = min(1.0, done / last) if last else 0.0
        return {name: schedule(progress) for name, schedule in self.schedules.items()}

    def metrics(self) -> dict[str, float]:
        """The present learning rates, each under the name of what it is the rate of."""
        rates = self._agent.learning_rates
        return {f"lr/{_NAMES[name]}": rates.get(name, 0.0) for name in self._agent.RATES}

    def advance(self, env_steps: int) -> None:
        """Set the agent's learning rates to those after that many environment steps."""
        self._env_steps = env_steps
        self._agent._set_learning_rates(**self.at(env_steps))

    def state_dict(self) -> dict[str, Any]:
        """The environment steps of the last update of the rates."""
        return {"env_steps": self._env_steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self.advance(state["env_steps"])
