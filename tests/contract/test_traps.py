"""The traps of the field: what is broken in the reference implementation."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from api_support import RATES, SMALL, SPACES, UNTRAINED, Rewarded, a_batch, an_agent, oscillator, same, tensors
from torch import nn

from lac import (
    LAC,
    FiniteHorizonReplayBuffer,
    LyapunovActorTwinCritic,
)
from lac.envs import wrap_env

# The traps of the field, numbered as in the specification --------------------------------------------


def test_trap_1_restore_finds_what_save_wrote(tmp_path):
    for path in (tmp_path / "run", tmp_path / "file.safetensors", tmp_path / "file.pt"):
        source, target = an_agent(0), an_agent(1)
        source.save(path)
        target.restore(path)
        assert same(tensors(source.ac), tensors(target.ac))


@pytest.mark.parametrize("lr_decay_ref", ["epoch", "step"])
def test_trap_2_a_fixed_temperature_can_be_trained_with(train, lr_decay_ref):
    run = train(epochs=2, adaptive_temperature=False, alpha=0.5, lr_decay_ref=lr_decay_ref)
    assert float(run.agent.alpha) == pytest.approx(0.5, abs=1e-7)
    assert run.rows[1]["updates"] == 12
    run.agent.bound_lr(1e-2, 1e-2, 1e-2, 1e-2)
    run.agent._set_learning_rates(1e-2, 1e-2, 1e-2, 1e-2)
    assert run.agent.learning_rates == {"lr_a": 1e-2, "lr_c": 1e-2, "lr_labda": 1e-2}


def test_trap_3_a_run_without_test_episodes(train):
    run = train(num_test_episodes=0, epochs=2)
    assert len(run.rows) == 2
    assert not any(name.startswith("test/") for name in run.rows[0])


def test_trap_4_maximize_works_or_is_refused_at_once(train):
    env = Rewarded(oscillator())
    assert isinstance(LAC(env, ac_kwargs=SMALL, opt_type="maximize"), LAC)
    with pytest.raises(ValueError, match=r"env\.reward_max"):
        LAC(oscillator(), ac_kwargs=SMALL, opt_type="maximize")
    with pytest.raises(ValueError, match=r"env\.reward_max"):
        train(opt_type="maximize", **UNTRAINED)
    with pytest.raises(ValueError, match="opt_type is 'maximise'"):
        LAC(env, ac_kwargs=SMALL, opt_type="maximise")


def test_trap_4_sums_of_rewards_are_refused_where_costs_are_needed():
    agent = an_agent(env=SimpleNamespace(**vars(SPACES), reward_max=1.0), opt_type="maximize")
    batch = a_batch()
    with pytest.raises(ValueError, match="horizon_rew"):
        agent.update(batch | {"horizon_rew": batch["rew"]})


def test_trap_5_the_running_episode_is_not_handed_out_with_a_wrong_sum():
    buffer = FiniteHorizonReplayBuffer(1, 1, size=6, horizon_length=3, seed=0)
    for step in range(40):
        obs = np.array([float(step)])
        # Costs grow with time: a sum from before wrap-around, or none yet, is smaller than the row's own cost.
        buffer.store(obs, obs, float(step), obs + 1, False)
        if len(buffer):
            batch = buffer.sample_batch(64)
            expected = 3 * batch["obs"][:, 0] + 3
            assert torch.equal(batch["horizon_rew"], expected)
            assert batch["obs"].max() <= step - 2


def test_trap_6_the_dict_of_the_caller_stays_as_it_is():
    agent, state = an_agent(0, alpha=0.5, labda=0.5), an_agent(1).state_dict()
    keys, copied = list(state), {name: copy.copy(value) for name, value in state.items()}
    for multipliers in (False, True):
        agent.load_state_dict(state, restore_lagrance_multipliers=multipliers)
        assert list(state) == keys
        assert all(
            torch.equal(state[k], v) if isinstance(v, torch.Tensor) else state[k] == v for k, v in copied.items()
        )
    with pytest.raises((RuntimeError, ValueError)):
        an_agent(actor_critic=LyapunovActorTwinCritic).load_state_dict(state)
    assert list(state) == keys
    assert "agent.log_alpha" in agent.state_dict(prefix="agent.")


DEVICES = ["meta", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["alpha", "labda"])
def test_trap_7_a_multiplier_stays_on_its_device(device, name):
    # Without a GPU the meta device stands for one that is not the CPU.
    agent = an_agent().to(device)
    parameter = getattr(agent, f"log_{name}")
    setattr(agent, name, 0.5)
    assert getattr(agent, f"log_{name}") is parameter
    assert parameter.device.type == device
    assert isinstance(parameter, nn.Parameter)


DECAY_ARGUMENTS = ["lr_decay_type", *(f"{name}_decay_type" for name in RATES), "lr_decay_ref"]


@pytest.mark.parametrize("name", DECAY_ARGUMENTS)
def test_trap_8_an_invalid_decay_type_is_refused(train, tmp_path, name):
    with pytest.raises(ValueError, match=f"{name} is 'cosine'"):
        train(**{name: "cosine"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("attribute", ["K", "a", "gamma", "beta", "c", "b", "delta", "reference_amplitude"])
def test_trap_9_parameters_on_the_unwrapped_environment_change_the_system(attribute):
    after = []
    for factor in (None, 1.5):
        env = wrap_env(oscillator(), max_ep_len=10)
        env.reset(seed=0)
        if factor is not None:
            nominal = getattr(env.unwrapped, attribute)
            setattr(env.unwrapped, attribute, 0.5 if attribute == "delta" else factor * nominal)
        after.append(env.step(np.full(3, 0.5))[0])
    assert not np.allclose(after[0], after[1], rtol=1e-6)
