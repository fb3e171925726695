"""Where an export is compared with its policy, and by how much it may differ."""

import numpy as np
import pytest
from export_support import HIGH, LOW, SCALE, SPACES, an_agent
from gymnasium.spaces import Box

from lac import LAC
from lac.exporting.policy import deterministic_policy
from lac.exporting.verification import Yardstick, yardstick


def reach(obs):
    return np.abs(obs).max(axis=0)


def test_observations_are_half_within_the_scale_and_half_in_one_twice_as_wide():
    agent = an_agent(LAC, [4], "relu", "relu")
    obs = yardstick(agent, deterministic_policy(agent)).obs
    assert obs.shape == (10_000, 3)
    assert reach(obs[:5000]) == pytest.approx(SCALE, rel=0.01)
    assert reach(obs) == pytest.approx(2 * SCALE, rel=0.01)
    np.testing.assert_array_equal(obs, obs.astype(np.float32))


def test_without_a_scale_the_box_counts_where_it_says_something():
    agent = LAC(SPACES, ac_kwargs={"hidden_sizes": [4]})
    box = Box(np.array([10.0, -np.inf, -1e30]), np.array([14.0, 5.0, 1e30]), dtype=np.float64)
    obs = yardstick(agent, deterministic_policy(agent), box).obs
    assert reach(obs[:5000] - [12, 0, 0]) == pytest.approx([2, 1, 1], rel=0.01)
    assert reach(obs - [12, 0, 0]) == pytest.approx([4, 2, 2], rel=0.01)


@pytest.mark.parametrize(
    ("number_type", "own_difference", "action_size", "limit"),
    [
        ("float", 1e-6, 1.0, 1e-5),
        ("float", 2e-5, 1.0, 6e-5),
        ("double", 2e-5, 1.0, 1e-12),
        ("double", 0.0, 1e6, 4e6 * 2.0**-52),
    ],
)
def test_the_limit_is_fixed_unless_the_numbers_do_not_reach_it(number_type, own_difference, action_size, limit):
    nothing = np.zeros((1, 1))
    found = Yardstick(nothing, nothing, np.ones(1), own_difference, action_size).limit(number_type)
    assert found == pytest.approx(limit, rel=1e-12)


def test_differences_are_in_half_widths_and_nan_is_no_small_one():
    actions = np.array([[0.3, 3.0], [0.1, 2.5]])
    measured = Yardstick(np.zeros((2, 3)), actions, (HIGH - LOW) / 2, 0.0, 1.0)
    assert measured.difference(np.add(actions, [[0.0, 0.3], [-0.04, 0.0]])) == pytest.approx(0.2)
    assert np.isnan(measured.difference(actions * [[np.nan, 1], [1, 1]]))
