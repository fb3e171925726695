"""``train.start_policy`` and ``restore``: what does not fit is refused before anything is created."""

from pathlib import Path

import pytest
import torch
from api_support import SPACES, UNTRAINED, an_agent, oscillator, same, tensors
from gymnasium.spaces import Box
from torch import nn

from lac import LAC
from lac.envs.vector import Spaces

RUN = [
    *("tuned=none", "wandb.mode=disabled", "seed=0"),
    *("network.hidden_sizes.actor=[8]", "network.hidden_sizes.critic=[8]"),
    *("train.epochs=1", "train.steps_per_epoch=20", "train.num_test_episodes=1", "train.batch_size=16"),
]
KWARGS = {"hidden_sizes": {"actor": [8], "critic": [8]}}


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*") if path.name != ".hydra")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("network.hidden_sizes.actor=[16]", "hidden_sizes.actor is [8] there and [16] here"),
        ("network.hidden_sizes.critic=[8,8]", "hidden_sizes.critic is [8] there and [8, 8] here"),
        ("network.activation.critic=tanh", "activation.critic is relu there and tanh here"),
        ("network.output_activation.actor=tanh", "output_activation.actor is relu there and tanh here"),
        ("network.observation_scale=2.0", "observation_scale is 1.0 there and 2.0 here"),
        ("network.normalise_actions=true", "normalise_actions is False there and True here"),
        ("env=cartpole_cost", "obs_dim is"),
    ],
)
def test_a_policy_of_other_networks_is_refused_before_anything_is_created(words, told, train_here, tmp_path):
    LAC(oscillator(), ac_kwargs=KWARGS).save(tmp_path / "first")
    env = [] if words.startswith("env=") else ["env=oscillator"]
    end = train_here(*RUN, *env, words, "train.start_policy=first", "hydra.run.dir=second")
    assert end.status == 2
    (sentence,) = end.stderr.splitlines()[1:]
    assert sentence.startswith("  train.start_policy is 'first', which does not fit: ")
    assert told in sentence
    assert left(tmp_path / "second") == []


def test_a_policy_without_a_description_is_checked_by_its_shapes(train_here, tmp_path):
    torch.save(dict(LAC(oscillator(), ac_kwargs=KWARGS).state_dict()), tmp_path / "model_state.pt")
    start = "train.start_policy=model_state.pt"
    end = train_here(*RUN, "network.hidden_sizes.actor=[16]", start, "hydra.run.dir=second")
    assert end.status == 2
    assert "train.start_policy is 'model_state.pt', which does not fit: " in end.stderr
    assert left(tmp_path / "second") == []
    assert train_here(*RUN, start, "hydra.run.dir=third").status == 0


def test_a_sweep_is_refused_before_its_first_job(train_here, tmp_path):
    LAC(oscillator(), ac_kwargs=KWARGS).save(tmp_path / "first")
    swept = ["-m", "network.activation.critic=relu,tanh", "train.start_policy=first", "hydra.sweep.dir=sweep"]
    end = train_here(*swept, *RUN)
    assert end.status == 2
    assert "activation.critic is relu there and tanh here" in end.stderr
    assert [path for path in left(tmp_path / "sweep") if path != "multirun.yaml"] == []


def test_python_names_the_argument(train, tmp_path):
    LAC(oscillator(), ac_kwargs=KWARGS).save(tmp_path / "first")
    told = "^start_policy is .*first', which does not fit: .*activation.actor is relu there and tanh here"
    with pytest.raises(ValueError, match=told):
        train(start_policy=tmp_path / "first", ac_kwargs=KWARGS | {"activation": nn.Tanh}, **UNTRAINED)


@pytest.mark.parametrize(
    "kwargs",
    [
        # The same networks in other words.
        KWARGS | {"activation": nn.ReLU, "output_activation": {"actor": nn.ReLU}, "observation_scale": None},
        {"hidden_sizes": [8], "activation": {"actor": nn.ReLU, "critic": nn.ReLU}, "observation_scale": 1.0},
        {"hidden_sizes": (8,), "observation_scale": [1, 1, 1], "normalise_actions": False},
    ],
)
def test_the_same_networks_in_other_words_fit(kwargs, tmp_path):
    source, target = an_agent(0, ac_kwargs=KWARGS), an_agent(1, ac_kwargs=kwargs)
    source.save(tmp_path)
    target.restore(tmp_path)
    assert same(tensors(source.ac), tensors(target.ac))


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"activation": nn.Tanh}, "activation.actor is relu there and tanh here"),
        ({"observation_scale": [1.0, 1.0, 2.0]}, "observation_scale"),
        ({"normalise_actions": True}, "normalise_actions"),
    ],
)
def test_restore_tells_what_shapes_do_not_tell(kwargs, told, tmp_path):
    an_agent(0, ac_kwargs=KWARGS).save(tmp_path)
    target = an_agent(1, ac_kwargs=KWARGS | kwargs)
    before = tensors(target)
    with pytest.raises(ValueError, match=told):
        target.restore(tmp_path)
    assert same(before, tensors(target))


@pytest.mark.parametrize(("factor", "fits"), [(1.0, True), (2.0, False)])
def test_the_box_of_actions_belongs_to_a_policy(factor, fits, tmp_path):
    an_agent(0, ac_kwargs=KWARGS).save(tmp_path)
    box = SPACES.action_space
    single = Box((factor * box.low).astype("float32"), (factor * box.high).astype("float32"))
    target = an_agent(1, env=Spaces(SPACES.observation_space, single), ac_kwargs=KWARGS)
    if fits:
        target.restore(tmp_path)
        return
    with pytest.raises(ValueError, match=r"action_low is .* there and .* here"):
        target.restore(tmp_path)
