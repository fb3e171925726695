"""Recommended settings: every environment has the recipe and what differs from it, in both doors alike."""

from collections.abc import Mapping
from pathlib import Path

import gymnasium
import pytest
import torch
from config_support import CONF, options
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

import lac
from lac.agents.policy_files import read_policy
from lac.config.checks import config_errors
from lac.config.plans import training_plan

# As they were when the figures were measured, before there was a recipe.
OSCILLATOR = (
    "algo.alpha=0.05 algo.gamma=0.9 algo.polyak=0.99 algo.target_entropy=-9 algo.lr_a=3e-3 algo.lr_c=3e-3 "
    "network.observation_scale=[10,10,10,5,5,5,5,2] network.normalise_actions=true lr_schedule.decay_ref=step "
    "network.hidden_sizes.actor=[64,64] train.epochs=24 train.steps_per_epoch=1000 train.update_every=20 "
    "train.steps_per_update=15 train.batch_size=128 train.replay_size=5000"
)
LYAPUNOV = (
    "algo.lr_alpha=2e-4 algo.alpha3=0.1 algo.labda=1 algo.lr_labda=1e-4 algo.critic_loss=relative "
    "algo.anti_windup=true algo.labda_min=1e-4 network.hidden_sizes.critic=[64,64,16]"
)
SOFT = "algo.lr_alpha=3e-4 network.hidden_sizes.critic=[64,64]"

NEED_EXTRAS = ("lac.envs.mujoco", "lac.envs.fetch")

TINY = {"epochs": 1, "steps_per_epoch": 300, "update_after": 100, "update_every": 100, "steps_per_update": 2}


def file(name: str) -> tuple[DictConfig, DictConfig]:
    """What a file of recommended settings stands on, and what it says itself."""
    own, base = OmegaConf.load(CONF / f"{name}.yaml"), OmegaConf.create()
    for other in own.pop("defaults", []):
        if other != "_self_":
            base = OmegaConf.merge(base, *file(f"{name.partition('/')[0]}/{other}"))
    return base, own


def leaves(node: Mapping, prefix: str = "") -> dict[str, object]:
    """The values of a config by their full names, without what an option of ``env`` says itself."""
    plain = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    found = {}
    for name, value in plain.items():
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return {key: value for key, value in found.items() if key not in {"env.name", "env.id", "env.max_episode_steps"}}


@pytest.mark.parametrize(
    "algo", ["lac", *(pytest.param(algo, marks=pytest.mark.slow) for algo in options("algo") if algo != "lac")]
)
def test_every_environment_has_the_defaults_the_recipe_and_what_differs_from_it_and_a_plan(algo, composed):
    defaults = leaves(composed("env=oscillator", f"algo={algo}", "tuned=none"))
    recipe = defaults | leaves(OmegaConf.merge(*file(f"recipe/{algo}")))
    for env in [option for option in options("env") if option != "gym"]:
        base, own = map(leaves, file(f"tuned/{env}")) if env in options("tuned") else ({}, {})
        cfg = composed(f"env={env}", f"algo={algo}")
        has = {key: value for key, value in leaves(cfg).items() if not key.startswith("env.kwargs")}
        assert has == recipe | base | own, env
        assert [key for key, value in own.items() if (recipe | base)[key] == value] == [], "repeats the recipe"
        if not str(gymnasium.spec(cfg.env.id).entry_point).startswith(NEED_EXTRAS):
            assert config_errors(cfg) == [], env
        plan = training_plan(OmegaConf.to_container(cfg, resolve=True))
        assert (plan.algorithm.name, plan.loop.epochs) == (algo, cfg.train.epochs)


@pytest.mark.parametrize(("algo", "own"), [("lac", LYAPUNOV), ("latc", LYAPUNOV), ("sac", SOFT)])
def test_the_oscillator_has_the_settings_of_the_table_in_the_readme(algo, own, composed):
    words = f"{OSCILLATOR} {own}".split()
    expected = composed("env=oscillator", f"algo={algo}", "tuned=none", *words)
    assert leaves(composed("env=oscillator", f"algo={algo}")) == leaves(expected)


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
        ("two_link", "lac/TwoLink-v1", "latc"),  # a policy without biases, and a termination cost
        ("van_der_pol", "lac/VanDerPol-v1", "sac"),  # observation_scale=auto
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


def test_another_length_of_episodes_than_that_of_the_environment_is_named():
    with pytest.warns(UserWarning, match=r"episodes of 500 steps; .*gymnasium.make\('lac/CartPoleCost-v1', max_ep"):
        lac.recommended("lac/CartPoleCost-v1")


def test_an_unknown_algorithm_is_refused():
    with pytest.raises(ValueError, match="algo is 'ppo'; it must be one of lac, latc, sac"):
        lac.recommended(env_id="two_link", algo="ppo")


def test_a_program_that_uses_hydra_itself_keeps_its_own_config(tmp_path):
    (tmp_path / "own.yaml").write_text("x: 1\n")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        lac.recommended("two_link")
        assert compose("own").x == 1


@pytest.mark.parametrize(
    ("name", "hint"),
    [("lac/Oscilator-v1", "lac/Oscillator-v1"), ("oscilator", "oscillator"), ("Pendulm-v1", "Pendulum-v1")],
)
def test_an_environment_that_is_not_there_is_no_other_one(name, hint):
    with pytest.raises(ValueError, match=f"env_id is '{name}', which is not registered .* Did you mean '{hint}'"):
        lac.recommended(name)
