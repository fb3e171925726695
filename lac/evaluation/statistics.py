"""Statistics over several runs of a method: seeds are the unit, never episodes or steps.

As in rliable (Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice"): the
interquartile mean, the probability of improvement, and percentile intervals of a stratified bootstrap, whose strata are
environments.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Statistic = Callable[..., Any]

CONFIDENCE = 0.95
_RESAMPLES = 2000
_AT_ONCE = 4_000_000  # resampled scores, in numbers


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap interval; scalars, or ``[T]`` each."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


def interquartile_mean(scores: npt.ArrayLike, axis: int = 0) -> Any:
    """Mean after the lowest and the highest quarter are dropped.

    With ``n`` scores, ``floor(n / 4)`` are dropped at either end, as in rliable: none if there are up to three. NaN if
    a score is NaN, which could otherwise be among those that are dropped.
    """
    array = np.asarray(scores, dtype=np.float64)
    num_dropped = array.shape[axis] // 4
    kept = np.arange(num_dropped, array.shape[axis] - num_dropped)
    means = np.take(np.sort(array, axis=axis), kept, axis=axis).mean(axis=axis)
    return np.where(np.isnan(array).any(axis=axis), np.nan, means)


def estimate(scores: Sequence[Any] | FloatArray, statistic: Statistic = interquartile_mean) -> Estimate:
    """A statistic over the seeds of one method on one environment, with its 95 % percentile bootstrap interval.

    Args:
        scores: One score for each seed, ``[n]``, or a series for each, ``[n, T]``. The interval of one seed is NaN.
        statistic: As :func:`interquartile_mean`, with the argument ``axis``.
    """
    return stratified_estimate([scores], statistic)


def stratified_estimate(
    strata: Sequence[Sequence[Any] | FloatArray], statistic: Statistic = interquartile_mean
) -> Estimate:
    """A statistic over the scores of several environments together; seeds are resampled within each.

    Args:
        strata: For each environment one score for each seed, ``[n]``, or a series for each, ``[n, T]``; scores that
            have a meaning together, such as costs relative to that of a controller. Where an environment has one seed,
            the interval is NaN.
        statistic: As :func:`interquartile_mean`, with the argument ``axis``.
    """
    arrays = [np.asarray(scores, dtype=np.float64) for scores in strata]
    pooled = np.concatenate(arrays)
    value = np.asarray(statistic(pooled, axis=0))
    if min(len(array) for array in arrays) < 2:
        return _without_interval(value)
    rng = np.random.default_rng(0)
    first = np.cumsum([0, *(len(array) for array in arrays[:-1])])
    draws = [start + _draws(rng, len(array)) for start, array in zip(first, arrays, strict=True)]
    members = np.concatenate(draws, axis=1)
    series = pooled.reshape(len(pooled), -1)
    width = max(1, _AT_ONCE // members.size)
    parts = [series[:, start : start + width] for start in range(0, series.shape[1], width)]
    samples = np.concatenate([statistic(part[members], axis=1) for part in parts], axis=1)
    low, high = _interval(samples)
    return Estimate(value, low.reshape(value.shape), high.reshape(value.shape))


def probability_of_improvement(
    first: Sequence[Sequence[float] | FloatArray], second: Sequence[Sequence[float] | FloatArray]
) -> Estimate:
    """The probability that a seed of the first method has a lower score than one of the second, mean over environments.

    Equal scores count half (the Mann-Whitney statistic). Seeds are resampled within each environment and method.

    Args:
        first: The scores of the first method in each environment, ``[n]`` each; lower is better.
        second: Those of the second in the same environments, ``[m]`` each.
    """
    values, samples = [], []
    rng = np.random.default_rng(0)
    for ours, theirs in zip(first, second, strict=True):
        a, b = np.asarray(ours, np.float64)[:, None], np.asarray(theirs, np.float64)[None, :]
        wins = (a < b) + 0.5 * (a == b)
        values.append(wins.mean())
        rows, columns = _draws(rng, wins.shape[0]), _draws(rng, wins.shape[1])
        samples.append(wins[rows[:, :, None], columns[:, None, :]].mean(axis=(1, 2)))
    value = np.asarray(np.mean(values))
    if min(len(scores) for scores in (*first, *second)) < 2:
        return _without_interval(value)
    return Estimate(value, *_interval(np.mean(samples, axis=0)))


def _draws(rng: np.random.Generator, number: int) -> npt.NDArray[np.int64]:
    """Members of each resample, ``[resamples, number]``."""
    return rng.integers(number, size=(_RESAMPLES, number))


def _interval(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(samples, [tail, 100.0 - tail], axis=0)
    return np.asarray(low), np.asarray(high)


def _without_interval(value: FloatArray) -> Estimate:
    return Estimate(value, np.full_like(value, np.nan), np.full_like(value, np.nan))
