"""The plan of a training, the same for the Python API and the command line, with the agent and buffer built from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from torch import nn

from lac.agents import Agent
from lac.agents.agent import DEFAULT_AC_KWARGS
from lac.agents.loading import AGENTS
from lac.buffers import FiniteHorizonReplayBuffer, ReplayBuffer
from lac.envs.factory import HasSpaces
from lac.settings.algorithms import Algorithm
from lac.settings.rules import ArgumentError
from lac.settings.training import LoopSettings, ScheduleSettings


@dataclass(frozen=True)
class TrainingPlan:
    """How an agent is trained.

    Attributes:
        algorithm: The algorithm and its settings.
        seed: Seed of everything.
        loop: Steps, updates and tests.
        schedule: Schedules of the learning rates.
        actor_critic: Actor-critic class; None selects the default of the algorithm.
        ac_kwargs: Its keyword arguments.
        num_envs: Number of environments that are stepped together.
        termination_cost: What is added to the cost of a step that terminates, see
            :class:`~lac.training.termination.TerminationCost`.
        device: Device of the networks.
        engine: What executes the updates, see :attr:`Agent.engine <lac.agents.agent.Agent.engine>`.
    """

    algorithm: Algorithm
    seed: int
    loop: LoopSettings = field(default_factory=LoopSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    actor_critic: type[nn.Module] | None = None
    ac_kwargs: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_AC_KWARGS)
    num_envs: int = 1
    termination_cost: float | str | None = None
    device: str = "cpu"
    engine: str = "auto"

    def build_agent(self, spaces: HasSpaces) -> Agent:
        """The untrained agent, or the one of ``start_policy``, for environments that return costs.

        Raises:
            ArgumentError: ``start_policy`` is for another algorithm, other spaces or other networks.
        """
        agent_class = AGENTS[self.algorithm.name.upper()]
        settings = {f.name: getattr(self.algorithm, f.name) for f in fields(agent_class.Settings)}
        # The wrapped environment returns costs, even if the original one returns rewards.
        settings["opt_type"] = "minimize"
        settings |= {"device": self.device, "engine": self.engine}
        agent = agent_class(spaces, self.actor_critic, self.ac_kwargs, **settings)
        start_policy = self.loop.start_policy
        try:
            if start_policy is not None:
                agent.restore(start_policy)
        except ValueError as error:
            raise ArgumentError("start_policy", f"is {str(start_policy)!r}, which does not fit: {error}") from error
        return agent

    def build_buffer(self, agent: Agent, spaces: HasSpaces, seed: int) -> ReplayBuffer:
        """The replay buffer that suits the horizon, no larger than the run can fill."""
        obs_dim, act_dim = spaces.observation_space.shape[0], spaces.action_space.shape[0]  # type: ignore[index]
        size, horizon = min(self.loop.replay_size, self.loop.total_steps), self.algorithm.horizon
        if horizon == 0:
            return ReplayBuffer(obs_dim, act_dim, size, agent.device, seed)
        return FiniteHorizonReplayBuffer(obs_dim, act_dim, size, horizon, agent.device, seed)
