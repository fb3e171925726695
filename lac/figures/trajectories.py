"""The recorded episodes of a policy."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lac.evaluation.rollouts import Rollouts
from lac.figures.style import COLOURS, FAILURE, FloatArray, plain, save, wrapped


def trajectories(
    rollouts: Rollouts,
    path: Path,
    title: str,
    values: FloatArray | None = None,
    nominal: Rollouts | None = None,
    disturbed_at: int | None = None,
) -> None:
    """Draw the state of interest, its reference, the cost and L over the steps of the recorded episodes.

    An episode that terminated early ends with a cross.

    Args:
        rollouts: The episodes.
        path: The picture.
        title: Its title.
        values: The learned L along them, ``[m, Tm + 1]``; None without one.
        nominal: The same episodes without the disturbance, in grey behind them; None where there is none.
        disturbed_at: The step of a disturbance that comes at one moment, which is marked.
    """
    num_episodes, _, num_signals = rollouts.states_of_interest.shape
    num_panels = num_signals + 1 + (values is not None)
    figure = Figure(figsize=(7, 2.5 * num_panels), layout="constrained")
    panels: list[Axes] = list(figure.subplots(num_panels, 1, sharex=True, squeeze=False)[:, 0])
    signal_axes, cost_axes = panels[:num_signals], panels[num_signals]
    if disturbed_at is not None:
        for axes in panels:
            axes.axvline(disturbed_at, color="k", linewidth=0.8, linestyle=":")
    if nominal is not None:
        for i, axes in enumerate(signal_axes):
            axes.plot(nominal.states_of_interest[:, :, i].T, color="0.6", linewidth=0.8)
    if values is not None:
        panels[-1].plot(values.T, color=COLOURS[2], linewidth=0.8, alpha=0.6)
        panels[-1].set_yscale("symlog", linthresh=0.01)
        panels[-1].set_ylabel("learned L")
    names = _names(rollouts.signal_names, num_signals)
    for i, axes in enumerate(signal_axes):
        axes.plot(rollouts.states_of_interest[:, :, i].T, color=COLOURS[0], linewidth=0.8, alpha=0.6)
        axes.plot(rollouts.references[:, :, i].T, "k--", linewidth=1)
        _mark_ends(axes, rollouts, rollouts.states_of_interest[:, :, i])
        axes.set_ylabel(plain(names[i]))
    costs = rollouts.costs[:num_episodes]
    cost_axes.plot(np.arange(1, costs.shape[1] + 1), costs.T, color=COLOURS[1], linewidth=0.8, alpha=0.6)
    _mark_ends(cost_axes, rollouts, np.hstack([np.full((num_episodes, 1), np.nan), costs]))
    cost_axes.set_ylabel("cost")
    cost_axes.set_yscale("symlog", linthresh=0.01)
    cost_axes.set_ylim(bottom=0)
    panels[-1].set_xlabel("step")
    ended = int(rollouts.terminated[:num_episodes].sum())
    ends = f", {ended} terminated early (x)" if ended else ""
    ends += ", undisturbed in grey" if nominal is not None else ""
    signal_axes[0].set_title(
        wrapped(f"{title}: {num_episodes} episodes, reference dashed{ends}"), parse_math=False, fontsize="medium"
    )
    save(figure, path)


def _names(names: object, number: int) -> list[str]:
    """The names that an environment gives, which may be anyone's, or numbers where they do not fit."""
    if isinstance(names, Sequence) and len(names) == number:
        return [str(name) for name in names]
    return ["state of interest"] if number == 1 else [f"state of interest {i + 1}" for i in range(number)]


def _mark_ends(axes: Axes, rollouts: Rollouts, signal: FloatArray) -> None:
    """A cross at the last step of each recorded episode that terminated; ``signal`` is ``[m, Tm + 1]``."""
    ended = np.flatnonzero(rollouts.terminated[: len(signal)])
    lengths = rollouts.lengths[ended]
    if len(ended):
        axes.plot(lengths, signal[ended, lengths], **FAILURE)
