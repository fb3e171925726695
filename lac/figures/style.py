"""What all figures have in common: colours, markers, labels, scales, and files."""

import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

FloatArray = npt.NDArray[np.float64]

# Okabe and Ito (2008), which colour-blind readers can distinguish, without the yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^DvP*hp<>d"
FAILURE: dict[str, Any] = {
    "marker": "x",
    "linestyle": "none",
    "color": "black",
    "markersize": 7,
    "markeredgewidth": 1.6,
    "zorder": 4,
}
"""How an early termination is marked, in every figure."""
YARDSTICK: dict[str, Any] = {"linestyle": (0, (5, 2)), "color": "0.35", "linewidth": 1.4}
"""How a designed controller is drawn, in every figure."""

_WIDE = 10.0  # a range with a larger ratio gets a logarithmic scale
_DPI = 120
_TITLE = 70  # characters of a title in a line


def colour(place: int) -> str:
    """The colour of a variant."""
    return COLOURS[place % len(COLOURS)]


def marker(place: int) -> str:
    """The marker of a variant; with the colour, 84 variants can be distinguished."""
    return MARKERS[place % len(MARKERS)]


def plain(label: str) -> str:
    """A label that a legend shows as it is: without mathematics, and also if it begins with an underscore."""
    return "\u200b" * label.startswith("_") + label.replace("$", r"\$")


def wrapped(text: str, width: int = _TITLE, most_lines: int | None = None) -> str:
    """A title or label in lines that fit, also where it has no spaces, such as a path; what is cut off is ``...``."""
    return "\n".join(textwrap.wrap(text, width, max_lines=most_lines, placeholder=" ..."))


def is_wide(values: FloatArray) -> bool:
    """Whether positive values span more than a decade, and there are no others."""
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() > _WIDE * finite.min())


def log_scale_if_wide(axes: Axes, values: FloatArray, axis: str = "y") -> None:
    """A logarithmic axis for values that span more than a decade."""
    if is_wide(values[values > 0]):
        log_scale(axes, values, axis)


def log_scale(axes: Axes, values: FloatArray, axis: str = "y") -> None:
    """A logarithmic axis for these values, with numbers that do not run into each other."""
    shown = values[np.isfinite(values) & (values > 0)]
    axes.set(**{f"{axis}scale": "log"})
    has_few_decades = shown.max() < 100 * shown.min()
    ticks = axes.xaxis if axis == "x" else axes.yaxis
    ticks.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if has_few_decades else (1.0,)))
    ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ticks.set_minor_formatter(NullFormatter())


def save(figure: Figure, *paths: Path) -> None:
    """Write a figure to files; SVG files are the same each time, and their text stays text."""
    with mpl.rc_context({"svg.hashsalt": "lac", "svg.fonttype": "none"}):
        for path in paths:
            is_svg = path.suffix == ".svg"
            figure.savefig(path, dpi=_DPI, metadata={"Date": None} if is_svg else None)
