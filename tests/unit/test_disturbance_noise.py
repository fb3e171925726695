"""Noise on actions, observations and the process has the spread and the place that are asked for."""

import numpy as np
import pytest
from disturbance_support import ACTION, Foreign, oscillator, predicted, states_of

from lac.envs.disturbances import (
    Noise,
)


def test_noise_on_actions_has_mean_and_spread_in_the_chosen_entries():
    env = Noise(Foreign(), "action", mean=[0.5], std=[0.2], dims=[1])
    env.reset(seed=0)
    for _ in range(2000):
        env.step(np.array([0.1, 0.2]))
    added = np.array(env.unwrapped.actions) - [0.1, 0.2]
    assert not added[:, 0].any()
    assert added[:, 1].mean() == pytest.approx(0.5, abs=4 * 0.2 / np.sqrt(2000))
    assert added[:, 1].std() == pytest.approx(0.2, rel=0.06)


def test_noise_on_actions_comes_before_they_are_bounded():
    env = Noise(oscillator(), "action", mean=100.0, std=0.0)
    states = states_of(env, n_steps=1)
    np.testing.assert_array_equal(states[1:], predicted(states[:1], np.ones(3)))


def test_noise_on_observations_leaves_the_system_alone():
    plain, env = oscillator(), Noise(oscillator(), "observation", mean=2.0, std=0.1, dims=[0, 6])
    differences = [env.reset(seed=1)[0] - plain.reset(seed=1)[0]]
    for _ in range(200):
        (seen, cost, *_), (true, true_cost, *_) = env.step(ACTION), plain.step(ACTION)
        differences.append(seen - true)
        assert cost == true_cost
    differences = np.array(differences)
    np.testing.assert_array_equal(plain.unwrapped.get_state()["state"], env.unwrapped.get_state()["state"])
    assert not np.delete(differences, [0, 6], axis=1).any()
    assert (differences[:, [0, 6]] != 0.0).all(), "that of the reset is noisy, too"
    np.testing.assert_allclose(differences[:, [0, 6]].mean(axis=0), 2.0, atol=0.04)


def test_noisy_observations_keep_their_type_and_belong_to_the_space():
    env = Noise(Foreign(), "observation", std=5.0, dims=[0])
    observation, _ = env.reset(seed=0)
    assert observation.dtype == np.float32
    assert abs(observation[0]) > 1.0
    assert observation in env.observation_space
    assert env.observation_space.high.tolist() == [np.inf, 1.0]
    assert env.unwrapped.observation_space.high.tolist() == [1.0, 1.0]


def test_noise_on_the_process_is_added_to_the_state():
    env = Noise(oscillator(), "process", std=[0.1, 0.2], dims=[0, 4])
    states = states_of(env, n_steps=100)
    added = states[1:] - predicted(states[:-1], ACTION)
    np.testing.assert_allclose(np.delete(added, [0, 4], axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(added[:, [0, 4]].std(axis=0), [0.1, 0.2], rtol=0.3)


def test_concentrations_do_not_fall_below_zero_under_process_noise():
    env = Noise(oscillator(), "process", mean=-50.0, std=1.0, dims=[0, 3])
    states = states_of(env, n_steps=3)
    assert states[1:, [0, 3]].tolist() == [[0.0, 0.0]] * 3
    assert states[:, 6].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_levels_of_noise_are_compared_with_common_random_numbers():
    noises = []
    for std, dims in ((1.0, [0, 1]), (0.5, [1])):
        env = Noise(Foreign(), "action", std=std, dims=dims)
        env.reset(seed=0)
        env.step(np.zeros(2))
        noises.append(env.unwrapped.actions[0])
    assert noises[1][1] == pytest.approx(0.5 * noises[0][1])
