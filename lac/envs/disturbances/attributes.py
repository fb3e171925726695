"""Disturbances that change constants of the system until they are closed: parameters and references."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lac.envs.disturbances.base import AnyEnv, Disturbance, raise_if_any, title
from lac.settings import disturbances as kinds
from lac.settings.rules import nearest

# The attribute that each argument of Reference sets; a period is converted to a frequency.
REFERENCE_ATTRIBUTES = {
    "offset": "reference_offset",
    "amplitude": "reference_amplitude",
    "period": "reference_frequency",
    "phase": "reference_phase",
}


class _Attributes(Disturbance):
    """Replaces attributes of the unwrapped environment from construction until ``close``."""

    def _replace(self, values: Mapping[str, Any]) -> None:
        system = self.unwrapped
        converted = _converted(system, title(self.env), values)
        self._originals = {name: getattr(system, name) for name in values}
        try:
            for name, value in converted.items():
                setattr(system, name, value)
        except Exception:
            self._restore()
            raise

    def _restore(self) -> None:
        for name, value in self._originals.items():
            setattr(self.unwrapped, name, value)
        self._originals = {}

    def close(self) -> None:
        """Restore the constants and close the environment."""
        self._restore()
        super().close()


class Parameters(_Attributes):
    """Changed constants of the system, set on the unwrapped environment until this wrapper is closed.

    Args:
        env: Environment.
        values: Values by attribute name: a number, or a list if the environment accepts one. For an array attribute
            the value is broadcast to its shape.

    Raises:
        DisturbanceError: An attribute does not exist or is not numeric, or a value has the wrong shape. Nothing has
            been changed.
    """

    settings_class = kinds.Parameters

    def __init__(self, env: AnyEnv, values: Mapping[str, npt.ArrayLike]) -> None:
        super().__init__(env, {"values": values})
        self._replace(values)

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
    """A changed reference for environments that follow ``offset + amplitude sin(2 pi t / period - phase)``.

    The environment must have the attributes ``reference_offset``, ``reference_amplitude``, ``reference_frequency`` and
    ``reference_phase``. They are changed until this wrapper is closed; those whose argument is None stay unchanged.

    Args:
        env: Environment.
        constant: Value of a constant reference; excludes the other arguments.
        period: Period of the sine in the environment's unit of time, which is the step for gene networks.
        offset: Mean of the sine.
        amplitude: Amplitude of the sine.
        phase: Phase of the sine in radians, with the sign convention of the environment.

    Raises:
        DisturbanceError: No argument is given, a constant is combined with another argument, or the environment has
            no such reference.
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
        raise_if_any(
            [
                f"{name if constant is None else 'constant'} cannot be set: {title(env)} has no {attribute}"
                for name, attribute in REFERENCE_ATTRIBUTES.items()
                if name in given and not hasattr(env.unwrapped, attribute)
            ]
        )
        self._replace({REFERENCE_ATTRIBUTES[name]: value for name, value in given.items()})

    @classmethod
    def errors(cls, settings: Mapping[str, Any], prefix: str = "") -> list[str]:
        """See the base class; also, arguments that exclude each other."""
        errors = super().errors(settings, prefix)
        given = [name for name in ("constant", *REFERENCE_ATTRIBUTES) if settings[name] is not None]
        if not given:
            errors.append(f"{prefix}constant is not set; give it, or one of {', '.join(REFERENCE_ATTRIBUTES)}")
        if "constant" in given and len(given) > 1:
            errors.append(f"{prefix}constant is {settings['constant']}, which excludes {', '.join(given[1:])}")
        return errors


def _converted(system: Any, name_of_system: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with the type and the shape of the attributes.

    Raises:
        DisturbanceError: An attribute does not exist, or a value has the wrong shape.
    """
    known = _numeric_attributes(system)
    converted: dict[str, Any] = {}
    errors = []
    for name, value in values.items():
        if name in getattr(system, "drawn_at_reset", ()):
            errors.append(
                f"values.{name} cannot be set: {name_of_system} draws it at each reset; make the environment with one "
                "value of it"
            )
            continue
        if name not in known:
            has = "is not numeric or cannot be set" if hasattr(system, name) else "does not exist"
            errors.append(f"values.{name} cannot be set: {name_of_system}.{name} {has}.{nearest(name, known)}")
            continue
        shape, given = np.shape(known[name]), np.asarray(value, dtype=np.float64)
        if not shape:
            # Some constants, such as those of gene networks, may be one number or several.
            converted[name] = given if given.ndim else float(value) if isinstance(known[name], float) else value
        elif given.shape in {(), shape}:
            converted[name] = np.broadcast_to(given, shape).copy()
        else:
            errors.append(f"values.{name} is {value!r}; it must be one number, or numbers of the shape {shape}")
    raise_if_any(errors)
    return converted


def _numeric_attributes(system: Any) -> dict[str, Any]:
    """The current values of the public attributes that are numeric and can be set."""
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
