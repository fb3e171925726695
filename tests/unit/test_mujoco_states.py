"""States of the robots, and forces on them."""

import numpy as np
import pytest
from mujoco_support import ROBOTS, actions, every_robot, made, placed_at

mujoco = pytest.importorskip("mujoco")


@every_robot
def test_an_episode_continues_exactly_from_a_state(name):
    env = made(name, reference_forward_velocity=(0.5, 1.5))
    env.reset(seed=1)
    before, after = actions(env, 7), actions(env, 20, seed=1)
    for action in before:
        last, *_ = env.step(action)
    state = env.get_state()
    assert all(isinstance(part, np.ndarray) for part in state.values())
    went = [env.step(action)[:3] for action in after]
    next_start = env.reset()[0]
    other = made(name, reference_forward_velocity=(0.5, 1.5))
    other.reset(seed=9)
    observation, info = other.set_state(state)
    np.testing.assert_array_equal(observation, last)
    assert info["reference_error"].tolist() == [observation[-1] - observation[-2]]
    for action, (expected, expected_cost, expected_end) in zip(after, went, strict=True):
        observation, cost, ended, *_ = other.step(action)
        np.testing.assert_array_equal(observation, expected)
        assert (cost, ended) == (expected_cost, expected_end)
    np.testing.assert_array_equal(other.reset()[0], next_start)


def test_a_state_is_a_copy():
    env = made("Hopper")
    env.reset(seed=0)
    state = env.get_state()
    kept = {name: part.copy() for name, part in state.items()}
    env.step(np.ones(3, np.float32))
    assert all((state[name] == kept[name]).all() for name in kept)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"position": np.zeros(6)}, "'position'; its parts are state, time"),
        ({"state": np.zeros(5)}, r"shape \(12,\)"),
        ({"state": np.full(12, np.nan)}, "in the state .* finite"),
    ],
)
def test_a_state_that_is_none_is_refused_and_changes_nothing(state, told):
    env = made("Hopper")
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises(ValueError, match=told):
        env.set_state({"time": [3.0], **state})
    assert all((before[name] == part).all() for name, part in env.get_state().items())


@pytest.mark.parametrize("name", ["Ant", "Humanoid"])
def test_a_force_changes_the_momentum_as_newton_says(name):
    force = np.array([50.0, -30.0, 20.0])
    momenta = []
    for external_force in (np.zeros(3), force):
        env = made(name)
        env.reset(seed=0)
        env.model.opt.density = env.model.opt.viscosity = 0.0
        qpos = env.data.qpos.copy()
        qpos[2] = 5.0  # metres above the ground: no contacts
        env.set_state(placed_at(env, qpos))
        env.external_force = external_force
        env.step(np.zeros(env.action_space.shape, np.float32))
        mujoco.mj_forward(env.model, env.data)
        mujoco.mj_subtreeVel(env.model, env.data)
        momenta.append(env.model.body_mass.sum() * env.data.subtree_linvel[0])
    np.testing.assert_allclose(momenta[1] - momenta[0], force * ROBOTS[name][2], rtol=1e-3)


@every_robot
def test_a_force_moves_every_robot_and_ends_when_it_is_taken_away(name):
    env = made(name)
    env.reset(seed=0)
    state, action = env.get_state(), np.zeros(env.action_space.shape, np.float32)
    nominal = env.step(action)[0]
    for force, moves in (((30.0, 0.0, 0.0), True), (0.0, False)):
        env.set_state(state)
        env.external_force = np.asarray(force)
        assert (env.step(action)[0] != nominal).any() == moves


def test_constants_of_the_model_take_effect_at_once():
    env = made("Hopper")
    env.reset(seed=0)
    env.model.opt.gravity[2] = 0.0
    qpos = env.data.qpos.copy()
    qpos[1] += 1.0
    env.set_state(placed_at(env, qpos))
    env.step(np.zeros(3, np.float32))
    assert env.data.qpos[1] == pytest.approx(qpos[1], abs=1e-4)


def test_warnings_of_mujoco_are_logged_and_leave_no_file(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    env = made("Hopper")
    env.reset(seed=0)
    env.data.qvel[0] = np.nan
    env.step(np.zeros(3, np.float32))
    assert "Nan" in caplog.text
    assert list(tmp_path.iterdir()) == []
