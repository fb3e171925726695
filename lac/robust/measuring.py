"""The test episodes of one policy in one variant."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lac.evaluation.rollouts import MAX_TEST_ENVS, Policy, Rollouts, rollout
from lac.robust.grids import Variant
from lac.robust.subjects import Subject


class Episode(NamedTuple):
    """What is kept of an episode.

    ``settled`` is None where the environment has no goal set; ``settling_step`` where the episode has not settled.
    """

    reset_seed: int
    cost: float
    length: int
    terminated: bool
    settled: bool | None
    settling_step: int | None


def measure(
    subject: Subject, policy: Policy, variant: Variant, seeds: Sequence[int], steps: int | None
) -> list[Episode]:
    """One episode for each reset seed: the same resets and the same noise for every policy and in every variant.

    Args:
        subject: Whose environments are used.
        policy: Its policy.
        variant: What disturbs them.
        seeds: Reset seeds.
        steps: Length of an episode, also beyond its time limit; None is that limit.
    """
    envs = subject.environments(variant.disturbance, min(len(seeds), MAX_TEST_ENVS))
    try:
        rollouts = rollout(policy, envs, seeds, steps, record=0, beyond_limits=steps is not None)
    finally:
        for env in envs:
            env.close()
    return episodes_of(rollouts, seeds)


def episodes_of(rollouts: Rollouts, seeds: Sequence[int]) -> list[Episode]:
    """What is kept of episodes with these reset seeds."""
    after = rollouts.settling_steps
    is_settled = None if after is None else np.isfinite(after)
    return [
        Episode(
            reset_seed=seed,
            cost=float(cost),
            length=int(rollouts.lengths[i]),
            terminated=bool(rollouts.terminated[i]),
            settled=None if is_settled is None else bool(is_settled[i]),
            settling_step=int(after[i]) if after is not None and np.isfinite(after[i]) else None,
        )
        for i, (seed, cost) in enumerate(zip(seeds, rollouts.total_costs, strict=True))
    ]
