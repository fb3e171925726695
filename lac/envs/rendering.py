"""Pictures of our environments; matplotlib is loaded with the first one."""

import math
from collections.abc import Callable, Sequence
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


def links(angles: Sequence[float], lengths: Sequence[float]) -> Pixels:
    """Links in a row from a fixed joint, and the upright that they are to reach; radians from upright, clockwise.

    Args:
        angles: Of each link, from upright.
        lengths: Of each link, in any unit: the picture has the size of all together.
    """
    figure, axes = _figure(4.0, 4.0, left=0.0, bottom=0.0, right=0.0, top=0.0)
    reach = sum(lengths)
    x = np.cumsum([0.0, *(length * math.sin(angle) for angle, length in zip(angles, lengths, strict=True))])
    y = np.cumsum([0.0, *(length * math.cos(angle) for angle, length in zip(angles, lengths, strict=True))])
    axes.plot([0.0, 0.0], [0.0, reach], color=REFERENCE, linewidth=1, linestyle=":")
    axes.plot(0.0, reach, marker="v", color=REFERENCE, markersize=9)
    axes.plot(x, y, color=TRUTH, linewidth=4, solid_capstyle="round")
    axes.plot(x[1:], y[1:], linestyle="", marker="o", color=ESTIMATE, markersize=12)
    axes.plot(0.0, 0.0, marker="o", color="black", markersize=7)
    title = "from upright: " + ", ".join(f"{math.degrees(angle):.1f}°" for angle in angles)
    axes.set_title(title, y=0.93, fontsize=10)
    axes.set_xlim(-1.3 * reach, 1.3 * reach)
    axes.set_ylim(-1.3 * reach, 1.3 * reach)
    axes.set_axis_off()
    return _pixels(figure)


def phase_plane(x: FloatArray, limits: FloatArray, flow: Callable[[FloatArray], FloatArray]) -> Pixels:
    """A state of two numbers as a point, the origin that it is to reach, and where the system goes by itself.

    Args:
        x: The state, ``[2]``.
        limits: The picture ends at these, ``[2]``.
        flow: The derivative without an action, ``[2, n, n]``, in states ``[2, n, n]``.
    """
    figure, axes = _figure(4.6, 4.4, left=0.8, bottom=0.55, right=0.2, top=0.4)
    grid = np.stack(np.meshgrid(*(np.linspace(-0.95 * limit, 0.95 * limit, 19) for limit in limits)))
    arrows = flow(grid) / limits[:, None, None]
    arrows = arrows / np.maximum(np.hypot(*arrows), 1e-12)  # their direction alone: lengths differ by thousands
    axes.quiver(*grid, *arrows, color=MUTED, pivot="middle", scale=26, width=0.004)
    axes.plot(0.0, 0.0, marker="+", color=REFERENCE, markersize=14, markeredgewidth=2)
    axes.plot(x[0], x[1], marker="o", color=TRUTH, markersize=11)
    axes.set_title(f"x1 {x[0]:.2f}, x2 {x[1]:.2f}", fontsize=10)
    axes.set_xlim(-limits[0], limits[0])
    axes.set_ylim(-limits[1], limits[1])
    axes.set_xlabel("x1")
    axes.set_ylabel("x2")
    axes.spines[["right", "top"]].set_visible(False)
    return _pixels(figure)


def ducted_fan(x: float, y: float, theta: float) -> Pixels:
    """The fan from the side, with its axis, and the place where it is to hover; metres and radians to the left."""
    half_view = _zoom(1.0, max(abs(x), abs(y)))
    figure, axes = _plane(half_view, 4.4, f"x {x:.2f} m, y {y:.2f} m, tilt {math.degrees(theta):.1f}°")
    axes.set_xlabel("x (m)")
    axes.set_ylabel("y (m)")
    size = 0.15 * half_view
    across, along = np.array([math.cos(theta), math.sin(theta)]), np.array([-math.sin(theta), math.cos(theta)])
    centre = np.array([x, y])
    duct = [centre + size * (a * across + b * along) for a, b in ((-1, 0.6), (1, 0.6), (0.7, -0.6), (-0.7, -0.6))]
    axes.fill(*np.transpose(duct), color=TRUTH)
    _line(axes, centre - 1.1 * size * along, centre - 2.0 * size * along, color=MUTED, linewidth=6)
    _line(axes, centre + 0.6 * size * along, centre + 1.6 * size * along, color=ESTIMATE, linewidth=3)
    axes.plot(0.0, 0.0, marker="+", color=REFERENCE, markersize=14, markeredgewidth=2)
    return _pixels(figure)


def single_track_car(
    place: tuple[float, float], heading: float, steering: float, slip: float, axles: tuple[float, float]
) -> Pixels:
    """The car from above on the line, the point that it is to follow, and the direction in which it moves.

    Args:
        place: Of the centre of gravity, from that point: along and across, in metres.
        heading: Radians to the left of the line.
        steering: Of the front wheel, from the heading.
        slip: Of the velocity, from the heading.
        axles: Distances of the front and the rear axle from the centre of gravity, in metres.
    """
    figure, axes = _figure(6.2, 4.15, left=0.8, bottom=0.55, right=0.2, top=0.4)
    centre = np.array(place)
    front, rear = centre + axles[0] * _towards(heading), centre - axles[1] * _towards(heading)
    axes.axhline(0.0, color=MUTED, linewidth=1, linestyle="--")
    _line(axes, rear, front, color=TRUTH, linewidth=5)
    for hub, direction in ((rear, _towards(heading)), (front, _towards(heading + steering))):
        _line(axes, hub - 0.33 * direction, hub + 0.33 * direction, color="black", linewidth=9)
    _line(axes, centre, centre + _towards(heading + slip), color=ESTIMATE, linewidth=3)
    axes.plot(*centre, marker="o", color=ESTIMATE, markersize=8)
    axes.plot(0.0, 0.0, marker="+", color=REFERENCE, markersize=14, markeredgewidth=2)
    title = f"along {place[0]:.2f} m, across {place[1]:.2f} m, heading {math.degrees(heading):.1f}°"
    axes.set_title(title, fontsize=10)
    half_view = 1.3 * sum(axles)
    axes.set_xlim(-half_view, half_view)
    axes.set_ylim(-half_view * 3.2 / 5.2, half_view * 3.2 / 5.2)
    axes.set_xlabel("along (m)")
    axes.set_ylabel("across (m)")
    axes.spines[["right", "top"]].set_visible(False)
    return _pixels(figure)


def quadrotor(position: FloatArray, rotation: FloatArray, target: FloatArray, path: FloatArray) -> Pixels:
    """The quadrotor, four times its size, at the path that it is to follow; seen from the side and a little from above.

    The view goes along with the point to follow. World coordinates in metres, whose z axis points down.

    Args:
        position: ``[3]``.
        rotation: From body to world, ``[3, 3]``.
        target: The point to follow now, ``[3]``.
        path: Points before and after it, ``[n, 3]``.
    """
    centre = np.array([target[0], 0.0, 0.0])
    seen = _oblique(position - centre)
    half_view = _zoom(1.6, float(np.abs(seen).max()) + 0.3)
    error = float(np.linalg.norm(position - target))
    figure, axes = _plane(half_view, 4.8, f"{error:.2f} m from the point to follow, at {target[0]:.1f} m")
    axes.plot(*_oblique(path - centre).T, color=MUTED, linewidth=2)
    axes.plot(*_oblique(target - centre), marker="o", color=REFERENCE, markersize=9)
    size = 0.2 * half_view
    turn = np.linspace(0.0, 2.0 * math.pi, 25)
    rotor = 0.4 * size * np.stack((np.cos(turn), np.sin(turn), np.zeros(25)), axis=-1)
    for arm in size * np.array([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]]):
        # The one in front has another colour, for the heading is to be followed, too.
        colour = ESTIMATE if arm[0] > 0 else TRUTH
        _line(axes, seen, _oblique(position - centre + rotation @ arm), color=colour, linewidth=3)
        axes.plot(*_oblique(position - centre + (arm + rotor) @ rotation.T).T, color=colour, linewidth=2)
    axes.set_xlabel("along the path (m)")
    axes.set_ylabel("up (m)")
    return _pixels(figure)


def _oblique(points: FloatArray) -> FloatArray:
    """Points ``[..., 3]`` of a world with z down in the plane of the picture, ``[..., 2]``."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack((x - 0.35 * y, -z - 0.35 * y), axis=-1)


def _towards(angle: float) -> FloatArray:
    return np.array([math.cos(angle), math.sin(angle)])


def _zoom(smallest: float, distance: float) -> float:
    """Half the width of a view that holds this distance: the smallest one, doubled as often as needed."""
    return smallest * 2.0 ** max(0, math.ceil(math.log2(max(1.1 * distance, smallest) / smallest)))


def _line(axes: "Axes", start: FloatArray, end: FloatArray, color: str, linewidth: float) -> None:
    axes.plot(*np.transpose([start, end]), color=color, linewidth=linewidth, solid_capstyle="round")


def _plane(half_view: float, size: float, title: str) -> "tuple[Figure, Axes]":
    """A square part of a plane around its origin, in equal scales."""
    figure, axes = _figure(size, size - 0.15, left=0.8, bottom=0.55, right=0.2, top=0.4)
    axes.set_title(title, fontsize=10)
    axes.set_xlim(-half_view, half_view)
    axes.set_ylim(-half_view, half_view)
    axes.locator_params(nbins=4)
    axes.grid(color=MUTED, alpha=0.3)
    axes.spines[["right", "top"]].set_visible(False)
    return figure, axes


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
