"""Write ``lac/__init__.pyi``: the signatures of the public API, for editors and type checkers.

They are those that ``inspect.signature`` gives, which the settings make at run time; a test holds the file against
them. Usage: ``python tools/write_stub.py``.
"""

import inspect
import typing
from collections.abc import Mapping
from inspect import Parameter
from pathlib import Path

import lac

STUB = Path(lac.__file__).with_suffix(".pyi")

_HEADER = '''"""The public API as editors and type checkers see it; written by tools/write_stub.py."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from lac import controllers as controllers
from lac.agents import lac as _lac
from lac.agents import latc as _latc
from lac.agents import sac as _sac
from lac.agents.loading import load_agent as load_agent
from lac.buffers import FiniteHorizonReplayBuffer as FiniteHorizonReplayBuffer
from lac.buffers import ReplayBuffer as ReplayBuffer
from lac.config.recommended import recommended as recommended
from lac.engines import choose_engine as choose_engine
from lac.envs import AnyEnv, AnyVectorEnv
from lac.envs.factory import HasSpaces
from lac.networks import LyapunovActorCritic as LyapunovActorCritic
from lac.networks import LyapunovActorTwinCritic as LyapunovActorTwinCritic
from lac.networks import SoftActorCritic as SoftActorCritic
from lac.runs.exporting import export as export
from lac.studies.episodes import evaluate as evaluate
from lac.studies.episodes import load_run as load_run
from lac.studies.episodes import rollout as rollout
from lac.studies.robustness import robustness as robustness
from lac.studies.stability import certify as certify
from lac.training.callbacks import Callback as Callback
from lac.training.callbacks import Epoch as Epoch
from lac.training.callbacks import InfoMetrics as InfoMetrics
from lac.training.callbacks import Step as Step

__version__: str
__all__: list[str]

'''


def stub() -> str:
    """The text of the stub."""
    agents = [_class(name) for name in ("LAC", "LATC", "SAC")]
    functions = [_function(getattr(lac, name)) for name in ("lac", "latc", "sac")]
    return _HEADER + "\n".join(agents) + "\n" + "".join(functions)


def _class(name: str) -> str:
    parameters = _parameters(getattr(lac, name), 8)
    return f"class {name}(_{name.lower()}.{name}):\n    def __init__(\n        self,\n{parameters}    ) -> None: ...\n"


def _function(function: typing.Any) -> str:
    name = function.__name__
    return f"def {name}(\n{_parameters(function, 4)}) -> tuple[{name.upper()}, ReplayBuffer]: ...\n"


def _parameters(of: typing.Any, indent: int) -> str:
    lines = []
    is_keyword_only = False
    for parameter in inspect.signature(of).parameters.values():
        if parameter.kind is Parameter.KEYWORD_ONLY and not is_keyword_only:
            is_keyword_only = True
            lines.append("*,")
        has_default = parameter.default is not Parameter.empty
        # A stub leaves out defaults that are no literals.
        default = "..." if isinstance(parameter.default, Mapping) else repr(parameter.default).replace("'", '"')
        lines.append(f"{parameter.name}: {_written(parameter.annotation)}" + (f" = {default}," if has_default else ","))
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


def _written(annotation: typing.Any) -> str:
    """An annotation as in a source file that imports what the header imports."""
    text = inspect.formatannotation(annotation)
    for long, short in (
        ("torch.nn.modules.module.", "nn."),
        ("collections.abc.", ""),
        ("lac.envs.factory.", ""),
        ("lac.training.callbacks.", ""),
        ("typing.", ""),
        ("gymnasium.core.Env[Any, Any]", "AnyEnv"),
        ("gymnasium.vector.vector_env.VectorEnv[Any, Any, Any]", "AnyVectorEnv"),
        ("Union[AnyEnv, AnyVectorEnv]", "AnyEnv | AnyVectorEnv"),
    ):
        text = text.replace(long, short)
    return text


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
