"""The arguments of lac(...) that reach the algorithm, and refusals."""

import json

import gymnasium
import numpy as np
import pytest
import torch
from api_support import GROUPS, ONE, RATES, UNTRAINED, same, tensors
from gymnasium.spaces import Box

from lac import (
    FiniteHorizonReplayBuffer,
    ReplayBuffer,
    load_agent,
)
from lac.engines import CompiledEngine


@pytest.mark.parametrize("name", ["alpha", "labda"])
def test_arguments_alpha_and_labda(train, name):
    run = train(**{name: 0.125}, **UNTRAINED)
    assert float(getattr(run.agent, name)) == pytest.approx(0.125)
    assert run.rows[0][f"train/{name}"] == pytest.approx(0.125)


def test_argument_alpha3(train):
    runs = [train(alpha3=alpha3, **ONE) for alpha3 in (0.0, 0.5)]
    cost = runs[0].buffer.sample_batch(1)["rew"].item()
    difference = runs[1].rows[0]["train/decrease"] - runs[0].rows[0]["train/decrease"]
    assert cost > 0.0
    assert difference == pytest.approx(0.5 * cost, rel=1e-4)


def test_argument_gamma(train):
    (row,), (other,) = train(gamma=0.0, **ONE).rows, train(gamma=0.9, **ONE).rows
    cost = train(**ONE).buffer.sample_batch(1)["rew"].item()
    assert row["train/critic_loss"] == pytest.approx(0.5 * (row["train/l_mean"] - cost) ** 2, rel=1e-4)
    assert abs(other["train/critic_loss"] / row["train/critic_loss"] - 1.0) > 1e-3


def test_argument_polyak(train):
    initial, kept, copied = train(**UNTRAINED), train(polyak=1.0), train(polyak=0.0)
    assert same(tensors(kept.agent.ac_targ), tensors(initial.agent.ac))
    assert same(tensors(copied.agent.ac_targ), tensors(copied.agent.ac))
    assert not same(tensors(kept.agent.ac), tensors(initial.agent.ac))


@pytest.mark.parametrize("target_entropy", [None, 1.5])
def test_argument_target_entropy(train, target_entropy):
    run = train(target_entropy=target_entropy, alpha=0.5, **ONE)
    (row,) = run.rows
    expected = -3.0 if target_entropy is None else target_entropy
    assert run.agent.target_entropy == expected
    assert row["train/alpha_loss"] == pytest.approx(-0.5 * (-row["train/entropy"] + expected), rel=1e-4)


@pytest.mark.parametrize("adaptive", [True, False])
def test_argument_adaptive_temperature(train, adaptive):
    run = train(adaptive_temperature=adaptive)
    assert (float(run.agent.alpha) != pytest.approx(0.99, abs=1e-7)) == adaptive
    assert run.rows[0]["lr/alpha"] == (1e-4 if adaptive else 0.0)


@pytest.mark.parametrize("name", RATES)
def test_arguments_learning_rates(train, name):
    before, after = tensors(train(**UNTRAINED).agent), tensors(train(**{name: 0.0}).agent)
    still = {key for key in before if torch.equal(before[key], after[key])}
    assert still == {key for key in before if key.startswith((GROUPS[name], f"ac_targ.{GROUPS[name][3:]}"))}


METRIC = {"lr_a": "lr/actor", "lr_c": "lr/critic", "lr_alpha": "lr/alpha", "lr_labda": "lr/labda"}
FAST = {"steps_per_epoch": 10, "update_after": 10, "update_every": 5, "steps_per_update": 1}


@pytest.mark.parametrize("name", RATES)
def test_arguments_final_learning_rates(train, name):
    run = train(epochs=3, **{name: 1e-3, f"{name}_final": 1e-4}, **FAST)
    assert [row[METRIC[name]] for row in run.rows] == pytest.approx([1e-3, 5.5e-4, 1e-4])
    assert run.agent.learning_rates[name] == pytest.approx(1e-4)
    others = [run.agent.learning_rates[other] for other in RATES if other != name]
    assert others == pytest.approx([1e-10] * 3, rel=1e-3)


HALF_WAY = {"linear": 5.05e-4, "exponential": 1e-4, "constant": 1e-3}
ENDS = dict.fromkeys(RATES, 1e-3) | {f"{name}_final": 1e-5 for name in RATES}


@pytest.mark.parametrize("decay_type", HALF_WAY)
def test_argument_lr_decay_type(train, decay_type):
    rows = train(epochs=3, lr_decay_type=decay_type, **ENDS, **FAST).rows
    assert [rows[1][metric] for metric in METRIC.values()] == pytest.approx([HALF_WAY[decay_type]] * 4)


@pytest.mark.parametrize("decay_type", ["exponential", "constant"])
@pytest.mark.parametrize("name", RATES)
def test_arguments_own_decay_types(train, name, decay_type):
    rows = train(epochs=3, **{f"{name}_decay_type": decay_type}, **ENDS, **FAST).rows
    expected = dict.fromkeys(METRIC.values(), HALF_WAY["linear"]) | {METRIC[name]: HALF_WAY[decay_type]}
    assert {metric: rows[1][metric] for metric in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("lr_decay_ref", "expected"),
    # By epoch K = 2; by step K = 3: rounds after steps 10, 15 and 20 of which one falls into the first epoch.
    [("epoch", [1e-3, 1e-5]), ("step", [5.05e-4, 1e-5])],
)
def test_argument_lr_decay_ref(train, lr_decay_ref, expected):
    rows = train(epochs=2, lr_decay_ref=lr_decay_ref, **ENDS, **FAST).rows
    assert [row["lr/actor"] for row in rows] == pytest.approx(expected)


@pytest.mark.parametrize("batch_size", [3, 40])
def test_argument_batch_size(train, monkeypatch, batch_size):
    sizes, update = set(), CompiledEngine.update

    def watched(self, data):
        sizes.update(len(column) for column in data.values())
        return update(self, data)

    monkeypatch.setattr(CompiledEngine, "update", watched)
    train(batch_size=batch_size)
    assert sizes == {batch_size}


@pytest.mark.parametrize("replay_size", [20, 1000])
def test_argument_replay_size(train, replay_size):
    run = train(replay_size=replay_size)
    assert len(run.buffer) == min(replay_size, 60)


@pytest.mark.parametrize("horizon_length", [0, 1, 4])
def test_argument_horizon_length(train, horizon_length):
    run = train(horizon_length=horizon_length, gamma=0.5)
    batch = run.buffer.sample_batch(200)
    assert type(run.buffer) is (FiniteHorizonReplayBuffer if horizon_length else ReplayBuffer)
    assert ("horizon_rew" in batch) == (horizon_length > 0)
    if horizon_length == 1:
        assert torch.equal(batch["horizon_rew"], batch["rew"])
    if horizon_length == 4:
        assert (batch["horizon_rew"] >= batch["rew"]).all()
        assert (batch["horizon_rew"] > batch["rew"]).any()


class Ramp(gymnasium.Env):
    """Step k of an episode costs k; observations are the steps so far. Ends after five steps by itself."""

    observation_space = Box(0.0, 10.0, (1,), np.float64)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.k = 0
        return np.zeros(1), {}

    def step(self, action):
        self.k += 1
        return np.array([float(self.k)]), float(self.k), self.k == 5, False, {}


@pytest.mark.parametrize(
    ("max_ep_len", "windows"),
    [(None, {0: 6.0, 1: 9.0, 2: 12.0, 3: 14.0, 4: 15.0}), (3, {0: 6.0, 1: 8.0, 2: 9.0})],
)
def test_windows_end_with_the_episode_in_which_they_began(train, max_ep_len, windows):
    batch = train(Ramp, horizon_length=3, max_ep_len=max_ep_len).buffer.sample_batch(1000)
    drawn = set(zip(batch["obs"][:, 0].tolist(), batch["horizon_rew"].tolist(), strict=True))
    assert drawn == set(windows.items())


@pytest.mark.parametrize("cost", [-1.0, np.nan, np.inf])
def test_a_cost_that_is_none_is_refused_at_its_step(train, cost):
    class Broken(Ramp):
        def step(self, action):
            obs, _, *rest = super().step(action)
            return obs, cost if self.k == 4 else 1.0, *rest

    with pytest.raises(ValueError, match=rf"step 4 \(environment 0\) gave the cost {cost}"):
        train(Broken)


def test_the_finite_horizon_replaces_the_discounted_target(train):
    runs = [train(horizon_length=3, gamma=gamma) for gamma in (0.1, 0.9)]
    assert same(tensors(runs[0].agent), tensors(runs[1].agent))
    assert not same(tensors(runs[0].agent), tensors(train(gamma=0.9).agent))


def test_argument_seed(train):
    settings = {"start_steps": 10, "num_test_episodes": 1}
    first, again, other = (train(seed=seed, **settings) for seed in (1, 1, 2))
    assert same(tensors(first.agent), tensors(again.agent))
    assert not same(tensors(first.agent), tensors(other.agent))
    assert torch.equal(first.buffer.sample_batch(50)["obs"], again.buffer.sample_batch(50)["obs"])


def test_without_a_seed_one_is_drawn_and_told(train):
    first, second = train(seed=None), train(seed=None)
    assert not same(tensors(first.agent), tensors(second.agent))
    told = json.loads((first.folder / "summary.json").read_text())["seed"]
    assert same(tensors(train(seed=told).agent), tensors(first.agent))


def test_testing_does_not_change_the_training(train):
    runs = [train(epochs=2, num_test_episodes=episodes) for episodes in (0, 3)]
    assert same(tensors(runs[0].agent), tensors(runs[1].agent))


def test_argument_device(train):
    assert train(device="cpu", **UNTRAINED).agent.device == torch.device("cpu")
    with pytest.raises(ValueError, match="device is 'cpuu'"):
        train(device="cpuu")


@pytest.mark.parametrize(("save_freq", "saved"), [(1, [1, 2, 3]), (2, [2]), (5, [])])
def test_argument_save_freq(train, save_freq, saved):
    run = train(epochs=3, save_freq=save_freq, logger_kwargs={"save_checkpoints": True})
    found = {path.name for path in (run.folder / "policy").iterdir() if path.name.startswith("epoch")}
    assert found == {f"epoch-{epoch:04d}.safetensors" for epoch in saved}
    assert same(tensors(load_agent(run.folder)), tensors(run.agent))


def test_argument_start_policy(train):
    trained = train(alpha=0.5)
    for place in (trained.folder, trained.folder / "policy" / "final.safetensors", str(trained.folder)):
        started = train(start_policy=place, seed=9, **UNTRAINED)
        assert same(tensors(started.agent.ac), tensors(trained.agent.ac))
        assert float(started.agent.alpha) == pytest.approx(0.99)
    assert not same(tensors(train(seed=9, **UNTRAINED).agent.ac), tensors(trained.agent.ac))


def test_argument_export(train):
    for export, files in ((False, []), (True, ["manifest.json", "policy.c"])):
        folder = train(export=export, **UNTRAINED).folder
        assert sorted(path.name for path in folder.glob("export/*")) == files


def test_argument_critic_loss(train):
    (row,), run = train(critic_loss="relative", gamma=0.0, **ONE).rows, train(**ONE)
    cost = run.buffer.sample_batch(1)["rew"].item()
    assert row["train/critic_loss"] == pytest.approx(0.5 * (row["train/l_mean"] - cost) ** 2 / (1 + cost), rel=1e-4)


def test_argument_anti_windup(train):
    settings = {"alpha3": 100.0, "lr_labda": 0.1}
    assert train(**settings).rows[0]["train/labda_raw"] > 1.0
    assert train(anti_windup=True, **settings).rows[0]["train/labda_raw"] == 1.0


class Calming(gymnasium.Env):
    """Every episode starts far from 0 and is at 0, without a cost, from its first step on."""

    observation_space = gymnasium.spaces.Box(-10.0, 10.0, (2,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        return np.full(2, 10.0, np.float32), {}

    def step(self, action):
        return np.zeros(2, np.float32), 0.0, False, True, {}


def test_argument_labda_min(train):
    settings = {"labda": 0.5, "lr_labda": 0.1, "gamma": 0.0}
    assert train(Calming, **settings).rows[0]["train/labda"] < 0.4
    assert train(Calming, labda_min=0.4, **settings).rows[0]["train/labda"] == pytest.approx(0.4, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("gamma", 2.0),
        ("batch_size", 1.5),
        ("lr_c_final", -1.0),
        ("seed", -1),
        ("opt_type", "max"),
        ("horizon_length", -2),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_done(train, tmp_path, name, value):
    with pytest.raises(ValueError, match=f"{name} is {value!r}"):
        train(**{name: value})
    assert list(tmp_path.iterdir()) == []
