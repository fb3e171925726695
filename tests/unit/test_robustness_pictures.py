"""Pictures of robustness studies."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from lac.figures.robustness import GridAxes, Line, Quantity, robustness

METHODS = {f"m{i}": f"LAC alpha3={i / 10} (10 runs)" for i in range(12)}


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_args, **_kwargs: figures.append(figure))
    return figures


def quantities(num_variants, num_methods):
    def lines(scale):
        centers = {name: scale * (1.0 + i + np.arange(num_variants)) for i, name in enumerate(METHODS)}
        return {
            name: Line(centers[name], 0.9 * centers[name], np.nan * centers[name])
            for name in list(METHODS)[:num_methods]
        }

    return [Quantity("cost of an episode", lines(10.0), False), Quantity("early terminations, %", lines(0.01), True)]


def test_twelve_methods_are_told_apart_without_colours_alone(drawn, tmp_path):
    grids = [GridAxes(["a"], [["1", "2", "3"]], 1, [None]), GridAxes(["b"], [["5"]], 4, [None])]
    robustness(grids, quantities(5, 12), METHODS, tmp_path / "x.png", "a study")
    (figure,) = drawn
    (block,) = figure.subfigs
    assert [text.get_text() for text in block.legends[0].get_texts()] == list(METHODS.values())
    first = block.axes[0]
    curves = [line for line in first.lines if len(line.get_xdata()) == 3]
    np.testing.assert_allclose(curves[4].get_ydata(), 10.0 * (1 + 4 + np.arange(1, 4)))
    assert len({line.get_marker() for line in curves}) == 12
    assert len({(line.get_color(), line.get_linestyle()) for line in curves}) == 12
    shares = [line for line in block.axes[2].lines if len(line.get_xdata()) == 3]
    np.testing.assert_allclose(shares[0].get_ydata(), 1.0 * (1 + np.arange(1, 4)))


def test_a_map_has_a_cell_for_each_pair_and_the_nominal_case_at_its_place(drawn, tmp_path):
    grid = GridAxes(["a", "b"], [["1", "2", "3"], ["5", "6"]], 1, [0.5, 1.0])
    robustness([grid], quantities(7, 2), {name: METHODS[name] for name in ("m0", "m1")}, tmp_path / "x.png", "a study")
    (block,) = drawn[0].subfigs
    axes = block.axes[0]
    # Rows are values of the second key: variants 1 to 6 are (1,5) (1,6) (2,5) (2,6) (3,5) (3,6).
    np.testing.assert_allclose(axes.images[0].get_array(), 10.0 * np.array([[2, 4, 6], [3, 5, 7]]))
    assert [axes.lines[0].get_xdata()[0], axes.lines[0].get_ydata()[0]] == [0.5, 1.0]
    assert "10 nominal" in axes.get_title()
    assert block.axes[1].images[0].norm.vmax == 100
