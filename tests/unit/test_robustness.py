"""Studies of policies over grids of disturbances, on a small linear system whose costs are known by hand."""

import csv
import json
from functools import partial

import gymnasium
import numpy as np
import pytest
from disturbance_support import Cart
from gymnasium.wrappers import TimeLimit

import lac
from lac.evaluation.statistics import interquartile_mean

T = 6
POLES = {"kind": "parameters"}
PUSH = {"kind": "impulse", "at_step": 1, "direction": "constant", "channel": "external_force"}
STEP_SUM = 1 + 4 + 9 + 16
"""Squared positions after a push of 1 in step 1: the cart is at 0, 0, 1, 2, 3 and 4, then the episode is over."""


class Fragile(Cart):
    """The cart, which terminates beyond 2 metres and is to stay within half a metre."""

    goal_tolerance = 0.5

    def _cost(self, states, actions):
        return states[..., 0] ** 2, np.abs(states[..., 0]) > 2.0


def cart(system=Cart):
    return TimeLimit(system(), T)


def idle(observations):
    return np.zeros((len(observations), 1))


def costs(result):
    return {variant["variant"]: variant["runs"]["policy"]["cost_mean"] for variant in result.summary["variants"]}


def test_costs_by_hand_with_the_nominal_case_first():
    result = lac.robustness(idle, cart, PUSH, {"magnitude": [1, 2, -3]}, episodes=2)
    squares = {"nominal": 0, "magnitude=1": 1, "magnitude=2": 4, "magnitude=-3": 9}
    assert list(costs(result)) == list(squares)
    assert costs(result) == pytest.approx({label: STEP_SUM * square for label, square in squares.items()})
    assert {row["length"] for row in result.rows} == {T}


def test_two_keys_give_every_combination():
    result = lac.robustness(idle, cart, PUSH, {"magnitude": [1, 2], "at_step": [1, 3, 5]}, episodes=1)
    pushed = {1: STEP_SUM, 3: 1 + 4, 5: 0}
    expected = {f"magnitude={m} at_step={k}": m * m * pushed[k] for m in (1, 2) for k in (1, 3, 5)}
    assert costs(result) == pytest.approx({"nominal": 0.0, **expected})
    assert list(costs(result)) == ["nominal", *expected]


def test_early_terminations_and_settling_by_hand():
    result = lac.robustness(idle, lambda: cart(Fragile), PUSH, {"magnitude": [0.1, 0.3, 1]}, episodes=3)
    rows = {row["variant"]: row for row in result.rows}
    seen = {
        label: (row["cost"], row["length"], row["terminated"], row["settled"], row["settling_step"])
        for label, row in rows.items()
    }
    assert seen == {
        "nominal": (0.0, T, False, True, 0),
        "magnitude=0.1": (pytest.approx(0.01 * STEP_SUM), T, False, True, 0),
        "magnitude=0.3": (pytest.approx(0.09 * STEP_SUM), T, False, False, None),
        "magnitude=1": (1.0 + 4.0 + 9.0, T - 1, True, False, None),
    }
    of_runs = {variant["variant"]: variant["runs"]["policy"] for variant in result.summary["variants"]}
    assert {label: (run["death_rate"], run["settled"]) for label, run in of_runs.items()} == {
        "nominal": (0.0, 1.0),
        "magnitude=0.1": (0.0, 1.0),
        "magnitude=0.3": (0.0, 0.0),
        "magnitude=1": (1.0, 0.0),
    }
    # The interval of Wilson for 3 of 3, z = 1.96: from n / (n + z^2) to 1.
    assert of_runs["magnitude=1"]["death_rate_interval"] == pytest.approx([3 / (3 + 1.959964**2), 1.0])


def test_noise_is_the_same_for_every_policy_and_every_level():
    noise = {"kind": "noise", "target": "process", "dims": [0, 1]}
    result = lac.robustness({"a": idle, "b": idle}, cart, noise, {"std": [1, 2]}, episodes=4)
    by_case = {}
    for row in result.rows:
        by_case.setdefault((row["run"], row["variant"]), []).append(row["cost"])
    assert by_case["a", "std=1"] == by_case["b", "std=1"]
    assert len(set(by_case["a", "std=1"])) == 4  # each reset has its own
    # The system is linear: twice the noise is four times the cost, episode by episode.
    np.testing.assert_allclose(by_case["a", "std=2"], 4 * np.array(by_case["a", "std=1"]))


def test_methods_are_summed_up_over_their_policies():
    def braking(gain):
        return lambda observations: np.clip(-gain * observations[:, 1:], -1, 1)

    members = [braking(gain) for gain in (0.0, 0.25, 0.5, 1.0)]
    result = lac.robustness({"brake": members, "idle": idle}, cart, PUSH, {"magnitude": [1]}, episodes=2)
    (of_variant,) = [each for each in result.summary["variants"] if each["variant"] == "magnitude=1"]
    single = [of_variant["runs"][f"brake {i}"]["cost_mean"] for i in range(4)]
    told = of_variant["methods"]["brake"]
    assert single[0] == pytest.approx(STEP_SUM)
    assert single[3] == pytest.approx(1 + 1 + 1 + 1)  # at 0, 0, 1 and then at rest
    assert (told["runs"], told["cost"]["mean"]) == (4, pytest.approx(np.mean(single)))
    assert told["cost"]["std"] == pytest.approx(np.std(single))
    assert told["cost"]["iqm"] == pytest.approx(interquartile_mean(single))
    assert told["cost"]["low"] <= told["cost"]["iqm"] <= told["cost"]["high"]
    assert np.isnan(of_variant["methods"]["idle"]["cost"]["low"])  # of one policy there is no interval


def test_the_files_agree_with_each_other(tmp_path):
    result = lac.robustness(idle, lambda: cart(Fragile), PUSH, {"magnitude": [0.3, 1]}, episodes=3, output_dir=tmp_path)
    with (tmp_path / "results.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    told = json.loads((tmp_path / "results.json").read_text())
    assert (told["complete"], told["failures"]) == (True, [])
    assert len(rows) == len(result.rows) == 9
    for variant in told["variants"]:
        own = [row for row in rows if row["variant"] == variant["variant"]]
        run = variant["runs"]["policy"]
        assert run["cost_mean"] == np.mean([float(row["cost"]) for row in own])
        assert run["ep_len_mean"] == np.mean([int(row["length"]) for row in own])
        assert run["death_rate"] == np.mean([row["terminated"] == "true" for row in own])
        assert run["settled"] == np.mean([row["settled"] == "true" for row in own])
        assert {row["magnitude"] for row in own} == {str(variant["values"].get("magnitude", ""))}
    assert (tmp_path / "robustness.png").stat().st_size > 10_000


def test_a_test_that_fails_is_named_and_the_others_are_kept(tmp_path):
    def moody(observations):
        if np.abs(observations[:, 1]).max() > 1.5:
            raise KeyError("too fast")
        return idle(observations)

    result = lac.robustness({"moody": moody}, cart, PUSH, {"magnitude": [1, 2]}, episodes=2, output_dir=tmp_path)
    assert result.failures == ["moody in the variant magnitude=2: KeyError: 'too fast'"]
    assert [row["variant"] for row in result.rows] == ["nominal"] * 2 + ["magnitude=1"] * 2
    told = json.loads((tmp_path / "results.json").read_text())
    assert (told["complete"], told["failures"]) == (False, result.failures)
    assert told["variants"][2]["runs"]["moody"] == {}


def test_longer_episodes_reach_a_later_push():
    push = PUSH | {"at_step": T + 2}
    with pytest.raises(ValueError, match=rf"disturbance.at_step is {T + 2}.* end with the step {T - 1}"):
        lac.robustness(idle, cart, push, {"magnitude": [1]}, episodes=1)
    assert costs(lac.robustness(idle, cart, push, {"magnitude": [1]}, episodes=1, steps=T + 5))["magnitude=1"] == 1 + 4
    with pytest.raises(ValueError, match=rf"vary.at_step is {T + 2}, but steps={T + 1}"):
        lac.robustness(idle, cart, PUSH | {"magnitude": 1}, {"at_step": [1, T + 2]}, episodes=1, steps=T + 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"vary": {"magnitud": [1]}}, "vary.magnitud is not a key of this disturbance; .*Did you mean 'magnitude'"),
        ({"vary": {"magnitude": 5}}, "vary.magnitude is 5; it must be a list"),
        ({"vary": {"magnitude": []}}, r"vary.magnitude is \[\]; it must be a list"),
        ({"vary": {"magnitude": [1, 1.0]}}, "vary.magnitude.* must differ"),
        ({"vary": {"magnitude": "1:x:3"}}, "vary.magnitude is '1:x:3'; it must be a list"),
        ({"vary": {"magnitude": [1, "x"]}}, "vary.magnitude is 'x'; it must be a finite number"),
        ({"vary": {}}, "vary is empty; give the values of one or two keys"),
        (
            {"vary": {"magnitude": [1], "every": [1], "at_step": [1]}},
            "vary has magnitude, every, at_step; give",
        ),
        ({"vary": None}, "vary is None; it must be a mapping"),
        ({"disturbance": PUSH | {"at": 1}}, "disturbance.at is not a key of this disturbance"),
        ({"disturbance": {"kind": "push"}}, "disturbance.kind is 'push'; it must be one of impulse"),
        ({"disturbance": PUSH, "vary": {"every": [1]}}, "disturbance.magnitude is not set"),
        ({"disturbance": {"kind": "parameters"}, "vary": {"length": [1]}}, "Did you mean 'vary.values.length'"),
        ({"disturbance": {"kind": "parameters"}, "vary": {"values.mass": [1]}}, "vary.values.mass cannot be set"),
        ({"disturbance": None, "vary": None, "protocol": "han2020/impulze"}, "Did you mean 'han2020/impulse'"),
        ({"disturbance": None, "vary": None, "protocol": "han2020/noise"}, "no version for Cart; it has .*Oscillator"),
        ({"protocol": "han2020/noise"}, "protocol is 'han2020/noise', which excludes disturbance and vary"),
        ({"policy": {}}, "policy is an empty mapping"),
        ({"policy": 5}, "policy is 5; it must be an agent"),
        ({"env_fn": None}, "env_fn is not given"),
        ({"episodes": 0}, "episodes is 0"),
        ({"opt_type": "min"}, "opt_type is 'min'"),
        ({"workers": 2}, "workers is 2, but policy and env_fn cannot be sent"),
        ({"first_seed": 2**31 - 1, "episodes": 2}, "first_seed is 2147483647, but 2 episodes"),
    ],
)
def test_a_wrong_argument_is_named(arguments, sentence):
    usual = {"policy": idle, "env_fn": lambda: TimeLimit(Cart(), T), "disturbance": PUSH}
    with pytest.raises(ValueError, match=sentence):
        lac.robustness(**usual | {"vary": {"magnitude": [1]}} | arguments)


def test_episodes_without_an_end_are_refused(monkeypatch):
    monkeypatch.setattr("lac.envs.checks.MAX_EPISODE_STEPS", 20)
    with pytest.raises(ValueError, match="steps is not given"):
        lac.robustness(idle, Cart, PUSH, {"magnitude": [1]})
    assert costs(lac.robustness(idle, Cart, PUSH, {"magnitude": [1]}, steps=T))["magnitude=1"] == STEP_SUM


@pytest.fixture
def runs(tmp_path):
    """Two runs whose folders have the same name."""
    for folder in ("a/run", "b/run"):
        lac.lac(
            lambda: gymnasium.make("lac/CartPoleCost-v1"),
            **{"epochs": 1, "steps_per_epoch": 20, "update_after": 100, "num_test_episodes": 0, "seed": len(folder)},
            ac_kwargs={"hidden_sizes": [4]},
            logger_kwargs={"output_dir": str(tmp_path / folder), "quiet": True, "use_wandb": False},
        )
    return [tmp_path / "a/run", tmp_path / "b/run"]


def test_results_in_another_environment_are_not_those_of_this_one(runs, tmp_path):
    def study(**kwargs):
        make = partial(gymnasium.make, "lac/CartPoleCost-v1", **kwargs)
        return lac.robustness(runs[0], make, POLES, {"values.length": [2]}, episodes=2, workers=1, output_dir=tmp_path)

    first = study()
    assert study().rows == first.rows
    for other in ({"gravity": 30.0}, {"max_episode_steps": 10}):
        with pytest.raises(ValueError, match="other settings"):
            study(**other)


def test_runs_with_the_same_name_of_a_folder_are_two(runs):
    result = lac.robustness(runs, None, POLES, {"values.length": [2]}, episodes=2, workers=1)
    assert set(result.summary["variants"][0]["runs"]) == {"a/run", "b/run"}


@pytest.mark.slow  # two processes import torch
def test_several_processes_give_the_same_bytes(tmp_path):
    def study(workers):
        env_fn = gymnasium.envs.registration.load_env_creator("lac.envs.cart_pole:CartPoleCost")
        lac.robustness(
            *(idle, env_fn, {"kind": "noise", "target": "action"}, {"std": [1, 2, 3]}),
            **{"episodes": 5, "steps": 40, "workers": workers, "output_dir": tmp_path / str(workers)},
        )
        return [(tmp_path / str(workers) / name).read_bytes() for name in ("results.csv", "results.json")]

    one, two = study(1), study(2)
    assert one[0] == two[0]
    fingerprints = [json.loads(content).pop("policies")[0]["fingerprint"].encode() for content in (one[1], two[1])]
    assert one[1].replace(fingerprints[0], fingerprints[1]) == two[1]
