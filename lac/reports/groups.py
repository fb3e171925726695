"""Runs that differ in their seed alone, as one line of a comparison, with statistics over the seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lac.evaluation.statistics import Estimate, FloatArray, estimate, probability_of_improvement, stratified_estimate
from lac.reports.results import Result, identity
from lac.reports.yardsticks import Yardstick

BASELINE = "sac"


@dataclass(frozen=True)
class Curve:
    """The tests in training of a group.

    Attributes:
        steps: Environment steps, ``[T]``.
        cost: Interquartile mean over seeds with its interval, ``[T]`` each.
        costs: Of each seed, ``[n, T]``.
        death_rates: Share of early terminations of each seed, ``[n, T]``.
    """

    steps: FloatArray
    cost: Estimate
    costs: FloatArray
    death_rates: FloatArray


@dataclass(frozen=True)
class Group:
    """Results of runs that differ in their seed alone.

    Attributes:
        env: Name of the environment.
        algo: Name of the algorithm.
        settings: The settings in which it differs from other groups of this environment and algorithm.
        results: The runs, by seed.
    """

    env: str
    algo: str
    settings: Mapping[str, Any]
    results: Sequence[Result]

    @property
    def differences(self) -> str:
        """Its settings as text."""
        return " ".join(f"{key}={value}" for key, value in self.settings.items())

    @property
    def label(self) -> str:
        """Its name in a legend."""
        short = (f"{key.rpartition('.')[2]}={value}" for key, value in self.settings.items())
        return " ".join([self.algo.upper(), *short])

    @cached_property
    def cost(self) -> Estimate:
        """Interquartile mean of the final policies' costs over seeds, with its interval."""
        return estimate(self.values("cost_mean"))

    def values(self, name: str, is_long: bool = False) -> FloatArray:
        """A figure of the runs that have it."""
        reports = [result.long if is_long else result.figures for result in self.results]
        return np.array([report[name] for report in reports if name in report])

    @cached_property
    def curve(self) -> Curve:
        """The tests in training, over the epochs that all of its runs have."""
        epochs = min(len(result.run.metrics) for result in self.results)
        rows = [result.run.metrics[:epochs] for result in self.results]
        steps = np.array([row["env_steps"] for row in rows[0]], dtype=np.float64)
        costs = np.array([[row["test/cost_mean"] for row in series] for series in rows], dtype=np.float64)
        shares = np.array([[row.get("test/death_rate") or 0.0 for row in series] for series in rows], dtype=np.float64)
        return Curve(steps, estimate(costs), costs, shares)


def group_results(results: Sequence[Result]) -> list[Group]:
    """Results sorted into groups that differ in more than the seed."""
    methods: dict[str, list[Result]] = {}
    for result in results:
        methods.setdefault(identity(result.method), []).append(result)
    groups = []
    for members in methods.values():
        first = members[0]
        peers = [result.method for result in results if (result.env, result.algo) == (first.env, first.algo)]
        keys = differing_keys(peers)
        settings = {key: first.method.get(key) for key in keys if key in first.method}
        groups.append(Group(first.env, first.algo, settings, sorted(members, key=lambda result: str(result.seed))))
    return sorted(groups, key=lambda group: (group.env, group.algo, _sortable(group.settings)))


def differing_keys(methods: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that are missing in a method or have another value there, in the order of the config."""
    keys = list(dict.fromkeys(key for method in methods for key in method))
    return [key for key in keys if any(key not in each or each[key] != methods[0].get(key) for each in methods)]


def _sortable(settings: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """Numbers in their order, not in that of their digits."""
    return [(key, value if _is_number(value) else 0.0, str(value)) for key, value in settings.items()]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Improvement:
    """An algorithm beside the baseline, over the environments in which each has one group.

    Attributes:
        algo: The algorithm.
        envs: The environments.
        better: Probability that a seed is better than one of the baseline: fewer early terminations, then more
            episodes that settle, then a lower cost, which is the order in which the best policy of a run is chosen.
        cheaper: Probability that its cost is lower, whatever terminates early.
        relative_costs: Interquartile means over environments and seeds of the cost as a multiple of that of the
            designed controller, for the algorithm and for the baseline; None where an environment has no such one.
    """

    algo: str
    envs: Sequence[str]
    better: Estimate
    cheaper: Estimate
    relative_costs: tuple[Estimate, Estimate] | None


def improvements(groups: Sequence[Group], yardsticks: Sequence[Yardstick]) -> list[Improvement]:
    """Each algorithm beside the baseline, in each environment and, where there are several, over all of them."""
    alone: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        alone.setdefault((group.env, group.algo), []).append(group)
    unique = {key: found[0] for key, found in alone.items() if len(found) == 1}
    envs = [env for env, algo in unique if algo == BASELINE]
    listed = []
    for algo in sorted({algo for _, algo in unique if algo != BASELINE}):
        shared = [env for env in envs if (env, algo) in unique]
        sets = ([shared] if len(shared) > 1 else []) + [[env] for env in shared]
        listed += [_improvement(algo, part, unique, yardsticks) for part in sets]
    return listed


def _improvement(
    algo: str, envs: Sequence[str], groups: Mapping[tuple[str, str], Group], yardsticks: Sequence[Yardstick]
) -> Improvement:
    ours, theirs = ([groups[env, name] for env in envs] for name in (algo, BASELINE))
    ranks = [_ranks(first, second) for first, second in zip(ours, theirs, strict=True)]
    better = probability_of_improvement([first for first, _ in ranks], [second for _, second in ranks])
    costs = [[group.values("cost_mean") for group in side] for side in (ours, theirs)]
    references = {env: [each for each in yardsticks if each.env == env] for env in envs}
    relative = None
    if all(len(found) == 1 for found in references.values()):
        scales = [references[env][0].figures["cost_mean"] for env in envs]
        if min(scales) > 0:
            first, second = ([cost / scale for cost, scale in zip(side, scales, strict=True)] for side in costs)
            relative = stratified_estimate(first), stratified_estimate(second)
    return Improvement(algo, envs, better, probability_of_improvement(*costs), relative)


def _ranks(first: Group, second: Group) -> tuple[FloatArray, FloatArray]:
    """The places of the runs of two groups among all of them, 0 for the best; equal runs share a place."""
    keys = [[_order(result.figures) for result in group.results] for group in (first, second)]
    places = {key: place for place, key in enumerate(sorted({*keys[0], *keys[1]}))}
    a, b = (np.array([places[key] for key in side], dtype=np.float64) for side in keys)
    return a, b


def _order(figures: Mapping[str, float]) -> tuple[float, float, float]:
    return figures["death_rate"], -figures.get("settled", 0.0), figures["cost_mean"]
