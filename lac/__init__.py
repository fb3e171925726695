"""Lyapunov actor-critic: learn a controller together with a Lyapunov function.

``from lac import LAC, lac`` gives the agent and the training function, and so do ``LATC, latc`` and ``SAC, sac``;
importing the package registers the ``lac/...`` environments with Gymnasium. Torch is imported when it is first needed.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

from lac.envs.registration import register_environments

__version__ = version("lac")

_MODULES = {
    "LAC": "lac.agents",
    "LATC": "lac.agents",
    "SAC": "lac.agents",
    "Callback": "lac.training.callbacks",
    "Epoch": "lac.training.callbacks",
    "FiniteHorizonReplayBuffer": "lac.buffers",
    "InfoMetrics": "lac.training.callbacks",
    "LyapunovActorCritic": "lac.networks",
    "LyapunovActorTwinCritic": "lac.networks",
    "ReplayBuffer": "lac.buffers",
    "SoftActorCritic": "lac.networks",
    "Step": "lac.training.callbacks",
    "certify": "lac.studies.stability",
    "choose_engine": "lac.engines",
    "controllers": "lac.controllers",
    "evaluate": "lac.studies.episodes",
    "export": "lac.runs.exporting",
    "lac": "lac.api",
    "latc": "lac.api",
    "load_agent": "lac.agents.loading",
    "load_run": "lac.studies.episodes",
    "recommended": "lac.config.recommended",
    "robustness": "lac.studies.robustness",
    "rollout": "lac.studies.episodes",
    "sac": "lac.api",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'lac' has no attribute {name!r}")
    module = import_module(_MODULES[name])
    return module if _MODULES[name] == f"{__name__}.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return __all__


register_environments()
