"""The interface of an engine, and what it needs to know of an agent."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Batch = Mapping[str, Tensor]


class Diagnostics(Mapping[str, Tensor]):
    """What an update returns by name; tensors are made when they are read, since most are only averaged.

    Args:
        names: The names.
        numbers: The values in this order, ``[n]``.
    """

    def __init__(self, names: tuple[str, ...], numbers: npt.NDArray[np.float32]) -> None:
        self._names, self.numbers = names, numbers

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        return torch.tensor(self.numbers[self._names.index(name)])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Agent(Protocol):
    """What engines use of an agent; see :class:`lac.agents.agent.Agent`."""

    DIAGNOSTICS: ClassVar[tuple[str, ...]]
    ac: Any
    ac_targ: Any
    critics: tuple[Any, ...]
    target_critics: tuple[Any, ...]
    settings: Any
    act_dim: int
    critic_optimizer: Any
    policy_optimizer: Any
    engine: str

    @property
    def device(self) -> torch.device:
        """The device of the networks."""

    @property
    def target_entropy(self) -> float:
        """The entropy to which the temperature is adapted."""

    def cost(self, data: Any) -> Any:
        """The scalar of a batch as a cost."""

    def bounded(self, action: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Actions clipped to the box, in the dtype of the environment."""

    def get_action(self, s: npt.ArrayLike, deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions of the policy."""

    def update(self, data: Batch) -> Mapping[str, Tensor]:
        """One gradient step."""


class Engine(Protocol):
    """Executes the policy and the update of an agent, on the agent's parameters.

    All noise is drawn from ``generator`` by ``torch.randn``. An update draws, as far as the algorithm needs them, for
    the target policy's action at s', then the policy's action at s, then the policy's action at s'.

    Attributes:
        name: Name of the engine.
        generator: Source of the noise; a run saves and restores its state.
    """

    name: str
    generator: Any

    def get_action(self, obs: npt.NDArray[Any], deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions ``[..., act_dim]`` in their box for observations ``[..., obs_dim]``."""

    def update(self, data: Batch) -> Mapping[str, Tensor]:
        """One gradient step of the agent on a batch; returns its ``DIAGNOSTICS``."""
