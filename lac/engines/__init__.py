"""What executes acting and updates while an agent is trained; chosen when training starts, and replaceable."""

from lac.engines.choosing import choose_engine
from lac.engines.numpy_engine import NumpyEngine
from lac.engines.protocol import Engine
from lac.engines.torch_engine import TorchEngine

__all__ = ["Engine", "NumpyEngine", "TorchEngine", "choose_engine"]
