"""Bounds, against formulas by hand and against repeated draws."""

import math

import numpy as np
import pytest

from lac.stability.bounds import cluster_bootstrap, proportion, quantile_bound, upper_bound


@pytest.mark.parametrize(
    ("failures", "n", "percent"),
    [(0, 459, 0.998), (0, 10_000, 0.04604), (5, 10_000, 0.1310), (3, 3, 100), (0, 0, 100)],
)
def test_the_bound_of_a_probability(failures, n, percent):
    assert 100 * upper_bound(failures, n, 0.99) == pytest.approx(percent, rel=1e-3)


def test_without_failures_the_bound_has_a_formula():
    for n in (1, 10, 1000):
        assert upper_bound(0, n, 0.99) == pytest.approx(1 - 0.01 ** (1 / n), rel=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1])
def test_the_bound_covers_a_planted_set_of_states_in_nearly_all_repeats(share):
    rng = np.random.default_rng(1)
    covered = sum(proportion(rng.random(500) < share, 0.99).bound >= share for _ in range(2000))
    assert covered >= 0.984 * 2000


def test_the_maximum_of_459_values_bounds_the_quantile_of_99_percent():
    values = np.random.default_rng(0).permutation(459) + 1.0
    assert quantile_bound(values, 0.99, 0.99) == 459
    assert quantile_bound(values[:458], 0.99, 0.99) == math.inf


def test_the_bound_of_a_quantile_covers_it_and_one_value_that_never_comes_makes_it_infinite():
    rng = np.random.default_rng(2)
    covered = sum(quantile_bound(rng.random(700), 0.99, 0.9) >= 0.99 for _ in range(1000))
    assert 0.89 <= covered / 1000 <= 1.0
    assert quantile_bound(np.full(459, math.inf), 0.99, 0.99) == math.inf


def test_the_bootstrap_resamples_episodes_and_is_wider_than_their_mean():
    rng = np.random.default_rng(3)
    means = rng.normal(-1.0, 0.5, 400)
    bound = cluster_bootstrap(means, 0.99, rng)
    # 2.33 standard errors above the mean
    assert bound == pytest.approx(means.mean() + 2.33 * means.std() / 20, abs=0.01)
