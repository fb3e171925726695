"""How an agent computes: compiled where that is possible, or in torch."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self

from torch import Tensor, nn

from lac.engines import CompiledEngine, can_compile
from lac.engines.batches import BatchShapes
from lac.settings.rules import raise_if_wrong
from lac.settings.training import ENGINE


class ExecutedModule(nn.Module):
    """A module whose update runs compiled, or as its text in torch."""

    _engine: str
    _own_engine: CompiledEngine | None
    _has_chosen: bool
    _batch_shapes: BatchShapes

    @property
    def engine(self) -> str:
        """What computes: ``torch``, ``compiled``, or ``auto``, which is compiled wherever that is possible.

        Raises:
            ValueError: ``compiled`` is set, and the agent cannot be compiled.
        """
        return self._engine

    @engine.setter
    def engine(self, name: str) -> None:
        raise_if_wrong(engine=(name, ENGINE))
        self._engine = name
        self._forget_compiled()
        if name == "compiled":
            self._compiled()

    def _compiled(self) -> CompiledEngine | None:
        """What executes this agent compiled, with torch's global generator; None if it runs in torch."""
        if not self._has_chosen:
            agent: Any = self
            self._own_engine = CompiledEngine(agent, None) if can_compile(agent) else None
            self._has_chosen = True
        return self._own_engine

    def _forget_compiled(self) -> None:
        self._has_chosen, self._own_engine = False, None

    def __getstate__(self) -> dict[str, Any]:
        # A copy has parameters of its own, and finds out anew how to compute with them.
        return {**self.__dict__, "_has_chosen": False, "_own_engine": None, "_memory": None}

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # Called when a module moves to another device or dtype.
        self._forget_compiled()
        return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]

    def update(self, data: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """One gradient step on a batch, of critics, actor and multipliers.

        Args:
            data: ``obs act obs_next`` as ``[B, dim]``, ``rew done`` as ``[B]``; for LAC and LATC with ``horizon_rew``
                ``[B]`` the critic learns the finite-horizon sum (eq. 9) instead of the discounted target (eq. 8).

        Returns:
            The quantities named in ``DIAGNOSTICS``, as tensors without a graph.

        Raises:
            ValueError: A column has another shape.
        """
        compiled = self._compiled()
        if compiled is not None:
            return compiled.update(data)
        self._batch_shapes.check(data)
        return self._update(data)

    @abstractmethod
    def _update(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The same in torch: the text of the algorithm."""
