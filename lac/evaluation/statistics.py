"""Statistics over several runs of a method: seeds are the unit, never episodes or steps."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import DegenerateDataWarning, bootstrap, trim_mean

FloatArray = npt.NDArray[np.float64]

CONFIDENCE = 0.95
_RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap interval; scalars, or ``[T]`` each."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


def interquartile_mean(scores: npt.ArrayLike, axis: int = 0) -> Any:
    """Mean after the lowest and the highest quarter are dropped (Agarwal et al. 2021).

    With ``n`` scores, ``floor(n / 4)`` are dropped at either end, as in rliable: none if there are up to three.
    """
    return trim_mean(np.asarray(scores, dtype=np.float64), 0.25, axis=axis)


def estimate(scores: Sequence[Any] | FloatArray, statistic: Callable[..., Any] = interquartile_mean) -> Estimate:
    """The interquartile mean over seeds, or another statistic, with its 95 % percentile bootstrap interval.

    Seeds of one method on one environment are resampled: the strata of rliable's stratified bootstrap are
    environments, and none are pooled here.

    Args:
        scores: One score for each seed, ``[n]``, or a series for each, ``[n, T]``. The interval of one seed is NaN.
        statistic: A function of scores and ``axis``.
    """
    array = np.asarray(scores, dtype=np.float64)
    value = np.asarray(statistic(array, axis=0))
    if len(array) < 2:
        return Estimate(value, np.full_like(value, np.nan), np.full_like(value, np.nan))
    with warnings.catch_warnings():
        # A score that is not finite gives an interval that is NaN, as it should; no warning is needed.
        warnings.simplefilter("ignore", DegenerateDataWarning)
        result = bootstrap(
            (array,),
            statistic,
            n_resamples=_RESAMPLES,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(0),
            vectorized=True,
            axis=0,
        )
    low, high = result.confidence_interval
    return Estimate(value, np.asarray(low), np.asarray(high))
