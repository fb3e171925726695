"""What a study says: for each variant, figures of each run, and of each method over its runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from lac.evaluation.statistics import CONFIDENCE, estimate, interquartile_mean
from lac.robust.grids import Variant
from lac.robust.measuring import Episode
from lac.robust.results import Results
from lac.robust.running import Study
from lac.robust.subjects import nominal_values

FloatArray = npt.NDArray[np.float64]

_AT_ONCE = 50  # variants; a bootstrap of a whole map at once takes gigabytes


@dataclass(frozen=True)
class Spread:
    """A figure of the runs of a method in each variant, ``[V]`` each.

    ``low`` and ``high`` are the bootstrap interval over runs of ``center``; NaN for one run.
    """

    center: FloatArray
    low: FloatArray
    high: FloatArray
    mean: FloatArray
    std: FloatArray
    min: FloatArray
    max: FloatArray

    def at(self, variant: int, center: str) -> dict[str, float]:
        """The numbers of a variant by name; ``center`` is the name of that one."""
        numbers = {name: float(values[variant]) for name, values in vars(self).items()}
        return {center: numbers.pop("center")} | numbers


@dataclass(frozen=True)
class Method:
    """The runs of one method.

    Attributes:
        name: Its name.
        runs: Numbers of its policies in the study.
        cost: Of the mean cost of an episode; its center is the interquartile mean over runs.
        death_rate: Of the share of terminated episodes; its center is the mean, in which no run that fails is left out.
        settled: Of the share of episodes that settle, likewise; None where there is no goal set.
    """

    name: str
    runs: Sequence[int]
    cost: Spread
    death_rate: Spread
    settled: Spread | None


@dataclass(frozen=True)
class Summary:
    """A study summed up.

    Attributes:
        variants: Its variants, the nominal case first.
        methods: Its methods, in the order of their policies.
        nominal_values: Those of the varied keys, where they are single numbers.
        content: The same for ``results.json``.
    """

    variants: Sequence[Variant]
    methods: Sequence[Method]
    nominal_values: Mapping[str, float]
    content: dict[str, Any]


def summarize(study: Study, results: Results) -> Summary:
    """Sum up the rows of a study; where a test has failed, its figures are NaN."""
    cases = study.variants
    figures = [[_figures(results.episodes(i, j)) for j in range(len(cases))] for i in range(len(study.subjects))]
    numbers: dict[str, list[int]] = {}
    for i, subject in enumerate(study.subjects):
        numbers.setdefault(subject.method, []).append(i)
    methods = [_method(name, runs, [figures[i] for i in runs]) for name, runs in numbers.items()]
    described = [
        {
            "variant": case.label,
            "grid": case.grid,
            "values": dict(case.values),
            "methods": {each.name: _described(each, j) for each in methods},
            "runs": {subject.name: dict(figures[i][j]) for i, subject in enumerate(study.subjects)},
        }
        for j, case in enumerate(cases)
    ]
    nominal = nominal_values(study.subjects[0], study.grids)
    return Summary(cases, methods, nominal, {"nominal_values": nominal, "variants": described})


def _figures(episodes: Sequence[Episode]) -> dict[str, Any]:
    """The figures of one run in one variant, with the names of ``evaluate``."""
    if not episodes:
        return {}
    costs = np.array([episode.cost for episode in episodes])
    num_terminated = sum(episode.terminated for episode in episodes)
    interval = binomtest(num_terminated, len(episodes)).proportion_ci(CONFIDENCE, "wilson")
    figures = {
        "cost_mean": float(costs.mean()),
        "cost_std": float(costs.std()),
        "ep_len_mean": float(np.mean([episode.length for episode in episodes])),
        "death_rate": num_terminated / len(episodes),
        "death_rate_interval": [float(interval.low), float(interval.high)],
    }
    if episodes[0].settled is not None:
        after = [episode.settling_step for episode in episodes if episode.settling_step is not None]
        figures["settled"] = float(np.mean([bool(episode.settled) for episode in episodes]))
        figures["settling_steps"] = float(np.median(after)) if after else math.nan
    return figures


def _method(name: str, runs: Sequence[int], figures: Sequence[Sequence[Mapping[str, Any]]]) -> Method:
    def scores(figure: str) -> FloatArray:
        return np.array([[each.get(figure, math.nan) for each in of_run] for of_run in figures], np.float64)

    has_goal = any("settled" in each for of_run in figures for each in of_run)
    return Method(
        name,
        runs,
        _spread(scores("cost_mean"), interquartile_mean),
        _spread(scores("death_rate"), np.mean),
        _spread(scores("settled"), np.mean) if has_goal else None,
    )


def _spread(scores: FloatArray, statistic: Any) -> Spread:
    """The spread over runs of scores ``[n, V]``."""
    parts = [estimate(scores[:, i : i + _AT_ONCE], statistic) for i in range(0, scores.shape[1], _AT_ONCE)]
    center, low, high = (np.concatenate([getattr(part, end) for part in parts]) for end in ("value", "low", "high"))
    return Spread(center, low, high, scores.mean(0), scores.std(0), scores.min(0), scores.max(0))


def _described(method: Method, variant: int) -> dict[str, Any]:
    described = {
        "runs": len(method.runs),
        "cost": method.cost.at(variant, "iqm"),
        "death_rate": method.death_rate.at(variant, "mean"),
    }
    return described | ({} if method.settled is None else {"settled": method.settled.at(variant, "mean")})
