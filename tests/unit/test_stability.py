"""Examinations of closed loops whose behaviour is known."""

import json
import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from stability_support import HERE, NOTHING, SMALL, TINY, Line, Oscillation, in_time_limit, zero

import lac
import lac.envs
from lac.controllers import LinearRegulator, Zero
from lac.controllers.controller import nominal_system
from lac.stability.certification import certify
from lac.stability.closed_loop import ClosedLoop
from lac.stability.decrease import Samples, decrease
from lac.stability.examination import examine
from lac.stability.falsification import falsify
from lac.stability.region import Region
from lac.stability.report import make_report

CLAIM_WORDS = ("guarantee", "guaranteed", "guarantees", "stable", "proved", "proven")


@pytest.fixture(scope="module")
def line():
    return examine(zero, in_time_limit(Line(), 50), effort=SMALL)


def test_a_linear_system_violates_nothing_and_has_the_bounds_of_no_failure(line):
    orbit = line.candidates["orbit"]
    assert orbit.one_step.failures == 0
    assert orbit.one_step.bound == pytest.approx(1 - 0.01 ** (1 / orbit.one_step.n))
    assert all(orbit.at[k].failures == 0 for k in orbit.at)
    assert line.rollouts.failures == 0
    assert line.rollouts.bound == pytest.approx(1 - 0.01 ** (1 / 200))
    assert line.multipliers == pytest.approx([0.9, 0.9], abs=1e-6)


def test_settling_takes_as_long_as_the_slowest_start_needs(line):
    # 0.9^k <= 0.1 for the corner 1 needs k = 22.
    assert line.settling["max"] == 22
    assert line.settling["overshoot_max"] == 0.0


def test_trajectories_are_the_trials_of_visited_states(line):
    assert 0 < line.candidates["orbit"].visited.n <= SMALL.rollouts


def test_settling_time_and_overshoot_of_a_second_order_system_have_their_formulas():
    system = Oscillation()
    loop = ClosedLoop(system, lambda observations: np.zeros((len(observations), 1)), np.random.default_rng(0))
    outcome = loop.run(np.array([[-1.0, 0.0]]), 1000)
    damped = system.omega * np.sqrt(1 - system.zeta**2)
    assert outcome.overshoot[0] == pytest.approx(np.exp(-np.pi * system.zeta * system.omega / damped), rel=1e-3)
    t = np.arange(1001) * system.dt
    phase = np.arctan2(system.zeta * system.omega, damped)
    x = -np.exp(-system.zeta * system.omega * t) * np.cos(damped * t - phase) / np.cos(phase)
    assert outcome.settling_steps[0] == np.flatnonzero(np.abs(x) > 0.02)[-1] + 1


def test_a_case_that_never_settles_takes_for_ever():
    system = Oscillation(zeta=0.0)
    loop = ClosedLoop(system, lambda observations: np.zeros((len(observations), 1)), np.random.default_rng(0))
    assert loop.run(np.array([[-1.0, 0.0]]), 500).settling_steps[0] == np.inf


def test_an_upright_pendulum_without_control_has_no_verdict_and_no_proof():
    env = gymnasium.make("lac/PendulumStabilise-v1", max_episode_steps=100)
    report = certify(Zero(env, nominal_system(env)), env, NOTHING, HERE, effort=SMALL)
    assert report.verdict == "none"
    assert report.data["proved"] is None
    assert report.data["not_proved"]
    assert report.data["rollouts"]["failures"] > 150
    assert "all trajectories" in report.data["missing"]["orbit"] or "Floquet" in report.data["missing"]["orbit"]


def test_a_policy_that_only_survives_its_episode_is_found_out():
    """It costs 27 in 250 steps, as the linear regulator does, and loses the middle of the rail later on."""
    env = gymnasium.make("lac/CartPoleCost-v1")
    agent = lac.load_agent(Path(__file__).parent / "policies" / "cartpole-survives.safetensors")
    found = examine(agent, env, effort=TINY)
    report = make_report(found, NOTHING, HERE, 0.99)
    assert report.verdict == "none"
    case = report.data["counterexamples"][0]
    assert case["kind"] == "trajectory"
    env.reset(seed=0)
    system = env.unwrapped
    observation, _ = system.set_state(case["start"])
    ended = False
    for _ in range(1000):
        observation, _, ended, _, info = system.step(agent.get_action(observation, deterministic=True))
        if ended:
            break
    assert ended or abs(info["reference_error"][0]) > 0.5


def test_a_designed_controller_is_counted_and_says_no_word_of_a_proof(tmp_path):
    env = gymnasium.make("lac/CartPoleCost-v1")
    report = certify(LinearRegulator(env, nominal_system(env)), env, NOTHING, HERE, effort=TINY, with_proof=False)
    assert report.data["rollouts"]["failures"] == 0
    assert report.verdict in {"empirical", "statistical"}
    files = report.save(tmp_path)
    for file in files[:3]:
        words = set(re.findall(r"[a-z]+", re.sub(r"<[^>]*>|\"(not_)?proved\"", "", file.read_text()).lower()))
        assert not words & set(CLAIM_WORDS)
    assert json.loads((tmp_path / "report.json").read_text())["schema"] == 1
    assert 'src="http' not in (tmp_path / "report.html").read_text()


def test_the_same_inputs_give_the_same_report(line):
    again = examine(zero, in_time_limit(Line(), 50), effort=SMALL)
    first, second = (dict(make_report(found, NOTHING, HERE, 0.99).data) for found in (line, again))
    first.pop("seconds"), second.pop("seconds")
    assert json.dumps(first) == json.dumps(second)


class Planted:
    """The squared distance, but higher in the next step of a small square of start states."""

    name = "planted"

    def __init__(self, share):
        self.half_width = np.sqrt(share)

    def is_inside(self, states):
        return (np.abs(states - 0.5) < self.half_width).all(axis=1)

    def __call__(self, states):
        return (states**2).sum(axis=1) - 3.0 * self.is_inside(states)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1])
def test_a_planted_set_is_counted_and_found(share):
    system = Line()
    loop, region, planted = ClosedLoop(system, zero, np.random.default_rng(0)), Region.of(system), Planted(share)

    def samples(seed, n, steps=1):
        return Samples(loop, region.states(n, np.random.default_rng(seed), loop), 0.0, steps)

    # States that a step takes out of the square: where it is left, V is higher afterwards.
    counted = decrease(planted, samples(1, 20_000), samples(2, 300), samples(3, 300), samples(4, 300, 20), 0.99)
    fresh = region.states(200_000, np.random.default_rng(5), loop)
    truth = (planted(loop.step(fresh)) >= planted(fresh)).mean()
    assert truth > 0
    assert counted.one_step.bound >= truth
    assert counted.one_step.failures / counted.one_step.n == pytest.approx(truth, abs=0.01)
    search = falsify(planted, loop, region, 0.0, seed=0)
    assert search.found
    assert planted(loop.step(search.state[None])) >= planted(search.state[None])
