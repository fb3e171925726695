from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary
from gymnasium.wrappers import TimeLimit

from lac.envs import RewardAsCost, make_env, wrap_env
from lac.envs.costs import reward_maximum
from lac.envs.factory import env_errors, validate_spaces

REAL = Box(-np.inf, np.inf, (3,))
UNIT = Box(-1.0, 1.0, (2,))


class Rewarding(gymnasium.Env):
    """Gives a fixed sequence of rewards, and never ends by itself."""

    observation_space = REAL
    action_space = UNIT

    def __init__(self, rewards=(1.0, 2.0, 3.0)):
        self.rewards = iter(rewards)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(3), {}

    def step(self, action):
        return np.ones(3), next(self.rewards), False, False, {"told": True}


class Nested(Rewarding):
    observation_space = Dict({"a": Box(-1.0, 1.0, (2, 2)), "b": Discrete(3)})

    def reset(self, *, seed=None, options=None):
        return {"a": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": 1}, {}


def spaces(observations=REAL, actions=UNIT):
    return SimpleNamespace(observation_space=observations, action_space=actions)


# Rewards as costs ------------------------------------------------------------------------------------


def test_a_reward_becomes_its_distance_to_the_bound():
    env = RewardAsCost(Rewarding(), reward_max=3.0)
    env.reset()
    steps = [env.step(np.zeros(2)) for _ in range(3)]
    assert [step[1] for step in steps] == [2.0, 1.0, 0.0]
    assert steps[0][2:] == (False, False, {"told": True})


def test_a_reward_above_its_bound_is_an_error():
    env = RewardAsCost(Rewarding([3.5]), reward_max=3.0)
    env.reset()
    with pytest.raises(ValueError, match=r"reward 3\.5.*env\.reward_max=3\.0"):
        env.step(np.zeros(2))


def test_the_bound_is_read_from_the_environment_below_its_wrappers():
    env = Rewarding()
    env.reward_max = 7.0
    assert reward_maximum(env) == 7.0
    assert reward_maximum(TimeLimit(env, 5)) == 7.0


def test_an_attribute_comes_before_the_table():
    env = gymnasium.make("Pendulum-v1")
    assert reward_maximum(env) == 0.0
    env.unwrapped.reward_max = 5.0
    assert reward_maximum(env) == 5.0


def test_an_unknown_bound_is_refused_with_the_name_of_the_attribute():
    with pytest.raises(ValueError, match=r"Rewarding.*env\.reward_max"):
        reward_maximum(Rewarding())
    with pytest.raises(ValueError, match=r"CartPole-v1.*env\.reward_max"):
        reward_maximum(gymnasium.make("CartPole-v1"))


@pytest.mark.parametrize("bound", [np.inf, np.nan, "high"])
def test_a_bound_that_is_no_finite_number_is_refused(bound):
    env = Rewarding()
    env.reward_max = bound
    with pytest.raises(ValueError, match="reward_max"):
        reward_maximum(env)


# wrap_env ---------------------------------------------------------------------------------------------


def test_minimize_leaves_the_scalar_alone_and_maximize_turns_it():
    kept, turned = Rewarding([2.0]), Rewarding([2.0])
    turned.reward_max = 10.0
    scalars = []
    for env in (wrap_env(kept, "minimize"), wrap_env(turned, "maximize")):
        env.reset()
        scalars.append(env.step(np.zeros(2))[1])
    assert scalars == [2.0, 8.0]


def test_maximize_without_a_bound_is_refused():
    with pytest.raises(ValueError, match=r"env\.reward_max"):
        wrap_env(Rewarding(), "maximize")


def test_max_ep_len_truncates():
    env = wrap_env(Rewarding([0.0] * 9), max_ep_len=3)
    env.reset()
    assert [env.step(np.zeros(2))[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]


def test_max_ep_len_shortens_an_environment_that_has_a_limit():
    env = wrap_env(make_env("Pendulum-v1"), max_ep_len=2)
    env.reset(seed=0)
    assert [env.step(np.zeros(1, np.float32))[3] for _ in range(2)] == [False, True]


def test_max_ep_len_beyond_the_own_limit_is_refused():
    wrap_env(make_env("Pendulum-v1"), max_ep_len=200)
    with pytest.raises(ValueError, match=r"max_ep_len is 201.*200 steps.*max_episode_steps"):
        wrap_env(make_env("Pendulum-v1"), max_ep_len=201)


def test_observations_are_flattened():
    env = wrap_env(Nested())
    assert env.observation_space.shape == (7,)
    obs, _ = env.reset()
    assert sorted(obs.tolist()) == [0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 4.0]
    validate_spaces(env)


def test_a_flat_observation_is_not_wrapped_again():
    env = Rewarding()
    assert wrap_env(env).env is env


# validate_spaces ----------------------------------------------------------------------------------------


def test_usable_spaces_are_handed_back():
    assert validate_spaces(spaces()) == (REAL, UNIT)


@pytest.mark.parametrize(
    "observations", [Discrete(4), Dict({"a": REAL}), Box(0.0, 1.0, (2, 2)), MultiBinary(3)], ids=str
)
def test_observations_that_are_no_vector_are_refused(observations):
    with pytest.raises(ValueError, match="observation space"):
        validate_spaces(spaces(observations=observations))


@pytest.mark.parametrize("actions", [Discrete(4), Dict({"a": UNIT}), Box(0.0, 1.0, (2, 2)), MultiBinary(3)], ids=str)
def test_actions_that_are_no_vector_are_refused(actions):
    with pytest.raises(ValueError, match=r"action space.*continuous"):
        validate_spaces(spaces(actions=actions))


@pytest.mark.parametrize(
    "actions", [Box(-np.inf, np.inf, (2,)), Box(np.array([0.0, -np.inf]), 1.0, dtype=np.float64)], ids=str
)
def test_unbounded_actions_are_refused(actions):
    with pytest.raises(ValueError, match=r"action space.*bounded"):
        validate_spaces(spaces(actions=actions))


# make_env and env_errors ---------------------------------------------------------------------------


def test_make_env_takes_limit_arguments_and_bound():
    env = make_env("lac/Oscillator-v1", max_episode_steps=3, kwargs={"max_cost": 77.0}, reward_max=2.0)
    assert env.spec.max_episode_steps == 3
    assert env.unwrapped.max_cost == 77.0
    assert reward_maximum(env) == 2.0


def test_make_env_leaves_the_own_limit():
    assert make_env("lac/Oscillator-v1").spec.max_episode_steps == 400


def test_an_environment_that_can_be_made_has_no_problems():
    assert env_errors("lac/Oscillator-v1", {"max_cost": 5.0}) == []


@pytest.mark.parametrize(
    ("env_id", "kwargs", "told"),
    [
        ("lac/Oscilator-v1", {}, ["env.id", "lac/Oscilator-v1", "'lac/Oscillator-v1'"]),
        ("nowhere:Else-v0", {}, ["env.id", "nowhere:Else-v0"]),
        ("lac/Oscillator-v1", {"max_costs": 5.0}, ["env.kwargs.max_costs", "clip_action", "'max_cost'"]),
    ],
)
def test_env_problems_name_the_key_and_the_nearest_option(env_id, kwargs, told):
    (problem,) = env_errors(env_id, kwargs)
    assert all(word in problem for word in told)
