"""The policies of one run, tested on the same resets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lac.evaluation.rollouts import Rollouts
from lac.figures.style import COLOURS, FAILURE, FloatArray, log_scale_if_wide, save, wrapped
from lac.settings.policies import BEST, FINAL, epoch_of

_BLUE, _ORANGE, _GREEN, _PINK = COLOURS[:4]
_SPREAD = (10, 90)  # percentiles of the costs of episodes
_MARKS: dict[str, dict[str, Any]] = {
    BEST: {"marker": "o", "color": "none", "markersize": 12, "markeredgecolor": _GREEN, "markeredgewidth": 2},
    FINAL: {"marker": "D", "color": _ORANGE, "markersize": 6, "markeredgecolor": "white"},
}


@dataclass(frozen=True)
class PolicyTest:
    """The test of a policy.

    Attributes:
        name: Its name: ``final``, ``best`` or that of an epoch.
        epoch: Its epoch.
        rollouts: Its episodes.
    """

    name: str
    epoch: int
    rollouts: Rollouts


Value = Callable[[PolicyTest], float]


def policies(tests: Sequence[PolicyTest], path: Path, title: str) -> None:
    """Draw cost, settled episodes and early terminations of the policies of a run over their epochs.

    The cost is the mean over the episodes, in a band that holds all but a tenth of them on either side. A policy with
    early terminations is crossed out. Best and final policy are marked.

    Args:
        tests: The policies in any order.
        path: The picture.
        title: Its title.
    """
    figure = Figure(figsize=(7, 5.6), layout="constrained")
    costs, shares = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    series = sorted((test for test in tests if epoch_of(test.name)), key=lambda test: test.epoch)
    _draw_costs(costs, series, tests)
    costs.set_title(wrapped(title), parse_math=False, fontsize="medium")
    _draw_shares(shares, series, tests)
    shares.set_xlabel("epoch")
    shares.xaxis.set_major_locator(MaxNLocator(integer=True))
    save(figure, path)


def _draw_costs(axes: Axes, series: Sequence[PolicyTest], tests: Sequence[PolicyTest]) -> None:
    if series:
        low, high = np.array([np.percentile(test.rollouts.total_costs, _SPREAD) for test in series]).T
        axes.fill_between(_epochs(series), low, high, color=_BLUE, alpha=0.2, linewidth=0)
        label = f"mean; {_SPREAD[1] - _SPREAD[0]} % of the episodes lie in the band"
        axes.plot(_epochs(series), _over(series, _cost), color=_BLUE, marker=".", label=label)
    _mark(axes, tests, _cost, with_label=True)
    failed = [test for test in tests if test.rollouts.terminated.any()]
    if failed:
        axes.plot(_epochs(failed), _over(failed, _cost), **FAILURE, label="early terminations")
    axes.set_ylabel("cost of an episode")
    log_scale_if_wide(axes, _over(tests, _cost))
    if tests:
        axes.legend(fontsize="small")


def _draw_shares(axes: Axes, series: Sequence[PolicyTest], tests: Sequence[PolicyTest]) -> None:
    shares = {"early terminations": (".--", _PINK, _terminated)}
    if all(test.rollouts.settling_steps is not None for test in tests):
        shares = {"settled": (".-", _BLUE, _settled), **shares}
    for label, (style, color, share) in shares.items():
        axes.plot(_epochs(series), _over(series, share), style, color=color, label=label, markersize=5)
        _mark(axes, tests, share)
    axes.set_ylabel("share of the episodes (%)")
    axes.set_ylim(-4, 104)
    axes.legend(fontsize="small")


def _mark(axes: Axes, tests: Sequence[PolicyTest], value: Value, with_label: bool = False) -> None:
    """The best and the final policy."""
    for test in tests:
        if test.name in _MARKS:
            label = f"{test.name} policy, epoch {test.epoch}" if with_label else None
            axes.plot(test.epoch, value(test), linestyle="none", zorder=5, label=label, **_MARKS[test.name])


def _over(tests: Sequence[PolicyTest], value: Value) -> FloatArray:
    return np.array([value(test) for test in tests], np.float64)


def _epochs(tests: Sequence[PolicyTest]) -> FloatArray:
    return _over(tests, lambda test: test.epoch)


def _cost(test: PolicyTest) -> float:
    return float(test.rollouts.total_costs.mean())


def _terminated(test: PolicyTest) -> float:
    return 100 * float(test.rollouts.terminated.mean())


def _settled(test: PolicyTest) -> float:
    return 100 * float(np.isfinite(test.rollouts.settling_steps).mean())  # type: ignore[arg-type]
