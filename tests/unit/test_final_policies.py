"""What a run keeps of the tests at its end: which policy is the best, and the last one's own weights."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit

import lac
from lac.agents.policy_files import policy_path
from lac.controllers import lqr
from lac.envs import wrap_env
from lac.envs.cart_pole import CartPoleCost
from lac.evaluation.final_tests import FinalTests, final_tests
from lac.evaluation.rollouts import rollout
from lac.evaluation.steppers import can_step_as_batch
from lac.evaluation.yardsticks import designed_tests
from lac.loggers.wandb import WandbSettings
from lac.runs.folder import read_summary
from lac.runs.recorder import RecordSettings, RunRecorder
from lac.settings.algorithms import ALGORITHMS
from lac.settings.training import LoopSettings
from lac.training.plan import TrainingPlan


def agent_of_the_van_der_pol():
    return lac.LAC(
        wrap_env(gymnasium.make("lac/VanDerPol-v1")), ac_kwargs={"hidden_sizes": {"actor": [4], "critic": [4]}}
    )


def mark(agent, value=None):
    """A weight of the actor, by which a policy is known; ``value`` is written to it."""
    weights = next(agent.ac.pi.parameters())
    if value is not None:
        with torch.no_grad():
            weights.fill_(value)
    return weights.flatten()[0].item()


def report(cost, settled=1.0, death_rate=0.0):
    return {"cost_mean": cost, "cost_std": 1.0, "ep_len_mean": 9.0, "death_rate": death_rate, "settled": settled,
            "settling_steps": 4.0}  # fmt: skip


def recorded(folder, epochs, at_the_end, long_failure=None, yardstick=lambda: None):
    """A run whose policy of epoch ``k`` is marked ``k``, with results after its epochs and, by mark, at its end."""
    agent = agent_of_the_van_der_pol()

    def test(with_long):
        result = at_the_end[int(mark(agent))]
        if isinstance(result, Exception):
            raise result
        return FinalTests(result | {"episodes": 100}, result | {"episodes": 10, "steps": 40}, long_failure)

    plan = TrainingPlan(ALGORITHMS["lac"](), 0, LoopSettings(epochs=len(epochs), steps_per_epoch=5))
    with RunRecorder(RecordSettings(folder, "a run", quiet=True, wandb=WandbSettings(mode="disabled"))) as recorder:
        recorder.start(agent, plan, "torch")
        for epoch, result in enumerate(epochs, start=1):
            mark(agent, epoch)
            metrics = {f"test/{name}": value for name, value in result.items()}
            times = {f"time/{name}": 1.0 for name in ("seconds", "steps_per_second", "updates_per_second")}
            recorder.epoch(
                {"epoch": epoch, "env_steps": 5 * epoch, "updates": 0, "train/alpha": 1.0, **metrics, **times}, agent
            )
        recorder.trained(agent, test, yardstick)
    return read_summary(folder)


def saved_mark(folder, name):
    agent = agent_of_the_van_der_pol()
    agent.restore(policy_path(folder, name))
    return mark(agent)


@pytest.mark.parametrize(
    ("epochs", "at_the_end", "best"),
    [
        ([report(9), report(2), report(3)], {2: report(4), 3: report(5)}, 2),
        ([report(9), report(2), report(3)], {2: report(6), 3: report(5)}, 3),
        ([report(9), report(2), report(3)], {2: report(4, settled=0.98), 3: report(5)}, 3),
        ([report(9), report(2, settled=0.9), report(3)], {3: report(5)}, 3),
        ([report(9), report(1, death_rate=0.1), report(3, settled=0.5)], {1: report(4), 3: report(5)}, 1),
    ],
    ids=["best stays", "ten resets had flattered it", "it settles less", "the last one settles more", "failures first"],
)
def test_the_best_policy_is_not_worse_than_the_last_one_on_the_resets_of_the_end(tmp_path, epochs, at_the_end, best):
    summary = recorded(tmp_path, epochs, at_the_end)
    assert (summary["final"]["epoch"], summary["final"]["cost_mean"]) == (3, at_the_end[3]["cost_mean"])
    assert (summary["best"]["epoch"], summary["best"]["cost_mean"]) == (best, at_the_end[best]["cost_mean"])
    assert (summary["final"]["episodes"], summary["best"]["episodes"]) == (100, 100)
    assert (saved_mark(tmp_path, "final"), saved_mark(tmp_path, "best")) == (3.0, float(best))


def test_the_last_policy_is_saved_as_such_if_the_test_of_the_best_one_fails(tmp_path):
    with pytest.raises(KeyError):
        recorded(tmp_path, [report(1), report(2)], {1: KeyError("in a test"), 2: report(2)})
    assert (saved_mark(tmp_path, "final"), saved_mark(tmp_path, "best")) == (2.0, 1.0)


def test_a_long_test_that_fails_is_a_warning(tmp_path):
    summary = recorded(tmp_path, [report(2)], {1: report(3)}, long_failure="there is no test of 40 steps")
    assert (summary["status"], summary["final"]["cost_mean"], "final_long" in summary) == ("finished", 3, False)
    assert "there is no test of 40 steps" in (tmp_path / "train.log").read_text()


def test_a_run_records_the_controller_that_is_designed_for_its_environment(tmp_path):
    def make():
        return wrap_env(gymnasium.make("lac/VanDerPol-v1", max_episode_steps=30))

    summary = recorded(tmp_path, [report(2)], {1: report(3)}, yardstick=lambda: designed_tests([make()], 3, 2))
    three, two = (lac.evaluate(lac.controllers.lqr(make()), make, episodes=n)["cost_mean"] for n in (3, 2))
    assert summary["yardstick"]["controller"] == "lqr"
    assert (summary["yardstick"]["cost_mean"], summary["yardstick"]["training_cost"]) == pytest.approx((three, two))
    assert "  yardstick  lqr: early terminations 0%, " in (tmp_path / "train.log").read_text()
    assert designed_tests([wrap_env(TimeLimit(WithTable(), 5))], 3, 2) is None


def test_a_design_that_fails_is_a_warning(tmp_path):
    def fails():
        raise np.linalg.LinAlgError("the Riccati equation has no solution")

    summary = recorded(tmp_path, [report(2)], {1: report(3)}, yardstick=fails)
    assert (summary["status"], "yardstick" in summary) == ("finished", False)
    assert "LinAlgError: the Riccati equation has no solution" in (tmp_path / "train.log").read_text()


class WithTable(gymnasium.Env):
    """Has a table of its reference for the usual length of its episodes, and nothing for longer ones."""

    observation_space = Box(-1.0, 1.0, (1,))
    action_space = Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        self.rest = [0.0] * 5
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), self.rest.pop(), False, False, {}


def test_an_environment_that_fails_beyond_its_usual_length_has_its_usual_test():
    tests = final_tests(lambda obs: np.zeros((len(obs), 1)), [wrap_env(TimeLimit(WithTable(), 5))], 3)
    assert (tests.usual["ep_len_mean"], tests.usual["episodes"]) == (5.0, 3)
    assert tests.long_failure == "there is no test of 20 steps: IndexError: pop from empty list"


class Varied(CartPoleCost):
    """Each reset draws the length of the pole; the force of the motor is a constant that nobody else sees."""

    def __init__(self, lengths=(1.0, 1.0), gain=1.0):
        super().__init__()
        self._lengths, self._gain = lengths, gain

    def _initial_state(self, options):
        self.length = float(self.np_random.uniform(*self._lengths))
        return super()._initial_state(options)

    def _transition(self, state, action, noise, xp):
        return super()._transition(state, self._gain * action, noise, xp)


@pytest.mark.parametrize(
    "make",
    [lambda i: Varied(lengths=(0.2, 6.0)), lambda i: Varied(gain=1.0 - 0.4 * i), lambda i: Varied((0.5 + i, 0.5 + i))],
    ids=["drawn at a reset", "private", "tuple"],
)
def test_systems_with_other_constants_have_the_episodes_of_each(make):
    policy = lqr(gymnasium.make("lac/CartPoleCost-v1")).get_action
    envs = [wrap_env(TimeLimit(make(i), 120)) for i in range(4)]
    together = rollout(lambda obs: policy(obs, True), envs, range(4))
    alone = [rollout(lambda obs: policy(obs, True), [env], [seed]) for seed, env in enumerate(envs)]
    assert len(set(together.lengths.tolist()) | set(together.total_costs.round(3).tolist())) > 3
    assert together.lengths.tolist() == [one.lengths[0] for one in alone]
    np.testing.assert_allclose(together.total_costs, [one.total_costs[0] for one in alone])


def test_systems_step_as_a_batch_also_as_gymnasium_makes_them():
    assert can_step_as_batch([wrap_env(gymnasium.make("lac/Oscillator-v1")) for _ in range(2)])
