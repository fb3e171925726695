"""Pictures of our environments; matplotlib is loaded with the first one."""

import math
from typing import TYPE_CHECKING

import numpy as np

from lac.envs.system import FloatArray, Pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUTH, ESTIMATE, REFERENCE, MUTED = "#1f4e79", "#e07b39", "#c0392b", "#9aa5b1"
"""Colours: what is controlled, what is estimated, what is demanded, and the rest."""


def cart_pole(x: float, theta: float, length: float, goal: float, x_threshold: float) -> Pixels:
    """The cart on its track between the limits, the pole, and where the cart is to be; metres and radians.

    A longer pole gets a higher picture.
    """
    # The pole has twice the scale of the track, else one of a metre is hard to see on twenty.
    pole, axle = 2 * length, 0.4
    half_view = 1.1 * x_threshold
    top = axle + 1.1 * max(pole, 2.0)
    inside = 5.6 * (top + 0.6) / (2 * half_view)
    figure, axes = _figure(6.0, 1.0 + inside, left=0.2, bottom=0.55, right=0.2, top=0.45)
    axes.axhline(0.0, color=MUTED, linewidth=1)
    axes.vlines([-x_threshold, x_threshold], 0.0, 0.8, color=MUTED, linewidth=4)
    axes.fill_between([x - 0.5, x + 0.5], 0.05, axle, color=TRUTH)
    tip = x + pole * math.sin(theta), axle + pole * math.cos(theta)
    axes.plot([x, tip[0]], [axle, tip[1]], color=ESTIMATE, linewidth=4, solid_capstyle="round")
    axes.plot(goal, -0.3, marker="^", color=REFERENCE, markersize=9, clip_on=False)
    axes.set_title(f"cart {x:.2f} m, target {goal:.2f} m, pole {math.degrees(theta):.1f}°", fontsize=10)
    axes.set_xlim(-half_view, half_view)
    axes.set_ylim(-0.6, top)
    axes.set_xlabel("position (m)")
    axes.set_yticks([])
    axes.spines[["left", "right", "top"]].set_visible(False)
    return _pixels(figure)


def gene_ring(m: FloatArray, p: FloatArray, reference: float) -> Pixels:
    """Concentrations as bars, and the reference of the first protein."""
    figure, axes = _figure(6.0, 4.0, left=0.7, bottom=0.4, right=0.2, top=0.2)
    genes = np.arange(1, len(m) + 1)
    axes.bar(genes - 0.2, m, 0.38, color=MUTED, label="mRNA")
    axes.bar(genes + 0.2, p, 0.38, color=TRUTH, label="protein")
    axes.plot([0.98, 1.42], [reference, reference], color=REFERENCE, linewidth=3, label="reference of protein 1")
    axes.set_ylim(0.0, max(20.0, 1.2 * m.max(), 1.2 * p.max()))
    axes.set_xticks(genes, [f"gene {gene}" for gene in genes])
    axes.set_ylabel("concentration")
    axes.spines[["right", "top"]].set_visible(False)
    axes.legend(loc="upper right", ncols=3, frameon=False)
    return _pixels(figure)


def pendulum(truth: float, estimate: float) -> Pixels:
    """Two pendulums with the true and the estimated angle, radians from hanging down."""
    figure, axes = _figure(4.0, 4.0, left=0.0, bottom=0.0, right=0.0, top=0.0)
    for angle, colour, label in ((estimate, ESTIMATE, "estimate"), (truth, TRUTH, "truth")):
        x, y = math.sin(angle), -math.cos(angle)
        axes.plot([0.0, x], [0.0, y], color=colour, linewidth=3, label=f"{label} {math.degrees(angle):.0f}°")
        axes.plot(x, y, marker="o", color=colour, markersize=16)
    axes.plot(0.0, 0.0, marker="o", color="black", markersize=5)
    axes.set_xlim(-1.3, 1.3)
    axes.set_ylim(-1.3, 1.3)
    axes.set_axis_off()
    axes.legend(loc="upper right", frameon=False)
    return _pixels(figure)


def _figure(
    width: float, height: float, *, left: float, bottom: float, right: float, top: float
) -> "tuple[Figure, Axes]":
    """An empty picture of 100 pixels per unit, and margins in units, which stay the same from picture to picture."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (costs half a second, and training draws no environment)

    # Encoders of videos want even numbers of pixels.
    figure = Figure(figsize=(width, 2 * math.ceil(50 * height) / 100), dpi=100)
    inside = (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    return figure, figure.add_axes(inside)


def _pixels(figure: "Figure") -> Pixels:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
