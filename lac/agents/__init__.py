"""The agents: LAC, LATC and SAC."""

from lac.agents.agent import Agent
from lac.agents.lac import LAC
from lac.agents.latc import LATC
from lac.agents.sac import SAC

__all__ = ["LAC", "LATC", "SAC", "Agent"]
