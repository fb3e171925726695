"""Loads trained agents from disk, without the environment they were trained in."""

from pathlib import Path

from lac.agents.agent import Agent
from lac.agents.description import described_networks, described_spaces
from lac.agents.lac import LAC
from lac.agents.latc import LATC
from lac.agents.policy_files import read_policy
from lac.agents.sac import SAC

AGENTS: dict[str, type[Agent]] = {"LAC": LAC, "LATC": LATC, "SAC": SAC}
"""The algorithms by name."""


def load_agent(path: str | Path, device: str = "cpu") -> Agent:
    """The agent saved in a run folder (its final policy) or in a policy file, ready to act.

    Networks and multipliers are restored; training settings such as learning rates have their defaults.

    Raises:
        FileNotFoundError: There is no policy at ``path``.
        ValueError: The file is not a policy of this package, or uses an actor-critic from outside this package.
    """
    tensors, description = read_policy(path)
    name = description.get("alg_name")
    if name not in AGENTS or "actor_critic" not in description:
        raise ValueError(
            f"{path} does not describe its networks (algorithm {name!r}); "
            "build the agent for its environment and call restore(path)"
        )
    spaces = described_spaces(description)
    agent = AGENTS[name](spaces, **described_networks(description), device=device)
    agent.load_state_dict({**tensors, "alg_name": name})
    return agent
