"""Engines, which execute the policy and the update of an agent; one is chosen when training starts."""

from lac.engines.choosing import can_compile, choose_engine
from lac.engines.compiled_engine import CompiledEngine
from lac.engines.protocol import Diagnostics, Engine
from lac.engines.torch_engine import TorchEngine

__all__ = ["CompiledEngine", "Diagnostics", "Engine", "TorchEngine", "can_compile", "choose_engine"]
