"""Why a training ends before its last step: a value that the loop reads, so that one of several can end alone."""

from dataclasses import dataclass
from enum import Enum


class StopKind(Enum):
    """The ways to end early."""

    PRUNED = "pruned"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Stop:
    """The end of a training before its last step.

    Attributes:
        kind: Which way it ended.
        reason: A sentence for people; empty where the kind says it all.
    """

    kind: StopKind
    reason: str = ""
