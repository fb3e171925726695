"""Policy files that are damaged or do not fit: one kind of error, nothing loaded, no memory asked for."""

import json
from contextlib import suppress

import numpy as np
import pytest
import torch
from api_support import an_agent, same, tensors

from lac import LyapunovActorCritic, load_agent
from lac.agents import description
from lac.agents.policy_files import read_policy, write_policy

HUGE = 2_000_000_000
WRONG_DESCRIPTIONS = {
    "unknown algorithm": {"alg_name": "PPO"},
    "algorithm that is no text": {"alg_name": ["LAC"]},
    "no observations": {"obs_dim": None},
    "observations as a text": {"obs_dim": "3"},
    "another number of observations": {"obs_dim": 4},
    "bounds that are no numbers": {"action_low": ["a", "b"]},
    "bounds of different lengths": {"action_low": [0.0]},
    "bounds that are nested": {"action_low": [[0.0], [1.0]]},
    "bounds in the wrong order": {"action_low": [9.0, 9.0]},
    "bounds that are not finite": {"action_high": [float("inf"), 5.0]},
    "unknown dtype": {"action_dtype": "float31"},
    "dtype that runs nothing": {"action_dtype": "O"},
    "actor-critic that is no text": {"actor_critic": 3},
    "arguments that are no object": {"ac_kwargs": [1]},
    "arguments that do not exist": {"ac_kwargs": {"width": 8}},
    "other widths": {"ac_kwargs": {"hidden_sizes": {"actor": [9, 9], "critic": [8, 8]}}},
    "unknown activation": {"ac_kwargs": {"activation": "LeakyReLU"}},
    "other number of scales": {"ac_kwargs": {"observation_scale": [1.0]}},
}
TOO_LARGE = {
    "observations beyond memory": {"obs_dim": HUGE},
    "widths beyond memory": {"ac_kwargs": {"hidden_sizes": {"actor": [HUGE, HUGE], "critic": [8, 8]}}},
    "a product beyond memory": {"ac_kwargs": {"hidden_sizes": {"actor": [400, 400], "critic": [8, 8]}}},
    "layers without end": {"ac_kwargs": {"hidden_sizes": {"actor": [1] * 100_000, "critic": [8, 8]}}},
}


@pytest.fixture
def policy(tmp_path):
    return an_agent().save(tmp_path / "policy.safetensors")


def describe_otherwise(policy, changes):
    weights, described = read_policy(policy)
    if isinstance(changes.get("ac_kwargs"), dict):
        changes = {"ac_kwargs": described["ac_kwargs"] | changes["ac_kwargs"]}
    write_policy(policy, weights, described | changes)


@pytest.mark.parametrize("changes", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_description_of_huge_networks_builds_nothing(policy, monkeypatch, changes):
    describe_otherwise(policy, changes)
    monkeypatch.setattr(LyapunovActorCritic, "__init__", lambda *_args, **_kwargs: pytest.fail("it was built"))
    monkeypatch.setattr(description, "Box", lambda *_args, **_kwargs: pytest.fail("its space was built"))
    with pytest.raises(ValueError, match=r"policy\.safetensors cannot be loaded: .* larger networks"):
        load_agent(policy)


@pytest.mark.parametrize("changes", WRONG_DESCRIPTIONS.values(), ids=WRONG_DESCRIPTIONS)
def test_a_wrong_description_is_a_value_error(policy, changes):
    describe_otherwise(policy, changes)
    with pytest.raises(ValueError, match=r"policy\.safetensors cannot be loaded|does not describe"):
        load_agent(policy)


@pytest.mark.parametrize("content", [[1], "text", 3, None], ids=str)
def test_a_description_is_an_object(policy, content):
    weights, _ = read_policy(policy)
    write_policy(policy, weights, content)
    for load in (load_agent, an_agent().restore):
        with pytest.raises(ValueError, match="not a policy"):
            load(policy)


@pytest.mark.parametrize("place", [0, 3, 9, 200, -200, -1])
def test_a_file_that_is_cut_or_whose_bytes_are_wrong_is_a_value_error_or_right(policy, place):
    content = policy.read_bytes()
    for damaged in (content[:place], content[:place] + b"\xff" + content[place:][1:]):
        policy.write_bytes(damaged)
        with suppress(ValueError):
            load_agent(policy)


def test_a_header_that_names_a_huge_tensor_is_a_value_error(policy):
    content = policy.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["ac.pi.net.0.weight"] |= {"shape": [HUGE, HUGE]}
    text = json.dumps(header).encode()
    policy.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])
    with pytest.raises(ValueError, match="not a policy"):
        load_agent(policy)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x03\x04" + bytes(100), b"{}"])
def test_a_file_of_another_kind_is_a_value_error(tmp_path, content):
    (tmp_path / "other.pt").write_bytes(content)
    for load in (load_agent, an_agent().restore):
        with pytest.raises(ValueError, match=r"other\.pt is not a policy"):
            load(tmp_path / "other.pt")


@pytest.mark.parametrize("path", [None, 3, b"bytes", "", True, "zero\0byte", ["a"]])
def test_a_path_that_is_none_is_named(path):
    agent = an_agent()
    for call in (load_agent, agent.restore, agent.save):
        with pytest.raises(ValueError, match=r"^path is "):
            call(path)


@pytest.mark.parametrize("flag", [None, 1, "false"])
def test_the_flag_of_restore_is_true_or_false(policy, flag):
    with pytest.raises(ValueError, match="restore_lagrance_multipliers is "):
        an_agent().restore(policy, flag)
    an_agent().restore(policy, np.True_)


def test_an_unknown_device_is_named_before_the_file_is_read():
    with pytest.raises(ValueError, match="device is 'banana'"):
        load_agent("nowhere", device="banana")


@pytest.mark.parametrize(
    "change",
    [
        lambda tensor: tensor.tolist(),
        lambda tensor: tensor.to("meta"),
        lambda tensor: tensor.to_sparse(),
        lambda tensor: tensor.to(torch.int64),
        lambda tensor: tensor.to(torch.complex64),
    ],
    ids=["list", "meta", "sparse", "whole numbers", "complex"],
)
def test_a_state_dict_of_other_values_is_refused_whole(change):
    source, target = an_agent(0), an_agent(1)
    before, state = tensors(target), source.state_dict()
    state["ac.L.L.2.weight"] = change(state["ac.L.L.2.weight"])
    with pytest.raises(ValueError, match=r"ac\.L\.L\.2\.weight is .* and must be"):
        target.load_state_dict(state)
    assert same(before, tensors(target))


def test_a_state_dict_is_a_dict():
    with pytest.raises(TypeError, match="state_dict is 3"):
        an_agent().load_state_dict(3)
