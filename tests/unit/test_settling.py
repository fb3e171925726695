"""Settling: hand-made courses of the error, systems whose settling time is known, and the final tests."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit

from lac.envs.checks import smoke_test_errors
from lac.envs.factory import make_env, wrap_env
from lac.evaluation.final_tests import final_tests
from lac.evaluation.rollouts import FIRST_TEST_SEED, evaluate, rollout, side_by_side
from lac.evaluation.settling import has_settled

LIMIT = 6


class Course(gymnasium.Env):
    """Its state of interest takes the given values in turn, the first at the reset; the reference is 1."""

    observation_space = Box(-np.inf, np.inf, (1,))
    action_space = Box(-1.0, 1.0, (1,))
    goal_tolerance = 0.5

    def __init__(self, values, terminates_at=None):
        self.values, self.terminates_at = values, terminates_at

    def reset(self, *, seed=None, options=None):
        self.step_number = 0
        return self._observed()

    def step(self, action):
        self.step_number += 1
        obs, info = self._observed()
        return obs, 1.0, self.step_number == self.terminates_at, False, info

    def _observed(self):
        value = self.values[min(self.step_number, len(self.values) - 1)]
        return np.array([value], np.float32), {"reference": np.ones(1), "state_of_interest": np.array([value])}


def zero(observations):
    return np.zeros((len(observations), 1))


def settling(values, terminates_at=None, **attributes):
    env = Course(values, terminates_at)
    for name, value in attributes.items():
        setattr(env, name, value)
    rollouts = evaluate(zero, [wrap_env(TimeLimit(env, LIMIT))], 1)
    return None if rollouts.settling_steps is None else rollouts.settling_steps[0]


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ([1.0] * 7, 0),  # never outside
        ([9, 9, 1.5, 0.5, 1, 1, 1], 2),  # the edge belongs to the set
        ([9, 1, 1, 9, 9, 1, 1], 5),  # enters, leaves and enters again
        ([9, 9, 9, 9, 9, 9, 1], 6),  # at the last step
    ],
)
def test_an_episode_settles_after_the_last_step_outside(values, steps):
    assert settling(values) == steps


@pytest.mark.parametrize("values", [[1, 1, 1, 1, 1, 1, 9], [9] * 7])
def test_an_episode_that_ends_outside_has_not_settled(values):
    assert np.isnan(settling(values))


def test_an_early_termination_never_settles():
    assert np.isnan(settling([1.0] * 7, terminates_at=3))


def test_the_tolerance_is_an_attribute_and_none_is_no_goal_set():
    assert settling([2.0] * 7) != settling([2.0] * 7, goal_tolerance=1.0)
    assert settling([2.0] * 7, goal_tolerance=None) is None
    assert "settled" not in evaluate(zero, [wrap_env(gymnasium.make("Pendulum-v1"), "maximize")], 1).summary()


def test_the_summary_has_the_share_and_the_median_of_those_that_settled():
    courses = [[9, 1, 1, 1, 1, 1, 1], [9, 9, 9, 1, 1, 1, 1], [9] * 7, [1, 9, 9, 9, 9, 1, 1]]
    envs = [wrap_env(TimeLimit(Course(values), LIMIT)) for values in courses]
    summary = evaluate(zero, envs, 4).summary()
    assert (summary["settled"], summary["settling_steps"]) == (0.75, 3.0)  # of 1, 3, 5


@pytest.mark.parametrize(
    "option", ["CartPoleCost", "Oscillator", "Ex3EKF", "VanDerPol", "DuctedFan", "SingleTrackCar", "QuadrotorTracking"]
)
def test_systems_that_step_as_a_batch_settle_as_each_alone(option):
    def make():
        return wrap_env(make_env(f"lac/{option}-v1", max_episode_steps=40, goal_tolerance=2.0))

    def policy(observations):
        return np.zeros((len(observations), *make().action_space.shape))

    together = evaluate(policy, [make() for _ in range(6)], 6)
    alone = [evaluate(policy, [make()], 1, FIRST_TEST_SEED + i).settling_steps[0] for i in range(6)]
    assert np.array_equal(together.settling_steps, alone, equal_nan=True)


def test_the_goal_set_of_the_cart_pole_ends_at_half_a_metre():
    env = make_env("lac/CartPoleCost-v1").unwrapped
    env.reset(seed=0)
    env.set_state([0.5, 0.0, 0.0, 0.0])
    reference, interest = env.signals(env.get_state()["state"])
    assert (np.abs(interest - reference) <= env.goal_tolerance).all()
    env.set_state([0.51, 0.0, 0.0, 0.0])
    reference, interest = env.signals(env.get_state()["state"])
    assert not (np.abs(interest - reference) <= env.goal_tolerance).all()


def test_a_tolerance_of_another_size_is_refused_at_the_start():
    env = wrap_env(make_env("lac/VanDerPol-v1", goal_tolerance=[0.1, 0.1, 0.1]))
    assert smoke_test_errors(env) == [
        "goal_tolerance (env.goal_tolerance) has 3 numbers; the state of interest has 2",
    ]


def test_long_episodes_go_on_beyond_the_time_limit_which_is_as_before_afterwards():
    course = [9] * LIMIT + [1]
    env = wrap_env(TimeLimit(Course(course), LIMIT - 1))
    report = final_tests(zero, [env], 3)
    assert (report.usual["ep_len_mean"], report.usual["settled"], report.usual["episodes"]) == (LIMIT - 1, 0.0, 3)
    long = report.long
    assert (long["ep_len_mean"], long["steps"], long["cut_short"]) == (4 * (LIMIT - 1), 4 * (LIMIT - 1), 0.0)
    assert (long["settled"], long["settling_steps"]) == (1.0, LIMIT)
    assert evaluate(zero, [env], 1).lengths.tolist() == [LIMIT - 1]


def test_an_environment_that_ends_its_episodes_itself_is_said_to():
    class Own(Course):
        def step(self, action):
            *others, _, info = super().step(action)
            return *others, self.step_number == 4, info

    report = final_tests(zero, [wrap_env(TimeLimit(Own([1.0] * 9), LIMIT))], 2)
    assert report.long["ep_len_mean"] == 4
    assert report.long["cut_short"] == 1.0


def test_copies_of_a_system_have_the_episodes_of_new_ones():
    def make():
        return wrap_env(make_env("lac/Oscillator-v1", max_episode_steps=30))

    def policy(observations):
        return np.full((len(observations), 3), 0.3)

    seeds = range(5, 15)
    copied = rollout(policy, side_by_side([make(), make()], 10), seeds, record=0)
    assert np.array_equal(copied.costs, rollout(policy, [make()], seeds, record=0).costs)


@pytest.mark.parametrize(
    ("last_outside", "length", "expected"),
    [(-1, 1, True), (0, 1, True), (1, 1, False), (360, 400, True), (361, 400, False), (400, 400, False), (9, 10, True)],
)
def test_an_episode_ends_with_a_tenth_of_its_steps_in_the_goal_set(last_outside, length, expected):
    assert has_settled(np.array([last_outside]), length).tolist() == [expected]


def test_an_error_that_swings_through_the_goal_set_at_the_last_step_has_not_settled():
    """As beside a periodic reference, where episodes have whole periods."""
    swing = 1.0 + 5.0 * np.sin(2 * np.pi * np.arange(41) / 20)
    assert abs(swing[40] - 1.0) < 0.5 < abs(swing[39] - 1.0)
    rollouts = evaluate(zero, [wrap_env(TimeLimit(Course(swing), 40))], 1)
    assert np.isnan(rollouts.settling_steps).all()
