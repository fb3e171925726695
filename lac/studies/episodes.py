"""Test episodes of a policy from Python: :func:`rollout` and :func:`evaluate`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lac.envs import AnyEnv
from lac.envs.disturbances import late_errors
from lac.evaluation.rollouts import FIRST_TEST_SEED, MAX_TEST_ENVS, Policy, Rollouts, deterministic, side_by_side
from lac.evaluation.rollouts import rollout as run_episodes
from lac.robust.grids import disturbance_errors
from lac.runs import Run, load
from lac.runs.environments import at_most
from lac.settings.rules import COUNT, FROM_ZERO, OPTIONAL_COUNT, Choice, raise_if_any, raise_if_wrong
from lac.studies.arguments import acting, made, raise_if_other_opt_type

load_run = load


def rollout(
    policy: Any,
    env_fn: Callable[[], AnyEnv] | None = None,
    episodes: int = 10,
    steps: int | None = None,
    first_seed: int = FIRST_TEST_SEED,
    disturbance: Mapping[str, Any] | None = None,
    opt_type: str = "minimize",
) -> Rollouts:
    """Episodes of a deterministic policy, recorded step by step.

    Args:
        policy: A trained agent, a controller, any function from observations ``[B, obs_dim]`` to actions, or a run or
            its folder.
        env_fn: Makes a copy of the environment; None is that of the run, with its costs or rewards.
        episodes: Number of episodes.
        steps: Length of an episode, also beyond its time limit; None is that limit.
        first_seed: Seed of the first reset; the others follow it. The default are the resets of every test.
        disturbance: ``kind`` and its arguments, as ``{"kind": "impulse", "magnitude": 5, "at_step": 100}``.
        opt_type: Whether ``env_fn`` gives costs (``minimize``) or rewards (``maximize``).

    Returns:
        Costs, lengths, observations, actions, states and signals; ``summary()`` has their figures.

    Raises:
        ValueError: An argument is wrong.
    """
    return _episodes(policy, env_fn, episodes, steps, first_seed, disturbance, opt_type, None)


def evaluate(
    policy: Any,
    env_fn: Callable[[], AnyEnv] | None = None,
    episodes: int = 100,
    steps: int | None = None,
    first_seed: int = FIRST_TEST_SEED,
    disturbance: Mapping[str, Any] | None = None,
    opt_type: str = "minimize",
) -> dict[str, float]:
    """Cost, length, early terminations and settling of a deterministic policy over test episodes.

    The arguments are those of :func:`rollout`, the figures those of ``evaluate.py`` on the same resets.
    """
    return _episodes(policy, env_fn, episodes, steps, first_seed, disturbance, opt_type, 0).summary()


def _episodes(
    policy: Any,
    env_fn: Callable[[], AnyEnv] | None,
    episodes: int,
    steps: int | None,
    first_seed: int,
    disturbance: Mapping[str, Any] | None,
    opt_type: str,
    record: int | None,
) -> Rollouts:
    raise_if_wrong(
        episodes=(episodes, COUNT),
        steps=(steps, OPTIONAL_COUNT),
        first_seed=(first_seed, FROM_ZERO),
        opt_type=(opt_type, Choice(("minimize", "maximize"))),
    )
    if disturbance is not None:
        raise_if_any(disturbance_errors(disturbance))
    act, envs = _closed_loop(policy, env_fn, disturbance, opt_type, min(episodes, MAX_TEST_ENVS))
    try:
        if steps is not None:
            raise_if_any(late_errors(envs[0], steps))
        members = side_by_side(envs, episodes)
        seeds = range(first_seed, first_seed + episodes)
        return run_episodes(act, members, seeds, steps, record, beyond_limits=steps is not None)
    finally:
        for env in envs:
            env.close()


def _closed_loop(
    policy: Any,
    env_fn: Callable[[], AnyEnv] | None,
    disturbance: Mapping[str, Any] | None,
    opt_type: str,
    number: int,
) -> tuple[Policy, Sequence[AnyEnv]]:
    if isinstance(policy, (str, Path, Run)):
        run = policy if isinstance(policy, Run) else load(policy)
        if env_fn is None:
            raise_if_other_opt_type(run, opt_type)
            agent, envs = run.closed_loop("final", disturbance, number)
            return deterministic(agent), envs
        policy = run.policy("final")
    act, factory = acting(policy, env_fn)
    return act, at_most(number, partial(made, factory, opt_type, disturbance))
