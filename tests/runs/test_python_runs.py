"""Runs from Python are runs: their config is that of a command, as far as their environment can be made from it."""

import os
import subprocess
import sys

import gymnasium
import pytest
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import TransformReward
from run_support import summary_of, weights_of

import lac as package
from lac import lac, latc
from lac.evaluation.rollouts import FIRST_TEST_SEED, deterministic, rollout
from lac.runs import RunError, load, scan
from lac.runs.python_config import _importable_id, config_of_plan, is_of_script
from lac.settings.algorithms import LacAlgorithm
from lac.settings.logging import LoggerSettings
from lac.training.plan import TrainingPlan

SMALL = {
    "ac_kwargs": {"hidden_sizes": [8, 8], "activation": "tanh"},
    **{"epochs": 2, "steps_per_epoch": 60, "update_after": 20, "update_every": 20, "steps_per_update": 2},
    **{"num_test_episodes": 2, "final_test_episodes": 3, "seed": 4, "engine": "torch"},
}


def oscillator():
    return gymnasium.make("lac/Oscillator-v1", max_episode_steps=30, clip_action=False)


def with_attribute(env_id, **attributes):
    env = gymnasium.make(env_id)
    for name, value in attributes.items():
        setattr(env.unwrapped, name, value)
    return env


@pytest.fixture(scope="module")
def from_python(tmp_path_factory):
    folder = tmp_path_factory.mktemp("python") / "run"
    latc(oscillator, **SMALL, logger_kwargs={"output_dir": folder, "quiet": True})
    return folder


def part_and_reason(env):
    config, reason = config_of_plan(TrainingPlan(LacAlgorithm(), seed=0), LoggerSettings(), env)
    return config["env"], reason


def test_a_run_from_python_is_tested_in_its_environment(from_python):
    (run,), left_out = scan([from_python.parent])
    assert left_out == []
    agent, envs = run.closed_loop()
    found = rollout(deterministic(agent), envs, range(FIRST_TEST_SEED, FIRST_TEST_SEED + 3)).summary()
    assert found["cost_mean"] == pytest.approx(run.summary["final"]["cost_mean"], rel=1e-6)  # another engine acts
    assert found["ep_len_mean"] == run.summary["final"]["ep_len_mean"] <= 30
    assert run.config["env"]["max_episode_steps"] == 30
    assert run.config["env"]["kwargs"] == {"clip_action": False}
    both = {"actor": "tanh", "critic": "tanh"}
    assert run.config["network"]["activation"] == both, "as the group network has it"
    assert run.config["network"]["actor_bias"] is True, "with the defaults written out"


def test_the_command_runs_it_again_to_the_bit(from_python, train_here, tmp_path):
    again = tmp_path / "again"
    config = ["--config-dir", from_python, "--config-name", "config"]
    end = train_here(*map(str, config), "wandb.mode=disabled", f"hydra.run.dir={again}")
    assert end.status == 0, end.stderr
    first, second = weights_of(from_python), weights_of(again)
    assert all((first[name] == second[name]).all() for name in first)
    assert summary_of(again)["final"] == summary_of(from_python)["final"]


def test_the_command_does_not_go_on_with_it(from_python, train_here):
    end = train_here(f"resume={from_python}", "train.epochs=3")
    assert end.status == 2
    assert "was trained from Python: it goes on from there" in end.stderr


def test_a_run_whose_environment_has_no_name_says_why_it_is_not_tested(tmp_path):
    folder = tmp_path / "run"
    lac(
        lambda: with_attribute("lac/VanDerPol-v1", mu=0.5, goal_tolerance=0.3),
        **SMALL | {"max_ep_len": 20, "epochs": 1},
        logger_kwargs={"output_dir": folder, "quiet": True},
    )
    run = load(folder)
    assert run.config["env"]["goal_tolerance"] == 0.3
    with pytest.raises(RunError, match=r"cannot be made by name: its attribute mu is 0\.5, .*another one 1\.0"):
        run.environment()
    comment = (folder / "config.yaml").read_text().split("algo:")[0]
    assert "The command cannot run it again: its environment cannot be made by name" in comment
    assert "defaults:" not in comment, "without which no command runs it"


@pytest.mark.parametrize(
    "env_id",
    [
        *("Oscillator", "OscillatorComplicated", "CartPoleCost", "CartPoleTrackingCost", "Ex3EKF", "VanDerPol"),
        *("PendulumStabilise", "DuctedFan", "TwoLink", "SingleTrackCar", "QuadrotorTracking"),
    ],
)
def test_an_environment_in_the_middle_of_an_episode_has_a_name(env_id):
    env = gymnasium.make(f"lac/{env_id}-v1")
    env.reset(seed=1)
    env.step(env.action_space.sample())
    part, reason = part_and_reason(env)
    assert reason is None
    assert {name: value for name, value in part.items() if value} == {"name": "gym", "id": env.spec.id, "num_envs": 1}


def test_what_was_given_to_gymnasium_is_in_the_config():
    env = gymnasium.make("Pendulum-v1", g=9.0, max_episode_steps=7, render_mode="rgb_array")
    env.reset(seed=1)
    env.step(env.action_space.sample())
    part, reason = part_and_reason(env)
    assert reason is None
    assert (part["id"], part["max_episode_steps"], part["kwargs"]) == ("Pendulum-v1", 7, {"g": 9.0})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: with_attribute("Pendulum-v1", g=9.0), "its attribute g is 9.0, and that of another one 10.0"),
        (lambda: TransformReward(oscillator(), abs), "it has the wrapper TransformReward"),
        (lambda: SyncVectorEnv([oscillator]), "it is a vector environment"),
        (type(oscillator().unwrapped), "gymnasium.make did not make it"),
        (lambda: gymnasium.make("lac/Oscillator-v1", max_episode_steps=-1), "it has no time limit"),
    ],
)
def test_what_a_config_does_not_show_of_an_environment_is_said(make, reason):
    env = make()
    part, found = part_and_reason(env)
    assert found is not None
    assert found.startswith(reason)
    assert part["id"]
    env.close()


def test_an_environment_of_a_module_has_an_id_that_another_process_can_import():
    gymnasium.register("Own-v0", "some_package.envs:Own")
    gymnasium.register("Scripted-v0", type("Scripted", (), {"__module__": "__main__"}))
    found = [_importable_id(gymnasium.spec(name)) for name in ("Own-v0", "Scripted-v0", "lac/VanDerPol-v1", "Ant-v5")]
    assert found == ["some_package.envs:Own-v0", "Scripted-v0", "lac/VanDerPol-v1", "Ant-v5"]
    assert [is_of_script(name) for name in ("Own-v0", "Scripted-v0")] == [False, True]


def test_a_run_in_an_environment_of_a_module_is_tested_by_the_command(tmp_path, monkeypatch):
    (tmp_path / "own_envs.py").write_text(
        "import gymnasium\nfrom lac.envs.stabilisation import VanDerPol\n"
        "gymnasium.register('OwnVanDerPol-v0', 'own_envs:VanDerPol', max_episode_steps=20)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    run = tmp_path / "run"
    make = lambda: gymnasium.make("own_envs:OwnVanDerPol-v0")  # noqa: E731
    lac(make, **SMALL | {"epochs": 1}, logger_kwargs={"output_dir": run, "quiet": True})
    command = [sys.executable, "-m", "lac", "evaluate", f"run_dir={run}", "episodes=2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_another_environment_than_that_of_the_run_is_used_if_it_is_given(from_python):
    usual = rollout_of(from_python)
    given = rollout_of(from_python, lambda: gymnasium.make("lac/Oscillator-v1", max_episode_steps=5))
    assert usual.costs.shape[1] <= 30
    assert given.lengths.tolist() == [5, 5]
    with pytest.raises(ValueError, match=r"opt_type is 'maximize', but the environment of .* has 'minimize'"):
        rollout_of(from_python, opt_type="maximize")
    with pytest.raises(ValueError, match="env_fn is 42"):
        rollout_of(from_python, 42)


def rollout_of(run, env_fn=None, **settings):
    return package.rollout(run, env_fn, episodes=2, **settings)
