"""The names of the policies that a run leaves: final, best, and those of epochs."""

import re
from dataclasses import dataclass

POLICY_FOLDER, POLICY_SUFFIX = "policy", ".safetensors"
"""Where they are in a run folder."""
FINAL, BEST = "final", "best"
ALL = "all"
"""Stands for every policy of a run, one after the other."""

_EPOCH = re.compile(r"epoch-0*([1-9]\d*)")


@dataclass(frozen=True)
class PolicyName:
    """The name of a policy of a run; with ``with_all`` also the word for all of them."""

    with_all: bool = False

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        return isinstance(value, str) and (value in self.options or epoch_of(value) is not None)

    @property
    def options(self) -> tuple[str, ...]:
        """The words that are allowed."""
        return (FINAL, BEST, ALL) if self.with_all else (FINAL, BEST)

    def __str__(self) -> str:
        return f"one of {', '.join(self.options)}, or epoch-N, where the policy of epoch N was kept"


def policy_of_epoch(epoch: int) -> str:
    """The name of the policy of an epoch, counted from 1."""
    return f"epoch-{epoch:04d}"


def epoch_of(name: str) -> int | None:
    """The epoch in the name of a policy, with or without zeros before it; None for any other name."""
    match = _EPOCH.fullmatch(name)
    return None if match is None else int(match[1])


def full_name(name: str) -> str:
    """The name of a policy as its file has it: ``epoch-0007`` for ``epoch-7``."""
    epoch = epoch_of(name)
    return name if epoch is None else policy_of_epoch(epoch)


def in_order(names: list[str]) -> list[str]:
    """Names of policies, those of epochs first, in the order of the epochs, then best, then final, then others."""
    last = [BEST, FINAL]

    def place(name: str) -> tuple[int, int, str]:
        epoch = epoch_of(name)
        if epoch is not None:
            return 0, epoch, ""
        return (1, last.index(name), "") if name in last else (2, 0, name)

    return sorted(names, key=place)
