"""Engines, which execute the policy and the update of an agent; one is chosen when training starts."""

from lac.engines.choosing import choose_engine
from lac.engines.numpy_engine import NumpyEngine
from lac.engines.protocol import Engine
from lac.engines.torch_engine import TorchEngine

__all__ = ["Engine", "NumpyEngine", "TorchEngine", "choose_engine"]
