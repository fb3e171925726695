"""The closed loop of a system and a policy, on states and on enclosures."""

import copy
import json
from typing import Any

import numpy as np

from lac.controllers.controller import nominal_system
from lac.envs.system import System
from lac.proofs import namespace as xp
from lac.proofs.domains import Domain, FloatArray
from lac.proofs.enclosures import Enclosure, NotProvedError
from lac.proofs.namespace import Vector
from lac.proofs.policies import Law, law_of


class ClosedLoop:
    """``x' = f(x, clip(pi(x) + d))`` with an unknown ``d`` in each step, ``|d_j| <= action_error * half-width_j``.

    ``f`` is the system's own ``dynamics`` without external force and disturbance, ``pi`` the law of the policy, and the
    clipping that of the system.

    Args:
        env: An environment whose system is a :class:`lac.envs.system.System` with two states and without noise.
        policy: An agent, or a linear controller; see :func:`lac.proofs.policies.law_of`.
        action_error: In half-widths of the action box.

    Raises:
        NotProvedError: There is no proof for such an environment or policy.
    """

    def __init__(self, env: Any, policy: Any, action_error: float) -> None:
        self.system = _system(env)
        self.law: Law = law_of(policy)
        box = self.system.action_space
        if self.law.half_width.shape != box.shape or self.law.centre.shape != self.system.observation_space.shape:
            raise NotProvedError(
                f"the policy maps {self.law.centre.size} observations to {self.law.half_width.size} actions; the "
                f"environment has {self.system.observation_space.shape[0]} and {box.shape[0]}"
            )
        self._set_error(action_error)
        limits = getattr(self.system, "limits", None)
        #: The episode terminates where an observation exceeds these in size, ``[obs_dim]``.
        self.limits: FloatArray = np.full(self.law.centre.shape, np.inf) if limits is None else np.asarray(limits)
        nowhere = np.zeros((2, 1))
        with np.errstate(all="ignore"):
            self.step(Vector(Enclosure.coordinates(nowhere, Domain.box(nowhere))))  # an error names what cannot be run

    def _set_error(self, action_error: float) -> None:
        box = self.system.action_space
        self.action_error = float(action_error)
        if not 0 <= self.action_error < np.inf:
            raise NotProvedError(f"action_error is {action_error}; it must be a number that is not negative")
        #: Bound of ``|d|``, ``[act_dim]``.
        self.errors: FloatArray = self.action_error * (box.high - box.low) / 2 * (1 + 1e-12)

    def without_error(self) -> "ClosedLoop":
        """The same without an action error."""
        exact = copy.copy(self)
        exact._set_error(0.0)
        return exact

    def step(self, states: Vector) -> Vector:
        """The enclosures of the next states, for every allowed action error.

        Raises:
            NotProvedError: The equations of the system do not run on enclosures.
        """
        try:
            actions = self.law.enclosed(self.system.observe(states, xp))
            disturbed = Vector(action.widened(float(e)) for action, e in zip(actions, self.errors, strict=True))
            after = self.system.dynamics(states, self.system.bounded(disturbed, xp), Vector(), xp)
        except (TypeError, AttributeError) as error:
            raise NotProvedError(
                f"the equations of {type(self.system).__name__} do not run on enclosures: {error}; write them for the "
                "namespace xp, with the functions that lac.envs.vectors names"
            ) from error
        return Vector(entry if isinstance(entry, Enclosure) else states[0] * 0.0 + entry for entry in after)

    def are_within_limits(self, states: Vector) -> Any:
        """Whether the observations of all states in each box are within the limits, ``[B]``."""
        observations = self.system.observe(states, xp)
        inside = [
            (entry.low >= -limit) & (entry.high <= limit)
            for entry, limit in zip(observations, self.limits, strict=True)
        ]
        return np.logical_and.reduce(inside)

    def simulate(self, states: FloatArray) -> FloatArray:
        """The next states ``[B, 2]`` in float64, without an action error."""
        actions = self.system.bounded(self.law(self.system.observe(states)))
        after: FloatArray = self.system.dynamics(states, actions, np.zeros((len(states), 0)))
        return after

    def have_terminated(self, states: FloatArray) -> Any:
        """Whether each of the states ``[B, 2]`` is outside the limits, ``[B]``."""
        observations = self.system.observe(states)
        return ~(np.isfinite(observations) & (np.abs(observations) <= self.limits)).all(axis=-1)

    def fingerprint(self) -> str:
        """JSON of the class of the system, of its action box and of every number in it: what a proof holds for."""
        names = sorted(name for name in vars(self.system) if not name.startswith("_") and name != "goal_tolerance")
        numbers = {
            name: np.asarray(value).tolist()
            for name in names
            if isinstance(value := vars(self.system)[name], (bool, int, float, np.ndarray))
        }
        kind = type(self.system)
        box = [self.system.action_space.low.tolist(), self.system.action_space.high.tolist()]
        return json.dumps({"class": f"{kind.__module__}.{kind.__qualname__}", "actions": box, **numbers})


def _system(env: Any) -> System:
    system = nominal_system(env)
    if system is None:
        raise NotProvedError(
            f"{env} is no system with dynamics (lac.envs.system.System), or a wrapper may change its observations, "
            "actions or steps; a proof needs its equations"
        )
    if system.state_dim != 2:
        raise NotProvedError(f"{type(system).__name__} has {system.state_dim} states; a proof is for 2")
    if system.draw_noise().size:
        raise NotProvedError(f"{type(system).__name__} has noise, for which there is no proof")
    return system
