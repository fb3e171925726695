"""The function that makes the environments of a training, and how their episodes end."""

from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import NormalizeObservation, OrderEnforcing

from lac.envs import checks
from lac.evaluation.rollouts import rollout
from lac.settings.rules import ArgumentError
from lac.training.environments import Environments


class Line(gymnasium.Env):
    """Ends its episodes itself after ``limit`` steps."""

    observation_space, action_space = Box(-9.0, 9.0, (1,)), Box(-1.0, 1.0, (1,))
    limit, alive = 20, 0

    def __init__(self):
        self.closed = False

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.t += 1
        return np.zeros(1, np.float32), 1.0, False, self.t >= self.limit, {}

    def close(self):
        self.closed = True


class Endless(Line):
    limit = 10**12


def environments(env_fn, num_envs=1, num_test_envs=1, max_ep_len=None):
    return Environments(env_fn, num_envs, num_test_envs, "minimize", max_ep_len)


ONE = Line()


@pytest.mark.parametrize(
    "env_fn",
    [
        lambda: ONE,
        lambda: OrderEnforcing(ONE),
        lambda: OrderEnforcing(OrderEnforcing(ONE)),
    ],
)
@pytest.mark.parametrize(("num_envs", "num_test_envs"), [(1, 1), (3, 0), (2, 2)])
def test_one_environment_for_several_uses_is_refused(env_fn, num_envs, num_test_envs):
    with pytest.raises(ValueError, match=r"env_fn gives the same environment more than once.*num_test_episodes=0"):
        environments(env_fn, num_envs, num_test_envs)


def test_one_environment_behind_a_vector_environment_is_refused():
    with pytest.raises(ValueError, match="env_fn gives the same environment more than once"):
        environments(lambda: SyncVectorEnv([lambda: ONE] * 2), num_test_envs=0)


def test_one_environment_for_one_use_is_taken():
    assert environments(lambda: ONE, num_test_envs=0).training.envs[0].unwrapped is ONE


@pytest.mark.parametrize("env_fn", [ONE, SyncVectorEnv([Line])])
def test_an_environment_in_the_place_of_a_function_is_refused(env_fn):
    with pytest.raises(TypeError, match="env_fn is an environment; it must be a function that makes an environment"):
        environments(env_fn)


@pytest.mark.parametrize(("env_fn", "told"), [("Pendulum-v1", "'Pendulum-v1'"), (None, "None"), (5, "5")])
def test_anything_else_in_the_place_of_a_function_is_refused(env_fn, told):
    with pytest.raises(TypeError, match=f"env_fn is {told}; it must be a function"):
        environments(env_fn)


@pytest.mark.parametrize("made", [None, Line, "Pendulum-v1"])
def test_a_function_that_gives_no_environment_is_refused(made):
    with pytest.raises(TypeError, match=r"env_fn gave .* which is no environment"):
        environments(lambda: made)


def test_environments_of_different_spaces_are_refused():
    class Growing(Line):
        made: ClassVar = []

        def __init__(self):
            super().__init__()
            self.made.append(self)
            self.observation_space = Box(-9.0, 9.0, (len(self.made),))

    for uses in ((2, 0), (1, 1)):
        Growing.made.clear()
        with pytest.raises(ValueError, match="env_fn gives environments with different spaces"):
            environments(Growing, *uses)
        assert all(env.closed for env in Growing.made)


class OnlyOnce(Line):
    """As a simulator with one connection."""

    made: ClassVar = []

    def __init__(self):
        if self.made:
            raise RuntimeError("the port is taken")
        super().__init__()
        self.made.append(self)


def test_an_environment_that_can_exist_only_once_is_explained_and_closed():
    OnlyOnce.made.clear()
    with pytest.raises(ValueError, match=r"environment 2 of 2: the port is taken.*num_test_episodes=0"):
        environments(OnlyOnce)
    assert OnlyOnce.made[0].closed
    OnlyOnce.made.clear()
    assert environments(OnlyOnce, num_test_envs=0).tests == []


def test_running_statistics_are_told():
    def normalised():
        return OrderEnforcing(NormalizeObservation(Line()))

    (warning,) = environments(normalised, num_envs=2).warnings
    assert "running statistics of its own in NormalizeObservation" in warning
    assert "observation_scale" in warning
    assert environments(Line).warnings == []


def test_environments_without_an_end_are_refused_where_they_are_tested():
    with pytest.raises(ArgumentError, match=r"max_ep_len is not given.*10000 steps") as raised:
        environments(Endless)
    assert raised.value.argument == "max_ep_len"
    environments(Endless, num_test_envs=0)
    environments(Endless, max_ep_len=50)
    environments(lambda: gymnasium.wrappers.TimeLimit(Endless(), 10**6))


def test_environments_too_slow_to_tell_are_taken(monkeypatch):
    monkeypatch.setattr(checks, "_TRIAL_SECONDS", 0.0)
    environments(Endless)


def test_an_episode_that_does_not_end_is_ended():
    class LongLine(Line):
        limit = 12_000

    zero = np.zeros((2, 1), np.float32)
    episodes = rollout(lambda obs: zero[: len(obs)], [LongLine(), Line()], [0, 1], record=0)
    assert episodes.lengths.tolist() == [10_000, 20]
    assert episodes.unfinished.tolist() == [True, False]
    assert episodes.terminated.tolist() == [False, False]
    limited = gymnasium.wrappers.TimeLimit(LongLine(), 11_000)
    assert rollout(lambda obs: zero[:1], [limited], [0], record=0).lengths.tolist() == [11_000]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 1e39])
def test_costs_that_no_training_takes_end_a_test(value):
    class Costly(Line):
        def step(self, action):
            obs, cost, *rest = super().step(action)
            return obs, value if self.t == 3 else cost, *rest

    with pytest.raises(checks.OffendingTransitionError, match="step 3 of the test episode with seed 8 gave the cost"):
        rollout(lambda obs: np.zeros((len(obs), 1)), [Line(), Costly()], [7, 8])


@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_observations_that_no_training_takes_end_a_test(at, value):
    class Blind(Line):
        def reset(self, *, seed=None, options=None):
            super().reset()
            return np.full(1, value if at == 0 else 0.0, np.float32), {}

        def step(self, action):
            _, *rest = super().step(action)
            return np.full(1, value if self.t == at else 0.0, np.float32), *rest

    with pytest.raises(checks.OffendingTransitionError, match=r"seed 8 .*gave the observation \[(nan|-inf)\]"):
        rollout(lambda obs: np.zeros((len(obs), 1)), [Line(), Blind()], [7, 8])
