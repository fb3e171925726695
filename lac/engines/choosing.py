"""The choice of the engine for an agent."""

import torch

from lac.agents import Agent
from lac.engines.numpy_engine import NumpyEngine
from lac.engines.protocol import Engine
from lac.engines.torch_engine import TorchEngine


def choose_engine(agent: Agent, generator: torch.Generator | None = None) -> Engine:
    """The fastest engine that can execute an agent.

    Args:
        agent: The agent; an engine keeps references to its parameters, so they must not be replaced afterwards.
        generator: Source of the noise; None copies the state of torch's global generator for the agent's device.
    """
    if generator is None:
        generator = torch.Generator(agent.device)
        is_cpu = agent.device.type == "cpu"
        generator.set_state(torch.get_rng_state() if is_cpu else torch.cuda.get_rng_state(agent.device))
    if NumpyEngine.supports(agent):
        return NumpyEngine(agent, generator)
    return TorchEngine(agent, generator)
