import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import lac  # noqa: F401 (registers the environments)
from lac.envs.factory import validate_spaces, wrap_env

robotics = pytest.importorskip("gymnasium_robotics")


def made():
    return gymnasium.make("lac/FetchReachCost-v1", disable_env_checker=True).unwrapped


def actions(number, seed=0):
    return [a.astype(np.float32) for a in np.random.default_rng(seed).uniform(-1.0, 1.0, (number, 4))]


def test_costs_are_distances_and_the_rest_is_that_of_the_original():
    ours, theirs = made(), gymnasium.make("FetchReachDense-v4", disable_env_checker=True).unwrapped
    observation, info = ours.reset(seed=4)
    expected, _ = theirs.reset(seed=4)
    for action in [*actions(20), None]:
        for key, value in expected.items():
            np.testing.assert_array_equal(observation[key], value)
        np.testing.assert_array_equal(info["reference"], expected["desired_goal"])
        np.testing.assert_array_equal(info["state_of_interest"], expected["achieved_goal"])
        np.testing.assert_array_equal(info["reference_error"], expected["achieved_goal"] - expected["desired_goal"])
        if action is None:
            break
        observation, cost, terminated, truncated, info = ours.step(action)
        expected, reward, *_ = theirs.step(action)
        by_hand = sum((expected["achieved_goal"] - expected["desired_goal"]) ** 2) ** 0.5
        assert cost == pytest.approx(by_hand, abs=1e-15)
        assert cost == pytest.approx(-reward, abs=1e-15)
        assert not terminated
        assert not truncated
        assert "is_success" in info


def test_moving_towards_the_goal_reaches_it():
    env = gymnasium.make("lac/FetchReachCost-v1")
    _, info = env.reset(seed=0)
    costs, ended = [], False
    while not ended:
        action = np.append(np.clip(-10.0 * info["reference_error"], -1.0, 1.0), 0.0).astype(np.float32)
        _, cost, terminated, ended, info = env.step(action)
        costs.append(cost)
    assert len(costs) == 50
    assert not terminated
    assert costs[-1] < 0.03 < costs[0]


def test_it_is_flattened_for_training():
    env = wrap_env(gymnasium.make("lac/FetchReachCost-v1", max_episode_steps=200))
    observations, action_box = validate_spaces(env)
    assert (observations.shape, action_box.shape) == ((16,), (4,))
    assert env.spec.max_episode_steps == 200
    flat, info = env.reset(seed=0)
    np.testing.assert_array_equal(flat[:6], [*info["state_of_interest"], *info["reference"]])


def test_the_checker_of_gymnasium_has_nothing_to_say():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*Box observation space .*infinity.*probably too (high|low)")
        check_env(made(), skip_render_check=True)


def test_an_episode_continues_exactly_from_a_state():
    env, other = made(), made()
    env.reset(seed=1)
    for action in actions(7):
        last, *_ = env.step(action)
    state = env.get_state()
    after = actions(20, seed=1)
    went = [env.step(action)[:2] for action in after]
    other.reset(seed=2)
    observation, _ = other.set_state(state)
    for key, value in last.items():
        np.testing.assert_array_equal(observation[key], value)
    for action, (expected, expected_cost) in zip(after, went, strict=True):
        observation, cost, *_ = other.step(action)
        assert cost == expected_cost
        for key, value in expected.items():
            np.testing.assert_array_equal(observation[key], value)
    np.testing.assert_array_equal(other.reset()[1]["reference"], env.reset()[1]["reference"])


def test_a_force_moves_the_gripper():
    heights = []
    for force in (0.0, 200.0):
        env = made()
        env.reset(seed=0)
        env.external_force = np.array([0.0, 0.0, force])
        *_, info = env.step(np.zeros(4, np.float32))
        heights.append(info["state_of_interest"][2])
    assert heights[1] > heights[0] + 1e-4
