import warnings

import numpy as np
import pytest

from lac.evaluation.statistics import (
    estimate,
    interquartile_mean,
    probability_of_improvement,
    stratified_estimate,
)


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


def test_a_score_that_is_not_a_number_is_not_dropped_as_the_highest():
    assert np.isnan(interquartile_mean([1.0, 2.0, 3.0, np.nan]))


def test_the_interval_of_two_scores_is_their_range():
    two = estimate([0.0, 1.0])  # a quarter of the resamples are twice the lower one, a quarter twice the higher one
    assert (two.low, two.value, two.high) == (0.0, 0.5, 1.0)


def test_the_interval_of_a_mean_by_its_exact_distribution():
    # Of 12 scores, 0 or 1 with six each, the mean of a resample is binomial: P(k <= 2) = 0.019, P(k <= 3) = 0.073.
    coins = estimate([0.0] * 6 + [1.0] * 6, np.mean)
    assert (coins.low, coins.value, coins.high) == (pytest.approx(3 / 12), 0.5, pytest.approx(9 / 12))


def test_seeds_are_resampled_within_their_environment():
    # Whatever is drawn within the two environments, half of the scores are 0 and half are 10.
    strata = [[0.0, 0.0, 0.0, 0.0], [10.0, 10.0, 10.0, 10.0]]
    result = stratified_estimate(strata)
    assert (result.low, result.value, result.high) == (5.0, 5.0, 5.0)
    assert estimate([*strata[0], *strata[1]]).low < 5.0
    assert np.isnan(stratified_estimate([[1.0], [2.0, 3.0]]).low)


def test_series_are_estimated_step_by_step(monkeypatch):
    series = np.random.default_rng(3).normal(size=(5, 7))
    whole = estimate(series)
    monkeypatch.setattr("lac.evaluation.statistics._AT_ONCE", 1)
    for t in range(7):
        one, parts = estimate(series[:, t]), estimate(series)
        assert (one.low, one.high) == (whole.low[t], whole.high[t]) == (parts.low[t], parts.high[t])


def test_probability_of_improvement_by_hand():
    # 1 is lower than both of 2 and 3; 2 equals 2, which counts half, and is lower than 3: 3.5 of 4.
    one = probability_of_improvement([[1.0, 2.0]], [[2.0, 3.0]])
    assert one.value == pytest.approx(3.5 / 4)
    # The resample twice 2 against twice 2 has half, the one with only 1 or only 3 has all of it.
    assert (one.low, one.high) == (0.5, 1.0)
    two = probability_of_improvement([[1.0, 2.0], [5.0, 5.0]], [[2.0, 3.0], [4.0, 4.0]])
    assert two.value == pytest.approx((3.5 / 4 + 0.0) / 2)
    assert np.isnan(probability_of_improvement([[1.0]], [[2.0, 3.0]]).low)
