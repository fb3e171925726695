"""The recorded episodes of a policy."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lac.evaluation.rollouts import Rollouts
from lac.figures.style import COLOURS, FAILURE, FloatArray, plain, save, wrapped


def trajectories(rollouts: Rollouts, path: Path, title: str) -> None:
    """Draw the state of interest, its reference and the cost over the steps of the recorded episodes.

    An episode that terminated early ends with a cross.

    Args:
        rollouts: The episodes.
        path: The picture.
        title: Its title.
    """
    num_episodes, _, num_signals = rollouts.states_of_interest.shape
    figure = Figure(figsize=(7, 2.5 * (num_signals + 1)), layout="constrained")
    *signal_axes, cost_axes = figure.subplots(num_signals + 1, 1, sharex=True, squeeze=False)[:, 0]
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
    cost_axes.set_xlabel("step")
    ended = int(rollouts.terminated[:num_episodes].sum())
    ends = f", {ended} terminated early (x)" if ended else ""
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
