"""Lyapunov actor-critic: learn a controller together with a Lyapunov function.

``from lac import LAC, lac`` gives the agent and the training function, and so do ``LATC, latc`` and ``SAC, sac``;
importing the package registers the ``lac/...`` environments with Gymnasium. Torch is imported when it is first needed.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lac.envs.registration import register_environments

if TYPE_CHECKING:
    from lac.agents.lac import LAC
    from lac.agents.latc import LATC
    from lac.agents.loading import load_agent
    from lac.agents.sac import SAC
    from lac.api import lac, latc, sac
    from lac.networks import LyapunovActorCritic, LyapunovActorTwinCritic, SoftActorCritic
    from lac.training.buffers import FiniteHorizonReplayBuffer, ReplayBuffer

__version__ = version("lac")

_HOMES = {
    "LAC": "lac.agents.lac",
    "LATC": "lac.agents.latc",
    "SAC": "lac.agents.sac",
    "lac": "lac.api",
    "latc": "lac.api",
    "sac": "lac.api",
    "load_agent": "lac.agents.loading",
    "LyapunovActorCritic": "lac.networks",
    "LyapunovActorTwinCritic": "lac.networks",
    "SoftActorCritic": "lac.networks",
    "ReplayBuffer": "lac.training.buffers",
    "FiniteHorizonReplayBuffer": "lac.training.buffers",
}

__all__ = [
    "LAC",
    "LATC",
    "SAC",
    "FiniteHorizonReplayBuffer",
    "LyapunovActorCritic",
    "LyapunovActorTwinCritic",
    "ReplayBuffer",
    "SoftActorCritic",
    "lac",
    "latc",
    "load_agent",
    "sac",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lac' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


register_environments()
