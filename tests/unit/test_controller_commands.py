"""The group ``controller`` of evaluate: alone, beside runs, under a disturbance, and what is refused."""

import json
import re
import shutil
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import yaml

from lac import controllers
from lac.config.schemas import CONFIG_DIR
from lac.envs import wrap_env
from lac.envs.disturbances import disturbed
from lac.evaluation.rollouts import FIRST_TEST_SEED, rollout
from lac.settings.controllers import CONTROLLER_NAMES

FOLDER = Path("outputs/controllers")


@pytest.fixture
def evaluate(script_here, monkeypatch):
    monkeypatch.setattr("lac.figures.trajectories", lambda _rollouts, path, *_: path.touch())
    return lambda *arguments: script_here("evaluate.py", "episodes=3", *arguments)


def result(folder, name="evaluation.json"):
    return json.loads((folder / name).read_text())


def mean_cost(env, design):
    seeds = range(FIRST_TEST_SEED, FIRST_TEST_SEED + 3)
    return rollout(design(env.unwrapped), [wrap_env(env)], seeds, record=0).summary()["cost_mean"]


def last_words(end):
    """The last word of each row, which may be on a line of its own."""
    words = [line.split()[-1] for line in end.stdout.splitlines()[1:] if not line.startswith("wrote ")]
    return [word for word in words if not word.isdigit()]


def test_every_controller_is_an_option_and_a_function():
    assert set(CONTROLLER_NAMES) == set(controllers.CONTROLLERS)
    options = {path.stem: yaml.safe_load(path.read_text()) for path in (CONFIG_DIR / "controller").glob("*.yaml")}
    assert options == {name: {"name": name} for name in (*CONTROLLER_NAMES, "none")}
    assert all(callable(getattr(controllers, name)) for name in CONTROLLER_NAMES)


@pytest.mark.parametrize(
    ("arguments", "env_id", "design"),
    [
        (["controller=lqr", "env=cartpole_cost"], "lac/CartPoleCost-v1", controllers.lqr),
        (["controller=two_step_ahead", "env=oscillator"], "lac/Oscillator-v1", controllers.two_step_ahead),
        (["controller=zero", "env=pendulum_stabilise"], "lac/PendulumStabilise-v1", controllers.zero),
    ],
)
def test_both_doors_give_the_same_result(arguments, env_id, design, evaluate):
    end = evaluate(*arguments)
    assert (end.status, end.stderr) == (0, "")
    folder = FOLDER / arguments[1].removeprefix("env=") / arguments[0].removeprefix("controller=")
    assert last_words(end) == [str(folder)]
    assert {path.name for path in folder.iterdir()} == {"evaluation.json", "trajectories.png"}
    env = gymnasium.make(env_id, disable_env_checker=True)
    assert result(folder)["cost_mean"] == pytest.approx(mean_cost(env, design), rel=1e-9)
    assert result(folder)["policy"] == folder.name


def test_a_controller_stands_beside_runs_once_for_each_environment(evaluate, saved, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(saved, tmp_path / "sweep" / name)
    end = evaluate("run_dir=sweep", "controller=lqr")
    assert end.status == 0, end.stderr
    of_controller = FOLDER / "cartpole_cost-max_episode_steps=500-max_ep_len=7" / "lqr"
    assert last_words(end) == ["sweep/a", "sweep/b", str(of_controller)]
    assert result(of_controller)["ep_len_mean"] == 7.0
    assert result(tmp_path / "sweep/a")["policy"] == "final"
    env = gymnasium.make("lac/CartPoleCost-v1", disable_env_checker=True, max_episode_steps=7)
    assert result(of_controller)["cost_mean"] == pytest.approx(mean_cost(env, controllers.lqr), rel=1e-9)


def test_a_controller_without_meaning_does_not_keep_runs_from_being_tested(evaluate, saved):
    end = evaluate(f"run_dir={saved}", "controller=geometric")
    assert (end.status, last_words(end)) == (1, [str(saved)])
    assert "geometric has no meaning in lac/CartPoleCost-v1; available there: lqr and zero" in end.stderr


def test_the_name_of_an_environment_leads_to_no_other_folder(evaluate, saved, tmp_path):
    run = shutil.copytree(saved, tmp_path / "run")
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(re.sub("name: cartpole_cost", "name: ../../../escaped", config))
    end = evaluate("run_dir=run", "controller=zero")
    assert end.status == 0, end.stderr
    (folder,) = (tmp_path / FOLDER).iterdir()
    assert folder.name.startswith("environment-")
    assert {path.name for path in tmp_path.iterdir()} == {"run", "outputs"}


def test_a_controller_is_designed_for_the_nominal_system_and_tested_on_the_changed_one(evaluate):
    change = {"kind": "parameters", "values": {"length": 3.0}}
    end = evaluate("controller=lqr", "env=cartpole_cost", "disturbance=parameters", "disturbance.values.length=3.0")
    assert end.status == 0, end.stderr
    (file,) = (FOLDER / "cartpole_cost" / "lqr").glob("evaluation-*.json")
    nominal = gymnasium.make("lac/CartPoleCost-v1", disable_env_checker=True)
    regulator = controllers.lqr(nominal)
    env = disturbed(gymnasium.make("lac/CartPoleCost-v1", disable_env_checker=True), {**change, "name": "x"})
    expected = mean_cost(env, lambda _: regulator)
    assert json.loads(file.read_text())["cost_mean"] == pytest.approx(expected, rel=1e-9)
    assert not np.isclose(expected, mean_cost(nominal, controllers.lqr))


def test_different_settings_have_different_folders(evaluate):
    for words in ([], ["controller.input_weight=0.1"], ["env.max_episode_steps=20"], ["env.kwargs.gravity=10"]):
        end = evaluate("controller=lqr", "env=cartpole_cost", *words)
        assert end.status == 0, end.stderr
    assert {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*")} == {
        "cartpole_cost/lqr",
        "cartpole_cost/lqr-input_weight=0.1",
        "cartpole_cost-max_episode_steps=20/lqr",
        "cartpole_cost-kwargs.gravity=10/lqr",
    }
