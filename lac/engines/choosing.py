"""The choice of the engine for an agent."""

import torch

from lac.engines.compiled_engine import CompiledEngine
from lac.engines.protocol import Agent, Engine
from lac.engines.torch_engine import TorchEngine
from lac.settings.rules import ArgumentError


def choose_engine(agent: Agent, generator: torch.Generator | None = None) -> Engine:
    """The engine that ``agent.engine`` asks for: the fastest that can execute the agent if it is ``auto``.

    Args:
        agent: The agent.
        generator: Source of the noise; None copies the state of torch's global generator for the agent's device.

    Raises:
        ValueError: ``compiled`` is asked for and cannot be had.
    """
    if generator is None:
        generator = torch.Generator(agent.device)
        is_cpu = agent.device.type == "cpu"
        generator.set_state(torch.get_rng_state() if is_cpu else torch.cuda.get_rng_state(agent.device))
    if not can_compile(agent):
        return TorchEngine(agent, generator)
    engine = CompiledEngine(agent, generator)
    engine.prepare()
    return engine


def can_compile(agent: Agent) -> bool:
    """Whether an agent runs compiled.

    Raises:
        ValueError: ``compiled`` is asked for and cannot be had.
    """
    if agent.engine == "torch":
        return False
    reason = CompiledEngine.why_not(agent)
    if reason is not None and agent.engine == "compiled":
        raise ArgumentError("engine", f"is 'compiled', but {reason}; use auto or torch")
    return reason is None
