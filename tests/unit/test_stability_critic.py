"""What a learned Lyapunov function is judged by: the condition and the sum that it was trained for."""

import gymnasium
import numpy as np
import pytest
from saved_run_support import compose_config, save_run
from stability_support import HERE, NOTHING, TINY, Line, in_time_limit, zero

import lac
import lac.stability.examination
from lac.stability.certification import certify
from lac.stability.closed_loop import ClosedLoop
from lac.stability.critic import honesty
from lac.stability.decrease import Samples
from lac.stability.falsification import falsify
from lac.stability.findings import TrainedFor
from lac.stability.region import Region, core_cost

SIZES = {"hidden_sizes": {"actor": [8], "critic": [8]}}


class Growing(Line):
    """``x' = 1.1 x``"""

    def _transition(self, state, action, noise, xp):
        return 1.1 * state


def loop_of(system):
    return ClosedLoop(system, zero, np.random.default_rng(0))


def near_the_origin(n=100):
    return np.random.default_rng(1).uniform(0.2, 0.5, (n, 2))


def test_an_exact_sum_that_rises_is_a_true_increase():
    loop = loop_of(Growing())
    found, _ = honesty(lambda s: loop.simulate(s, 5).costs.sum(axis=1), loop, near_the_origin(), None, 5, 0.0)
    assert (found["violations"], found["true_increases"]) == (100, 100)


def test_a_sum_that_only_a_discount_makes_rise_is_an_effect_of_the_discount():
    class Late(Line):
        """``x' = 2 x`` up to 0.5, beyond which the cost is gone: the discounted sum rises, the sum falls."""

        def _transition(self, state, action, noise, xp):
            return 2.0 * state

        def _cost(self, states, actions):
            size = np.abs(states).max(axis=-1)
            return np.where(size < 0.5, size, 0.0), np.zeros(states.shape[:-1], np.bool_)

    loop, weights = loop_of(Late()), 0.3 ** np.arange(6)
    starts = np.full((10, 2), 0.06)  # costs 0.12, 0.24, 0.48, and nothing later
    found, _ = honesty(lambda s: loop.simulate(s, 6).costs @ weights, loop, starts, 0.3, 6, 0.0)
    assert (found["violations"], found["of_discounting"]) == (10, 10)


def test_the_decrease_is_asked_for_with_the_alpha3_of_the_training():
    agent = lac.LAC(Line(), ac_kwargs=SIZES, alpha3=0.1)
    conditions = [
        certify(
            agent, in_time_limit(Line(), 20), NOTHING, HERE, trained_for=trained_for, effort=TINY, with_proof=False
        ).data["mean_condition"]["mean"]
        for trained_for in (None, TrainedFor(0.1, 0.99), TrainedFor(1.1, 0.99), TrainedFor(2.1, 0.99))
    ]
    assert conditions[0] == conditions[1]
    mean_cost = conditions[2] - conditions[1]
    assert mean_cost > 0
    assert conditions[3] - conditions[2] == pytest.approx(mean_cost)


@pytest.fixture
def trained_for(monkeypatch):
    """What the Lyapunov functions of all reports were said to be trained for."""
    seen = []

    class Seen(lac.stability.examination._Examiner):
        def _judge_critic(self, found, pilot, core, trained_for):
            seen.append(trained_for)

    monkeypatch.setattr("lac.stability.examination._Examiner", Seen)
    monkeypatch.setattr("lac.stability.examination.Effort", lambda: TINY)
    return seen


def test_a_run_is_judged_by_its_own_settings(tmp_path, trained_for):
    save_run(tmp_path, compose_config("algo.alpha3=0.7", "algo.gamma=0.9", "algo.horizon_length=5"))
    lac.certify(tmp_path, proof=False)
    assert trained_for == [TrainedFor(0.7, 0.9, 5)]
    with pytest.raises(ValueError, match="horizon_length is 5, which is for agents"):
        lac.certify(tmp_path, horizon_length=5)


def test_an_agent_is_judged_by_its_own_settings_also_if_it_was_loaded(tmp_path, trained_for):
    env = gymnasium.make("lac/VanDerPol-v1", max_episode_steps=10)
    agent = lac.LATC(env, ac_kwargs=SIZES, alpha3=0.7, gamma=0.9)
    loaded = lac.load_agent(agent.save(tmp_path / "policy.safetensors"))
    for each in (agent, loaded):
        lac.certify(each, lambda: env, proof=False, horizon_length=3)
    assert trained_for == [TrainedFor(0.7, 0.9, 3)] * 2


class Uneven(Line):
    """Being high costs less than being far to the side, so that samples easily miss the cheapest states outside."""

    def _cost(self, states, actions):
        return states[..., 0] ** 2 + 0.01 * states[..., 1] ** 2, np.abs(states).max(axis=-1) > 2.0


def test_states_outside_the_goal_set_are_not_in_the_core_whatever_they_cost():
    loop = loop_of(Uneven())
    core = core_cost(loop, np.array([[0.5, 0.5], [0.05, 0.05]]))
    assert core == pytest.approx(0.25 + 0.0025)
    missed = np.array([[0.0, 0.3], [0.0, 0.05], [0.9, 0.9]])
    assert loop.costs(missed)[0].tolist() == pytest.approx([0.0009, 0.000025, 0.81 + 0.0081])
    samples = Samples(loop, missed, core)
    assert samples.outside.tolist() == [True, False, True]
    assert samples.in_core[0].tolist() == [False, True, False]


def test_the_search_finds_a_function_that_is_zero_or_the_same_everywhere():
    loop = loop_of(Line())
    for dead in (lambda s: np.zeros(len(s)), lambda s: np.full(len(s), 1e-13), lambda s: np.ones(len(s))):
        found = falsify(dead, loop, Region.of(loop.system), 0.03, 0)
        assert found.found
        assert found.worst == 0.0
