"""What the yardstick controllers reach from the resets of the tests, at the trained length and beyond it."""

import gymnasium
import numpy as np
import pytest

from lac import controllers
from lac.envs import wrap_env
from lac.evaluation.rollouts import FIRST_TEST_SEED, rollout


def episodes(design, env_id, times=1, number=100, record=0, **kwargs):
    steps = times * gymnasium.spec(env_id).max_episode_steps
    made = (gymnasium.make(env_id, disable_env_checker=True, max_episode_steps=steps, **kwargs) for _ in range(number))
    envs = [wrap_env(env) for env in made]
    return rollout(design(envs[0]), envs, range(FIRST_TEST_SEED, FIRST_TEST_SEED + number), record=record)


def test_the_regulator_brings_every_cart_to_rest_in_the_middle():
    rollouts = episodes(controllers.lqr, "lac/CartPoleCost-v1", times=4, record=100)
    assert not rollouts.terminated.any()
    # From up to 5 m; the slowest mode of the closed loop takes about 5 s.
    assert np.abs(rollouts.states[:, -1]).max() < 0.2
    # An implementation of its own with a small input weight had 26.8 from other starts.
    assert rollouts.costs[:, :250].sum(axis=1).mean() == pytest.approx(26.8, abs=4)


@pytest.mark.parametrize("observation", ["error", "markov"])
def test_the_geometric_controller_flies_the_helix_to_the_end(observation):
    rollouts = episodes(controllers.geometric, "lac/QuadrotorTracking-v1", 1, 20, 20, observation=observation)
    assert not rollouts.terminated.any()
    # One with the exact attitude had a squared error of 13.3 / 100 per step, and the thrust of the weight costs 0.181.
    assert rollouts.total_costs.mean() == pytest.approx(133 + 181, rel=0.05)
    errors = rollouts.states_of_interest[:, 200:] - rollouts.references[:, 200:]
    assert np.abs(errors).max() < 0.1


@pytest.mark.parametrize("env_id", ["lac/Oscillator-v1", "lac/OscillatorComplicated-v1"])
def test_the_first_protein_follows_its_reference(env_id):
    rollouts = episodes(controllers.two_step_ahead, env_id)
    assert not rollouts.terminated.any()
    # An implementation of its own: 103 +- 56 and 95 +- 46 from other starts, and 0.02 per step in the end.
    assert rollouts.total_costs.mean() == pytest.approx(104, abs=12)
    assert rollouts.costs[:, 200:].mean() == pytest.approx(0.0193, abs=1e-3)


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"exclude_reference_error_from_observation": False, "exclude_reference_from_observation": True},
        {"exclude_reference_rate_from_observation": False},
    ],
)
def test_the_cart_follows_a_fast_sine(shown):
    rollouts = episodes(controllers.cascade, "lac/CartPoleTrackingCost-v1", 2, reference_frequency=0.2, **shown)
    assert rollouts.terminated.mean() <= 0.02
    # Nothing but the tilt: the squared angle in units of 60 degrees, whose tangent has the amplitude 11.05 / 9.8.
    angles = np.arctan(11.05 / 9.8 * np.sin(np.linspace(0, 2 * np.pi, 250)))
    assert np.nanmean(rollouts.costs[:, 400:]) == pytest.approx(np.mean((angles / np.radians(60)) ** 2), abs=0.1)


def test_the_filter_loses_no_estimate_and_costs_a_tenth_of_none():
    rollouts, without = (episodes(design, "lac/Ex3EKF-v1") for design in (controllers.kalman, controllers.zero))
    assert not rollouts.terminated.any()
    assert np.median(rollouts.total_costs) < 0.1 * np.median(without.total_costs)
