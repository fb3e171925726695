"""The settings of the yardstick controllers; the group ``controller`` of the command line."""

from dataclasses import dataclass

from lac.settings.fields import Settings, setting
from lac.settings.rules import Choice, Number

CONTROLLER_NAMES = ("lqr", "kalman", "geometric", "two_step_ahead", "cascade", "zero")
INPUT_WEIGHT = Number(low=1e-12, optional=True)


@dataclass(frozen=True, kw_only=True)
class ControllerSettings(Settings):
    """A controller that is designed, not trained."""

    name: str = setting(
        "none", Choice(("none", *CONTROLLER_NAMES)), "name of the controller; choose it with controller=OPTION"
    )
    input_weight: float | None = setting(
        None,
        INPUT_WEIGHT,
        "weight of the squared input in the cost that lqr minimises; null: the environment's own, or 0.001 where it "
        "has none",
    )
