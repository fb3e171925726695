import gymnasium
import numpy as np
import pytest
from gymnasium import Wrapper
from gymnasium.spaces import Box
from gymnasium.wrappers import RepeatAction, TimeLimit

from lac.envs import wrap_env
from lac.envs.stabilisation import VanDerPol
from lac.evaluation.final_tests import final_tests
from lac.evaluation.rollouts import FIRST_TEST_SEED, Rollouts, evaluate, rollout


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


def zero(obs):
    return np.zeros((len(obs), 1))


def policy(obs):
    return obs @ np.array([[10.0], [1.0]])


@pytest.mark.parametrize("number_of_envs", [1, 2, 3, 5, 8])
def test_costs_lengths_and_early_terminations(number_of_envs):
    envs = [Counting() for _ in range(number_of_envs)]
    episodes = evaluate(policy, envs, num_episodes=5, first_seed=20)
    # Seeds 20 to 24: 1 to 5 steps, which cost 1 + 2 + ...
    assert episodes.lengths.tolist() == [1, 2, 3, 4, 5]
    assert episodes.total_costs.tolist() == [1.0, 3.0, 6.0, 10.0, 15.0]
    assert episodes.terminated.tolist() == [False, True, False, True, False]
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
    np.testing.assert_array_equal(at_once.terminated, one_by_one.terminated)
    np.testing.assert_allclose(at_once.total_costs, one_by_one.total_costs, rtol=1e-9)
    assert batches[: len(batches) // 2] == batches[len(batches) // 2 :]


def test_systems_that_differ_keep_their_own_dynamics():
    envs = [gymnasium.make("lac/CartPoleCost-v1", max_episode_steps=20) for _ in range(2)]
    envs[1].unwrapped.gravity = 1.0
    costs = evaluate(lambda obs: np.zeros((len(obs), 1)), envs, num_episodes=2).total_costs
    alone = [
        evaluate(lambda obs: np.zeros((len(obs), 1)), [env], 1, FIRST_TEST_SEED + i).total_costs[0]
        for i, env in enumerate(envs)
    ]
    np.testing.assert_allclose(costs, alone)
    assert costs[1] != evaluate(lambda obs: np.zeros((len(obs), 1)), envs[:1], num_episodes=2).total_costs[1]


def test_tests_start_from_the_same_seeds_in_every_run():
    env = Counting()
    evaluate(policy, [env], num_episodes=3)
    assert env.seeds == [FIRST_TEST_SEED, FIRST_TEST_SEED + 1, FIRST_TEST_SEED + 2]


def finished(costs, terminated):
    """Episodes with these costs per step, not recorded."""
    lengths = np.array([len(episode) for episode in costs])
    padded = np.full((len(costs), lengths.max()), np.nan)
    for row, episode in zip(padded, costs, strict=True):
        row[: len(episode)] = episode
    nothing = np.zeros((0, 0, 0))
    return Rollouts(padded, lengths, np.array(terminated), np.zeros(len(costs), np.bool_), *[nothing] * 5)


def test_summary_by_hand():
    episodes = finished([[2.0], [1.0, 3.0, 0.0], [4.0, 5.0]], [True, False, False])
    assert episodes.summary() == pytest.approx(
        {
            "cost_mean": 5.0,
            "cost_std": np.sqrt((9.0 + 1.0 + 16.0) / 3),
            "cost_min": 2.0,
            "cost_max": 9.0,
            "ep_len_mean": 2.0,
            "death_rate": 1 / 3,
        }
    )


def test_the_cost_of_an_episode_is_the_sum_in_the_order_of_its_steps():
    costs = np.random.default_rng(0).exponential(size=(3, 1000))
    sums = [0.0, 0.0, 0.0]
    for i, episode in enumerate(costs):
        for cost in episode:
            sums[i] += float(cost)
    assert finished(costs, [False] * 3).total_costs.tolist() == sums


def test_episodes_are_recorded_step_by_step():
    env = Counting()
    episodes = rollout(policy, [env, Counting()], seeds=[22, 20, 21])
    assert episodes.lengths.tolist() == [3, 1, 2]
    nan = np.nan
    np.testing.assert_array_equal(episodes.costs, [[1, 2, 3], [1, nan, nan], [1, 2, nan]])
    np.testing.assert_array_equal(episodes.actions[:, :, 0], [[220, 221, 222], [200, nan, nan], [210, 211, nan]])
    np.testing.assert_array_equal(episodes.observations[2], [[21, 0], [21, 1], [21, 2], [nan, nan]])
    np.testing.assert_array_equal(episodes.states_of_interest[0, :, 0], [0, 2, 4, 6])
    np.testing.assert_array_equal(episodes.references[1, :, 0], [1, 2, nan, nan])
    assert episodes.states.shape == (3, 4, 0)
    assert env.seeds == [22, 21]


def test_the_first_episodes_alone_can_be_recorded():
    envs = [Counting() for _ in range(2)]
    some, every = (rollout(policy, envs, range(20, 25), record=record) for record in (3, None))
    assert some.summary() == every.summary()
    np.testing.assert_array_equal(some.observations, every.observations[:3, :4])
    np.testing.assert_array_equal(some.references, every.references[:3, :4])
    assert len(rollout(policy, envs, range(20, 25), record=0).observations) == 0


@pytest.mark.parametrize("wrapper", [lambda env: env, Wrapper], ids=["as a batch", "side by side"])
def test_the_number_of_steps_can_be_bounded(wrapper):
    env = wrapper(gymnasium.make("lac/Oscillator-v1"))
    episodes = rollout(lambda obs: np.zeros((len(obs), 3)), [env], [0], steps=5)
    assert (episodes.lengths.tolist(), episodes.terminated.tolist()) == ([5], [False])


@pytest.mark.parametrize("name", ["Oscillator", "CartPoleCost", "QuadrotorTracking"])
def test_recordings_of_a_batch_are_those_of_single_environments(name):
    envs = [gymnasium.make(f"lac/{name}-v1", max_episode_steps=40) for _ in range(3)]
    dim, act_dim = envs[0].observation_space.shape[0], envs[0].action_space.shape[0]
    acts = randomly(dim)
    as_batch, one_by_one = (
        rollout(lambda obs: acts(obs)[:, :act_dim], group, range(7)) for group in (envs, [Wrapper(e) for e in envs])
    )
    for quantity in ("costs", "observations", "actions", "states", "references", "states_of_interest"):
        np.testing.assert_allclose(getattr(as_batch, quantity), getattr(one_by_one, quantity), rtol=1e-9, atol=1e-12)
    # A recording can be played back: the states lead to each other, and to the costs.
    system = envs[0].unwrapped
    assert as_batch.states.shape == (7, as_batch.lengths.max() + 1, system.state_dim)
    if system.draw_noise().size == 0:
        step = system.step_batch(as_batch.states[:, 0], as_batch.actions[:, 0])
        np.testing.assert_allclose(step.states, as_batch.states[:, 1], rtol=1e-9)
        np.testing.assert_allclose(step.costs, as_batch.costs[:, 0], rtol=1e-9)


class ScalingItsAction(Counting):
    """Writes into the action that it is given, and observes whole numbers at the reset."""

    def reset(self, *, seed=None, options=None):
        obs, info = super().reset(seed=seed)
        return obs.astype(int), info

    def step(self, action):
        result = super().step(action)
        action *= 10.0
        return (result[0] + 0.5, *result[1:])


def policy_that_scales_its_observation(obs):
    actions = policy(obs)
    obs *= 10.0
    return actions


def test_recordings_are_not_shared_with_policies_and_environments():
    episodes = rollout(policy_that_scales_its_observation, [ScalingItsAction()], [22])
    assert episodes.actions[0, :, 0].tolist() == [220.0, 226.5, 227.5]
    assert episodes.observations[0, :, 1].tolist() == [0.0, 1.5, 2.5, 3.5]


def test_an_environment_without_signals_has_none_in_its_recording():
    env = wrap_env(gymnasium.make("Pendulum-v1"), "maximize", max_ep_len=5)
    episodes = rollout(lambda obs: np.zeros((len(obs), 1), np.float32), [env], [0])
    assert (episodes.references.shape, episodes.states_of_interest.shape) == ((1, 6, 0), (1, 6, 0))
    assert episodes.observations.shape == (1, 6, 3)


def test_lengths_count_steps_of_the_agent_where_a_wrapper_takes_several_at_once():
    def make():
        return wrap_env(RepeatAction(gymnasium.make("lac/VanDerPol-v1", max_episode_steps=40), 4))

    for steps, length in ((None, 10), (7, 7), (10, 10), (30, 30)):
        tested = rollout(zero, [make()], [0, 1], steps, beyond_limits=steps is not None)
        assert tested.lengths.tolist() == [length] * 2
    long = final_tests(zero, [make()], 2).long
    assert (long["steps"], long["ep_len_mean"], long["cut_short"]) == (40, 40, 0)


class Single(VanDerPol):
    """Observed in single precision."""

    def __init__(self):
        super().__init__()
        self.observation_space = Box(-np.inf, np.inf, (2,), np.float32)


@pytest.mark.parametrize("wrap", [lambda env: env, Wrapper], ids=["batch", "serial"])
def test_a_policy_sees_the_dtype_of_the_observation_space(wrap):
    seen = []

    def policy(observations):
        seen.append(observations.dtype)
        return zero(observations)

    rollout(policy, [wrap_env(wrap(TimeLimit(Single(), 5))) for _ in range(2)], [0, 1])
    assert seen == [np.float32] * 5
