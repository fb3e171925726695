"""The termination cost: what is stored with it, against sums by hand, and the warning of an escape."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

from lac.envs.checks import OffendingTransitionError
from lac.envs.costs import RewardAsCost
from lac.settings.algorithms import ALGORITHMS
from lac.settings.training import LoopSettings
from lac.training.collector import Episode
from lac.training.plan import TrainingPlan
from lac.training.termination import EscapeWatch, TerminationCost
from lac.training.trainer import Trainer

LENGTH = 3
GAMMA = 0.75


class Alternating(gymnasium.Env):
    """Episodes of three steps that cost 1, 2 and 3; even ones are terminated, odd ones truncated."""

    observation_space = Box(0.0, np.inf, (2,))
    action_space = Box(-1.0, 1.0, (1,))
    reward_max = 10.0

    def __init__(self, gives_rewards=False):
        self.episode, self.steps, self.gives_rewards = -1, 0, gives_rewards

    def reset(self, *, seed=None, options=None):
        self.episode, self.steps = self.episode + 1, 0
        return self._observation(), {}

    def step(self, action):
        self.steps += 1
        ends, is_even = self.steps == LENGTH, self.episode % 2 == 0
        scalar = 10.0 - self.steps if self.gives_rewards else float(self.steps)
        return self._observation(), scalar, ends and is_even, ends and not is_even, {}

    def _observation(self):
        return np.array([self.episode, self.steps], np.float32)


class Recorder:
    def __init__(self):
        self.rows = []

    def start(self, *_):
        pass

    def warn(self, text):
        raise AssertionError(text)

    def progress(self, *_):
        pass

    def trained(self, *_):
        pass

    def epoch(self, metrics, agent):
        self.rows.append(metrics)


def trained(termination_cost, make=Alternating, num_envs=1, **algorithm):
    """The stored rows by (episode, step) and the metrics, after two episodes in each environment."""
    steps = 2 * LENGTH * num_envs
    plan = TrainingPlan(
        algorithm=ALGORITHMS["lac"](gamma=GAMMA, **algorithm),
        seed=1,
        loop=LoopSettings(epochs=1, steps_per_epoch=steps, update_after=1000, num_test_episodes=2),
        ac_kwargs={"hidden_sizes": [4]},
        num_envs=num_envs,
        termination_cost=termination_cost,
    )
    recorder = Recorder()
    with Trainer(plan, make) as trainer:
        trainer.run(recorder)
        rows = trainer.buffer.sample_batch(500)
    target = rows.get("horizon_rew", rows["rew"])
    keys = [tuple(map(int, obs)) for obs in rows["obs"].tolist()]
    return dict(zip(keys, zip(rows["rew"].tolist(), target.tolist(), strict=True), strict=True)), recorder.rows[0]


@pytest.mark.parametrize(("given", "last"), [(None, 3.0), (0, 3.0), (40, 43.0), ("absorbing", 3.0 / (1 - GAMMA))])
@pytest.mark.parametrize("num_envs", [1, 3])
def test_it_is_added_to_the_step_that_terminates_and_to_no_other(given, last, num_envs):
    rows, metrics = trained(given, num_envs=num_envs)
    costs = {key: cost for key, (cost, _) in rows.items()}
    assert costs == {(0, 0): 1.0, (0, 1): 2.0, (0, 2): last, (1, 0): 1.0, (1, 1): 2.0, (1, 2): 3.0}
    assert metrics["train/cost_mean"] == metrics["test/cost_mean"] == 6.0  # the environment's own


def test_rewards_become_costs_first():
    rows, _ = trained(40, lambda: RewardAsCost(Alternating(gives_rewards=True)))
    assert rows[0, 2][0] == 43.0
    assert rows[1, 2][0] == 3.0


@pytest.mark.parametrize(
    ("given", "sums"),
    [
        # Windows of four: past the end the last cost counts, and a number counts once.
        (None, [1 + 2 + 3 + 3, 2 + 3 + 3 + 3, 3 + 3 + 3 + 3]),
        ("absorbing", [1 + 2 + 3 + 3, 2 + 3 + 3 + 3, 3 + 3 + 3 + 3]),
        (40, [1 + 2 + 43 + 3, 2 + 43 + 3 + 3, 43 + 3 + 3 + 3]),
    ],
)
def test_a_finite_horizon_has_it_once_in_each_sum(given, sums):
    rows, _ = trained(given, horizon_length=4)
    assert [rows[0, step][1] for step in range(LENGTH)] == sums
    assert [rows[1, step][1] for step in range(LENGTH)] == [9.0, 11.0, 12.0]  # truncated: as without


def test_a_cost_beyond_single_precision_is_refused():
    charged = TerminationCost("absorbing", ALGORITHMS["lac"](gamma=1 - 1e-12))
    with pytest.raises(OffendingTransitionError, match=r"env\.termination_cost, beyond float32"):
        charged(1e30)


def escapes(*epochs, termination_cost=None, number=50):
    """After which epochs the watch speaks, given (share of terminations, cost, length) of its episodes."""
    watch = EscapeWatch(TerminationCost(termination_cost, ALGORITHMS["lac"]()))
    said = []
    for epoch, (share, cost, length) in enumerate(epochs):
        episodes = [Episode(cost, length, terminated=i < number * share) for i in range(number)]
        if watch.is_learned(episodes):
            said.append(epoch)
    return said


def test_the_escape_is_said_once():
    assert escapes((0.9, 90, 40), (1, 70, 30), (1, 50, 20), (1, 40, 10), (1, 30, 9), (1, 20, 8)) == [3]


@pytest.mark.parametrize(
    "epochs",
    [
        [(0.9, 90, 40), (1, 70, 30), (1, 50, 20)],  # too few to say
        [(1, 90, 40), (1, 70, 40), (0.7, 50, 40), (0.6, 40, 40)],  # they become rare
        [(1, 40, 40), (1, 50, 30), (1, 70, 20), (1, 90, 10)],  # the cost rises
        [(1, 90, 40), (1, 70, 50), (1, 50, 70), (1, 40, 90)],  # the episodes grow
        [(0.4, 90, 40), (1, 70, 30), (1, 50, 20), (1, 40, 10)],  # they were no majority
    ],
)
def test_other_courses_are_no_escape(epochs):
    assert escapes(*epochs) == []


def test_few_episodes_say_nothing():
    assert escapes((0.9, 90, 40), (1, 70, 30), (1, 50, 20), (1, 40, 10), (1, 30, 9), number=40) == []


def test_the_sentence_asks_for_more_where_a_cost_is_set():
    watch = EscapeWatch(TerminationCost(5, ALGORITHMS["lac"]()))
    assert "Set a larger termination_cost (env.termination_cost)" in watch.sentence
