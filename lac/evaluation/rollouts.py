"""Test episodes of a policy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import OrderEnforcing, TimeLimit

from lac.envs import AnyEnv
from lac.envs.system import System

FloatArray = npt.NDArray[np.float64]
Policy = Callable[[npt.NDArray[np.floating]], npt.NDArray[np.floating]]

FIRST_TEST_SEED = 2**31
"""Test episodes start from resets with this seed and the following ones, in every run and at every epoch:
what differs between two tests is the policy. Training seeds are usually small numbers."""


@dataclass(frozen=True)
class Episodes:
    """What happened in a number of episodes, one entry for each.

    Attributes:
        costs: Sum of the costs.
        lengths: Number of steps.
        died: Whether it was terminated, which is a failure in the cost environments; a time limit is not.
    """

    costs: FloatArray
    lengths: npt.NDArray[np.int64]
    died: npt.NDArray[np.bool_]

    def summary(self) -> dict[str, float]:
        """Mean, spread and range of the cost, mean length and death rate."""
        return {
            "cost_mean": float(self.costs.mean()),
            "cost_std": float(self.costs.std()),
            "cost_min": float(self.costs.min()),
            "cost_max": float(self.costs.max()),
            "ep_len_mean": float(self.lengths.mean()),
            "death_rate": float(self.died.mean()),
        }


def evaluate(policy: Policy, envs: Sequence[AnyEnv], num_episodes: int, first_seed: int = FIRST_TEST_SEED) -> Episodes:
    """Run episodes from fixed resets.

    Episodes run side by side in the environments given, so that the policy acts on all of them at once. Equal systems
    of ours with nothing but a time limit around them take their steps at once, too.

    Args:
        policy: Actions ``[B, act_dim]`` for observations ``[B, obs_dim]``.
        envs: Prepared environments with a time limit; at least one.
        num_episodes: Number of episodes.
        first_seed: Episode i starts from ``reset(seed=first_seed + i)``.
    """
    costs, lengths, died = np.zeros(num_episodes), np.zeros(num_episodes, np.int64), np.zeros(num_episodes, np.bool_)
    run = _run_at_once if _can_run_at_once(envs) else _run_side_by_side
    for start in range(0, num_episodes, len(envs)):
        group = slice(start, min(start + len(envs), num_episodes))
        seeds = range(first_seed + group.start, first_seed + group.stop)
        observations = np.stack([env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=False)])
        run(policy, envs[: len(seeds)], observations, Episodes(costs[group], lengths[group], died[group]))
    return Episodes(costs, lengths, died)


def _run_side_by_side(
    policy: Policy, envs: Sequence[AnyEnv], observations: npt.NDArray[np.floating], episodes: Episodes
) -> None:
    """Run one episode in each environment to its end; what happens is added to ``episodes``."""
    running = list(range(len(envs)))
    while running:
        actions = policy(observations[running])
        still_running = []
        for i, action in zip(running, actions, strict=True):
            observations[i], cost, terminated, truncated, _ = envs[i].step(action)
            episodes.costs[i] += float(cost)
            episodes.lengths[i] += 1
            episodes.died[i] = terminated
            if not (terminated or truncated):
                still_running.append(i)
        running = still_running


def _run_at_once(
    policy: Policy, envs: Sequence[AnyEnv], observations: npt.NDArray[np.floating], episodes: Episodes
) -> None:
    """The same for equal systems, which take each step as a batch."""
    systems = [cast(System, env.unwrapped) for env in envs]
    states = np.stack([system.get_state()["state"] for system in systems])
    running = np.arange(len(systems))
    for _ in range(_time_limit(envs[0])):
        noise = np.stack([systems[i].draw_noise() for i in running])
        states, step_costs, terminated = systems[0].step_batch(states, policy(observations), noise)
        episodes.costs[running] += step_costs
        episodes.lengths[running] += 1
        episodes.died[running] = terminated
        running, states = running[~terminated], states[~terminated]
        if len(running) == 0:
            break
        observations = systems[0].observe(states)


def _can_run_at_once(envs: Sequence[AnyEnv]) -> bool:
    """Whether one batched step stands for a step of each: equal systems, and a time limit that is all around them."""
    first = envs[0].unwrapped
    return isinstance(first, System) and all(
        _time_limit(env) == _time_limit(envs[0]) > 0 and first.has_dynamics_of(env.unwrapped) for env in envs
    )


def _time_limit(env: AnyEnv) -> int:
    """The steps of an episode; 0 if something else than time limits is around the environment, or none is."""
    limits = []
    while type(env) in {OrderEnforcing, TimeLimit}:
        if isinstance(env, TimeLimit):
            limits.append(env._max_episode_steps)
        env = cast(gymnasium.Wrapper, env).env
    return min(limits, default=0) if env is env.unwrapped else 0


@dataclass(frozen=True)
class Trajectory:
    """One episode, step by step; the reset is the first row of the two signals.

    Attributes:
        costs: Cost of each step, ``[T]``.
        states: State of interest, ``[T + 1, n]``.
        references: What it is to follow, ``[T + 1, n]``.
    """

    costs: FloatArray
    states: FloatArray
    references: FloatArray


def run_episode(policy: Policy, env: AnyEnv, seed: int) -> Trajectory | None:
    """One episode with the signals that an environment tells in ``info``; None if it tells none."""
    obs, info = env.reset(seed=seed)
    if not {"reference", "state_of_interest"} <= info.keys():
        return None
    costs: list[float] = []
    infos, ended = [info], False
    while not ended:
        obs, cost, terminated, truncated, info = env.step(policy(obs[None])[0])
        ended = terminated or truncated
        costs.append(float(cost))
        infos.append(info)
    states, references = (np.stack([np.ravel(i[name]) for i in infos]) for name in ("state_of_interest", "reference"))
    return Trajectory(np.array(costs), states, references)
