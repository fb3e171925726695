"""SAC against Stable-Baselines3 on Pendulum-v1, with equal settings; an hour on one core, so only with ``-m slow``.

As a script it trains the seeds it is given with both and prints what they reach:

    python tests/runs/test_sac_peer.py 0 1
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from lac import sac

SEEDS = range(5)
STEPS, START, SIZES, BATCH, RATE = 10_000, 100, [256, 256], 256, 3e-4
TEST_SEEDS = range(10_000, 10_020)


def pendulum() -> gymnasium.Env:
    return gymnasium.make("Pendulum-v1")


def mean_return(act: Callable[[np.ndarray], np.ndarray]) -> float:
    """Mean return of 20 episodes from fixed resets."""
    env, returns = pendulum(), []
    for seed in TEST_SEEDS:
        obs, _ = env.reset(seed=seed)
        returns.append(0.0)
        truncated = False
        while not truncated:
            obs, reward, _, truncated, _ = env.step(act(obs))
            returns[-1] += float(reward)
    return float(np.mean(returns))


def ours(seed: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        agent, _ = sac(
            pendulum,
            opt_type="maximize",
            # The critics of Stable-Baselines3 read actions scaled to (-1, 1), too.
            ac_kwargs={"hidden_sizes": SIZES, "normalise_actions": True},
            epochs=1,
            steps_per_epoch=STEPS,
            start_steps=START,
            update_after=START,
            update_every=1,
            steps_per_update=1,
            num_test_episodes=0,
            alpha=1.0,
            gamma=0.99,
            polyak=0.995,
            lr_a=RATE,
            lr_c=RATE,
            lr_alpha=RATE,
            lr_decay_type="constant",
            batch_size=BATCH,
            seed=seed,
            logger_kwargs={"output_dir": Path(folder) / "run", "quiet": True},
        )
    return mean_return(lambda obs: agent.get_action(obs, deterministic=True))


def theirs(seed: int) -> float:
    from stable_baselines3 import SAC  # noqa: PLC0415 (needed by this comparison alone)

    model = SAC(
        "MlpPolicy",
        pendulum(),
        learning_rate=RATE,
        learning_starts=START,
        batch_size=BATCH,
        tau=0.005,
        gamma=0.99,
        train_freq=1,
        gradient_steps=1,
        policy_kwargs={"net_arch": SIZES},
        seed=seed,
        device="cpu",
    )
    model.learn(STEPS)
    return mean_return(lambda obs: model.predict(obs, deterministic=True)[0])


@pytest.mark.slow
def test_sac_learns_as_stable_baselines3_does() -> None:
    pytest.importorskip("stable_baselines3", reason="pip install stable-baselines3")
    returns = {name: [run(seed) for seed in SEEDS] for name, run in (("ours", ours), ("theirs", theirs))}
    (mean, spread), (peer_mean, peer_spread) = ((np.mean(r), np.std(r, ddof=1)) for r in returns.values())
    assert abs(mean - peer_mean) <= max(spread, peer_spread), returns
    # Doing nothing gives about -1200, a solved pendulum about -150.
    assert mean > -250, returns


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    for number in map(int, sys.argv[1:]):
        print(f"seed {number}: ours {ours(number):.1f}, Stable-Baselines3 {theirs(number):.1f}", flush=True)
