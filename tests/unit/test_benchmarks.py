"""The benchmark: its counts by hand, its order, and that table, data and picture say the same."""

import json
import re

import pytest
from gymnasium.spaces import Box

from lac import LAC
from lac.benchmarks import results
from lac.benchmarks.timing import Timing, timed_in_turn
from lac.benchmarks.updates import FLOOR, Size, time_size, update_flops
from lac.envs.vector import Spaces
from lac.files import write_json


def test_the_operations_of_an_update_are_those_counted_by_hand():
    agent = LAC(
        Spaces(Box(-1.0, 1.0, (3,)), Box(-1.0, 1.0, (2,))), ac_kwargs={"hidden_sizes": {"actor": [4], "critic": [6]}}
    )
    # Multiplications for one transition. The actor is 3-4 with two heads of 2, the critic 5-6.
    actor, critic = 3 * 4 + 2 * 4 * 2, 5 * 6
    target = actor + critic
    critic_step = critic + critic + 0  # the pass, the weights' gradients; no inner inputs, since there is one layer
    policy_passes = 2 * actor + critic + critic  # at s and s', the critic at s', and back to the action
    policy_weights = 2 * actor + 2 * (actor - 3 * 4)  # the weights' gradients, and those of the inner inputs
    by_hand = target + critic_step + policy_passes + policy_weights
    assert update_flops(agent, 10) == 2 * 10 * by_hand


def test_everything_is_timed_once_a_round_in_turn():
    calls = []
    things = {name: (lambda name=name: calls.append(name)) for name in "ab"}
    timings = timed_in_turn(things, rounds=3, round_seconds=0.0)
    assert "".join(calls) == "aabb" * 3  # a call before that is not counted, and one that is
    assert [len(timings[name].cpu) for name in "ab"] == [3, 3]


def test_a_timing_is_divided_and_compared_round_by_round():
    floor, own = Timing("floor", [1.0, 2.0, 4.0], [1.0] * 3), Timing("own", [4.0, 6.0, 20.0], [2.0] * 3)
    assert own.ratios(floor) == [4.0, 3.0, 5.0]
    assert (own.per(2).cpu_median, own.per(2).wall_median) == (3.0, 1.0)


def test_table_data_and_picture_say_the_same(tmp_path):
    size = Size(8, 4)
    found = [results.SizeResult(size, time_size(size, rounds=2, round_seconds=0.0))]
    write_json(tmp_path / results.DATA, results.as_data(found, [], rounds=2, threads=1))
    results.draw(found, tmp_path / results.PICTURE)
    assert (tmp_path / results.PICTURE).stat().st_size > 10_000

    (data,) = json.loads((tmp_path / results.DATA).read_text())["sizes"]
    floor = next(timing for timing in data["timings"] if timing["name"] == FLOOR)
    text = results.table(found, [])
    assert max(map(len, text.splitlines())) <= 100
    shown = dict(re.findall(r"^  (\S.*?) {2,}(?:[\d.]+ +){2}([\d.]+) ", text, re.MULTILINE))
    assert {"LAC, compiled", "LATC, compiled", "SAC, compiled", "LAC, torch", "SAC with sampling"} <= shown.keys()
    for timing in data["timings"]:
        ratios = sorted(own / limit for own, limit in zip(timing["cpu"], floor["cpu"], strict=True))
        assert timing["ratio"] == pytest.approx(sum(ratios) / 2)
        if timing["name"] in shown:
            assert float(shown[timing["name"]]) == pytest.approx(timing["ratio"], abs=0.006)
