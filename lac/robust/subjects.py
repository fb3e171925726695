"""What is tested: a policy and the environment that it acts in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lac.envs import AnyEnv
from lac.envs.disturbances import DisturbanceError, late_errors
from lac.evaluation.rollouts import Policy
from lac.robust.grids import ATTRIBUTES, Grid, named_as_varied
from lac.settings.rules import is_number

Environments = Callable[[Mapping[str, Any] | None, int], list[AnyEnv]]


@dataclass(frozen=True)
class Subject:
    """A policy under test. Worker processes get a copy by pickle; it holds recipes, not networks.

    Attributes:
        name: What distinguishes it from others of a study, such as the folder of its run.
        method: What it is an instance of: policies of one method differ in their training seed alone.
        seed: Its training seed; None where it has none.
        fingerprint: A text that changes with the policy; results of another one are not kept.
        load: Gives the policy: deterministic actions ``[B, act_dim]`` for observations ``[B, obs_dim]``.
        environments: Gives at most that many environments under a disturbance (None: the nominal one), as
            :func:`lac.envs.wrap_env` makes them.
    """

    name: str
    method: str
    seed: int | None
    fingerprint: str
    load: Callable[[], Policy]
    environments: Environments


def fit_errors(subject: Subject, grids: Sequence[Grid], steps: int | None) -> list[str]:
    """Errors of grids in the environment of a policy, found by building it once in every variant.

    Args:
        subject: The policy under test.
        grids: Grids without errors of their own.
        steps: Length of the episodes; None leaves it to the environment.
    """
    errors: dict[str, None] = {}
    for grid in grids:
        for values in grid.points():
            found = _errors_of_one(subject, grid.disturbance_at(values), steps)
            errors |= dict.fromkeys(named_as_varied(f"disturbance.{error}", grid.vary) for error in found)
    return list(errors)


def _errors_of_one(subject: Subject, disturbance: Mapping[str, Any], steps: int | None) -> list[str]:
    at_step = disturbance.get("at_step")
    if at_step is not None and steps is not None and at_step >= steps:
        return [f"at_step is {at_step}, but steps={steps} ends episodes before it"]
    try:
        envs = subject.environments(disturbance, 1)
    except DisturbanceError as error:
        return error.errors
    errors = late_errors(envs[0]) if steps is None else []
    for env in envs:
        env.close()
    return errors


def nominal_values(subject: Subject, grids: Sequence[Grid]) -> dict[str, float]:
    """The nominal values of the varied keys that are single numbers among the attributes of the environment."""
    env = subject.environments(None, 1)[0]
    keys = {key for grid in grids for key in grid.vary if key.startswith(ATTRIBUTES)}
    values = {key: getattr(env.unwrapped, key.removeprefix(ATTRIBUTES), None) for key in sorted(keys)}
    env.close()
    return {key: float(value) for key, value in values.items() if is_number(value)}
