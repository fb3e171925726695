"""The scale of the observations, measured before the first step of a training."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lac.agents.policy_files import read_policy
from lac.envs.checks import are_usable
from lac.envs.factory import AnyVectorEnv
from lac.settings.training import AUTO
from lac.training.plan import TrainingPlan

RANDOM_STEPS = 2000
"""Random steps from which the scale is measured; they are not counted among those of the training."""

_FEWEST_VECTOR_STEPS = 100
"""Of many environments each would take few of those steps, and its scale would be that of the initial states."""

_NARROWEST = 1e-3
"""The smallest scale, as a share of the largest one or of 1: what hardly moves is not blown up."""

_RARE, _FAR = 0.01, 3.0
"""Values are limited to ``_FAR`` times what all but the share ``_RARE`` of them keep: outliers do not set the scale."""


def with_scale(plan: TrainingPlan, envs: AnyVectorEnv, seed: int) -> TrainingPlan:
    """The plan with numbers in the place of ``observation_scale=auto``.

    They are those of the policy that the training starts from, or else the root mean square of each observation over
    random steps. From then on they are constants of the networks, and are saved with every policy.

    Args:
        plan: The plan of the training.
        envs: The environments of the training, which are to be reset afterwards.
        seed: Seed of their reset and of the random actions.
    """
    plan = with_scale_of_start_policy(plan)
    return _with_scale(plan, _measured(envs, seed).tolist()) if _is_auto(plan) else plan


def with_scale_of_start_policy(plan: TrainingPlan) -> TrainingPlan:
    """The plan with the scale of the policy that the training starts from, if it is ``auto`` and there is one."""
    if not _is_auto(plan) or plan.loop.start_policy is None:
        return plan
    ac_kwargs = read_policy(plan.loop.start_policy)[1].get("ac_kwargs")
    # A policy without a description, as the reference implementation saves it, has unscaled observations.
    return _with_scale(plan, ac_kwargs.get("observation_scale") if isinstance(ac_kwargs, Mapping) else None)


def _is_auto(plan: TrainingPlan) -> bool:
    scale = plan.ac_kwargs.get("observation_scale") if isinstance(plan.ac_kwargs, Mapping) else None
    return isinstance(scale, str) and scale == AUTO


def _with_scale(plan: TrainingPlan, scale: object) -> TrainingPlan:
    return replace(plan, ac_kwargs={**plan.ac_kwargs, "observation_scale": scale})


def _measured(envs: AnyVectorEnv, seed: int) -> npt.NDArray[np.float64]:
    """The scales ``[obs_dim]`` of random steps; 1 for what was always 0, or never usable."""
    envs.action_space.seed(seed)
    observations = [envs.reset(seed=seed)[0]]
    for _ in range(max(math.ceil(RANDOM_STEPS / envs.num_envs), _FEWEST_VECTOR_STEPS)):
        observations.append(envs.step(envs.action_space.sample())[0])
    rows = np.concatenate(observations).astype(np.float64)
    return _scale(rows[[are_usable(row) for row in rows]])  # what is not is the matter of the training


def _scale(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The root mean square of each column without its outliers; 1 for a column of zeros."""
    sizes = np.abs(rows)
    scale = np.ones(rows.shape[1])
    for column, size in enumerate(sizes.T):
        moved = size[size > np.finfo(np.float32).tiny]
        if len(moved) > 0:
            limit = _FAR * np.quantile(moved, 1.0 - _RARE)
            scale[column] = np.sqrt(np.mean(np.minimum(size, limit) ** 2))
    # A column of zeros has no part in what is narrow.
    widest = max(scale[(sizes > 0).any(axis=0)], default=1.0)
    return np.maximum(scale, _NARROWEST * min(widest, 1.0))
