"""State dicts, saving and restoring."""

import copy
import pickle

import numpy as np
import pytest
import torch
from api_support import SMALL, OwnActorCritic, a_batch, an_agent, same, tensors
from torch import nn

from lac import (
    LAC,
    LyapunovActorTwinCritic,
    load_agent,
)

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
                "actor_bias": False,
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


def test_export_refuses_an_actor_critic_that_it_does_not_know(tmp_path):
    with pytest.raises(ValueError, match="the actor-critic OwnActorCritic is not one of lac's"):
        an_agent(actor_critic=OwnActorCritic, ac_kwargs={}).export(tmp_path)
    assert list(tmp_path.iterdir()) == []
