import json

import pytest
from omegaconf import OmegaConf

pytest.importorskip("mujoco")

SMALL = [
    "train.epochs=2",
    "train.steps_per_epoch=150",
    "train.update_after=100",
    "train.update_every=50",
    "train.steps_per_update=2",
    "train.batch_size=32",
    "train.num_test_episodes=2",
    "network=small",
    "wandb.mode=disabled",
    "device=cpu",
]


def test_training_on_a_robot_leaves_a_run(train_here, tmp_path):
    end = train_here("env=hopper_cost_corrected", *SMALL, f"hydra.run.dir={tmp_path / 'run'}")
    assert end.status == 0, end.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "finished"
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["env_steps"] for line in lines] == [150, 300]
    # A policy that knows nothing falls, and a fall costs 2 for every step that is left.
    assert lines[-1]["test/death_rate"] == 1.0
    assert lines[-1]["test/cost_mean"] > 2 * (250 - lines[-1]["test/ep_len_mean"])


def test_the_time_limit_of_a_corrected_robot_is_what_falls_are_charged_for(train_here):
    end = train_here("env=ant_cost_corrected", "env.max_episode_steps=120", "--cfg", "job", "--resolve")
    env = OmegaConf.create(end.stdout).env
    assert (env.max_episode_steps, env.kwargs.health_penalty_until) == (120, 120)


def test_a_robot_arm_is_trained_on_flat_observations(train_here, tmp_path):
    pytest.importorskip("gymnasium_robotics")
    end = train_here("env=fetch_reach_cost", *SMALL, f"hydra.run.dir={tmp_path / 'run'}")
    assert end.status == 0, end.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "finished"
