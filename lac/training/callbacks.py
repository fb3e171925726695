"""What a user adds to a training from Python: metrics of its own, and reasons to stop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Step:
    """One step of one environment; arrays and ``info`` are read-only.

    Attributes:
        env_steps: Environment steps of the training up to this one, or to the test.
        env_index: Number of the environment; in a test that of the episode.
        obs: Observation before the step, ``[obs_dim]``.
        act: Action, ``[act_dim]``.
        cost: Cost, as the environment gave it; ``reward_max`` minus the reward where that is maximised.
        obs_next: Observation after the step, also where it ends the episode, ``[obs_dim]``.
        terminated: Whether the environment terminated the episode.
        truncated: Whether a time limit ended it.
        info: What the environment said beside it.
    """

    env_steps: int
    env_index: int
    obs: Array
    act: Array
    cost: float
    obs_next: Array
    terminated: bool
    truncated: bool
    info: Mapping[str, Any]


@dataclass(frozen=True)
class Epoch:
    """An epoch that has ended, after its test.

    Attributes:
        number: Its number, from 1.
        env_steps: Environment steps of the training so far.
        metrics: The line of ``metrics.jsonl`` as it is so far, read-only.
        policy: The deterministic policy now: actions ``[B, act_dim]`` for observations ``[B, obs_dim]``.
        warn: Prints a sentence as a warning, which is repeated at the end and kept in ``summary.json``.
    """

    number: int
    env_steps: int
    metrics: Mapping[str, float]
    policy: Callable[[Array], Array]
    warn: Callable[[str], None]


class Callback:
    """Is called by a training; every method does nothing unless a subclass overrides it.

    An exception in a method ends the run as failed, with a message that names the class.
    """

    def on_step(self, step: Step) -> None:
        """Called after each environment step of the training."""

    def on_test_step(self, step: Step) -> None:
        """Called after each step of the test episodes after an epoch; those at the end of a run are not among them.

        Where a callback has it, systems of this package step one by one in these tests, which takes longer.
        """

    def on_epoch(self, epoch: Epoch) -> Mapping[str, float] | None:
        """Called after the test of each epoch; returns further metrics of its line, by name."""

    def stop_reason(self, epoch: Epoch) -> str | None:
        """Called with the whole line of an epoch; a text, which ``summary.json`` keeps, ends the training."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it: numbers, texts, arrays and tensors, and lists and dicts of them.

        Without it, the callback begins anew when the run goes on.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned, which is read as it was, but with lists for tuples."""


class InfoMetrics(Callback):
    """Means of what the environment says in ``info``, as metrics ``train/info/KEY`` and ``test/info/KEY``.

    They are means over the steps of an epoch in training, and of its test episodes, in which ``info`` has the key; NaN
    where there are none.

    Args:
        keys: Keys of ``info`` whose values are single numbers or truth values, such as ``["is_success"]``.

    Raises:
        ValueError: ``keys`` is not a list of texts.
    """

    def __init__(self, keys: list[str]) -> None:
        if isinstance(keys, str) or not keys or not all(isinstance(key, str) and key for key in keys):
            raise ValueError(f"keys is {keys!r}; it must be a list of keys of info, such as ['is_success']")
        self._keys = list(dict.fromkeys(keys))
        self._known: set[str] = set()
        self._sums: dict[str, dict[str, list[float]]] = {}
        self._begin()

    def on_step(self, step: Step) -> None:
        """Add a step of the training."""
        self._add("train", step.info)

    def on_test_step(self, step: Step) -> None:
        """Add a step of a test."""
        self._add("test", step.info)

    def on_epoch(self, epoch: Epoch) -> Mapping[str, float]:
        """The means of the epoch."""
        kinds = ["train", "test"] if "test/cost_mean" in epoch.metrics else ["train"]
        sums = {f"{kind}/info/{key}": self._sums[kind][key] for kind in kinds for key in self._keys}
        missing = [key for key in self._keys if not any(self._sums[kind][key][1] for kind in kinds)]
        if epoch.number == 1 and missing:
            epoch.warn(
                f"info had no {', '.join(map(repr, missing))} in the first epoch; its keys were "
                f"{', '.join(sorted(self._known)) or 'none'}"
            )
        self._begin()
        return {name: total / number if number else np.nan for name, (total, number) in sums.items()}

    def state_dict(self) -> dict[str, Any]:
        """The sums of the running epoch."""
        return {"sums": self._sums, "known": sorted(self._known)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        saved = state["sums"]
        for kind, sums in self._sums.items():
            sums |= {key: list(saved[kind][key]) for key in self._keys if key in saved[kind]}
        self._known = set(state["known"])

    def _begin(self) -> None:
        self._sums = {kind: {key: [0.0, 0] for key in self._keys} for kind in ("train", "test")}

    def _add(self, kind: str, info: Mapping[str, Any]) -> None:
        if not info.keys() <= self._known:
            self._known |= info.keys()
        for key, entry in self._sums[kind].items():
            if key in info:
                entry[0] += _number(key, info[key])
                entry[1] += 1


def _number(key: str, value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise ValueError(f"info[{key!r}] is {value!r}, which is not one number, so it has no mean")
    return float(array.item())
