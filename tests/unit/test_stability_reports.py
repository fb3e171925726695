"""Reports of stability: what they claim, of whom, and how surely."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from stability_support import HERE, NOTHING, SMALL, TINY, Line, in_time_limit, zero

import lac
import lac.envs
from lac.controllers import Zero
from lac.envs.system import StartRegion
from lac.envs.vectors import pack, unpack
from lac.stability.certification import certify
from lac.stability.examination import examine
from lac.stability.report import bound_confidence, earlier_seeds, make_report, with_seed
from lac.stability.wording import sentences, verdict


@pytest.fixture(scope="module")
def line():
    return examine(zero, in_time_limit(Line(), 50), effort=SMALL)


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


def test_attempts_are_those_of_all_folders(line, tmp_path):
    for folder, seeds in (("run", (0, 7)), ("copy", (7, 3))):
        for seed in seeds:
            known = with_seed(earlier_seeds(tmp_path / folder), "a", seed)
            make_report(line, NOTHING | {"sha256": "a"}, HERE, 0.99, seed, known).save(
                tmp_path / folder, pictures=False
            )
    assert earlier_seeds(tmp_path / "run", tmp_path / "copy", tmp_path / "none") == {"a": [0, 7, 3]}
