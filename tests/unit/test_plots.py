import pytest
from matplotlib.figure import Figure

from lac.figures import learning_curve

ROW = {"env_steps": 100, "test/cost_mean": 5.0, "test/cost_std": 1.0, "test/death_rate": 0.0, "train/cost_mean": 6.0}


@pytest.mark.parametrize(
    ("multipliers", "shown"),
    [({"train/labda": 0.9, "train/alpha": 0.5}, ["labda", "alpha"]), ({"train/alpha": 0.5}, ["alpha"])],
    ids=["lac", "sac"],
)
def test_a_learning_curve_shows_the_multipliers_that_there_are(multipliers, shown, monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_args, **_kwargs: drawn.append(figure))
    learning_curve([ROW | multipliers, ROW | multipliers], tmp_path / "curve.png", "a run")
    (figure,) = drawn
    assert [line.get_label() for line in figure.axes[1].lines] == shown
