"""The reason why a training ends before its last step, as a value that the training loop returns."""

from dataclasses import dataclass
from enum import Enum


class StopKind(Enum):
    """The kinds of an early end."""

    PRUNED = "pruned"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Stop:
    """The end of a training before its last step.

    Attributes:
        kind: The kind of the end.
        reason: A sentence for the user; empty if the kind is sufficient.
    """

    kind: StopKind
    reason: str = ""
