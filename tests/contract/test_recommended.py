"""Recommended settings: every environment has the recipe and what differs from it, in both doors alike."""

from pathlib import Path

import gymnasium
import pytest
import torch
from config_support import CONF, keys_of, options
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

import lac
from lac.agents.policy_files import read_policy
from lac.config.checks import config_errors

TINY = {"epochs": 1, "steps_per_epoch": 300, "update_after": 100, "update_every": 100, "steps_per_update": 2}


def files(*names: str) -> DictConfig:
    """The files of recommended settings, one over the other."""
    return OmegaConf.merge(*(OmegaConf.load(CONF / f"{name}.yaml") for name in names))


@pytest.mark.parametrize("env", [option for option in options("env") if option != "gym"])
@pytest.mark.parametrize("algo", options("algo"))
def test_every_environment_and_algorithm_has_the_recipe_and_what_differs_from_it(env, algo, composed):
    lyapunov = ["recipe/lac"] if algo != "sac" else []
    own = [f"tuned/{env}"] if env in options("tuned") else []
    expected = OmegaConf.to_container(files("recipe/common", *lyapunov, *own))
    expected.pop("defaults", None)
    cfg = composed(f"env={env}", f"algo={algo}")
    assert {key: OmegaConf.select(cfg, key) for key in keys_of(expected)} == {
        key: OmegaConf.select(OmegaConf.create(expected), key) for key in keys_of(expected)
    }
    assert config_errors(cfg) == []


def test_an_environment_of_any_package_gets_the_recipe(composed):
    cfg = composed("env=gym", "env.id=Pendulum-v1", "algo.opt_type=maximize")
    assert cfg.network.observation_scale == "auto"
    assert cfg.algo.critic_loss == "relative"
    assert config_errors(cfg) == []


def test_recommended_settings_can_be_left_out(composed):
    assert composed("tuned=none") == composed("recipe=none", "env=oscillator", "tuned=none")
    bare = composed("tuned=none")
    assert bare.algo.alpha != composed("env=oscillator").algo.alpha
    assert bare.network.observation_scale is None


@pytest.mark.parametrize(
    ("option", "env_id", "algo"),
    [
        ("oscillator", "lac/Oscillator-v1", "lac"),
        ("two_link", "lac/TwoLink-v1", "latc"),  # observation_scale=auto, and a termination cost
        ("van_der_pol", "lac/VanDerPol-v1", "sac"),
    ],
)
def test_python_trains_as_the_command_to_the_bit(option, env_id, algo, train_here, tmp_path):
    budget = [f"train.{name}={value}" for name, value in TINY.items()]
    end = train_here(
        *(f"env={option}", f"algo={algo}", "device=cpu", "seed=3", "wandb.mode=disabled", "train.num_test_episodes=1"),
        *(*budget, "hydra.run.dir=typed"),
    )
    assert end.status == 0, end.stderr
    settings = lac.recommended(env_id, algo) | TINY
    getattr(lac, algo)(
        lambda: gymnasium.make(env_id),
        **settings,
        seed=3,
        num_test_episodes=1,
        logger_kwargs={"output_dir": str(tmp_path / "called"), "quiet": True, "use_wandb": False},
    )
    (typed, typed_description), (called, called_description) = (
        read_policy(Path(tmp_path / name)) for name in ("typed", "called")
    )
    assert typed_description == called_description
    assert typed.keys() == called.keys()
    assert all(torch.equal(typed[name], called[name]) for name in typed)


def test_an_id_without_settings_gets_the_recipe_and_names_of_options_work():
    recipe = lac.recommended("Pendulum-v1", "sac")
    assert recipe["ac_kwargs"]["observation_scale"] == "auto"
    assert "alpha3" not in recipe
    assert lac.recommended("two_link") == lac.recommended("lac/TwoLink-v1", "lac")
    assert lac.recommended("two_link")["termination_cost"] > 0
    assert "termination_cost" not in lac.recommended("lac/VanDerPol-v1")


def test_an_unknown_algorithm_is_refused():
    with pytest.raises(ValueError, match="algorithm is 'ppo'; it must be one of lac, latc, sac"):
        lac.recommended("two_link", "ppo")


def test_a_program_that_uses_hydra_itself_keeps_its_own_config(tmp_path):
    (tmp_path / "own.yaml").write_text("x: 1\n")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        lac.recommended("two_link")
        assert compose("own").x == 1
