"""Test episodes, reports and runs from Python, against the commands' numbers and against sums by hand."""

import gymnasium
import numpy as np
import pytest
from saved_run_support import compose_config, save_run
from stability_support import TINY

import lac
import lac.stability.examination


def zero(observations):
    return np.zeros((len(observations), 1))


def steady(observations):
    return np.full((len(observations), 1), 0.5)  # an impulse is against the action


def van_der_pol():
    return gymnasium.make("lac/VanDerPol-v1", max_episode_steps=20)


def test_an_evaluation_sums_up_the_costs_of_the_same_resets():
    found = lac.evaluate(zero, van_der_pol, episodes=3, first_seed=5)
    totals = []
    for seed in (5, 6, 7):
        env = van_der_pol()
        env.reset(seed=seed)
        total, ended = 0.0, False
        while not ended:
            _, cost, terminated, truncated, _ = env.step(np.zeros(1))
            total, ended = total + cost, terminated or truncated
        totals.append(total)
    assert found["cost_mean"] == pytest.approx(np.mean(totals))


def test_a_rollout_goes_on_beyond_the_time_limit_and_under_a_disturbance():
    calm = lac.rollout(steady, van_der_pol, episodes=2, steps=40)
    pushed = lac.rollout(
        steady, van_der_pol, episodes=2, steps=40, disturbance={"kind": "impulse", "magnitude": 3.0, "at_step": 30}
    )
    assert calm.states.shape == (2, 41, 2)
    assert np.array_equal(calm.states[:, :30], pushed.states[:, :30])
    assert not np.allclose(calm.states[:, -1], pushed.states[:, -1])


@pytest.mark.parametrize("door", [lac.evaluate, lac.rollout, lac.certify])
def test_wrong_policies_are_refused(door):
    with pytest.raises(ValueError, match="env_fn is not given"):
        door(zero)
    with pytest.raises(ValueError, match="policy is 3"):
        door(3, van_der_pol)


def test_one_environment_for_all_episodes_is_refused():
    env = van_der_pol()
    with pytest.raises(ValueError, match="env_fn gives the same environment more than once"):
        lac.evaluate(zero, lambda: env, episodes=2)


def test_a_report_from_python_says_what_the_files_say(tmp_path, monkeypatch):
    small = lac.stability.examination.Effort(
        states=500, many_steps=100, rollouts=50, pilot=100, fit=400, iterations=20, pushed=20
    )
    monkeypatch.setattr("lac.stability.examination.Effort", lambda: small)
    report = lac.certify(zero, van_der_pol, proof=False, output_dir=tmp_path)
    assert report.verdict == "none"  # the limit cycle
    text = (tmp_path / "report.md").read_text()
    assert all(sentence in text for sentence in report.sentences)
    assert (tmp_path / "phase_portrait.png").is_file()


@pytest.mark.parametrize(
    ("disturbance", "told"),
    [
        ("impulse", "disturbance is 'impulse'; it must be a mapping"),
        ({"magnitude": 1}, "disturbance.kind is None; it must be one of impulse"),
        ({"kind": "impuls"}, "disturbance.kind is 'impuls'; .* Did you mean 'impulse'"),
        (
            {"kind": "impulse", "magnitud": 3, "at_step": 1},
            "disturbance.magnitud is not a key .* Did you mean 'magnitude'",
        ),
        ({"kind": "impulse", "at_step": 1}, "disturbance.magnitude is not set; give it"),
        ({"kind": "impulse", "magnitude": 3}, "at_step and disturbance.every are not set; give one of them"),
        ({"kind": "impulse", "magnitude": 3, "at_step": 30}, "at_step is 30, but episodes of .* end with the step 19"),
        ({"kind": "noise", "target": "action", "std": -1.0}, "disturbance.std is -1"),
    ],
)
def test_wrong_disturbances_are_named(disturbance, told):
    with pytest.raises(ValueError, match=told):
        lac.evaluate(zero, van_der_pol, episodes=1, disturbance=disturbance)


def test_an_impulse_is_within_the_steps_that_are_given():
    disturbance = {"kind": "impulse", "magnitude": 3, "at_step": 30}
    with pytest.raises(ValueError, match="end with the step 24"):
        lac.evaluate(zero, van_der_pol, episodes=1, steps=25, disturbance=disturbance)
    lac.evaluate(zero, van_der_pol, episodes=1, steps=31, disturbance=disturbance)


def test_a_report_on_a_run_is_about_the_environment_that_is_given(tmp_path, monkeypatch):
    save_run(tmp_path, compose_config("env=van_der_pol", "network.observation_scale=null"))
    monkeypatch.setattr("lac.stability.examination.Effort", lambda: TINY)
    report = lac.certify(tmp_path, van_der_pol, proof=False)
    assert report.data["rollouts"]["steps"] == 4 * 20
    assert report.data["policy"]["sha256"] is not None
