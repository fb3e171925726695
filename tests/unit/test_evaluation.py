import gymnasium
import numpy as np
import pytest
from gymnasium import Wrapper
from gymnasium.spaces import Box

from lac.evaluation.rollouts import FIRST_TEST_SEED, Episodes, evaluate, run_episode


class Counting(gymnasium.Env):
    """An episode of as many steps as its seed's last digit plus one; step k costs k.

    It terminates if the seed is odd, else it is truncated. Observations are (seed, steps so far).
    """

    observation_space = Box(-np.inf, np.inf, (2,), np.float64)
    action_space = Box(-np.inf, np.inf, (1,), np.float64)

    def __init__(self):
        self.seeds, self.actions = [], []

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        self.k = 0
        return self._observe(), {"reference": np.array([1.0]), "state_of_interest": np.array([0.0])}

    def step(self, action):
        seed = self.seeds[-1]
        assert self.k <= seed % 10, "stepped beyond the end of the episode"
        self.actions.append((seed, self.k, float(action[0])))
        self.k += 1
        ended = self.k == seed % 10 + 1
        info = {"reference": np.array([1.0 + self.k]), "state_of_interest": np.array([2.0 * self.k])}
        return self._observe(), float(self.k), ended and seed % 2 == 1, ended and seed % 2 == 0, info

    def _observe(self):
        return np.array([float(self.seeds[-1]), float(self.k)])


def policy(obs):
    return obs @ np.array([[10.0], [1.0]])


@pytest.mark.parametrize("number_of_envs", [1, 2, 3, 5, 8])
def test_costs_lengths_and_deaths(number_of_envs):
    envs = [Counting() for _ in range(number_of_envs)]
    episodes = evaluate(policy, envs, num_episodes=5, first_seed=20)
    # Seeds 20 to 24: 1 to 5 steps, which cost 1 + 2 + ...
    assert episodes.lengths.tolist() == [1, 2, 3, 4, 5]
    assert episodes.costs.tolist() == [1.0, 3.0, 6.0, 10.0, 15.0]
    assert episodes.died.tolist() == [False, True, False, True, False]
    assert sorted(seed for env in envs for seed in env.seeds) == [20, 21, 22, 23, 24]


def test_each_environment_gets_the_action_for_its_own_observation():
    envs = [Counting() for _ in range(3)]
    evaluate(policy, envs, num_episodes=7, first_seed=13)
    actions = [action for env in envs for action in env.actions]
    assert len(actions) == sum(seed % 10 + 1 for seed in range(13, 20))
    assert all(action == 10.0 * seed + k for seed, k, action in actions)


def test_the_policy_acts_on_all_running_episodes_at_once():
    batches = []

    def pruning_decision(obs):
        batches.append(obs.shape)
        return policy(obs)

    evaluate(pruning_decision, [Counting() for _ in range(3)], num_episodes=3, first_seed=20)
    assert batches == [(3, 2), (2, 2), (1, 2)]


def randomly(dim):
    """A policy that is bad enough for some episodes to end early."""
    weights = np.random.default_rng(1).normal(size=(dim, 4)) * 0.3
    return lambda obs: np.tanh(np.asarray(obs) @ weights)


@pytest.mark.parametrize(
    "name", ["Oscillator", "CartPoleCost", "Ex3EKF", "VanDerPol", "DuctedFan", "QuadrotorTracking"]
)
@pytest.mark.parametrize("number_of_envs", [1, 3])
def test_systems_of_ours_go_through_the_same_episodes_at_once(name, number_of_envs):
    envs = [gymnasium.make(f"lac/{name}-v1", max_episode_steps=60) for _ in range(number_of_envs)]
    dim, act_dim = envs[0].observation_space.shape[0], envs[0].action_space.shape[0]
    batches = []

    def acts(obs):
        batches.append(len(obs))
        return randomly(dim)(obs)[:, :act_dim]

    at_once = evaluate(acts, envs, num_episodes=7)
    # A wrapper that does nothing is in the way.
    one_by_one = evaluate(acts, [Wrapper(env) for env in envs], num_episodes=7)
    np.testing.assert_array_equal(at_once.lengths, one_by_one.lengths)
    np.testing.assert_array_equal(at_once.died, one_by_one.died)
    np.testing.assert_allclose(at_once.costs, one_by_one.costs, rtol=1e-9)
    assert batches[: len(batches) // 2] == batches[len(batches) // 2 :]


def test_systems_that_differ_keep_their_own_dynamics():
    envs = [gymnasium.make("lac/CartPoleCost-v1", max_episode_steps=20) for _ in range(2)]
    envs[1].unwrapped.gravity = 1.0
    costs = evaluate(lambda obs: np.zeros((len(obs), 1)), envs, num_episodes=2).costs
    alone = [
        evaluate(lambda obs: np.zeros((len(obs), 1)), [env], 1, FIRST_TEST_SEED + i).costs[0]
        for i, env in enumerate(envs)
    ]
    np.testing.assert_allclose(costs, alone)
    assert costs[1] != evaluate(lambda obs: np.zeros((len(obs), 1)), envs[:1], num_episodes=2).costs[1]


def test_tests_start_from_the_same_seeds_in_every_run():
    env = Counting()
    evaluate(policy, [env], num_episodes=3)
    assert env.seeds == [FIRST_TEST_SEED, FIRST_TEST_SEED + 1, FIRST_TEST_SEED + 2]


def test_summary_by_hand():
    episodes = Episodes(np.array([2.0, 4.0, 9.0]), np.array([10, 20, 60]), np.array([True, False, False]))
    assert episodes.summary() == pytest.approx(
        {
            "cost_mean": 5.0,
            "cost_std": np.sqrt((9.0 + 1.0 + 16.0) / 3),
            "cost_min": 2.0,
            "cost_max": 9.0,
            "ep_len_mean": 30.0,
            "death_rate": 1 / 3,
        }
    )


def test_one_episode_step_by_step():
    env = Counting()
    trajectory = run_episode(policy, env, seed=22)
    assert env.seeds == [22]
    assert [action for *_, action in env.actions] == [220.0, 221.0, 222.0]
    assert trajectory.costs.tolist() == [1.0, 2.0, 3.0]
    assert trajectory.states.tolist() == [[0.0], [2.0], [4.0], [6.0]]
    assert trajectory.references.tolist() == [[1.0], [2.0], [3.0], [4.0]]


def test_an_environment_without_signals_has_no_trajectory():
    env = gymnasium.make("Pendulum-v1")
    assert run_episode(lambda obs: np.zeros((1, 1), np.float32), env, seed=0) is None
