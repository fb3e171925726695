"""Examinations of closed loops whose behaviour is known."""

import json
import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from scipy.linalg import expm

import lac
import lac.envs
from lac.controllers import LinearRegulator, Zero
from lac.controllers.controller import nominal_system
from lac.envs.system import Signals, StartRegion, System
from lac.envs.vectors import pack, unpack
from lac.stability.certification import certify
from lac.stability.closed_loop import ClosedLoop
from lac.stability.decrease import Samples, decrease
from lac.stability.examination import Effort, examine
from lac.stability.falsification import falsify
from lac.stability.region import Region
from lac.stability.report import bound_confidence, earlier_seeds, make_report, with_seed
from lac.stability.wording import sentences, verdict

CLAIM_WORDS = ("guarantee", "guaranteed", "guarantees", "stable", "proved", "proven")
SMALL = Effort(states=2000, many_steps=300, rollouts=200, pilot=300, fit=1500, iterations=100, pushed=100, long=4)
TINY = Effort(states=400, many_steps=100, rollouts=100, pilot=60, fit=400, iterations=20, pushed=20, long=4)
NOTHING = {"file": None, "sha256": None, "algorithm": "test"}
HERE = {"id": "test", "kwargs": {}}


class Oscillation(System):
    """A mass on a spring with damping, ``x'' + 2 zeta omega x' + omega^2 x = omega^2 u``, exact for held inputs."""

    goal_tolerance = (0.02, np.inf)

    def __init__(self, zeta=0.4, omega=2.0, dt=0.01):
        super().__init__(Box(-1.0, 1.0, (1,), np.float64), Box(-np.inf, np.inf, (2,), np.float64), 2, n_forces=1)
        self.zeta, self.omega, self.dt = zeta, omega, dt
        self.A = expm(np.array([[0.0, 1.0], [-(omega**2), -2 * zeta * omega]]) * dt)

    def _initial_state(self, options):
        return np.array([-1.0, 0.0])

    def start_region(self):
        return StartRegion(np.array([-1.0, 0.0]), np.array([-1.0, 0.0]), np.copy)

    def _transition(self, state, action, noise, xp):
        return state @ self.A.T

    def _cost(self, states, actions):
        return (states**2).sum(axis=-1), np.zeros(states.shape[:-1], np.bool_)

    def signals(self, states):
        return Signals(np.zeros_like(states), states.copy())


class Line(System):
    """``x' = 0.9 x + 0.5 u`` in a plane, with starts in [-1, 1]^2."""

    goal_tolerance = 0.1

    def __init__(self):
        super().__init__(Box(-1.0, 1.0, (2,), np.float64), Box(-np.inf, np.inf, (2,), np.float64), 2)

    def _initial_state(self, options):
        return self.np_random.uniform(-1, 1, 2)

    def start_region(self):
        return StartRegion(np.full(2, -1.0), np.ones(2), np.copy)

    def _transition(self, state, action, noise, xp):
        return 0.9 * state + 0.5 * action

    def _cost(self, states, actions):
        return (states**2).sum(axis=-1), np.abs(states).max(axis=-1) > 2.0

    def signals(self, states):
        return Signals(np.zeros_like(states), states.copy())


def in_time_limit(system, steps):
    return gymnasium.wrappers.TimeLimit(system, steps)


def zero(observations):
    return np.zeros((len(observations), 2))


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


def test_all_attempts_together_err_with_twice_the_probability_of_one():
    errors = [1 - bound_confidence(0.99, attempt) for attempt in range(1, 1000)]
    assert errors[0] == pytest.approx(0.01)
    assert 0.0199 < sum(errors) <= 0.02


def test_attempts_at_a_policy_are_counted_beside_those_at_others(line, tmp_path):
    for sha256, seed, attempt in (("a", 0, 1), ("a", 7, 2), ("b", 0, 1), ("a", 3, 3), ("a", 7, 2)):
        policy = NOTHING | {"sha256": sha256}
        seeds = with_seed(earlier_seeds(tmp_path), sha256, seed)
        report = make_report(line, policy, HERE, 0.99, seed, seeds)
        report.save(tmp_path, pictures=False)
        assert report.data["attempt"] == attempt
        assert report.data["bound_confidence"] == bound_confidence(0.99, attempt)
    assert earlier_seeds(tmp_path) == {"a": [0, 7, 3], "b": [0]}
    (tmp_path / "report.json").write_text("[]")
    assert earlier_seeds(tmp_path) == {}


def test_the_verdict_says_when_it_rests_on_several_steps(line):
    data = json.loads(json.dumps(make_report(line, NOTHING, HERE, 0.99).data))
    best = data["candidates"][data["best"]]
    best["one_step"]["bound"], best["k_steps"]["5"]["within"] = 0.3, {"n": 700, "violations": 0, "bound": 0.0066}
    data["rollouts"]["bound"] = 0.01
    assert verdict(data) == "statistical"
    (sentence,) = (text for text in sentences(data) if "several steps" in text)
    assert "at most 0.66 %" in sentence
    assert "700 states" in sentence
    assert "both hold with 98 %" in sentence


class Runaway(Line):
    """Leaves every bound within six steps, and no episode ends by it."""

    def start_region(self):
        return StartRegion(np.full(2, 1.5), np.full(2, 2.0), np.copy)

    def _transition(self, state, action, noise, xp):
        with np.errstate(all="ignore"):
            return state + 0.1 * (state - state**5 + state**7)

    def _cost(self, states, actions):
        with np.errstate(all="ignore"):
            return (states**2).sum(axis=-1), np.zeros(states.shape[:-1], np.bool_)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_trajectory_that_overflows_has_not_settled_and_is_a_counterexample():
    report = certify(zero, in_time_limit(Runaway(), 50), NOTHING, HERE, effort=TINY, with_proof=False)
    assert report.data["rollouts"]["failures"] == TINY.rollouts
    assert report.verdict == "none"
    assert report.data["settling"]["overshoot_max"] == np.inf
    assert all(found["one_step"]["violations"] > 0 for found in report.data["candidates"].values())
    assert report.data["falsification"]["found"]


class Plain(Line):
    """Written entry by entry, as a proof needs it."""

    def _transition(self, state, action, noise, xp):
        return pack([0.9 * x + 0.5 * u for x, u in zip(unpack(state, xp), unpack(action, xp), strict=True)], xp)


class Aimless(Plain):
    goal_tolerance = None


class Fragile(Plain):
    """Episodes end by a rule that is no limit."""

    def _cost(self, states, actions):
        return (states**2).sum(axis=-1), states[..., 0] > 0.8


@pytest.mark.parametrize(
    ("system", "words"), [(Aimless(), "no goal set"), (Fragile(), "began there and terminated early")]
)
def test_a_proof_alone_does_not_make_a_verdict(system, words):
    report = certify(Zero(system, system), in_time_limit(system, 50), NOTHING, HERE, effort=TINY)
    assert report.data["proved"]["region_share"] == 1.0
    assert report.verdict != "proved-on-model"
    assert any(words in sentence for sentence in report.sentences)


def test_trajectories_of_a_system_with_a_clock_begin_at_time_0():
    env = gymnasium.make("lac/Oscillator-v1", max_episode_steps=20)
    report = certify(lac.controllers.zero(env), env, NOTHING, HERE, effort=TINY)
    assert "at time 0 of its clock" in report.sentences[0]


class Brief(gymnasium.Env):
    """Ends its episodes after 20 steps by a rule of its own."""

    observation_space, action_space = Box(-1.0, 1.0, (1,)), Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.zeros(1, np.float32), 0.0, False, self.steps >= 20, {}


def test_an_environment_of_others_is_examined_for_as_long_as_it_lasts():
    def idle(observations):
        return np.zeros((len(observations), 1))

    report = certify(idle, lac.envs.wrap_env(Brief()), NOTHING, HERE, confidence=0.995, effort=SMALL)
    assert report.data["rollouts"]["steps"] == 20
    assert report.data["rollouts"]["n"] == 104  # fewer without a failure have a bound above 5 %
    assert report.verdict == "empirical"


def test_an_environment_of_others_is_examined_by_its_trajectories():
    env = lac.envs.wrap_env(gymnasium.make("Pendulum-v1", max_episode_steps=30), "maximize")
    report = certify(lambda observations: np.zeros((len(observations), 1)), env, NOTHING, HERE, effort=SMALL)
    assert report.data["rollouts"]["n"] == 100
    assert report.data["candidates"] == {}
    assert "no goal set" in report.sentences[0]
