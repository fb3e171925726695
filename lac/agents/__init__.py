"""Agents: what learns."""

from lac.agents.base import Agent
from lac.agents.lac import LAC

__all__ = ["LAC", "Agent"]
