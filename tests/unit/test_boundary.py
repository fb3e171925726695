"""What passes between an environment and the agent: copies, in the declared types, checked."""

from decimal import Decimal
from fractions import Fraction
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from lac import LAC, LyapunovActorCritic
from lac.envs import wrap_env, wrap_vector_env
from lac.evaluation.rollouts import rollout
from lac.training.collector import Collector


class Given(gymnasium.Env):
    """Gives what it is told to give: an observation at the reset, then observations and scalars."""

    action_space = Box(-1.0, 1.0, (1,))

    def __init__(self, first, *steps, dtype=np.float32):
        self.observation_space = Box(0, 9, (2,), dtype)
        self.first, self.steps = first, list(steps)

    def reset(self, *, seed=None, options=None):
        return self.first, {}

    def step(self, action):
        obs, scalar = self.steps.pop(0)
        return obs, scalar, False, False, {}


def stepped(env):
    """The observation and the cost of the first step."""
    env = wrap_env(env)
    env.reset()
    return env.step(np.zeros(1, np.float32))[:2]


class Scaling(gymnasium.Env):
    """Writes into its action, and gives one array again and again."""

    observation_space, action_space = Box(-99.0, 99.0, (1,)), Box(-1.0, 1.0, (1,))

    def __init__(self):
        self.x = np.zeros(1, np.float32)

    def reset(self, *, seed=None, options=None):
        self.x[:] = 0.0
        return self.x, {}

    def step(self, action):
        action *= 10.0
        self.x += action
        return self.x, 1.0, False, False, {}


@pytest.mark.parametrize(
    "make_envs",
    [
        lambda: wrap_vector_env(Scaling, 2, "minimize", None),
        lambda: wrap_vector_env(
            lambda: SyncVectorEnv([Scaling, Scaling], copy=False, autoreset_mode=AutoresetMode.NEXT_STEP),
            1,
            "minimize",
            None,
        ),
    ],
    ids=["ours", "vector"],
)
def test_environments_share_no_array_with_what_is_stored(make_envs):
    collector = Collector(make_envs(), 0)
    action = np.full((2, 1), 0.5, np.float32)
    first, second = list(collector.step(lambda _: action)), list(collector.step(lambda _: action))
    assert [(t.obs.tolist(), t.act.tolist(), t.obs_next.tolist()) for t in first] == [([0.0], [0.5], [5.0])] * 2
    assert [(t.obs.tolist(), t.act.tolist(), t.obs_next.tolist()) for t in second] == [([5.0], [0.5], [10.0])] * 2
    assert action.tolist() == [[0.5], [0.5]]


def test_policies_share_no_array_with_what_is_stored():
    def writing(obs):
        obs += 7.0
        return np.zeros((1, 1), np.float32)

    collector = Collector(wrap_vector_env(Scaling, 1, "minimize", None), 0)
    assert [t.obs.tolist() for t in collector.step(writing)] == [[0.0]]


@pytest.mark.parametrize("convert", [np.array, torch.tensor])
def test_actors_share_no_array_with_their_caller(convert):
    class Writing(LyapunovActorCritic):
        def act(self, obs, deterministic=False):
            action = super().act(obs, deterministic)
            obs += 7.0
            return action

    obs = convert([1.0], dtype=np.float32 if convert is np.array else torch.float32)
    LAC(Scaling(), Writing, {"hidden_sizes": {"actor": [4], "critic": [4]}}).get_action(obs)
    assert obs.tolist() == [1.0]


@pytest.mark.parametrize("first", [[1, 2], (1, 2), np.array([1, 2]), np.array([1.0, 2.0]), np.array([True, True])])
def test_observations_have_the_dtype_of_their_space(first):
    obs, _ = wrap_env(Given(first)).reset()
    assert obs.dtype == np.float32
    np.testing.assert_array_equal(obs, np.asarray(first, np.float32))


def test_an_integer_reset_does_not_make_the_tests_integer():
    env = wrap_env(Given([0, 0], *[(np.array([0.25, 0.5], np.float32), 1.0)] * 2))
    episodes = rollout(lambda obs: np.zeros((len(obs), 1)), [env], [0], steps=2)
    assert episodes.observations[0].tolist() == [[0.0, 0.0], [0.25, 0.5], [0.25, 0.5]]


@pytest.mark.parametrize(
    ("first", "dtype", "told"),
    [
        ([1.0, 2.0, 3.0], np.float32, r"reset\(\) gave an observation of shape \(3,\).*has \(2,\)"),
        (5.0, np.float32, r"shape \(\).*has \(2,\)"),
        ([0.5, 0.5], np.int64, "dtype float64.*int64"),
        ([300, 1], np.uint8, "300.*uint8, cannot hold"),
        ([-1, 1], np.uint8, "-1.*uint8, cannot hold"),
        ([1e6, 1.0], np.float16, "float16, cannot hold"),
        (["a", "b"], np.float32, "dtype <U1"),
        ([[1.0], [1.0, 2.0]], np.float32, r"reset\(\) gave an observation that is no array"),
        (None, np.float32, r"shape \(\)"),
        (np.array([1j, 2j]), np.float32, "dtype complex128"),
    ],
)
def test_observations_that_the_space_cannot_hold_are_refused(first, dtype, told):
    with pytest.raises(ValueError, match=told):
        wrap_env(Given(first, dtype=dtype)).reset()


@pytest.mark.parametrize(
    "cost",
    [
        *(2, 2.0, np.float32(2), np.array(2.0), np.array([2.0]), [2.0], (2,), np.array([[2]]), np.int64(2)),
        *(Fraction(2), Decimal(2), torch.tensor([2.0])),
    ],
)
def test_costs_of_one_number_are_taken(cost):
    _, taken = stepped(Given([0, 0], ([0, 0], cost)))
    assert (type(taken), taken) == (float, 2.0)


@pytest.mark.parametrize("cost", [None, "2.0", np.array(["2.0"]), [1.0, 2.0], [], [[1.0], [1.0, 2.0]], 1j])
def test_costs_of_anything_else_are_refused(cost):
    with pytest.raises(ValueError, match=r"step\(\) gave the cost .*it must be a number"):
        stepped(Given([0, 0], ([0, 0], cost)))


def test_rewards_are_called_rewards():
    env = Given([0, 0], ([0, 0], None))
    env.reward_max = 1.0
    env = wrap_env(env, "maximize")
    env.reset()
    with pytest.raises(ValueError, match="gave the reward None"):
        env.step(np.zeros(1))


class OldInterface(Given):
    """As environments were before Gymnasium."""

    def reset(self):
        return np.zeros(2, np.float32)

    def step(self, action):
        return np.zeros(2, np.float32), 1.0, False, {}


def test_the_interface_of_old_environments_is_explained():
    class Resets(OldInterface):
        def reset(self, *, seed=None, options=None):
            return np.zeros(3, np.float32)

    class Steps(OldInterface):
        reset = Given.reset

    with pytest.raises(ValueError, match=r"reset\(\) gave a ndarray; it must give an observation and a dictionary"):
        wrap_env(Resets([0, 0])).reset()
    with pytest.raises(ValueError, match=r"step\(\) gave 4 values.*; it must give five values"):
        stepped(Steps([0, 0]))


def test_whole_numbers_as_actions_are_refused():
    class Valve(Scaling):
        action_space = Box(-2, 2, (1,), np.int64)

    with pytest.raises(ValueError, match=r"action space is Box\(-2, 2, \(1,\), int64\).*float32 or float64"):
        LAC(Valve())


class Vectors(gymnasium.vector.VectorEnv):
    """A vector environment of somebody else; steps give what it is told to give."""

    num_envs = 2
    single_observation_space, single_action_space = Box(-9.0, 9.0, (2,)), Box(-1.0, 1.0, (1,))
    observation_space, action_space = Box(-9.0, 9.0, (2, 2)), Box(-1.0, 1.0, (2, 1))
    metadata: ClassVar = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, **given):
        self.given = {"obs": np.zeros((2, 2)), "costs": [1, 1], "ends": [False, False], "info": {}} | given

    def reset(self, *, seed=None, options=None):
        return np.zeros((2, 2), int), {}

    def step(self, actions):
        return self.given["obs"], self.given["costs"], [False, False], self.given["ends"], self.given["info"]


def collected(**given):
    """Two vector steps."""
    collector = Collector(wrap_vector_env(lambda: Vectors(**given), 1, "minimize", None), 0)
    return [transition for _ in range(2) for transition in collector.step(lambda obs: np.zeros((2, 1)))]


def test_vector_environments_may_give_lists():
    ends = {"ends": [True, False], "info": {"final_obs": [[1, 2], None]}}
    first, second, *_ = collected(**ends)
    assert (first.obs_next.tolist(), first.cost, first.truncated) == ([1.0, 2.0], 1.0, True)
    assert first.obs_next.dtype == np.float32
    assert (second.obs_next.tolist(), second.truncated) == ([0.0, 0.0], False)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"obs": np.zeros((2, 3))}, r"shape \(2, 3\)"),
        ({"costs": 1.0}, r"costs of shape \(\); it must be \(2,\)"),
        ({"ends": [True]}, r"truncations of shape \(1,\)"),
        ({"ends": [True, False]}, "final_obs"),
        ({"ends": [True, False], "info": {"final_obs": [[1, 2, 3], None]}}, r"shape \(3,\)"),
        ({"costs": [1.0, -1.0]}, r"step 2 \(environment 1\) gave the cost -1.0"),
        ({"costs": [1.0, 1e39]}, r"step 2 \(environment 1\) gave the cost 1e\+39, which is beyond float32"),
    ],
)
def test_what_vector_environments_must_not_give(given, told):
    with pytest.raises(ValueError, match=told):
        collected(**given)
