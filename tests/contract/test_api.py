"""The Python API against its specification: signatures, members, arguments, and the traps of the field."""

import copy
import inspect
import json
import math
import pickle
from pathlib import Path
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from omegaconf import OmegaConf
from torch import nn

from lac import (
    LAC,
    FiniteHorizonReplayBuffer,
    LyapunovActorCritic,
    LyapunovActorTwinCritic,
    ReplayBuffer,
    lac,
    load_agent,
)
from lac.devices import torch_device
from lac.envs import prepare

CONF = Path(__file__).parents[2] / "conf"
SMALL = {"hidden_sizes": {"actor": [8, 8], "critic": [8, 8]}}
SPACES = SimpleNamespace(
    observation_space=Box(-np.inf, np.inf, (3,), np.float64),
    action_space=Box(np.array([-0.1, 2.0]), np.array([0.7, 5.0]), dtype=np.float64),
)
RATES = ("lr_a", "lr_c", "lr_alpha", "lr_labda")


def an_agent(seed=0, env=SPACES, **kwargs):
    torch.manual_seed(seed)
    return LAC(env, **{"ac_kwargs": SMALL} | kwargs)


def a_batch(seed=0, size=16):
    generator = torch.Generator().manual_seed(seed)
    return {
        "obs": torch.randn(size, 3, generator=generator),
        "act": torch.rand(size, 2, generator=generator),
        "obs_next": torch.randn(size, 3, generator=generator),
        "rew": torch.rand(size, generator=generator),
        "done": (torch.rand(size, generator=generator) < 0.2).float(),
    }


def tensors(module):
    return {name: value.clone() for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}


def same(one, other):
    return set(one) == set(other) and all(torch.equal(value, other[name]) for name, value in one.items())


# Signatures ------------------------------------------------------------------------------------------

AC_KWARGS = {
    "hidden_sizes": {"actor": [256, 256], "critic": [256, 256]},
    "activation": nn.ReLU,
    "output_activation": {"actor": nn.ReLU},
}
ALGORITHM = {
    "alpha": 0.99,
    "alpha3": 0.2,
    "labda": 0.99,
    "gamma": 0.99,
    "polyak": 0.995,
    "target_entropy": None,
    "adaptive_temperature": True,
    "lr_a": 1e-4,
    "lr_c": 3e-4,
    "lr_alpha": 1e-4,
    "lr_labda": 3e-4,
}
NO_DEFAULT = inspect.Parameter.empty
LAC_SIGNATURE = {
    "env": NO_DEFAULT,
    "actor_critic": None,
    "ac_kwargs": AC_KWARGS,
    "opt_type": "minimize",
    **ALGORITHM,
    "device": "cpu",
}
FUNCTION_SIGNATURE = {
    "env_fn": NO_DEFAULT,
    "actor_critic": None,
    "ac_kwargs": AC_KWARGS,
    "opt_type": "minimize",
    "max_ep_len": None,
    "epochs": 100,
    "steps_per_epoch": 2048,
    "start_steps": 0,
    "update_every": 100,
    "update_after": 1000,
    "steps_per_update": 100,
    "num_test_episodes": 10,
    **ALGORITHM,
    "lr_a_final": 1e-10,
    "lr_c_final": 1e-10,
    "lr_alpha_final": 1e-10,
    "lr_labda_final": 1e-10,
    "lr_decay_type": "linear",
    "lr_a_decay_type": None,
    "lr_c_decay_type": None,
    "lr_alpha_decay_type": None,
    "lr_labda_decay_type": None,
    "lr_decay_ref": "epoch",
    "batch_size": 256,
    "replay_size": 1_000_000,
    "horizon_length": 0,
    "seed": None,
    "device": "cpu",
    "logger_kwargs": {},
    "save_freq": 1,
    "start_policy": None,
    "export": False,
}


def defaults(function):
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


@pytest.mark.parametrize(("function", "contract"), [(LAC, LAC_SIGNATURE), (lac, FUNCTION_SIGNATURE)])
def test_names_order_and_defaults_are_the_contract(function, contract):
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    extra = [p for p in parameters if p.kind is not p.POSITIONAL_OR_KEYWORD]
    assert [p.name for p in positional] == list(contract)
    for parameter in positional:
        # The default of ac_kwargs is a read-only mapping.
        default = dict(parameter.default) if parameter.name == "ac_kwargs" else parameter.default
        assert default == contract[parameter.name], parameter.name
        assert type(default) is type(contract[parameter.name]), parameter.name
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not NO_DEFAULT for p in extra)


def test_what_both_take_beyond_the_contract_has_the_same_defaults():
    extra = {p.name: p.default for p in inspect.signature(LAC).parameters.values() if p.kind is p.KEYWORD_ONLY}
    of_function = {p.name: p.default for p in inspect.signature(lac).parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert extra == of_function


@pytest.mark.parametrize(
    ("method", "names"),
    [
        (LAC.forward, ["self", "s", "deterministic"]),
        (LAC.get_action, ["self", "s", "deterministic"]),
        (LAC.update, ["self", "data"]),
        (LAC.save, ["self", "path"]),
        (LAC.restore, ["self", "path", "restore_lagrance_multipliers"]),
        (LAC.load_state_dict, ["self", "state_dict", "restore_lagrance_multipliers"]),
        (LAC.bound_lr, ["self", "lr_a_final", "lr_c_final", "lr_alpha_final", "lr_labda_final"]),
        (LAC._set_learning_rates, ["self", *RATES]),
        (LAC._update_targets, ["self"]),
    ],
)
def test_names_and_order_of_the_methods(method, names):
    assert list(inspect.signature(method).parameters)[: len(names)] == names


@pytest.mark.parametrize(
    ("method", "argument", "default"),
    [
        (LAC.forward, "deterministic", False),
        (LAC.get_action, "deterministic", False),
        (LAC.restore, "restore_lagrance_multipliers", False),
        (LAC.load_state_dict, "restore_lagrance_multipliers", True),
    ],
)
def test_defaults_of_the_methods(method, argument, default):
    assert defaults(method)[argument] is default


def test_the_config_of_the_algorithm_holds_the_defaults_of_the_api():
    values = OmegaConf.to_container(OmegaConf.load(CONF / "algo" / "lac.yaml"))
    assert values.pop("name") == "lac"
    assert values.keys() >= ALGORITHM.keys()
    assert values == {name: (defaults(LAC) | defaults(lac))[name] for name in values}


def test_the_config_of_the_training_holds_the_defaults_of_the_api():
    config = OmegaConf.to_container(OmegaConf.load(CONF / "train.yaml"))
    train, in_api = config["train"], defaults(lac)
    assert train.keys() >= {"epochs", "steps_per_epoch", "update_every", "batch_size", "save_freq", "export"}
    assert train == {name: in_api[name] for name in train}
    decay = OmegaConf.to_container(OmegaConf.load(CONF / "lr_schedule" / "linear.yaml"))
    schedule = {f"lr_{k}" if k.startswith("decay") else k: v for k, v in (config["lr_schedule"] | decay).items()}
    assert schedule == {
        name: in_api[name] for name in in_api if name.endswith(("_final", "_type", "_decay_ref")) and name != "opt_type"
    }


# Members: networks, multipliers, device --------------------------------------------------------------


def test_the_target_starts_as_a_copy_without_gradients():
    agent = an_agent()
    assert same(tensors(agent.ac), tensors(agent.ac_targ))
    assert not any(p.requires_grad for p in agent.ac_targ.parameters())
    assert all(p.requires_grad for p in agent.ac.parameters())
    memory = {p.data_ptr() for p in agent.ac.parameters()}
    assert memory.isdisjoint(p.data_ptr() for p in agent.ac_targ.parameters())


def test_the_default_actor_critic():
    assert type(LAC(SPACES).ac) is LyapunovActorCritic


def test_the_multipliers_are_logarithms():
    agent = an_agent(alpha=0.5, labda=0.25)
    assert isinstance(agent.log_alpha, nn.Parameter)
    assert isinstance(agent.log_labda, nn.Parameter)
    assert agent.log_alpha.item() == pytest.approx(math.log(0.5))
    assert agent.log_labda.item() == pytest.approx(math.log(0.25))
    assert float(agent.alpha) == pytest.approx(0.5)
    assert float(agent.labda) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("alpha", 0.3, 0.3),
        ("alpha", 7.0, 7.0),
        ("alpha", 0.0, 0.0),
        ("alpha", -1.0, 0.0),
        ("labda", 0.3, 0.3),
        ("labda", 0.0, 0.0),
        ("labda", -1.0, 0.0),
        ("labda", 7.0, 1.0),
    ],
)
def test_multipliers_are_set_in_place_and_bounded(name, given, taken):
    agent = an_agent()
    parameter = getattr(agent, f"log_{name}")
    memory = parameter.data_ptr()
    setattr(agent, name, given)
    assert float(getattr(agent, name)) == pytest.approx(taken, rel=1e-6, abs=1e-30)
    assert getattr(agent, f"log_{name}") is parameter
    assert parameter.data_ptr() == memory
    assert math.isfinite(parameter.item())


def test_a_multiplier_is_trained_from_where_it_was_set():
    agent = an_agent(lr_alpha=1e-3, lr_labda=1e-3)
    agent.alpha, agent.labda = 0.3, 0.4
    agent.update(a_batch())
    # The first step of Adam is one learning rate long.
    assert abs(agent.log_alpha.item() - math.log(0.3)) == pytest.approx(1e-3, rel=0.01)
    assert abs(agent.log_labda.item() - math.log(0.4)) == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize("name", ["alpha", "labda"])
def test_a_multiplier_cannot_be_nan(name):
    with pytest.raises(ValueError, match="NaN"):
        setattr(an_agent(), name, math.nan)


def test_labda_is_bounded_whatever_its_logarithm():
    agent = an_agent()
    with torch.no_grad():
        agent.log_labda.fill_(2.0)
    assert float(agent.labda) == 1.0


def test_target_entropy_is_minus_the_action_dimension_and_read_only():
    agent = an_agent()
    assert agent.target_entropy == -2.0
    assert an_agent(target_entropy=-0.5).target_entropy == -0.5
    with pytest.raises(AttributeError):
        agent.target_entropy = 1.0


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("cpu", "cpu"),
        ("gpu", "cuda"),
        ("gpu:0", "cuda:0"),
        ("gpu:1", "cuda:1"),
        ("cuda", "cuda"),
        ("cuda:0", "cuda:0"),
        ("auto", "cuda"),
    ],
)
def test_device_names_where_there_are_gpus(monkeypatch, name, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert torch_device(name) == torch.device(device)
    with pytest.raises(ValueError, match="device is 'gpu:2'"):
        torch_device("gpu:2")


def test_device_names_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert an_agent(device="auto").device == an_agent(device="cpu").device == torch.device("cpu")
    for name in ("gpu", "gpu:0", "cuda", "cuda:0"):
        with pytest.raises(ValueError, match=f"device is '{name}'"):
            an_agent(device=name)


@pytest.mark.parametrize("name", ["gpuu", "cpu:0", "cuda:x", "cuda:-1", "tpu", ""])
def test_other_device_names_are_refused(name):
    with pytest.raises(ValueError, match="device is"):
        an_agent(device=name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("opt_type", "minimise"),
        ("alpha", -1.0),
        ("alpha3", -0.1),
        ("labda", 1.5),
        ("gamma", 1.1),
        ("polyak", -0.1),
        ("lr_a", -1.0),
    ],
)
def test_a_setting_out_of_its_range_is_refused_at_construction(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value!r}"):
        an_agent(**{name: value})


# Members: acting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ELU], ids=["kernels", "torch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_actions_for_one_observation_and_for_a_batch(activation, dtype):
    low, high = np.array([-0.1, 2.0], dtype), np.array([0.7, 5.0], dtype)
    spaces = SimpleNamespace(observation_space=SPACES.observation_space, action_space=Box(low, high, dtype=dtype))
    agent = an_agent(env=spaces, ac_kwargs=SMALL | {"activation": activation})
    obs = np.random.default_rng(0).normal(size=(5, 3))
    one, batch = agent.get_action(obs[0], deterministic=True), agent.get_action(obs, deterministic=True)
    assert isinstance(one, np.ndarray)
    assert one.shape == (2,)
    assert batch.shape == (5, 2)
    assert one.dtype == batch.dtype == dtype
    np.testing.assert_allclose(one, batch[0], rtol=1e-5)
    expected = agent.ac.pi.deterministic(torch.as_tensor(obs, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(batch, expected, rtol=1e-5, atol=1e-6)
    assert spaces.action_space.contains(one)
    assert agent.get_action(obs).shape == (5, 2)
    assert agent.get_action(obs[0].tolist()).shape == (2,)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ELU], ids=["kernels", "torch"])
def test_only_the_deterministic_action_repeats_itself(activation):
    agent, obs = an_agent(ac_kwargs=SMALL | {"activation": activation}), np.ones(3)
    np.testing.assert_array_equal(agent.get_action(obs, deterministic=True), agent.get_action(obs, deterministic=True))
    assert not np.array_equal(agent.get_action(obs), agent.get_action(obs))
    torch.manual_seed(3)
    first = agent.get_action(np.ones((4, 3)))
    torch.manual_seed(3)
    np.testing.assert_array_equal(first, agent.get_action(np.ones((4, 3))))
    assert len(np.unique(first, axis=0)) == 4


def test_forward_is_get_action():
    agent, obs = an_agent(), np.ones((4, 3))
    np.testing.assert_array_equal(agent(obs, deterministic=True), agent.get_action(obs, deterministic=True))
    torch.manual_seed(3)
    sampled = agent(obs)
    torch.manual_seed(3)
    np.testing.assert_array_equal(sampled, agent.get_action(obs))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ELU], ids=["kernels", "torch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [-60.0, 60.0])
def test_actions_stay_in_the_bounds_to_the_last_bit(activation, dtype, bias):
    # 0.7 and -0.1 are no float32 numbers: what comes out of the networks has to be cut.
    space = Box(np.array([-0.1, 2.0], dtype), np.array([0.7, 5.1], dtype), dtype=dtype)
    agent = an_agent(
        env=SimpleNamespace(observation_space=SPACES.observation_space, action_space=space),
        ac_kwargs=SMALL | {"activation": activation},
    )
    with torch.no_grad():
        agent.ac.pi.mu_layer.bias.fill_(bias)
    for deterministic in (True, False):
        action = agent.get_action(np.zeros(3), deterministic=deterministic)
        assert space.contains(action)
        np.testing.assert_allclose(action, space.high if bias > 0 else space.low, rtol=1e-6)


# Members: update and learning rates ------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [False, True])
def test_update_moves_everything_and_tells_its_diagnostics(horizon):
    agent = an_agent()
    before, batch = tensors(agent), a_batch()
    told = agent.update(batch | ({"horizon_rew": batch["rew"] * 3} if horizon else {}))
    after = tensors(agent)
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    assert told.keys() >= {"critic_loss", "actor_loss", "alpha_loss", "labda_loss", "decrease", "entropy"}
    assert all(math.isfinite(float(value)) for value in told.values())


def test_update_targets_is_the_polyak_average():
    agent = an_agent(polyak=0.75)
    with torch.no_grad():
        for p in agent.ac.parameters():
            p.fill_(2.0)
        for p in agent.ac_targ.parameters():
            p.fill_(1.0)
    agent._update_targets()
    assert all(torch.equal(p, torch.full_like(p, 1.25)) for p in agent.ac_targ.parameters())
    assert all(torch.equal(p, torch.full_like(p, 2.0)) for p in agent.ac.parameters())


GROUPS = {"lr_a": "ac.pi.", "lr_c": "ac.L.", "lr_alpha": "log_alpha", "lr_labda": "log_labda"}


@pytest.mark.parametrize("name", RATES)
def test_set_learning_rates_sets_the_one_it_names(name):
    agent = an_agent()
    agent._set_learning_rates(**{name: 0.0})
    before = tensors(agent)
    agent.update(a_batch())
    after = tensors(agent)
    still = {key for key in before if torch.equal(before[key], after[key])}
    assert still == {key for key in before if key.startswith((GROUPS[name], f"ac_targ.{GROUPS[name][3:]}"))}


def test_set_learning_rates_takes_its_arguments_in_order():
    agent = an_agent()
    agent._set_learning_rates(0.1, 0.2, 0.3, 0.4)
    assert agent.learning_rates == {"lr_a": 0.1, "lr_c": 0.2, "lr_alpha": 0.3, "lr_labda": 0.4}


def test_bound_lr_raises_what_lies_below_and_leaves_the_rest():
    agent = an_agent(lr_a=1e-3, lr_c=1e-6, lr_alpha=1e-6, lr_labda=1e-3)
    agent.bound_lr(1e-4, 1e-4, 1e-5, 1e-5)
    assert agent.learning_rates == {"lr_a": 1e-3, "lr_c": 1e-4, "lr_alpha": 1e-5, "lr_labda": 1e-3}


# Members: state dicts --------------------------------------------------------------------------------


def test_the_state_dict_holds_networks_multipliers_and_the_name():
    agent = an_agent(actor_critic=LyapunovActorTwinCritic)
    state = agent.state_dict()
    assert state.pop("alg_name") == "LAC"
    networks = {f"{module}.{name}" for module in ("ac", "ac_targ") for name in agent.ac.state_dict()}
    assert set(state) == networks | {"log_alpha", "log_labda"}


def test_a_state_dict_can_be_loaded():
    source, target = an_agent(0, alpha=0.5, labda=0.5), an_agent(1)
    assert not same(tensors(source), tensors(target))
    target.load_state_dict(source.state_dict())
    assert same(tensors(source), tensors(target))


def test_loading_leaves_the_multipliers_where_asked():
    source, target = an_agent(0, alpha=0.5, labda=0.5), an_agent(1)
    target.load_state_dict(source.state_dict(), restore_lagrance_multipliers=False)
    assert same(tensors(source.ac), tensors(target.ac))
    assert same(tensors(source.ac_targ), tensors(target.ac_targ))
    assert float(target.alpha) == pytest.approx(0.99)
    assert float(target.labda) == pytest.approx(0.99)


def test_loaded_weights_are_what_acts_and_what_is_trained():
    source, target = an_agent(0), an_agent(1)
    target.load_state_dict(source.state_dict())
    obs = np.ones(3)
    np.testing.assert_array_equal(source.get_action(obs, True), target.get_action(obs, True))
    for agent in (source, target):
        torch.manual_seed(3)
        agent.update(a_batch())
    assert same(tensors(source), tensors(target))


def test_state_dict_takes_the_arguments_of_a_module():
    agent, destination = an_agent(), {"before": 1}
    returned = agent.state_dict(destination=destination, prefix="agent.", keep_vars=True)
    assert returned is destination
    assert destination.pop("before") == 1
    assert set(destination) == {f"agent.{name}" for name in agent.state_dict()}
    assert destination["agent.log_alpha"] is agent.log_alpha
    assert not agent.state_dict()["log_alpha"].requires_grad


class Parent(nn.Module):
    def __init__(self, agent):
        super().__init__()
        self.agent, self.head = agent, nn.Linear(2, 2)


def test_an_agent_can_be_a_part_of_a_module():
    source, target = Parent(an_agent(0, alpha=0.5)), Parent(an_agent(1))
    state = source.state_dict()
    assert state["agent.alg_name"] == "LAC"
    result = target.load_state_dict(state)
    assert result.missing_keys == result.unexpected_keys == []
    assert same(tensors(source), tensors(target))
    np.testing.assert_array_equal(source.agent(np.ones(3), True), target.agent(np.ones(3), True))


def test_a_module_refuses_a_part_of_another_algorithm():
    source, target = Parent(an_agent(0)), Parent(an_agent(1))
    state = source.state_dict()
    state["agent.alg_name"] = "SAC"
    with pytest.raises(RuntimeError, match="SAC"):
        target.load_state_dict(state)


def test_the_parts_of_a_module_move_with_it():
    parent = Parent(an_agent())
    parent.to(torch.float64)
    assert parent.agent.get_action(np.ones(3), True).shape == (2,)


FOREIGN = {
    "algorithm": lambda: an_agent(1).state_dict() | {"alg_name": "SAC"},
    "shape": lambda: an_agent(1, ac_kwargs={"hidden_sizes": {"actor": [8, 8], "critic": [8, 9]}}).state_dict(),
    "depth": lambda: an_agent(1, ac_kwargs={"hidden_sizes": {"actor": [8, 8], "critic": [8, 8, 8]}}).state_dict(),
    "twins": lambda: an_agent(1, actor_critic=LyapunovActorTwinCritic).state_dict(),
    "part": lambda: {name: value for name, value in an_agent(1).state_dict().items() if "L." not in name},
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("multipliers", [True, False])
def test_a_foreign_state_dict_is_refused_and_nothing_is_loaded(kind, multipliers):
    agent = an_agent(0)
    before = tensors(agent)
    with pytest.raises((RuntimeError, ValueError), match=r"SAC|ac\.L"):
        agent.load_state_dict(FOREIGN[kind](), multipliers)
    assert same(before, tensors(agent))


def test_a_single_critic_does_not_fit_twins():
    twins = an_agent(0, actor_critic=LyapunovActorTwinCritic)
    with pytest.raises((RuntimeError, ValueError), match=r"ac\.L2.*missing"):
        twins.load_state_dict(an_agent(1).state_dict())


def test_what_is_missing_can_be_passed_over():
    agent, state = an_agent(0), FOREIGN["part"]()
    critic = tensors(agent.ac.L)
    result = agent.load_state_dict(state, strict=False)
    assert same(tensors(agent.ac.pi), {k.removeprefix("ac.pi."): v for k, v in state.items() if k.startswith("ac.pi.")})
    assert same(tensors(agent.ac.L), critic)
    assert set(result.missing_keys) == {f"{m}.L.{name}" for m in ("ac", "ac_targ") for name in critic}


@pytest.mark.parametrize("wrap", [lambda agent: agent, Parent], ids=["alone", "in a module"])
def test_assigned_tensors_are_what_acts_and_what_is_trained(wrap):
    source, target = an_agent(0), an_agent(1)
    # Copies, so that the two agents do not share their weights afterwards.
    wrap(target).load_state_dict(copy.deepcopy(wrap(source).state_dict()), assign=True)
    np.testing.assert_array_equal(source.get_action(np.ones(3), True), target.get_action(np.ones(3), True))
    assert not any(p.requires_grad for p in target.ac_targ.parameters())
    for agent in (source, target):
        torch.manual_seed(3)
        agent.update(a_batch())
    assert same(tensors(source), tensors(target))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda agent: pickle.loads(pickle.dumps(agent))], ids=["copy", "pickle"]
)
def test_a_copy_of_an_agent_stands_on_its_own(copied):
    agent = an_agent()
    agent.update(a_batch())
    twin = copied(agent)
    before = tensors(agent)
    for one in (twin, agent):
        torch.manual_seed(3)
        for seed in (1, 2):
            one.update(a_batch(seed))
        if one is twin:
            assert same(before, tensors(agent)), "training the copy moved the original"
    assert same(tensors(agent), tensors(twin))
    np.testing.assert_array_equal(agent.get_action(np.ones(3), True), twin.get_action(np.ones(3), True))


# Members: save, restore, load_agent, export ----------------------------------------------------------


@pytest.mark.parametrize("path", ["policy.safetensors", "run", "deep/run"])
@pytest.mark.parametrize("as_text", [False, True])
def test_restore_takes_the_path_that_save_took(tmp_path, path, as_text):
    source, target = an_agent(0, alpha=0.5, labda=0.5), an_agent(1)
    given = str(tmp_path / path) if as_text else tmp_path / path
    written = source.save(given)
    assert written.is_file()
    for place in (given, written):
        target = an_agent(1)
        target.restore(place, restore_lagrance_multipliers=True)
        assert same(tensors(source), tensors(target))


@pytest.mark.parametrize(
    ("flag", "alpha", "labda"), [({}, 0.99, 0.98), ({"restore_lagrance_multipliers": True}, 0.5, 0.25)]
)
def test_restore_keeps_or_takes_the_multipliers(tmp_path, flag, alpha, labda):
    an_agent(0, alpha=0.5, labda=0.25).save(tmp_path)
    target = an_agent(1, alpha=0.99, labda=0.98)
    target.restore(tmp_path, **flag)
    assert float(target.alpha) == pytest.approx(alpha)
    assert float(target.labda) == pytest.approx(labda)
    assert same(tensors(target.ac), tensors(an_agent(0).ac))


def test_saving_again_replaces(tmp_path):
    agent = an_agent()
    agent.save(tmp_path)
    agent.update(a_batch())
    agent.save(tmp_path)
    target = an_agent(1)
    target.restore(tmp_path, True)
    assert same(tensors(agent), tensors(target))


def test_restore_of_what_is_not_there_or_does_not_fit(tmp_path):
    agent = an_agent()
    before = tensors(agent)
    with pytest.raises(FileNotFoundError):
        agent.restore(tmp_path / "nothing")
    (tmp_path / "garbage.safetensors").write_bytes(b"garbage")
    with pytest.raises(ValueError, match="not a policy"):
        agent.restore(tmp_path / "garbage.safetensors")
    an_agent(1, actor_critic=LyapunovActorTwinCritic).save(tmp_path / "twins")
    with pytest.raises(ValueError, match=r"ac\.L2"):
        agent.restore(tmp_path / "twins")
    assert same(before, tensors(agent))


def test_a_state_dict_of_the_reference_implementation_can_be_restored(tmp_path):
    source, target = an_agent(0), an_agent(1)
    torch.save(dict(source.state_dict()), tmp_path / "model_state.pt")
    target.restore(tmp_path / "model_state.pt")
    assert same(tensors(source.ac), tensors(target.ac))


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"actor_critic": LyapunovActorTwinCritic},
        {
            "ac_kwargs": SMALL
            | {
                "activation": {"actor": nn.Tanh, "critic": nn.ELU},
                "output_activation": nn.Identity,
                "observation_scale": [1.0, 2.0, 3.0],
                "normalise_actions": True,
            }
        },
    ],
    ids=["plain", "twins", "settings"],
)
def test_load_agent_builds_it_again_without_its_environment(tmp_path, kwargs):
    agent = an_agent(alpha=0.5, labda=0.25, **kwargs)
    agent.update(a_batch())
    agent.save(tmp_path)
    loaded, obs, act = load_agent(tmp_path), torch.randn(6, 3), torch.rand(6, 2)
    assert type(loaded) is LAC
    assert same(tensors(agent), tensors(loaded))
    action = loaded.get_action(obs.numpy(), deterministic=True)
    np.testing.assert_allclose(action, agent.get_action(obs.numpy(), deterministic=True), rtol=1e-6)
    assert action.dtype == np.float64
    torch.testing.assert_close(agent.ac.L(obs, act), loaded.ac.L(obs, act))


def test_load_agent_refuses_what_it_cannot_build(tmp_path):
    an_agent(actor_critic=OwnActorCritic, ac_kwargs={}).save(tmp_path / "own")
    with pytest.raises(ValueError, match="OwnActorCritic"):
        load_agent(tmp_path / "own")
    torch.save({"weight": torch.zeros(2), "alg_name": "LAC"}, tmp_path / "reference.pt")
    with pytest.raises(ValueError, match="restore"):
        load_agent(tmp_path / "reference.pt")
    with pytest.raises(FileNotFoundError):
        load_agent(tmp_path / "nothing")


def test_export_says_that_it_comes_later(tmp_path):
    with pytest.raises(NotImplementedError, match="later release"):
        an_agent().export(tmp_path)


# Actor-critics of users ------------------------------------------------------------------------------


class OwnPolicy(nn.Module):
    def __init__(self, obs_dim, act_dim):
        super().__init__()
        self.mean = nn.Linear(obs_dim, act_dim)
        self.log_std = nn.Parameter(torch.zeros(act_dim))

    def forward(self, obs):
        gaussian = torch.distributions.Normal(self.mean(obs), self.log_std.exp())
        sample = gaussian.rsample()
        return sample, gaussian.log_prob(sample).sum(dim=-1)


class OwnCritic(nn.Module):
    def __init__(self, obs_dim, act_dim):
        super().__init__()
        self.root = nn.Linear(obs_dim + act_dim, 4)

    def forward(self, obs, act):
        return self.root(torch.cat([obs, act], dim=-1)).square().sum(dim=-1)


class OwnActorCritic(nn.Module):
    """What a user may write; its ``act`` knows no ``deterministic``."""

    def __init__(self, observation_space, action_space, critics=("L",)):
        super().__init__()
        dims = observation_space.shape[0], action_space.shape[0]
        self.pi = OwnPolicy(*dims)
        for name in critics:
            self.add_module(name, OwnCritic(*dims))

    def act(self, obs):
        with torch.no_grad():
            return self.pi(obs)[0].numpy()


class OwnDeterministicActorCritic(OwnActorCritic):
    def act(self, obs, deterministic=False):
        # Tensors and arrays are both taken; so are actions outside the box, which are cut.
        with torch.no_grad():
            return self.pi.mean(obs) * 1e6 if deterministic else self.pi(obs)[0]


@pytest.mark.parametrize("cls", [OwnActorCritic, OwnDeterministicActorCritic])
@pytest.mark.parametrize("critics", [("L",), ("L", "L2")], ids=["single", "twin"])
def test_an_actor_critic_of_a_user_learns_acts_and_is_saved(tmp_path, cls, critics):
    agent = an_agent(actor_critic=cls, ac_kwargs={"critics": critics})
    before = tensors(agent)
    agent.update(a_batch())
    after = tensors(agent)
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    for deterministic in (False, True):
        for obs in (np.ones(3), np.ones((5, 3))):
            action = agent.get_action(obs, deterministic)
            assert action.shape == (*obs.shape[:-1], 2)
            assert all(SPACES.action_space.contains(row) for row in np.atleast_2d(action))
    agent.save(tmp_path)
    other = an_agent(1, actor_critic=cls, ac_kwargs={"critics": critics})
    other.restore(tmp_path, True)
    assert same(tensors(agent), tensors(other))


def test_deterministic_reaches_an_act_that_takes_it():
    agent, obs = an_agent(actor_critic=OwnDeterministicActorCritic, ac_kwargs={}), np.ones(3)
    with torch.no_grad():
        sides = agent.ac.pi.mean(torch.ones(3)).numpy() > 0
    expected = np.where(sides, SPACES.action_space.high, SPACES.action_space.low)
    np.testing.assert_array_equal(agent.get_action(obs, deterministic=True), expected)


class OwnDoubleActorCritic(OwnActorCritic):
    def act(self, obs):
        return super().act(obs).astype(np.float64)


def test_actions_of_a_user_get_the_type_of_the_environment():
    space = Box(-1.0, 1.0, (2,), np.float32)
    spaces = SimpleNamespace(observation_space=SPACES.observation_space, action_space=space)
    agent = an_agent(env=spaces, actor_critic=OwnDoubleActorCritic, ac_kwargs={})
    assert space.contains(agent.get_action(np.ones(3)))


# lac(...) --------------------------------------------------------------------------------------------


def oscillator():
    return gymnasium.make("lac/Oscillator-v1")


class Rewarded(gymnasium.Wrapper):
    """The oscillator with rewards of at most 0."""

    reward_max = 0.0

    def step(self, action):
        obs, cost, *rest = self.env.step(action)
        return obs, -cost, *rest


class Constant(LyapunovActorCritic):
    """Always acts the same."""

    def act(self, obs, deterministic=False):
        return np.full((*obs.shape[:-1], 3), 0.25, np.float32)


@pytest.fixture
def train(tmp_path, monkeypatch):
    """A tiny run; returns the agent, the buffer, the lines of metrics and the run folder."""
    # Drawing takes longer than everything else here; pictures have their own tests.
    monkeypatch.setattr("lac.recorder.learning_curve", lambda *_: None, raising=False)
    numbers = iter(range(100))

    def run(env_fn=oscillator, **changes):
        folder = tmp_path / f"run{next(numbers)}"
        settings = {
            "ac_kwargs": SMALL,
            "epochs": 1,
            "steps_per_epoch": 60,
            "update_after": 20,
            "update_every": 20,
            "steps_per_update": 2,
            "batch_size": 16,
            "num_test_episodes": 0,
            "seed": 0,
        }
        settings |= changes
        settings["logger_kwargs"] = {"output_dir": folder, "quiet": True} | changes.get("logger_kwargs", {})
        agent, buffer = lac(env_fn, **settings)
        metrics = folder / "metrics.jsonl"
        rows = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.exists() else []
        return SimpleNamespace(agent=agent, buffer=buffer, rows=rows, folder=folder)

    return run


# One step, one update on copies of the one transition: small enough to be checked by hand.
ONE = {"steps_per_epoch": 1, "update_after": 1, "update_every": 1, "steps_per_update": 1, "batch_size": 4}
UNTRAINED = {"update_after": 10_000}


def test_the_run_gives_the_agent_and_its_buffer(train):
    run = train()
    assert type(run.agent) is LAC
    assert type(run.buffer) is ReplayBuffer
    assert len(run.buffer) == 60
    assert run.rows[0]["updates"] == 6


def test_argument_env_fn(train):
    made = []

    def env_fn():
        made.append(gymnasium.make("Pendulum-v1"))
        return made[-1]

    run = train(env_fn, opt_type="maximize", num_test_episodes=2, max_ep_len=5)
    assert len(made) == 3
    assert run.buffer.sample_batch(1)["obs"].shape == (1, 3)


def test_argument_actor_critic(train):
    assert not hasattr(train(**UNTRAINED).agent.ac, "L2")
    run = train(actor_critic=LyapunovActorTwinCritic)
    assert hasattr(run.agent.ac, "L2")
    assert run.rows[0]["updates"] == 6


def test_argument_ac_kwargs(train):
    run = train(ac_kwargs={"hidden_sizes": {"actor": [5], "critic": [6, 7]}}, **UNTRAINED)
    assert run.agent.ac.pi.net[0].out_features == 5
    assert run.agent.ac.L.L[2].out_features == 7


@pytest.mark.parametrize("horizon_length", [0, 3])
def test_argument_opt_type(train, horizon_length):
    settings = {"horizon_length": horizon_length, "num_test_episodes": 1}
    costs = train(**settings)
    rewards = train(lambda: Rewarded(oscillator()), opt_type="maximize", **settings)
    # Rewards are read as costs, and the two runs are the same run.
    assert same(tensors(costs.agent), tensors(rewards.agent))
    assert costs.rows[0]["test/cost_mean"] == rewards.rows[0]["test/cost_mean"] > 0


def test_rewards_given_as_costs_are_refused(train):
    with pytest.raises(ValueError, match="maximize"):
        train(lambda: Rewarded(oscillator()))


def test_argument_max_ep_len(train):
    (row,) = train(max_ep_len=4, num_test_episodes=2).rows
    assert row["train/ep_len_mean"] == row["test/ep_len_mean"] == 4
    assert train().rows[0]["train/ep_len_mean"] > 4


def test_a_time_limit_is_no_termination(train):
    assert not train(max_ep_len=4).buffer.sample_batch(500)["done"].any()


@pytest.mark.parametrize("epochs", [1, 3])
def test_argument_epochs(train, epochs):
    run = train(epochs=epochs)
    assert [row["epoch"] for row in run.rows] == list(range(1, epochs + 1))
    assert len(run.buffer) == 60 * epochs


def test_argument_steps_per_epoch(train):
    run = train(epochs=2, steps_per_epoch=25)
    assert [row["env_steps"] for row in run.rows] == [25, 50]
    assert len(run.buffer) == 50


@pytest.mark.parametrize("start_steps", [0, 45])
def test_argument_start_steps(train, start_steps):
    run = train(actor_critic=Constant, start_steps=start_steps)
    actions = run.buffer.sample_batch(3000)["act"]
    is_policy = (actions == 0.25).all(dim=1)
    distinct = {tuple(row) for row in actions[~is_policy].tolist()}
    assert len(distinct) == start_steps
    assert is_policy.float().mean().item() == pytest.approx((60 - start_steps) / 60, abs=0.05)
    assert all(0.0 <= entry <= 1.0 for row in distinct for entry in row)


@pytest.mark.parametrize(
    ("changes", "updates"),
    [
        # Rounds of two updates after steps 20, 40 and 60.
        ({}, 6),
        ({"update_every": 7}, 12),
        ({"update_every": 41}, 2),
        ({"update_after": 41}, 2),
        ({"update_after": 0}, 6),
        ({"update_after": 61}, 0),
        ({"steps_per_update": 5}, 15),
    ],
    ids=str,
)
def test_arguments_update_every_update_after_and_steps_per_update(train, changes, updates):
    run = train(**changes)
    assert run.rows[0]["updates"] == updates
    assert run.agent.critic_optimizer.steps.item() == updates


def test_epochs_may_pass_without_an_update(train):
    run = train(epochs=3, steps_per_epoch=30, update_after=20, update_every=65)
    assert [row["updates"] for row in run.rows] == [2, 2, 4]


@pytest.mark.parametrize("episodes", [0, 1, 18])
def test_argument_num_test_episodes(train, episodes):
    seeds = []

    class Watched(gymnasium.Wrapper):
        def reset(self, *, seed=None, options=None):
            if seed is not None:
                seeds.append(seed)
            return self.env.reset(seed=seed, options=options)

    (row,) = train(lambda: Watched(oscillator()), num_test_episodes=episodes).rows
    # One of the seeds is that of the training environment.
    assert len(set(seeds)) == len(seeds) == episodes + 1
    assert ("test/cost_mean" in row) == (episodes > 0)


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
    sizes, update = set(), LAC.update

    def watched(self, data):
        sizes.update(len(column) for column in data.values())
        return update(self, data)

    monkeypatch.setattr(LAC, "update", watched)
    train(batch_size=batch_size)
    assert sizes == {batch_size}


@pytest.mark.parametrize("replay_size", [10, 1000])
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

    with pytest.raises(ValueError, match=f"cost {cost} at step 4"):
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


def test_argument_export_is_refused_before_anything_is_done(train, tmp_path):
    with pytest.raises(NotImplementedError, match="export"):
        train(export=True)
    assert list(tmp_path.iterdir()) == []


def test_argument_critic_loss(train):
    (row,), run = train(critic_loss="relative", gamma=0.0, **ONE).rows, train(**ONE)
    cost = run.buffer.sample_batch(1)["rew"].item()
    assert row["train/critic_loss"] == pytest.approx(0.5 * (row["train/l_mean"] - cost) ** 2 / (1 + cost), rel=1e-4)


def test_argument_anti_windup(train):
    settings = {"alpha3": 100.0, "lr_labda": 0.1}
    assert train(**settings).rows[0]["train/labda_raw"] > 1.0
    assert train(anti_windup=True, **settings).rows[0]["train/labda_raw"] == 1.0


def test_argument_labda_min(train):
    settings = {"labda": 0.01, "lr_labda": 1e-6}
    assert train(**settings).rows[0]["train/labda"] == pytest.approx(0.01, rel=1e-3)
    assert train(labda_min=0.1, **settings).rows[0]["train/labda"] == pytest.approx(0.1, rel=1e-4)


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


# logger_kwargs ---------------------------------------------------------------------------------------


def test_logger_output_dir(train, tmp_path):
    train(logger_kwargs={"output_dir": tmp_path / "here" / "it is"}, **UNTRAINED)
    written = {path.name for path in (tmp_path / "here" / "it is").iterdir()}
    assert written >= {"metrics.jsonl", "summary.json", "policy"}


def test_a_run_folder_is_not_used_twice(train, tmp_path):
    train(logger_kwargs={"output_dir": str(tmp_path / "once")}, **UNTRAINED)
    before = (tmp_path / "once" / "metrics.jsonl").read_bytes()
    with pytest.raises(FileExistsError, match="once"):
        train(logger_kwargs={"output_dir": str(tmp_path / "once")}, **UNTRAINED)
    assert (tmp_path / "once" / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize(("kwargs", "name"), [({}, "lac"), ({"exp_name": "my-trial"}, "my-trial")])
def test_logger_exp_name_names_the_default_folder(train, tmp_path, monkeypatch, kwargs, name):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        train(logger_kwargs={"output_dir": None, **kwargs}, **UNTRAINED)
    folders = [path.parent for path in (tmp_path / "outputs").rglob("summary.json")]
    assert len(folders) == 2
    assert all(name in folder.name for folder in folders)
    assert all((folder / "train.log").read_text().splitlines()[0].startswith(name) for folder in folders)


def test_logger_quiet(train, capsys):
    train(logger_kwargs={"quiet": True})
    assert capsys.readouterr() == ("", "")
    run = train(logger_kwargs={"quiet": False})
    assert str(run.folder) in capsys.readouterr().out


def test_logger_verbose_vars(train, capsys):
    train(num_test_episodes=1, logger_kwargs={"quiet": False})
    assert "test cost" in capsys.readouterr().out
    run = train(logger_kwargs={"quiet": False, "verbose_vars": ["train/critic_loss", "lr/critic"]})
    lines = capsys.readouterr().out.splitlines()
    values = [f"{run.rows[0][name]:.4g}" for name in ("train/critic_loss", "lr/critic")]
    assert values in [line.split() for line in lines]
    assert "critic_los" in " ".join(lines)
    assert "steps/s" not in " ".join(lines)


@pytest.mark.parametrize("keep", [False, True])
def test_logger_save_checkpoints(train, keep):
    run = train(epochs=2, logger_kwargs={"save_checkpoints": keep})
    kept = sorted(path.name for path in (run.folder / "policy").iterdir() if path.name.startswith("epoch"))
    assert kept == (["epoch-0001.safetensors", "epoch-0002.safetensors"] if keep else [])
    if keep:
        first, second = (load_agent(run.folder / "policy" / name) for name in kept)
        assert not same(tensors(first), tensors(second))
        assert same(tensors(second), tensors(run.agent))


@pytest.mark.parametrize(
    ("key", "hint"), [("use_wanb", "use_wandb"), ("ouput_dir", "output_dir"), ("zzz", "output_dir")]
)
def test_an_unknown_logger_key_is_refused(train, tmp_path, key, hint):
    with pytest.raises(ValueError, match=f"'{key}'.*{hint}"):
        train(logger_kwargs={key: 1})
    assert list(tmp_path.iterdir()) == []


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
        env = prepare(oscillator(), max_ep_len=10)
        env.reset(seed=0)
        if factor is not None:
            nominal = getattr(env.unwrapped, attribute)
            setattr(env.unwrapped, attribute, 0.5 if attribute == "delta" else factor * nominal)
        after.append(env.step(np.full(3, 0.5))[0])
    assert not np.allclose(after[0], after[1], rtol=1e-6)
