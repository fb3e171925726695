"""Environments that do not fit are refused before a run; one that goes wrong later ends it, and tells where."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import lac
from lac.engines import CompiledEngine

FAULTY = [
    "env=gym",
    "env.id=faulty_env:Faulty-v0",
    "tuned=none",
    "hydra.run.dir=run",
    "network=small",
    "train.epochs=3",
    "train.steps_per_epoch=50",
    "train.update_after=20",
    "train.update_every=20",
    "train.steps_per_update=1",
    "train.num_test_episodes=0",
    "wandb.mode=disabled",
]


@pytest.fixture
def train_faulty(train_here, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return lambda *arguments: train_here(*FAULTY, *arguments)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("discrete", ["action space", "Discrete(3)", "continuous"]),
        ("unbounded", ["action space", "inf", "bounded"]),
        ("negative", ["step()", "cost -3.0", "algo.opt_type", "env.reward_max"]),
        ("nan_cost", ["step()", "cost nan", "finite"]),
        ("no_number", ["step()", "cost None", "number"]),
        ("nan_entry", ["step()", "observation [0.5 nan]", "finite"]),
        ("infinite", ["step()", "observation [inf 0.5]", "finite"]),
        ("shape", ["step()", "shape (1,)", "observation_space", "(2,)"]),
        ("dtype", ["dtype float32", "observation_space", "int64"]),
    ],
)
def test_environment_that_does_not_fit_is_refused(train_faulty, tmp_path, fault, told):
    end = train_faulty(f"env.kwargs.fault={fault}")
    assert end.status == 2
    assert "env.id=faulty_env:Faulty-v0 cannot be used" in end.stderr
    assert [word for word in told if word not in end.stderr] == []
    assert "Traceback" not in end.stderr
    assert not (tmp_path / "run" / "summary.json").exists()


def test_nan_in_the_first_observation_is_refused(train_faulty):
    end = train_faulty("env.kwargs.reset_at=1")
    assert end.status == 2
    assert "reset() gave the observation [ 0. nan]" in end.stderr


def test_environment_without_a_fault_is_taken(train_faulty):
    assert train_faulty("train.epochs=1").status == 0


@pytest.mark.parametrize(
    ("env_id", "told"),
    [
        ("no_such_package:Own-v0", ["no_such_package:Own-v0", "No module named 'no_such_package'", "PYTHONPATH"]),
        ("faulty_env:Faulti-v0", ["faulty_env:Faulti-v0", "not registered", "Faulty-v0"]),
    ],
)
def test_environment_that_cannot_be_found_is_refused(train_faulty, env_id, told):
    end = train_faulty(f"env.id={env_id}")
    assert end.status == 2
    assert [word for word in told if word not in end.stderr] == []


NAN, INFINITE = [0.5, np.nan], [np.inf, 0.5]


@pytest.mark.parametrize(
    ("fault", "column", "value", "at", "num_envs"),
    [
        ("nan_entry", "obs_next", NAN, 65, 1),
        ("nan_entry", "obs_next", NAN, 65, 2),
        ("nan_entry", "obs_next", NAN, 80, 1),  # the last step of an episode
        ("nan_entry", "obs_next", NAN, 80, 2),
        ("infinite", "obs_next", INFINITE, 65, 1),
        ("nan_cost", "cost", np.nan, 65, 2),
        ("negative", "cost", -3.0, 65, 1),
    ],
)
def test_offending_transition_ends_the_run(train_faulty, tmp_path, fault, column, value, at, num_envs):
    end = train_faulty(f"env.kwargs.fault={fault}", f"env.kwargs.at={at // num_envs}", f"env.num_envs={num_envs}")
    assert end.status == 1
    run = tmp_path / "run"
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "failed"
    step = at // num_envs * num_envs - num_envs + 1  # of the first environment
    assert f"step {step} (environment 0) gave the " in summary["error"]
    told = json.loads((run / "offending_transition.json").read_text())
    assert (told["env_steps"], told["env_index"]) == (step, 0)
    np.testing.assert_array_equal(told[column], value)
    assert told["obs"] == [0.0, 0.0]
    assert len(told["act"]) == 1
    for text in (end.stdout, end.stderr, (run / "train.log").read_text()):
        assert "run/offending_transition.json" in text
    assert all(weights.isfinite().all() for weights in load_file(run / "policy" / "final.safetensors").values())
    lac.load_agent(run)


@pytest.mark.parametrize("num_envs", [1, 2])
def test_nan_after_a_reset_ends_the_run(train_faulty, tmp_path, num_envs):
    end = train_faulty("env.kwargs.reset_at=4", f"env.num_envs={num_envs}")
    assert end.status == 1
    told = json.loads((tmp_path / "run" / "offending_transition.json").read_text())
    assert told == {"env_steps": 60 * num_envs, "env_index": 0, "obs": pytest.approx([0.0, np.nan], nan_ok=True)}
    assert f"the reset after step {60 * num_envs} (environment 0) gave the observation" in end.stderr


def test_weights_that_are_not_finite_end_the_run_and_the_last_good_policy_is_kept(train_faulty, tmp_path, monkeypatch):
    rounds = []
    update = CompiledEngine.update

    def poisoned(engine, batch):
        diagnostics = update(engine, batch)
        rounds.append(1)
        if len(rounds) == 4:  # after 80 steps, in the second epoch
            with torch.no_grad():
                engine._agent.ac.pi.mu_layer.weight[0, 0] = np.nan
        return diagnostics

    monkeypatch.setattr(CompiledEngine, "update", poisoned)
    end = train_faulty()
    assert end.status == 1
    run = tmp_path / "run"
    assert "weights are not finite after 80 steps" in end.stderr
    assert json.loads((run / "summary.json").read_text())["final"]["env_steps"] == 50
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 1
    assert all(weights.isfinite().all() for weights in load_file(run / "policy" / "final.safetensors").values())
    assert not (run / "offending_transition.json").exists()


def test_number_of_environments_is_checked_on_the_command_line(train_faulty):
    end = train_faulty("env.num_envs=0")
    assert end.status == 2
    assert "env.num_envs is 0; it must be a whole number of at least 1" in end.stderr
