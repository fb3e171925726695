"""Everything that a training is made of, whichever door it came through, and the agent and buffer built from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from torch import nn

from lac.agents import Agent
from lac.agents.agent import DEFAULT_AC_KWARGS
from lac.agents.loading import AGENTS
from lac.envs.factory import HasSpaces
from lac.settings.algorithms import Algorithm
from lac.settings.training import LoopSettings, ScheduleSettings
from lac.training.buffers import FiniteHorizonReplayBuffer, ReplayBuffer


@dataclass(frozen=True)
class TrainingPlan:
    """How an agent is trained.

    Attributes:
        algorithm: The algorithm and its settings.
        seed: Seed of everything.
        loop: Steps, updates and tests.
        schedule: How learning rates fall.
        actor_critic: Actor-critic class; None takes the usual one.
        ac_kwargs: Its keyword arguments.
        num_envs: Environments that are stepped side by side.
        device: Where the networks are.
    """

    algorithm: Algorithm
    seed: int
    loop: LoopSettings = field(default_factory=LoopSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    actor_critic: type[nn.Module] | None = None
    ac_kwargs: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_AC_KWARGS)
    num_envs: int = 1
    device: str = "cpu"

    def build_agent(self, spaces: HasSpaces) -> Agent:
        """The untrained agent, or the one that training starts from, for environments that give costs."""
        agent_class = AGENTS[self.algorithm.name.upper()]
        settings = {f.name: getattr(self.algorithm, f.name) for f in fields(agent_class.Settings)}
        # A wrapped environment gives costs, whatever its reward was.
        settings["opt_type"] = "minimize"
        agent = agent_class(spaces, self.actor_critic, self.ac_kwargs, **settings, device=self.device)
        if self.loop.start_policy is not None:
            agent.restore(self.loop.start_policy)
        return agent

    def build_buffer(self, agent: Agent, spaces: HasSpaces, seed: int) -> ReplayBuffer:
        """The replay buffer that suits the horizon, no larger than the run can fill."""
        obs_dim, act_dim = spaces.observation_space.shape[0], spaces.action_space.shape[0]  # type: ignore[index]
        size, horizon = min(self.loop.replay_size, self.loop.total_steps), self.algorithm.horizon
        if horizon == 0:
            return ReplayBuffer(obs_dim, act_dim, size, agent.device, seed)
        return FiniteHorizonReplayBuffer(obs_dim, act_dim, size, horizon, agent.device, seed)
