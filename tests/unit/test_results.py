"""Which policy is the best, and the figures of a test in words."""

import pytest

from lac.evaluation.ranking import is_better
from lac.runs.results import figures, planned_tests
from lac.settings.training import LoopSettings


def report(death_rate, settled, cost, **others):
    known = {} if settled is None else {"settled": settled, "settling_steps": 7.0}
    return {"death_rate": death_rate, **known, "cost_mean": cost, "cost_std": 1.0, "epoch": 3.0, **others}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (report(0.0, 0.0, 900.0), report(0.1, 1.0, 5.0)),  # terminations before all else
        (report(0.1, 0.6, 900.0), report(0.1, 0.5, 5.0)),  # then settling
        (report(0.1, 0.5, 5.0), report(0.1, 0.5, 6.0)),  # then the cost
        (report(0.0, None, 5.0), report(0.0, None, 6.0)),  # also without a goal set
    ],
)
def test_the_best_has_the_fewest_terminations_then_settles_most_then_costs_least(better, worse):
    assert is_better(better, worse)
    assert not is_better(worse, better)
    assert not is_better(better, better)
    assert is_better(worse, None)


def test_early_terminations_come_first_and_what_ended_by_itself_is_said():
    text = figures(report(0.25, 0.5, 10.0, steps=40, cut_short=0.5, episodes=8))
    assert text.startswith("early terminations 25%, settled 50% after 7 steps, cost 10.0")
    assert "50% ended by the environment before" in text
    assert "8 resets" in text


def test_the_numbers_of_resets_are_said_before_the_training():
    (sentence,) = planned_tests(LoopSettings(num_test_episodes=12, final_test_episodes=34))
    assert "12 resets after each epoch" in sentence
    assert "34 at the end" in sentence
    assert planned_tests(LoopSettings(num_test_episodes=0)) == []
