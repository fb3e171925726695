"""Which engine suits an agent."""

import torch

from lac.agents import Agent
from lac.engines.numpy_engine import NumpyEngine
from lac.engines.protocol import Engine
from lac.engines.torch_engine import TorchEngine


def choose_engine(agent: Agent, generator: torch.Generator | None = None) -> Engine:
    """The fastest engine that can execute an agent.

    Args:
        agent: The agent, complete: an engine holds on to the memory of its parameters.
        generator: What noise is drawn from; None continues where torch's global generator of the agent's device is.
    """
    if generator is None:
        generator = torch.Generator(agent.device)
        is_cpu = agent.device.type == "cpu"
        generator.set_state(torch.get_rng_state() if is_cpu else torch.cuda.get_rng_state(agent.device))
    if NumpyEngine.supports(agent):
        return NumpyEngine(agent, generator)
    return TorchEngine(agent, generator)
