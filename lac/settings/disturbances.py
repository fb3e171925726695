"""The settings of disturbances; the group ``disturbance`` of the command line, one class for each kind."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from lac.settings.fields import REQUIRED, Leaf, Settings, leaves, setting
from lac.settings.rules import OPTIONAL_COUNT, OPTIONAL_NUMBER, Choice, Flag, Indices, Number, Numbers

_MAGNITUDE = "size, in units of the channel: one number, or one for each entry"
_CHANNEL = Choice(("action", "external_force"))
_CHANNEL_MEANING = "action (before it is bounded) or external_force (not bounded)"
_PERIOD = Number(low=2, optional=True)
_POSITIVE = Number(low=1e-6, optional=True)


@dataclass(frozen=True, kw_only=True)
class Disturbance(Settings):
    """What disturbs the environment: nothing, or one of the kinds below."""

    name: str = setting(REQUIRED, None, "short name of the disturbance, used in file names")
    kind: str = setting(REQUIRED, None, "kind of disturbance; choose it with disturbance=OPTION")


@dataclass(frozen=True, kw_only=True)
class Impulse(Disturbance):
    """A push of one step."""

    magnitude: Any = setting(REQUIRED, Numbers(), _MAGNITUDE)
    at_step: int | None = setting(
        None, Number(low=0, whole=True, optional=True), "index of the step that is hit; the first is 0"
    )
    every: int | None = setting(None, OPTIONAL_COUNT, "or: steps between hits, of which the first is step 0")
    direction: str = setting(
        "sign_of_action",
        Choice(("sign_of_action", "sign_of_state", "constant")),
        "sign_of_action (against it), sign_of_state (away from 0) or constant",
    )
    state_index: int | None = setting(
        None, Number(low=0, whole=True, optional=True), "index of the state whose sign is the direction"
    )
    channel: str = setting("action", _CHANNEL, _CHANNEL_MEANING)


@dataclass(frozen=True, kw_only=True)
class Noise(Disturbance):
    """Gaussian noise."""

    target: str = setting(REQUIRED, Choice(("action", "observation", "process")), "action, observation or process")
    mean: Any = setting(0.0, Numbers(), "mean: one number, or one for each of dims")
    std: Any = setting(1.0, Numbers(low=0), "standard deviation, likewise")
    dims: Any = setting(None, Indices(), "indices that get noise; null: all (not for process noise)")


@dataclass(frozen=True, kw_only=True)
class Sinusoid(Disturbance):
    """A sine in every step."""

    magnitude: Any = setting(REQUIRED, Numbers(), _MAGNITUDE)
    period: float | None = setting(None, _PERIOD, "period in steps")
    random_phase: bool = setting(
        True, Flag(), "whether the phase is drawn for each episode and entry; otherwise it is 0"
    )
    channel: str = setting("action", _CHANNEL, _CHANNEL_MEANING)


@dataclass(frozen=True, kw_only=True)
class Parameters(Disturbance):
    """Other constants of the system."""

    values: dict[str, Any] = setting(
        {}, None, "attributes of the environment and their values, as disturbance.values.K=5"
    )


@dataclass(frozen=True, kw_only=True)
class Reference(Disturbance):
    """Another reference."""

    constant: float | None = setting(None, OPTIONAL_NUMBER, "value of a constant reference")
    period: float | None = setting(None, _POSITIVE, "period, in the environment's unit of time")
    offset: float | None = setting(None, OPTIONAL_NUMBER, "mean of the sine; null: the environment's own")
    amplitude: float | None = setting(None, OPTIONAL_NUMBER, "amplitude of the sine; null: the environment's own")
    phase: float | None = setting(None, OPTIONAL_NUMBER, "phase of the sine; null: the environment's own")


KINDS: dict[str, type[Disturbance]] = {
    "none": Disturbance,
    "impulse": Impulse,
    "noise": Noise,
    "sinusoid": Sinusoid,
    "parameters": Parameters,
    "reference": Reference,
}
"""The settings of each kind."""


def kind_leaves(prefix: str) -> Iterator[tuple[str, Leaf]]:
    """The settings that kinds have beside those of all, each once; the meaning names the kinds."""
    common = {f.name for f in fields(Disturbance)}
    kinds_of: dict[str, tuple[Leaf, list[str]]] = {}
    for kind, settings in KINDS.items():
        for name, leaf in leaves(settings):
            if name not in common:
                kinds_of.setdefault(name, (leaf, []))[1].append(kind)
    for name, (leaf, kinds) in kinds_of.items():
        yield prefix + name, replace(leaf, meaning=f"({', '.join(kinds)}) {leaf.meaning}")
