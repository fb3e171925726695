"""Calls the callbacks of a training: names one that fails, checks what it returns, and keeps its state."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from lac.evaluation.rollouts import Policy
from lac.evaluation.steppers import StepOfGroup
from lac.settings.rules import shown
from lac.training.callbacks import Array, Callback, Epoch, Step
from lac.training.collector import Transition
from lac.training.recording import Metrics
from lac.training.stopping import Stop, StopKind

R = TypeVar("R")


class CallbackError(RuntimeError):
    """A callback has failed; the message names it."""


class Callbacks:
    """The callbacks of a training.

    Args:
        callbacks: The callbacks, in the order in which they are called.

    Attributes:
        watch_steps: Whether one of them is called after each step of the training.
        watch_tests: Whether one of them is called after each step of a test.

    Raises:
        ValueError: One of them is no callback.
    """

    def __init__(self, callbacks: Sequence[Callback] = ()) -> None:
        self._named = _named(callbacks)
        self.watch_steps = any(type(each).on_step is not Callback.on_step for each in callbacks)
        self.watch_tests = any(type(each).on_test_step is not Callback.on_test_step for each in callbacks)
        self._stopped: dict[str, str] | None = None

    @property
    def stop(self) -> Stop | None:
        """The end that a callback has asked for; None without one."""
        if self._stopped is None:
            return None
        return Stop(StopKind.EARLY, f"{self._stopped['reason']} (the callback {self._stopped['name']})")

    def step(self, transition: Transition, env_steps: int, info: Mapping[str, Any]) -> None:
        """Call them after a step of the training."""
        step = Step(
            env_steps=env_steps,
            env_index=transition.env_index,
            obs=_read_only(transition.obs),
            act=_read_only(transition.act),
            cost=transition.cost,
            obs_next=_read_only(transition.obs_next),
            terminated=transition.terminated,
            truncated=transition.truncated,
            info=MappingProxyType(info),
        )
        for name, callback in self._named.items():
            _call(name, callback.on_step, step)

    def test_step(self, group: StepOfGroup, env_steps: int) -> None:
        """Call them after a step of each running episode of a test."""
        for row, info in enumerate(group.infos):
            is_terminated = bool(group.terminated[row])
            step = Step(
                env_steps=env_steps,
                env_index=int(group.episodes[row]),
                obs=_read_only(group.observations[row]),
                act=_read_only(group.actions[row]),
                cost=float(group.costs[row]),
                obs_next=_read_only(group.observations_next[row]),
                terminated=is_terminated,
                truncated=bool(group.ended[row]) and not is_terminated,
                info=MappingProxyType(info),
            )
            for name, callback in self._named.items():
                _call(name, callback.on_test_step, step)

    def epoch(self, metrics: Metrics, policy: Policy, warn: Callable[[str], None]) -> Metrics:
        """Call them after an epoch, and ask whether the training stops; returns their metrics."""
        added: Metrics = {}
        for name, callback in self._named.items():
            given = _call(name, callback.on_epoch, _epoch(metrics | added, policy, warn))
            added |= _checked(name, given, metrics | added)
        for name, callback in self._named.items():
            reason = _call(name, callback.stop_reason, _epoch(metrics | added, policy, warn))
            if reason is not None and not isinstance(reason, str):
                raise CallbackError(
                    f"the callback {name} gave {shown(reason)} as stop_reason; it must be a text or None"
                )
            if reason and self._stopped is None:
                self._stopped = {"name": name, "reason": reason}
        return added

    def state_dict(self) -> dict[str, Any]:
        """The state of each by its name, and which one has stopped the training."""
        states = {name: _call(name, callback.state_dict) for name, callback in self._named.items()}
        for name, state in states.items():
            if not isinstance(state, Mapping):
                raise CallbackError(f"the callback {name} gave {shown(state)} as state_dict; it must be a dict")
        return {"states": states, "stopped": self._stopped}

    def load_state_dict(self, state: Mapping[str, Any]) -> list[str]:
        """Continue from what :meth:`state_dict` returned; returns sentences about callbacks that are others now.

        A callback that has stopped the training and is not given any more does not stop it.
        """
        saved, stopped = state.get("states", {}), state.get("stopped")
        self._stopped = stopped if stopped is not None and stopped["name"] in self._named else None
        for name, callback in self._named.items():
            if name in saved:
                _call(name, callback.load_state_dict, saved[name])
        new = [f"the callback {name} begins here" for name in self._named if name not in saved]
        return new + [f"the callback {name} is left out from here on" for name in saved if name not in self._named]


def _named(callbacks: Sequence[Callback]) -> dict[str, Callback]:
    """The callbacks by the names of their classes, with a number where there are several of one class."""
    if not isinstance(callbacks, (list, tuple)):
        raise ValueError(f"callbacks is {shown(callbacks)}; it must be a list of objects of subclasses of lac.Callback")
    named: dict[str, Callback] = {}
    for i, callback in enumerate(callbacks):
        if not isinstance(callback, Callback):
            hint = "; make an object of it" if isinstance(callback, type) else ""
            raise ValueError(
                f"callbacks[{i}] is {shown(callback)}; it must be an object of a subclass of lac.Callback{hint}"
            )
        name = type(callback).__name__
        number = 1 + sum(type(other) is type(callback) for other in callbacks[:i])
        named[name if number == 1 else f"{name} {number}"] = callback
    return named


def _call(name: str, method: Callable[..., R], *arguments: Any) -> R:
    """Call a method of a callback.

    Raises:
        CallbackError: It fails.
    """
    try:
        return method(*arguments)
    except Exception as error:
        sentence = f"the callback {name} failed in {method.__name__}: {type(error).__name__}: {error}"
        raise CallbackError(sentence) from error


def _epoch(metrics: Metrics, policy: Policy, warn: Callable[[str], None]) -> Epoch:
    number, env_steps = int(metrics["epoch"]), int(metrics["env_steps"])
    return Epoch(number, env_steps, MappingProxyType(metrics), policy, warn)


def _checked(name: str, given: Mapping[str, float] | None, known: Metrics) -> Metrics:
    """Further metrics of a line, as numbers.

    Raises:
        CallbackError: They are no numbers by name, or the line has one of the names already.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(key, str) and key for key in given):
        raise CallbackError(f"the callback {name} gave {shown(given)} as metrics; it must be a dict of numbers by name")
    twice = [key for key in given if key in known]
    if twice:
        raise CallbackError(f"the callback {name} gave the metric {twice[0]!r}, which there is already; rename it")
    try:
        return {key: float(value) for key, value in given.items()}
    except (TypeError, ValueError) as error:
        raise CallbackError(f"the callback {name} gave a metric that is no number: {error}") from error


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view
