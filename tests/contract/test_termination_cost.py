"""The termination cost from both doors, and what it is for: living where dying is cheaper."""

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from api_support import same, tensors
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit

from lac import lac, latc, load_agent, sac


class WayOut(gymnasium.Env):
    """Each step costs 1; a positive action ends the episode, which costs 2.

    With the discount 0.9 living for ever costs 1 / (1 - 0.9) = 10, and the cheapest policy leaves at once. Staying
    for ever at the cost of leaving would cost 2 / (1 - 0.9) = 20.
    """

    observation_space = Box(0.0, 1.0, (1,))
    action_space = Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        return np.ones(1, np.float32), {}

    def step(self, action):
        leaves = bool(action[0] > 0)
        return np.ones(1, np.float32), 2.0 if leaves else 1.0, leaves, False, {}


def learned(train, function, termination_cost):
    """A run of 1200 steps; the first epoch is that of the untrained policy, which leaves after two steps or so."""
    return train(
        lambda: TimeLimit(WayOut(), 20),
        function,
        termination_cost=termination_cost,
        gamma=0.9,
        epochs=6,
        steps_per_epoch=200,
        update_after=200,
        update_every=20,
        steps_per_update=20,
        batch_size=64,
        num_test_episodes=1,
        alpha=0.05,
        lr_a=3e-3,
        lr_c=1e-2,
        lr_alpha=1e-3,
        ac_kwargs={"hidden_sizes": [16, 16]},
    )


def warnings_in(run):
    """The warnings in the summary of a run, each of which is in its log when it arises and at the end."""
    found = json.loads((run.folder / "summary.json").read_text()).get("warnings", [])
    log = (run.folder / "train.log").read_text()
    assert all(log.count(text) == 2 for text in found)
    return found


def test_without_it_the_policy_ends_its_episodes_and_the_run_says_so_once(train):
    run = learned(train, lac, None)
    row = run.rows[-1]
    assert (row["test/death_rate"], row["test/ep_len_mean"], row["test/cost_mean"]) == (1.0, 1.0, 2.0)
    (warning,) = warnings_in(run)
    assert "env.termination_cost" in warning


@pytest.mark.parametrize(
    ("function", "termination_cost"), [(lac, "absorbing"), (lac, 20), (latc, "absorbing"), (sac, "absorbing")]
)
def test_with_it_the_policy_lives(train, function, termination_cost):
    run = learned(train, function, termination_cost)
    row = run.rows[-1]
    assert (row["test/death_rate"], row["test/ep_len_mean"], row["test/cost_mean"]) == (0.0, 20.0, 20.0)
    assert warnings_in(run) == []
    # The untrained policy's episodes, at the environment's own cost: one of L steps costs L + 1.
    assert run.rows[0]["train/cost_mean"] == pytest.approx(run.rows[0]["train/ep_len_mean"] + 1)


def test_staying_for_ever_without_a_discount_is_refused(train):
    with pytest.raises(
        ValueError, match=r"^termination_cost is absorbing, which is infinite with gamma=1\.0; give a num"
    ):
        train(termination_cost="absorbing", gamma=1.0)
    train(termination_cost="absorbing", gamma=1.0, horizon_length=2)


LOOP = {"epochs": 1, "steps_per_epoch": 120, "update_after": 60, "update_every": 20, "steps_per_update": 2}


@pytest.mark.parametrize(("given", "horizon"), [("absorbing", 0), (40, 5)])
def test_python_and_the_command_line_give_equal_weights(given, horizon, train_here, train, tmp_path):
    settings = {"horizon_length": horizon, "num_test_episodes": 1, **LOOP}
    loop = [f"train.{key}={value}" for key, value in (LOOP | {"batch_size": 16, "num_test_episodes": 1}).items()]
    sizes = ["network.hidden_sizes.actor=[8,8]", "network.hidden_sizes.critic=[8,8]"]
    words = ["env=two_link", "tuned=none", "device=cpu", "wandb.mode=disabled", "seed=0", *sizes, *loop]
    end = train_here(f"algo.horizon_length={horizon}", f"env.termination_cost={given}", *words, "hydra.run.dir=run")
    assert end.status == 0, end.stderr
    python = train(lambda: gymnasium.make("lac/TwoLink-v1"), termination_cost=given, **settings)
    without = train(lambda: gymnasium.make("lac/TwoLink-v1"), **settings)
    assert same(tensors(load_agent(Path("run"))), tensors(python.agent))
    assert not same(tensors(without.agent), tensors(python.agent))
    (row,) = map(json.loads, Path("run/metrics.jsonl").read_text().splitlines())
    assert row["train/cost_mean"] == python.rows[0]["train/cost_mean"]
