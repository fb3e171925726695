"""The tests of a trained policy: many resets, and episodes of four times the usual length."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lac.envs import AnyEnv
from lac.envs.time_limits import time_limit
from lac.evaluation.rollouts import FIRST_TEST_SEED, Policy, Rollouts, evaluate, rollout, side_by_side

LONG = 4
"""A long episode has this many times the steps of a usual one: a policy that merely survives is seen there."""
_FEW = 10

Report = dict[str, float]


class FinalTests(NamedTuple):
    """The figures of both tests, as :meth:`Rollouts.summary` gives them, with the number of ``episodes``.

    The long test also has ``steps``, the length of its episodes, and ``cut_short``, the share of those that the
    environment itself ended before without a termination. ``long_failure`` says why there is no long test, if an
    environment fails beyond its usual length.
    """

    usual: Report
    long: Report
    long_failure: str | None = None


def final_tests(policy: Policy, envs: Sequence[AnyEnv], num_episodes: int, with_long: bool = True) -> FinalTests:
    """Test a policy on resets that are the same for every run, and on the same ones for longer.

    Args:
        policy: Actions ``[B, act_dim]`` for observations ``[B, obs_dim]``.
        envs: Test environments. Systems of our own are copied, so that all episodes run as one batch; others take
            their long episodes on ten resets at most, since they would take longer than the training.
        num_episodes: Number of episodes.
        with_long: Whether for longer as well.
    """
    members = side_by_side(envs, num_episodes)
    tested = evaluate(policy, members, num_episodes)
    usual = tested.summary() | {"episodes": num_episodes}
    if not with_long:
        return FinalTests(usual, {})
    num_long = num_episodes if len(members) > len(envs) else min(num_episodes, max(_FEW, len(envs)))
    steps = LONG * _usual_length(tested, envs[0])
    seeds = range(FIRST_TEST_SEED, FIRST_TEST_SEED + num_long)
    try:
        rollouts = rollout(policy, members, seeds, steps, record=0, beyond_limits=True)
    except Exception as error:  # of whatever code of an environment, which was not written for this length
        return FinalTests(usual, {}, f"there is no test of {steps} steps: {type(error).__name__}: {error}")
    long = rollouts.summary() | {"episodes": num_long, "steps": steps, "cut_short": share_cut_short(rollouts, steps)}
    return FinalTests(usual, long)


def _usual_length(tested: Rollouts, env: AnyEnv) -> int:
    """That of the longest episode that no termination has ended; if there is none, the time limit."""
    # The limit counts its own steps, several of which may be one of a wrapper around it.
    lengths = tested.lengths[~tested.terminated]
    return int(lengths.max()) if len(lengths) else time_limit(env) or int(tested.lengths.max())


def share_cut_short(rollouts: Rollouts, steps: int) -> float:
    """The share of episodes that ended before ``steps``, though nothing but the environment's own rule says so."""
    return float(np.mean(~rollouts.terminated & (rollouts.lengths < steps)))
