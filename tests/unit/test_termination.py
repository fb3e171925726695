"""The termination cost: what is stored with it, against sums by hand, and the warning of an escape."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TransformReward

from lac.envs.checks import OffendingTransitionError
from lac.settings.algorithms import ALGORITHMS
from lac.settings.training import LoopSettings
from lac.training.collector import Episode, Transition
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

    def between_steps(self, *_):
        pass

    def trained(self, *_):
        pass

    def epoch(self, metrics, agent):
        self.rows.append(metrics)


def trained(termination_cost, make=Alternating, num_envs=1, steps=2 * LENGTH, tests=2, name="lac", **algorithm):
    """The stored rows by (episode, step) and the metrics, after two episodes in each environment."""
    plan = TrainingPlan(
        algorithm=ALGORITHMS[name](gamma=GAMMA, **algorithm),
        seed=1,
        loop=LoopSettings(epochs=1, steps_per_epoch=steps * num_envs, update_after=1000, num_test_episodes=tests),
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


def stored(last):
    """The costs of both episodes, with that of the step that terminates."""
    return {(0, 0): 1.0, (0, 1): 2.0, (0, 2): last, (1, 0): 1.0, (1, 1): 2.0, (1, 2): 3.0}


AMOUNTS = [(None, 3.0), (0, 3.0), (40, 43.0), ("absorbing", 3.0 / (1 - GAMMA))]


@pytest.mark.parametrize(("given", "last"), AMOUNTS)
@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_it_is_added_to_the_step_that_terminates_and_to_no_other(given, last, num_envs, name):
    rows, metrics = trained(given, num_envs=num_envs, name=name)
    assert {key: cost for key, (cost, _) in rows.items()} == stored(last)
    assert metrics["train/cost_mean"] == metrics["test/cost_mean"] == 6.0  # the environment's own


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_a_vector_environment_of_ones_own_has_it_too(mode):
    make = lambda: SyncVectorEnv([Alternating] * 3, autoreset_mode=mode)  # noqa: E731
    rows, metrics = trained(40, make, steps=6 * LENGTH, tests=0)
    assert {key: cost for key, (cost, _) in rows.items() if key[0] < 2} == stored(43.0)
    assert metrics["train/cost_mean"] == 6.0


@pytest.mark.parametrize(("given", "last"), AMOUNTS)
def test_rewards_become_costs_first_so_that_it_always_makes_a_termination_worse(given, last):
    rows, metrics = trained(given, lambda: Alternating(gives_rewards=True), opt_type="maximize")
    assert {key: cost for key, (cost, _) in rows.items()} == stored(last)
    assert metrics["train/cost_mean"] == metrics["test/cost_mean"] == 6.0


@pytest.mark.parametrize("given", [40, "absorbing"])
def test_a_time_limit_that_is_stored_as_terminal_is_no_termination(given):
    rows, _ = trained(given, time_limit_is_terminal=True)
    assert rows[1, 2][0] == 3.0


@pytest.mark.parametrize(
    ("given", "last", "sums"),
    [
        # Windows of four: past the end the last cost counts, and a number counts once.
        (None, 3.0, [1 + 2 + 3 + 3, 2 + 3 + 3 + 3, 3 + 3 + 3 + 3]),
        ("absorbing", 3.0, [1 + 2 + 3 + 3, 2 + 3 + 3 + 3, 3 + 3 + 3 + 3]),
        (40, 43.0, [1 + 2 + 43 + 3, 2 + 43 + 3 + 3, 43 + 3 + 3 + 3]),
    ],
)
@pytest.mark.parametrize("num_envs", [1, 3])
def test_a_finite_horizon_has_it_once_in_each_sum(given, last, sums, num_envs):
    rows, _ = trained(given, horizon_length=4, num_envs=num_envs)
    assert [rows[0, step] for step in range(LENGTH)] == list(zip([1.0, 2.0, last], sums, strict=True))
    assert [rows[1, step][1] for step in range(LENGTH)] == [9.0, 11.0, 12.0]  # truncated: as without


def test_a_sum_that_ends_before_the_termination_is_without_it():
    rows, _ = trained(40, horizon_length=2)
    assert [rows[0, step][1] for step in range(LENGTH)] == [1 + 2, 2 + 43, 43 + 3]


@pytest.mark.parametrize(("given", "gamma", "cost"), [("absorbing", 1 - 1e-12, 1e30), (3e38, 0.9, 3e38)])
def test_a_cost_beyond_single_precision_is_refused(given, gamma, cost):
    charge = TerminationCost(given, ALGORITHMS["lac"](gamma=gamma))
    step = Transition(0, np.zeros(2), np.zeros(1), cost, np.ones(2), terminated=True, truncated=False)
    with pytest.raises(OffendingTransitionError, match=r"\(env\.termination_cost\), beyond float32") as caught:
        charge.stored_cost(step)
    assert caught.value.transition["obs_next"] == [1.0, 1.0]
    assert charge.stored_cost(step._replace(terminated=False, truncated=True)) == cost


# The warning -------------------------------------------------------------------------------------------


def watch_of(epochs=16, termination_cost=None, **algorithm):
    algorithm, loop = ALGORITHMS["lac"](**algorithm), LoopSettings(epochs=epochs)
    return EscapeWatch(TrainingPlan(algorithm, 0, loop, termination_cost=termination_cost))


def warned_after(epochs, watch):
    """After which epochs the watch warns, given (share of terminations, cost, length) of ten episodes each."""
    warned = []
    for number, (share, cost, length) in enumerate(epochs):
        if watch.warning([Episode(cost, length, terminated=i < 10 * share) for i in range(10)]) is not None:
            warned.append(number)
    return warned


ESCAPE = [(0.9, 90, 40), (1, 70, 30), (1, 50, 20), (1, 40, 10), (1, 30, 9), (1, 20, 8), (1, 20, 8)]


def test_the_escape_is_said_once():
    assert warned_after(ESCAPE, watch_of()) == [4]


def test_a_long_run_is_judged_by_a_quarter_of_it():
    assert warned_after(ESCAPE, watch_of(epochs=21)) == [6]
    assert warned_after(ESCAPE, watch_of(epochs=40)) == []


@pytest.mark.parametrize(
    "epochs",
    [
        ESCAPE[:4],  # too few to say
        [(1, 90, 40), (1, 70, 40), (1, 60, 40), (0.9, 50, 40), (0.6, 40, 40)],  # terminations become rare
        [(0.9, 40, 40), (1, 36, 30), (1, 34, 20), (1, 33, 10), (1, 33, 10)],  # the cost hardly falls
        [(1, 40, 40), (1, 90, 30), (1, 80, 20), (1, 70, 10), (1, 60, 10)],  # it only falls back to where it was
        [(1, 90, 40), (1, 70, 50), (1, 50, 70), (1, 40, 90), (1, 40, 90)],  # the episodes grow
        [(0.4, 90, 40), (0.4, 70, 30), (0.4, 50, 20), (0.4, 40, 10), (0.4, 40, 10)],  # most episodes go on
        [(1, 0, 9)] * 5,  # nothing costs anything
    ],
)
def test_other_courses_are_no_escape(epochs):
    assert warned_after(epochs, watch_of()) == []


def test_epochs_in_which_no_episode_ends_are_passed_over():
    watch = watch_of()
    assert warned_after(ESCAPE[:2], watch) == []
    assert watch.warning([]) is None
    assert warned_after(ESCAPE[2:], watch) == [2]


def test_a_watch_continues_from_its_state():
    first, second = watch_of(), watch_of()
    assert warned_after(ESCAPE[:3], first) == []
    second.load_state_dict(first.state_dict())
    assert warned_after(ESCAPE[3:], second) == [1]
    first.load_state_dict(second.state_dict())
    assert warned_after(ESCAPE, first) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ["(env.termination_cost), which is 0, to absorbing, or to a number"]),
        ({"termination_cost": 5}, ["(env.termination_cost), which is 5, to a number"]),
        ({"termination_cost": "absorbing"}, ["(env.termination_cost), which is absorbing, to a number"]),
        ({"horizon_length": 5}, ["choose horizon_length=0 (algo.horizon_length)", "5 steps", "to absorbing"]),
    ],
)
def test_the_warning_says_what_was_seen_and_what_to_set(changes, words):
    watch = watch_of(**changes)
    assert warned_after(ESCAPE[:4], watch) == []
    sentence = watch.warning([Episode(30.0, 9, terminated=True)] * 10)
    # The means of the four epochs: (30 + 20 + 10 + 9) / 4 steps and (70 + 50 + 40 + 30) / 4.
    assert sentence.startswith(
        "100% of the training episodes terminate early, after 17.2 steps, while their mean cost fell from 90 to 47.5: "
    )
    assert all(part in sentence for part in words)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_rewards_of_a_vector_environment_may_all_be_negative(mode):
    """With NEXT_STEP, Gymnasium gives the reward 0 for a step that only resets, which is above their bound."""

    def negative():
        return TransformReward(Alternating(gives_rewards=True), lambda reward: reward - 10.0)

    def make():
        envs = SyncVectorEnv([negative] * 2, autoreset_mode=mode)
        envs.reward_max = -0.5
        return envs

    rows, metrics = trained(None, make, steps=4 * LENGTH, tests=0, opt_type="maximize")
    assert {key: cost for key, (cost, _) in rows.items() if key[0] < 2} == {
        (episode, step): step + 0.5 for episode in (0, 1) for step in range(LENGTH)
    }
    assert metrics["train/cost_mean"] == sum(step + 0.5 for step in range(LENGTH))
