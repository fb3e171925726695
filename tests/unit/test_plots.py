import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lac.evaluation.rollouts import Rollouts
from lac.figures import learning_curve, trajectories
from lac.figures.style import log_scale_if_wide, wrapped

ROW = {"env_steps": 100, "test/cost_mean": 5.0, "test/cost_std": 1.0, "test/death_rate": 0.0, "train/cost_mean": 6.0}


@pytest.mark.parametrize(
    ("multipliers", "shown"),
    [({"train/labda": 0.9, "train/alpha": 0.5}, [r"$\lambda$", r"$\alpha$"]), ({"train/alpha": 0.5}, [r"$\alpha$"])],
    ids=["lac", "sac"],
)
def test_a_learning_curve_shows_the_multipliers_that_there_are(multipliers, shown, monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_args, **_kwargs: drawn.append(figure))
    learning_curve([ROW | multipliers, ROW | multipliers], tmp_path / "curve.png", "a run")
    (figure,) = drawn
    assert [line.get_label() for line in figure.axes[1].lines] == shown


def test_a_learning_curve_shows_failures_the_final_test_and_the_drift(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_args, **_kwargs: drawn.append(figure))
    multipliers = {"train/labda": 1.0, "train/alpha": 0.1, "train/decrease": -0.5, "train/l_mean": 3.0}
    rows = [ROW | multipliers, ROW | multipliers | {"env_steps": 200, "test/cost_mean": 500.0, "test/death_rate": 0.1}]
    final = {"cost_mean": 7.0, "death_rate": 0.02, "episodes": 100}
    yardstick = {"controller": "lqr", "training_cost": 5.0, "cost_mean": 6.0, "episodes": 100}
    learning_curve(rows, tmp_path / "curve.png", "a run", {"final": final, "yardstick": yardstick})
    (figure,) = drawn
    costs, _, drift, size = figure.axes
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in costs.lines}
    assert lines["early terminations in the test"] == ([200], [500])
    assert lines["final policy: 100 resets, early terminations 2%"] == ([200], [7])
    assert lines["lqr, test in training"][1] == [5, 5]
    assert lines["lqr: 100 resets"] == ([200], [6])
    assert costs.get_yscale() == "log"
    assert (list(drift.lines[0].get_ydata()), list(size.lines[0].get_ydata())) == ([-0.5, -0.5], [3, 3])


def test_long_titles_are_broken_into_lines_that_fit():
    words, path = "a run with a long name " * 8, "/outputs/" + "x" * 100
    assert all(len(line) <= 70 for text in (words, path) for line in wrapped(text).split("\n"))
    assert wrapped(words).replace("\n", " ") == words.strip()
    assert wrapped(path).replace("\n", "") == path
    assert wrapped("short") == "short"
    with_long_word = "cart-pole under " + "impulse_" * 12 + "steps=100"
    assert wrapped(with_long_word).replace("\n", "").replace(" ", "") == with_long_word.replace(" ", "")
    assert max(map(len, wrapped(with_long_word).split("\n"))) <= 70


def test_trajectories_draw_each_recorded_episode_to_its_own_end(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_args, **_kwargs: drawn.append(figure))
    nan = np.nan
    interest = np.array([[[0.0], [1.0], [2.0]], [[5.0], [6.0], [nan]]])
    rollouts = Rollouts(
        costs=np.array([[1.0, 2.0, nan], [3.0, nan, nan], [1.0, 1.0, 1.0]]),
        lengths=np.array([2, 1, 3]),
        terminated=np.array([False, True, False]),
        unfinished=np.zeros(3, np.bool_),
        observations=interest,
        actions=np.zeros((2, 2, 1)),
        states=interest,
        references=interest + 10.0,
        states_of_interest=interest,
        signal_names=["angle (rad)"],
    )
    trajectories(rollouts, tmp_path / "trajectories.png", "a policy")
    values = np.array([[3.0, 2.0, 1.0], [9.0, 8.0, nan]])
    trajectories(rollouts, tmp_path / "trajectories.png", "a policy", values, rollouts, disturbed_at=1)
    figure, disturbed = drawn
    (*signals, end), (*costs, end_of_costs) = ([line.get_ydata() for line in axes.lines] for axes in figure.axes)
    np.testing.assert_array_equal(signals, [[0, 1, 2], [5, 6, nan], [10, 11, 12], [15, 16, nan]])
    np.testing.assert_array_equal(costs, [[1, 2, nan], [3, nan, nan]])
    assert [axes.get_ylabel() for axes in figure.axes] == ["angle (rad)", "cost"]
    # The second one terminated after its only step.
    assert (end.tolist(), end_of_costs.tolist()) == ([6.0], [3.0])
    assert [axes.lines[-1].get_xdata().tolist() for axes in figure.axes] == [[1], [1]]
    _moment, *functions = [np.asarray(line.get_ydata()) for line in disturbed.axes[-1].lines]
    np.testing.assert_array_equal(functions, values)
    assert [list(axes.lines[0].get_xdata()) for axes in disturbed.axes] == [[1, 1]] * 3
    assert "undisturbed in grey" in disturbed.axes[0].get_title().replace("\n", " ")


@pytest.mark.parametrize("high", [150.0, 900.0, 3e4])
def test_the_numbers_of_a_logarithmic_axis_do_not_overlap(high):
    figure = Figure(figsize=(3, 2))
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    axes.plot([12.0, high], [0, 1])
    log_scale_if_wide(axes, np.array([12.0, high]), "x")
    canvas.draw()
    low, top = axes.get_xlim()
    labels = [label for label in axes.get_xticklabels(which="both") if low <= label.get_position()[0] <= top]
    shown = sorted((label.get_window_extent().x0, label.get_window_extent().x1) for label in labels if label.get_text())
    assert len(shown) >= 2
    assert all(left[1] < right[0] for left, right in itertools.pairwise(shown))
