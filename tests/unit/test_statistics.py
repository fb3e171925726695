import warnings

import numpy as np
import pytest

from lac.evaluation.statistics import estimate, interquartile_mean


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([7.0], 7.0),
        ([1.0, 5.0, 9.0], 5.0),
        ([100.0, 1.0, 2.0, 4.0, 3.0], 3.0),  # one dropped at either end
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 100.0], 3.5),  # two at either end
    ],
)
def test_interquartile_mean_by_hand(scores, expected):
    assert interquartile_mean(scores) == pytest.approx(expected)


def test_interquartile_mean_drops_at_each_step_of_a_series():
    series = np.array([[1.0, 8.0], [2.0, 6.0], [3.0, 4.0], [50.0, 900.0]])
    np.testing.assert_allclose(interquartile_mean(series), [2.5, 7.0])


def test_one_seed_has_no_interval():
    one = estimate([4.0])
    assert one.value == 4.0
    assert np.isnan(one.low)
    assert np.isnan(one.high)


def test_equal_scores_have_an_interval_of_no_width():
    same = estimate([3.0, 3.0, 3.0])
    assert (same.low, same.value, same.high) == (3.0, 3.0, 3.0)


def test_the_interval_covers_the_mean_of_a_symmetric_distribution_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    repeats = estimate(rng.normal(10.0, 2.0, (12, 400)))
    covered = np.mean((repeats.low < 10.0) & (repeats.high > 10.0))
    # Percentile intervals of 12 scores are somewhat short.
    assert 0.84 <= covered <= 0.97


def test_the_interval_is_the_same_each_time():
    scores = np.random.default_rng(0).normal(size=9)
    assert estimate(scores).low == estimate(scores).low


def test_a_score_that_is_not_finite_gives_no_number_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = estimate([[1.0, np.nan], [1.0, 2.0]])
    assert (result.low[0], result.value[0], result.high[0]) == (1.0, 1.0, 1.0)
    assert np.isnan([result.low[1], result.value[1], result.high[1]]).all()
