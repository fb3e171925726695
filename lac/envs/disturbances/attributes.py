"""Disturbances that change constants of the system for as long as they are there: parameters and references."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lac.envs.disturbances.base import AnyEnv, Disturbance, DisturbanceError, refuse, title
from lac.settings import disturbances as kinds
from lac.settings.rules import nearest

# The attribute that each argument of Reference sets; a period becomes a frequency.
REFERENCE_ATTRIBUTES = {
    "offset": "reference_offset",
    "amplitude": "reference_amplitude",
    "period": "reference_frequency",
    "phase": "reference_phase",
}


class _Attributes(Disturbance):
    """Attributes of the unwrapped environment, exchanged by the constructors of subclasses until ``close``."""

    def _exchange(self, values: Mapping[str, Any]) -> None:
        system = self.unwrapped
        fitting = _fitting(system, title(self.env), values)
        self._originals = {name: getattr(system, name) for name in values}
        try:
            for name, value in fitting.items():
                setattr(system, name, value)
        except Exception:
            self._put_back()
            raise

    def _put_back(self) -> None:
        for name, value in self._originals.items():
            setattr(self.unwrapped, name, value)
        self._originals = {}

    def close(self) -> None:
        """Put the constants back and close the environment."""
        self._put_back()
        super().close()


class Parameters(_Attributes):
    """Other constants of the system, set on the unwrapped environment until this wrapper is closed.

    Args:
        env: Environment.
        values: Attribute names and their values: a number, or a list where the environment takes one. An
            attribute that holds an array gets an array of its shape.

    Raises:
        DisturbanceError: An attribute does not exist or is not numeric, or a value does not suit it. Nothing has
            been changed then.
    """

    settings_class = kinds.Parameters

    def __init__(self, env: AnyEnv, values: Mapping[str, npt.ArrayLike]) -> None:
        super().__init__(env, {"values": values})
        self._exchange(values)

    @classmethod
    def errors(cls, settings: Mapping[str, Any], prefix: str = "") -> list[str]:
        """See the base class."""
        values = settings["values"]
        if not isinstance(values, Mapping) or not values:
            return [f"{prefix}values is {values!r}; it must name attributes with their values, as {prefix}values.K=5"]
        return [
            f"{prefix}values.{name} is {value!r}; it must be a number or a list of numbers"
            for name, value in values.items()
            if not _is_numeric(value) or np.isnan(value).any()
        ]


class Reference(_Attributes):
    """Another reference for environments that follow ``offset + amplitude sin(2 pi t / period - phase)``.

    Those are the environments with the attributes ``reference_offset``, ``reference_amplitude``,
    ``reference_frequency`` and ``reference_phase``; they are set until this wrapper is closed. What is None stays as
    the environment has it.

    Args:
        env: Environment.
        constant: The value of a reference that does not change; not together with another argument.
        period: In the environment's unit of time, which is the step for gene networks.
        offset: Mean of the sine.
        amplitude: Amplitude of the sine.
        phase: In radians, with the sign that the environment gives it.

    Raises:
        DisturbanceError: Nothing is given, or a constant and something else, or the environment has no such
            reference.
    """

    settings_class = kinds.Reference

    def __init__(
        self,
        env: AnyEnv,
        constant: float | None = None,
        period: float | None = None,
        offset: float | None = None,
        amplitude: float | None = None,
        phase: float | None = None,
    ) -> None:
        sine = {"period": period, "offset": offset, "amplitude": amplitude, "phase": phase}
        super().__init__(env, {"constant": constant} | sine)
        if constant is not None:
            sine |= {"offset": constant, "amplitude": 0.0}
        given = {name: value for name, value in sine.items() if value is not None}
        if period is not None:
            given["period"] = 1.0 / period
        refuse(
            [
                f"{name if constant is None else 'constant'} cannot be set: {title(env)} has no {attribute}"
                for name, attribute in REFERENCE_ATTRIBUTES.items()
                if name in given and not hasattr(env.unwrapped, attribute)
            ]
        )
        self._exchange({REFERENCE_ATTRIBUTES[name]: value for name, value in given.items()})

    @classmethod
    def errors(cls, settings: Mapping[str, Any], prefix: str = "") -> list[str]:
        """See the base class; also, what must not be said together."""
        errors = super().errors(settings, prefix)
        given = [name for name in ("constant", *REFERENCE_ATTRIBUTES) if settings[name] is not None]
        if not given:
            errors.append(f"{prefix}constant is not set; give it, or one of {', '.join(REFERENCE_ATTRIBUTES)}")
        if "constant" in given and len(given) > 1:
            errors.append(f"{prefix}constant is {settings['constant']}, which excludes {', '.join(given[1:])}")
        return errors


def _fitting(system: Any, name_of_system: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values in the form that the attributes have.

    Raises:
        DisturbanceError: Some do not fit, or there are no such attributes.
    """
    known = _numeric_attributes(system)
    fitting: dict[str, Any] = {}
    errors = []
    for name, value in values.items():
        if name not in known:
            has = "is not numeric or cannot be set" if hasattr(system, name) else "does not exist"
            errors.append(f"values.{name} cannot be set: {name_of_system}.{name} {has}.{nearest(name, known)}")
            continue
        shape, given = np.shape(known[name]), np.asarray(value, dtype=np.float64)
        if not shape:
            # Some constants may be one number or several, such as those of gene networks.
            fitting[name] = given if given.ndim else float(value) if isinstance(known[name], float) else value
        elif given.shape in {(), shape}:
            fitting[name] = np.broadcast_to(given, shape).copy()
        else:
            errors.append(f"values.{name} is {value!r}; it must be one number, or of the shape {shape}")
    if errors:
        raise DisturbanceError(errors)
    return fitting


def _numeric_attributes(system: Any) -> dict[str, Any]:
    """The public attributes that hold numbers and can be set, as they are now."""
    names = [name for name in dir(system) if not name.startswith("_") and name != "np_random"]
    settable = [name for name in names if _is_settable(inspect.getattr_static(system, name))]
    return {name: value for name in settable if _is_numeric(value := getattr(system, name, None))}


def _is_settable(static: object) -> bool:
    return static.fset is not None if isinstance(static, property) else not callable(static)


def _is_numeric(value: object) -> bool:
    try:
        kind = np.asarray(value).dtype.kind
    except ValueError:  # lists of unequal lengths
        return False
    return kind in "fiu"
