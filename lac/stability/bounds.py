"""Statistical bounds that hold for every sample size; none assumes a normal distribution."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, binom

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Proportion:
    """How many of ``n`` independent trials failed, and how large the probability of a failure may be.

    ``bound`` is the one-sided upper bound of Clopper and Pearson (1934): it is exceeded by the true probability in at
    most ``1 - confidence`` of all samples. No trials bound nothing, and give 1.
    """

    n: int
    failures: int
    bound: float


def proportion(failures: npt.ArrayLike, confidence: float) -> Proportion:
    """The failures among independent trials with their bound.

    Args:
        failures: Whether each trial failed, ``[n]``.
        confidence: Probability with which the bound holds, as 0.99.
    """
    outcomes = np.asarray(failures, np.bool_)
    n, count = outcomes.size, int(outcomes.sum())
    return Proportion(n, count, upper_bound(count, n, confidence))


def upper_bound(failures: int, n: int, confidence: float) -> float:
    """The one-sided upper bound of Clopper and Pearson; ``1 - (1 - confidence)^(1/n)`` without failures."""
    if failures >= n:
        return 1.0
    return float(beta.ppf(confidence, failures + 1, n - failures))


def quantile_bound(values: npt.ArrayLike, quantile: float, confidence: float) -> float:
    """An upper bound of a quantile by order statistics (Wilks 1941), whatever the distribution.

    The smallest value of the sample that is above the quantile with this confidence: the maximum of 459 values for the
    99 % quantile with 99 % confidence. Infinite where the sample is too small, or where that value is.

    Args:
        values: Independent draws, ``[n]``; infinite ones count as the largest.
        quantile: As 0.99.
        confidence: As 0.99.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    n = len(ordered)
    if n == 0 or 1 - quantile**n < confidence:
        return math.inf
    # The k-th value is above the quantile unless at least k draws are below it.
    place = int(binom.ppf(confidence, n, quantile)) + 1
    while place > 1 and binom.cdf(place - 2, n, quantile) >= confidence:
        place -= 1
    return float(ordered[min(place, n) - 1])


def cluster_bootstrap(values: FloatArray, confidence: float, rng: np.random.Generator, resamples: int = 2000) -> float:
    """An asymptotic upper bound of a mean over episodes; their steps depend on each other, so episodes are resampled.

    Args:
        values: The mean of each episode, ``[n]``.
        confidence: As 0.99.
        rng: Draws the resamples.
        resamples: Their number.
    """
    drawn = rng.integers(len(values), size=(resamples, len(values)))
    return float(np.quantile(values[drawn].mean(axis=1), confidence))
