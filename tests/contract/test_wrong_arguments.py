"""Arguments of the Python API that cannot work are named before anything is made; numbers may be numpy's."""

from pathlib import Path
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
import torch
from api_support import SMALL, SPACES, OwnActorCritic, an_agent, oscillator, same, tensors
from gymnasium.spaces import Box
from torch import nn

from lac import LAC, LATC, SAC, lac

WRONG_NUMBERS = ("1", None, True, float("nan"), float("inf"), -1, [1], np.array([1, 2]), 1j, 10**400)
RATES = ("lr_a", "lr_c", "lr_alpha", "lr_labda")
WRONG = [
    *((name, value) for name in ("epochs", "batch_size", "replay_size", "gamma", "lr_a") for value in WRONG_NUMBERS),
    *((name, 1.5) for name in ("epochs", "num_envs", "horizon_length", "seed", "save_freq")),
    *((name, value) for name in ("adaptive_temperature", "anti_windup", "export") for value in (1, "yes", None)),
    *((name, value) for name in ("opt_type", "lr_decay_type") for value in ("max", None, 1, ["linear"], np.ones(2))),
    *(("termination_cost", value) for value in (*WRONG_NUMBERS[2:], "absorb", 1e39)),
    *(("device", value) for value in ("banana", None, 3)),
    *(("start_policy", value) for value in (3, True, "", b"run", ["run"])),
    *(("actor_critic", value) for value in ("LyapunovActorCritic", 3, dict, nn.ReLU(), lambda *_: None)),
    *(("ac_kwargs", value) for value in (None, 3, [("hidden_sizes", [8])], {3: 4}, {"hidden_size": [8]})),
    *(("logger_kwargs", value) for value in (None, 3, "quiet", ["quiet"])),
]
WRONG_NETWORKS = [
    *(("hidden_sizes", value) for value in ([], 8, [8.5], ["8"], [True], [0], {"actor": [8]}, None, [[8]])),
    *(("activation", value) for value in ("rleu", nn.ReLU(), nn.Threshold, dict, 3, None, {"actor": nn.ReLU})),
    *(("output_activation", value) for value in ("max", {"critic": nn.ReLU}, {"actor": nn.ReLU, "critic": nn.ReLU})),
    *(("observation_scale", value) for value in (0, -1, np.inf, "1", [1.0, 2.0], 1e-50, 1e50, [[1.0]], True)),
    *((name, value) for name in ("normalise_actions", "actor_bias") for value in (1, "yes", None)),
]
WRONG_LOGGING = [
    *(("output_dir", value) for value in (3, True, "", "zero\0byte", ["run"])),
    *((name, value) for name in ("quiet", "use_wandb", "save_checkpoints") for value in (1, "no", None)),
    *((name, 3) for name in ("exp_name", "verbose_vars", "wandb_project", "wandb_group", "wandb_run_name")),
    ("verbose_vars", "train/labda"),
]
SHORT = {
    **{"epochs": 1, "steps_per_epoch": 20, "update_after": 10, "update_every": 10, "steps_per_update": 2},
    **{"batch_size": 4, "num_test_episodes": 0, "ac_kwargs": SMALL, "seed": 0},
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def label(value):
    return f"{type(value).__name__}-{str(value)[:20]}"


def refused(name, **arguments):
    logging = arguments.pop("logger_kwargs", {"quiet": True, "output_dir": "run"})
    with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
        lac(oscillator, **SHORT | arguments, logger_kwargs=logging)
    assert list(Path.cwd().iterdir()) == [], "a call that failed has left a folder"


@pytest.mark.parametrize(("name", "value"), WRONG, ids=label)
def test_a_wrong_argument_is_named_and_leaves_no_folder(name, value):
    if (name, value) != ("start_policy", None):
        refused(name, **{name: value})


@pytest.mark.parametrize(("name", "value"), WRONG_NETWORKS, ids=label)
def test_a_wrong_argument_of_the_networks_is_named(name, value):
    refused(name, ac_kwargs=SMALL | {name: value})


@pytest.mark.parametrize(("name", "value"), WRONG_LOGGING, ids=label)
def test_a_wrong_entry_of_logger_kwargs_is_named(name, value):
    refused(name, logger_kwargs={"quiet": True, "output_dir": "run", name: value})


def test_an_output_folder_that_is_a_file_is_named():
    Path("file").touch()
    with pytest.raises(ValueError, match="output_dir is 'file', which is a file"):
        lac(oscillator, **SHORT, logger_kwargs={"output_dir": "file"})


def test_an_environment_that_cannot_be_built_leaves_no_folder():
    with pytest.raises(ZeroDivisionError):
        lac(lambda: 1 / 0, **SHORT, logger_kwargs={"quiet": True})
    assert list(Path.cwd().iterdir()) == []


def test_numbers_of_numpy_are_pythons_numbers():
    def weights(name, **changes):
        logging = {"output_dir": Path(name), "quiet": np.True_}
        return tensors(lac(oscillator, **SHORT | changes, logger_kwargs=logging)[0])

    numpys = {name: np.int64(value) for name, value in SHORT.items() if name != "ac_kwargs"}
    sizes = {"hidden_sizes": {"actor": np.array([8, 8]), "critic": (np.int32(8), np.int64(8))}}
    scale = {"observation_scale": np.float32(2.0)}
    python = {"gamma": 0.5, "alpha3": 0.25, "ac_kwargs": SMALL | {"observation_scale": 2.0}}
    numpys |= {"gamma": np.float32(0.5), "alpha3": np.float64(0.25), "ac_kwargs": sizes | scale}
    assert same(weights("python", **python), weights("numpy", **numpys, adaptive_temperature=np.True_))
    restored = LAC(oscillator(), ac_kwargs=sizes | scale)
    restored.restore("numpy")
    assert np.isfinite(restored.get_action(np.ones(8))).all()


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_an_activation_may_be_given_by_name(name):
    classes = {"relu": nn.ReLU, "tanh": nn.Tanh}
    by_name, by_class = (an_agent(ac_kwargs=SMALL | {"activation": given}) for given in (name, classes[name]))
    obs = np.ones((4, 3))
    np.testing.assert_array_equal(by_name.get_action(obs, True), by_class.get_action(obs, True))


# Agents ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent_class", [LAC, LATC, SAC])
def test_a_vector_environment_is_told_what_to_use_instead(agent_class):
    envs = gymnasium.make_vec("lac/Oscillator-v1", 2)
    with pytest.raises(ValueError, match=r"vector environment of 2; give a single one, as gymnasium\.make"):
        agent_class(envs)


@pytest.mark.parametrize("env", ["Pendulum-v1", None, 3, oscillator, SimpleNamespace(action_space=SPACES.action_space)])
def test_what_is_no_environment_is_named(env):
    with pytest.raises(ValueError, match=r"^env is .*gymnasium"):
        LAC(env)


class Methods(OwnActorCritic):
    """Policy and critic are methods of the user's module."""

    def __init__(self, *spaces):
        super().__init__(*spaces)
        self.policy = self._modules.pop("pi")

    def pi(self, obs):
        return self.policy(obs)


class Column(OwnActorCritic):
    """Its critic gives a column, which would be broadcast against the costs."""

    def __init__(self, *spaces):
        super().__init__(*spaces)
        self.L.forward = lambda obs, act: self.L.root(torch.cat([obs, act], dim=-1)).sum(dim=-1, keepdim=True)


class Failing(OwnActorCritic):
    def act(self, obs):
        raise KeyError("missing")


class Empty(OwnActorCritic):
    def __init__(self, *spaces):
        super().__init__(*spaces)
        self.L = nn.Identity()


class NoAct(nn.Module):
    def __init__(self, *spaces):
        super().__init__()
        self.pi = self.L = nn.Linear(3, 2)


@pytest.mark.parametrize(
    ("actor_critic", "told"),
    [
        (Methods, "pi is a method, and it must be an nn.Module"),
        (Column, r"L made the shape \(3, 1\) of \(3, 3\) and \(3, 2\), and must make \(3,\)"),
        (Failing, "act failed with KeyError"),
        (Empty, "L has no parameters"),
        (NoAct, r"has no method act\(obs\)"),
    ],
)
def test_an_own_actor_critic_that_cannot_work_is_told_why(actor_critic, told):
    with pytest.raises(ValueError, match=f"actor_critic {actor_critic.__name__} .*{told}"):
        LAC(SPACES, actor_critic, {})


@pytest.mark.parametrize("agent_class", [LAC, LATC, SAC])
def test_the_docstring_says_that_policy_and_critics_are_modules(agent_class):
    assert "``nn.Module``" in agent_class.__doc__


def test_the_trial_of_an_actor_critic_draws_no_noise():
    torch.manual_seed(4)
    LAC(SPACES, OwnActorCritic, {})
    drawn = torch.rand(1)
    torch.manual_seed(4)
    OwnActorCritic(SPACES.observation_space, SPACES.action_space)
    assert torch.equal(drawn, torch.rand(1))


@pytest.mark.parametrize("value", [-1, "1", True, float("nan"), float("inf"), [1], 1j])
@pytest.mark.parametrize("name", RATES)
def test_a_wrong_learning_rate_is_named_and_none_is_set(name, value):
    agent = an_agent()
    before = agent.learning_rates
    with pytest.raises(ValueError, match=f"^{name} is "):
        agent._set_learning_rates(**dict.fromkeys(RATES, 0.5) | {name: value})
    with pytest.raises(ValueError, match=f"^{name}_final is "):
        agent.bound_lr(**{f"{rate}_final": 0.5 for rate in RATES} | {f"{name}_final": value})
    assert agent.learning_rates == before


def test_a_learning_rate_may_be_numpys():
    agent = an_agent()
    agent._set_learning_rates(lr_a=np.float32(0.5), lr_c=1)
    assert (agent.learning_rates["lr_a"], agent.learning_rates["lr_c"]) == (0.5, 1.0)


@pytest.mark.parametrize("shape", [(), (2,), (4,), (5, 2), (3, 4)])
def test_an_observation_of_another_width_is_refused(shape):
    with pytest.raises(ValueError, match=r"^s has the shape"):
        an_agent().get_action(np.zeros(shape))


def test_arguments_of_an_own_actor_critic_stay_as_they_are(tmp_path):
    class Own(OwnActorCritic):
        def __init__(self, observation_space, action_space, table):
            super().__init__(observation_space, action_space)
            assert isinstance(table, np.ndarray)

    agent = LAC(SPACES, Own, {"table": np.ones(2)})
    assert agent.save(tmp_path).is_file()
    boxed = LAC(SPACES, OwnActorCritic, {}).action_space
    assert isinstance(boxed, Box)
