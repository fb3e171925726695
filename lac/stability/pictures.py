"""The pictures of a report, from what an examination kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lac.envs.system import BoolArray, FloatArray
from lac.figures import stability as figures
from lac.stability.closed_loop import ClosedLoop, Traces
from lac.stability.findings import Examination

_TRAJECTORIES = 60
_GRID, _ARROWS = 161, 23
_STATES = 4000


def draw(found: Examination, data: Mapping[str, Any], folder: Path, arrivals: Any = None) -> list[Path]:
    """Draw every picture that there is something for; returns the files.

    Args:
        found: The examination.
        data: Its report.
        folder: Where they go.
        arrivals: Of a proof, see :class:`lac.figures.stability.Plane`.
    """
    loop, traces = found.loop, found.traces
    if loop is None or traces is None or found.outcome is None:
        return []
    files: list[Path] = []

    def file(name: str) -> Path:
        files.append(folder / name)
        return files[-1]

    few = Traces(traces.states[:_TRAJECTORIES], traces.costs[:_TRAJECTORIES], traces.terminated[:_TRAJECTORIES])
    if loop.system.state_dim == 2 and found.best is not None:
        figures.phase_portrait(_plane(found, loop, few, arrivals), file("phase_portrait.png"))
    signals, tolerance = _signals(loop, few)
    figures.errors(signals, _failed(loop, few), tolerance, file("trajectories.png"))
    values = {name: _along(function, few.states) for name, function in found.functions.items()}
    figures.along_trajectories(values, few.costs, file("functions.png"))
    bound = found.settling["quantile_99_bound"]
    figures.settling_times(found.outcome.settling_steps, bound, file("settling.png"))
    if found.rungs:
        figures.ladder(data["disturbances"], 1 - data["push_probability"], file("disturbances.png"))
    if found.best is not None and found.sample is not None:
        sample, function = found.sample, found.functions[found.best]
        now, then = function(sample.states)[:_STATES], function(sample.successors[0])[:_STATES]
        outside = sample.outside[:_STATES] & ~sample.in_core[0][:_STATES]
        ratios = then[outside] / np.maximum(now[outside], 1e-12)
        figures.violations(now[outside], np.maximum(ratios, 1e-6), found.best, file("violations.png"))
    if found.critic is not None and found.honesty is not None:
        figures.critic(*found.honesty, found.critic["rank_correlation"], file("critic.png"))
    return files


def _along(function: Any, states: FloatArray) -> FloatArray:
    """A function of the state along trajectories ``[n, T, state_dim]``, NaN where they have ended."""
    is_run = np.isfinite(states).all(axis=2)
    values = np.full(is_run.shape, np.nan)
    values[is_run] = function(states[is_run])
    return values


def _signals(loop: ClosedLoop, traces: Traces) -> tuple[FloatArray, FloatArray]:
    reference, interest = loop.system.signals(traces.states)
    errors = interest - reference
    return errors, np.broadcast_to(np.asarray(loop.system.goal_tolerance, np.float64), errors.shape[-1:])


def _failed(loop: ClosedLoop, traces: Traces) -> BoolArray:
    """Whether each trajectory has terminated, or is not in the goal set at its end."""
    is_inside = loop.system.in_goal(traces.states[:, -1])
    assert is_inside is not None
    return traces.terminated | ~is_inside


def _plane(found: Examination, loop: ClosedLoop, traces: Traces, arrivals: Any) -> figures.Plane:
    assert found.best is not None
    function = found.functions[found.best]
    starts = traces.states[:, 0]
    region = loop.system.start_region()
    low, high = (starts.min(axis=0), starts.max(axis=0)) if region is None else (region.low, region.high)
    x, y = (np.linspace(low[i], high[i], _GRID) for i in (0, 1))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    coarse = np.stack(np.meshgrid(*(np.linspace(low[i], high[i], _ARROWS) for i in (0, 1))), axis=-1).reshape(-1, 2)
    moved = loop.step(coarse) - coarse
    violating = np.zeros((0, 2))
    if found.sample is not None:
        sample = found.sample
        is_bad = function(sample.successors[0]) >= function(sample.states)
        violating = sample.states[is_bad & sample.outside & ~sample.in_core[0]][:_STATES]
    shape = (_ARROWS, _ARROWS)
    return figures.Plane(
        x,
        y,
        function(grid).reshape(_GRID, _GRID),
        [column.reshape(shape) for column in (*coarse.T, *moved.T)],
        traces.states,
        _failed(loop, traces),
        violating,
        arrivals,
        np.stack((low, high)),
        found.best,
    )
