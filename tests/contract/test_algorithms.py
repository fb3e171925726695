"""LATC and SAC as classes and as training functions: what they share with LAC, and what is their own."""

import copy
import inspect
import json
import math
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from api_support import SMALL, SPACES, OwnActorCritic, a_batch, oscillator, same, tensors

from lac import (
    LAC,
    LATC,
    SAC,
    LyapunovActorCritic,
    LyapunovActorTwinCritic,
    SoftActorCritic,
    latc,
    load_agent,
    sac,
)

AGENTS = {"latc": LATC, "sac": SAC}
FUNCTIONS = {"latc": latc, "sac": sac}
names = pytest.mark.parametrize("name", AGENTS)


def an_agent(agent_class, seed=0, **kwargs):
    torch.manual_seed(seed)
    return agent_class(SPACES, **{"ac_kwargs": SMALL} | kwargs)


# Classes ---------------------------------------------------------------------------------------------


def test_each_algorithm_has_its_actor_critic():
    assert type(LAC(SPACES).ac) is LyapunovActorCritic
    assert type(LATC(SPACES).ac) is LyapunovActorTwinCritic
    assert type(SAC(SPACES).ac) is SoftActorCritic


def test_nothing_of_the_lyapunov_function_is_in_sac():
    agent = an_agent(SAC)
    assert not [name for name in dir(agent) if "labda" in name or "alpha3" in name or "decrease" in name]
    assert not [name for name in agent.state_dict() if "labda" in name]
    assert set(agent.multipliers()) == {"alpha"}
    assert set(agent.learning_rates) == {"lr_a", "lr_c", "lr_alpha"}


@names
def test_update_moves_everything_and_tells_its_diagnostics(name):
    agent = an_agent(AGENTS[name])
    before = tensors(agent)
    told = agent.update(a_batch())
    after = tensors(agent)
    assert [key for key in before if torch.equal(before[key], after[key])] == []
    assert all(math.isfinite(float(value)) for value in told.values())


def test_learning_rates_of_sac():
    agent = an_agent(SAC)
    agent._set_learning_rates(0.1, 0.2, 0.3)
    assert agent.learning_rates == {"lr_a": 0.1, "lr_c": 0.2, "lr_alpha": 0.3}
    agent.bound_lr(0.2, 0.1, None)
    assert agent.learning_rates == {"lr_a": 0.2, "lr_c": 0.2, "lr_alpha": 0.3}


@pytest.mark.parametrize(
    ("agent_class", "actor_critic", "missing"),
    [(LATC, LyapunovActorCritic, "L and L2"), (SAC, LyapunovActorCritic, "Q1"), (LAC, SoftActorCritic, "L")],
)
def test_an_actor_critic_without_the_critics_is_refused(agent_class, actor_critic, missing):
    with pytest.raises(ValueError, match=f"{actor_critic.__name__} has no critic {missing}, which"):
        agent_class(SPACES, actor_critic=actor_critic, ac_kwargs=SMALL)


@pytest.mark.parametrize(("agent_class", "critics"), [(LATC, ("L", "L2")), (SAC, ("Q1", "Q2")), (SAC, ("Q1",))])
def test_an_actor_critic_of_a_user_learns(agent_class, critics):
    agent = an_agent(agent_class, actor_critic=OwnActorCritic, ac_kwargs={"critics": critics})
    before = tensors(agent)
    agent.update(a_batch())
    after = tensors(agent)
    assert [key for key in before if torch.equal(before[key], after[key])] == []


@names
def test_a_copy_stands_on_its_own(name):
    agent = an_agent(AGENTS[name])
    twin = copy.deepcopy(agent)
    for one in (twin, agent):
        torch.manual_seed(3)
        one.update(a_batch())
    assert same(tensors(agent), tensors(twin))


# To disk and back ------------------------------------------------------------------------------------


@names
def test_save_restore_and_load_agent(name, tmp_path):
    agent, other = an_agent(AGENTS[name], alpha=0.5), an_agent(AGENTS[name], seed=1)
    agent.update(a_batch())
    agent.save(tmp_path)
    other.restore(tmp_path)
    assert same(tensors(other.ac), tensors(agent.ac))
    assert float(other.alpha) == pytest.approx(0.99)
    other.restore(tmp_path, restore_lagrance_multipliers=True)
    loaded = load_agent(tmp_path)
    assert type(loaded) is AGENTS[name]
    obs = np.random.default_rng(0).normal(size=(4, 3))
    for one in (other, loaded):
        assert same(tensors(one), tensors(agent))
        np.testing.assert_array_equal(one.get_action(obs, True), agent.get_action(obs, True))


@pytest.mark.parametrize("source", [LAC, LATC, SAC])
@pytest.mark.parametrize("target", [LAC, LATC, SAC])
def test_weights_of_another_algorithm_are_refused(source, target, tmp_path):
    # LAC with twin critics has the shapes of LATC, and is refused by its name.
    given = an_agent(source, 1, **({"actor_critic": LyapunovActorTwinCritic} if source is LAC else {}))
    agent = an_agent(target, **({"actor_critic": LyapunovActorTwinCritic} if target is LAC else {}))
    given.save(tmp_path)
    if source is target:
        agent.restore(tmp_path, True)
        assert same(tensors(agent), tensors(given))
        return
    before = tensors(agent)
    for load in (lambda: agent.load_state_dict(given.state_dict()), lambda: agent.restore(tmp_path)):
        with pytest.raises(ValueError, match=f"of {source.__name__}, this agent is {target.__name__}"):
            load()
    assert same(before, tensors(agent))


# Training --------------------------------------------------------------------------------------------


@names
def test_a_run_of_the_function(name, train):
    run = train(function=FUNCTIONS[name], num_test_episodes=1)
    assert type(run.agent) is AGENTS[name]
    (row,) = run.rows
    assert row["updates"] == 6
    assert {f"train/{quantity}" for quantity in AGENTS[name].DIAGNOSTICS} <= row.keys()
    assert all(math.isfinite(value) for key, value in row.items() if value is not None)
    assert {key for key, value in row.items() if value is None} <= {"train/ep_len_mean", "test/settling_steps"}
    assert any("labda" in key for key in row) == (name == "latc")
    assert same(tensors(load_agent(run.folder)), tensors(run.agent))


def test_latc_trains_as_lac_with_the_twin_critic(train):
    twins, other = train(function=latc), train(actor_critic=LyapunovActorTwinCritic)
    assert same(tensors(twins.agent), tensors(other.agent))


@names
def test_the_function_takes_its_arguments_in_order(name, tmp_path):
    folder = tmp_path / "run"
    arguments = list(inspect.signature(FUNCTIONS[name]).parameters)
    values = {"epochs": 1, "steps_per_epoch": 3, "num_test_episodes": 0}
    first = [values.get(a, inspect.signature(FUNCTIONS[name]).parameters[a].default) for a in arguments[1:12]]
    agent, _ = FUNCTIONS[name](oscillator, *first, logger_kwargs={"output_dir": folder, "quiet": True}, seed=0)
    assert type(agent) is AGENTS[name]
    assert json.loads((folder / "metrics.jsonl").read_text())["env_steps"] == 3


@pytest.mark.parametrize("horizon", [{"horizon_length": 5}, {"alpha3": 0.1}, {"labda": 1.0}])
def test_sac_refuses_what_it_has_not(horizon, train):
    with pytest.raises(TypeError, match=next(iter(horizon))):
        train(function=sac, **horizon)


def test_sac_is_trained_on_rewards(train):
    run = train(
        lambda: gymnasium.make("Pendulum-v1"),
        function=sac,
        opt_type="maximize",
        steps_per_epoch=400,
        update_after=100,
        update_every=1,
        steps_per_update=1,
        num_test_episodes=1,
    )
    (row,) = run.rows
    assert row["updates"] == 301
    assert row["test/ep_len_mean"] == 200
    # Costs from 0 to 16.3 a step, of which the critic has learned something.
    assert 0 < row["test/cost_mean"] < 3260
    assert float(run.agent.update(run.buffer.sample_batch(200))["q_mean"]) > 0.5


COMMAND = ["env=oscillator", "tuned=none", "device=cpu", "wandb.mode=disabled", "train.num_test_episodes=1", "seed=0"]
LOOP = {"epochs": 1, "steps_per_epoch": 120, "update_after": 60, "update_every": 20, "steps_per_update": 2}


@names
def test_python_and_the_command_line_give_equal_weights(name, train_here, train, tmp_path):
    sizes = ["network.hidden_sizes.actor=[8,8]", "network.hidden_sizes.critic=[8,8]"]
    loop = [f"train.{key}={value}" for key, value in (LOOP | {"batch_size": 16}).items()]
    end = train_here(f"algo={name}", *COMMAND, *sizes, *loop, "hydra.run.dir=command")
    assert end.status == 0, end.stderr
    python = train(function=FUNCTIONS[name], num_test_episodes=1, **LOOP)
    command = load_agent(Path("command"))
    assert type(command) is AGENTS[name]
    assert same(tensors(command), tensors(python.agent))
    (row,) = map(json.loads, Path("command/metrics.jsonl").read_text().splitlines())
    assert row.keys() == python.rows[0].keys()

    again = train_here("--config-dir", "command", "--config-name", "config", "hydra.run.dir=again")
    assert again.status == 0, again.stderr
    assert same(tensors(load_agent(Path("again"))), tensors(command))


def test_a_sweep_over_algorithms(train_here, tmp_path):
    loop = [f"train.{key}={value}" for key, value in LOOP.items()]
    end = train_here("-m", "algo=lac,sac", "network=small", *COMMAND, *loop, "hydra.sweep.dir=sweep")
    assert end.status == 0, end.stderr
    rows = [json.loads(path.read_text()) for path in sorted((tmp_path / "sweep").glob("*/metrics.jsonl"))]
    assert ["train/labda" in row for row in rows] == [True, False]
    assert len(list((tmp_path / "sweep").glob("*/learning_curve.png"))) == 2


def test_start_policy_of_another_algorithm_is_refused(train_here, tmp_path):
    an_agent(LATC).save(tmp_path / "twins")
    end = train_here("algo=sac", f"train.start_policy={tmp_path / 'twins'}", *COMMAND)
    assert end.status == 2
    assert "train.start_policy is a policy of LATC; choose it with algo=latc" in end.stderr
