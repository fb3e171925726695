"""The difference between an export and the float64 reference of its policy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box

from lac.exporting.errors import ExportError
from lac.exporting.policy import ActingAgent, DeterministicPolicy, Float64Array

OBSERVATIONS = 10_000
LIMITS: Mapping[str, float] = {"float": 1e-5, "double": 1e-12}
"""The largest allowed difference by number type, in half-widths of the action's box."""

_SEED = 20_260
_BEYOND = 2.0
"""Half of the observations are within the scale or the box, the others in one this much wider."""
_WIDEST = 1e3
"""A wider box says nothing about what is observed."""
_MARGIN = 3.0
"""Two float32 sums in different orders differ by a few times what each of them differs from the exact one."""
_ROUNDINGS = 4.0
"""Roundings of an action of its size, which count where a narrow box is far from zero."""
_OTHER_POLICY = 1e-3
"""A difference of the agent's own actions, in half-widths, that rounding does not explain."""


@dataclass(frozen=True)
class Yardstick:
    """Observations, and what a policy does there.

    Attributes:
        obs: ``[n, obs_dim]``, each a float32.
        actions: The reference, ``[n, act_dim]``.
        half_width: What differences are divided by, ``[act_dim]``.
        own_difference: Largest difference of the agent's own ``get_action``, in half-widths.
        action_size: Largest bound of the actions, in half-widths.
    """

    obs: Float64Array
    actions: Float64Array
    half_width: Float64Array
    own_difference: float
    action_size: float

    def limit(self, number_type: str) -> float:
        """The largest allowed difference of an export that computes with ``float`` or ``double``.

        It is that of :data:`LIMITS`, unless the numbers themselves do not reach it: the agent acts in float32, too.
        """
        if number_type == "float":
            return max(LIMITS["float"], _MARGIN * self.own_difference)
        return max(LIMITS["double"], _ROUNDINGS * float(np.finfo(np.float64).eps) * self.action_size)

    def difference(self, actions: npt.NDArray[Any]) -> float:
        """The largest difference of actions ``[n, act_dim]`` from the reference, in half-widths; may be NaN."""
        return float(np.max(np.abs(actions.astype(np.float64) - self.actions) / self.half_width))


def yardstick(agent: ActingAgent, policy: DeterministicPolicy, box: Box | None = None) -> Yardstick:
    """Draw the observations, the same ones each time, and compute the reference.

    Args:
        agent: The agent that is exported.
        policy: Its policy.
        box: The box of observations, where it is another one than that of the agent.

    Raises:
        ExportError: The agent does not act as its policy says.
    """
    obs = _observations(policy, agent.observation_space if box is None else box)
    half_width = np.where(policy.half_width > 0, policy.half_width, 1.0).astype(np.float64)
    size = float(np.max(np.maximum(np.abs(policy.low), np.abs(policy.high)) / half_width))
    own = agent.get_action(obs.astype(np.float32), deterministic=True).astype(np.float64)
    exact = policy.actions(obs)
    differences = np.max(np.abs(own - exact) / half_width, axis=1)
    if not np.max(differences[: len(obs) // 2]) <= _OTHER_POLICY:
        raise ExportError(
            f"get_action(obs, deterministic=True) differs from what the layers of the policy compute by "
            f"{np.max(differences):.2g} half-widths of the action; only networks of lac that are used as they are can "
            "be exported"
        )
    return Yardstick(obs, exact, half_width, float(np.max(differences)), size)


def _observations(policy: DeterministicPolicy, box: Box) -> Float64Array:
    """Observations ``[n, obs_dim]``: half within the scale of the networks, or the box where it is 1; half beyond."""
    centre, scale = policy.obs_centre.astype(np.float64), 1.0 / policy.obs_inverse_width.astype(np.float64)
    low, high = np.asarray(box.low, np.float64), np.asarray(box.high, np.float64)
    with np.errstate(over="ignore"):
        is_bounded = (scale == 1.0) & (centre == 0.0) & (high - low <= _WIDEST)
    low, high = np.where(is_bounded, low, centre - scale), np.where(is_bounded, high, centre + scale)
    middle, reach = (low + high) / 2, (high - low) / 2
    drawn = np.random.default_rng(_SEED).uniform(-1.0, 1.0, (OBSERVATIONS, policy.obs_dim))
    drawn[OBSERVATIONS // 2 :] *= _BEYOND
    obs = middle + reach * drawn
    return obs.astype(np.float32).astype(np.float64)


def verified(
    name: str, yardstick: Yardstick, number_type: str, run: Callable[[Float64Array], npt.NDArray[Any]]
) -> dict[str, Any]:
    """Run an export on the observations; returns what was found, in JSON types.

    Args:
        name: Its name in messages.
        yardstick: The observations and the reference.
        number_type: ``float`` or ``double``.
        run: The export.

    Raises:
        ExportError: It cannot be run, or differs by more than the limit.
    """
    try:
        actions = run(yardstick.obs)
    except ExportError:
        raise
    except Exception as error:  # whatever the runtime of a format raises
        raise ExportError(f"{name} cannot be run: {type(error).__name__}: {error}") from error
    limit = yardstick.limit(number_type)
    if actions.shape != yardstick.actions.shape:
        raise ExportError(f"{name} makes actions of shape {actions.shape} instead of {yardstick.actions.shape}")
    difference = yardstick.difference(actions)
    if not difference <= limit:
        raise ExportError(
            f"{name} differs from the policy by {difference:.2g} half-widths of the action, and may differ by "
            f"{limit:.2g}; it was not kept"
        )
    return {"largest_difference": difference, **plan(yardstick, number_type)}


def plan(yardstick: Yardstick, number_type: str) -> dict[str, Any]:
    """How an export is verified, in JSON types."""
    return {
        "limit": yardstick.limit(number_type),
        "largest_difference_of_get_action": yardstick.own_difference,
        "unit": "half-widths of the action, from a float64 reference",
        "observations": len(yardstick.obs),
    }
