import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lac.envs import rendering
from lac.envs.rendering import ESTIMATE, MUTED, REFERENCE, TRUTH


def where(picture, colour):
    """Columns and rows of the pixels of a colour."""
    rows, columns = np.nonzero((picture == np.round(255 * np.array(to_rgb(colour)))).all(axis=-1))
    assert rows.size > 0
    return columns, rows


def scale_of(*pictures, colour):
    """Mean column of a colour in three pictures, as the position of the second between the first and the third."""
    first, middle, last = (where(picture, colour)[0].mean() for picture in pictures)
    assert first < last
    return (middle - first) / (last - first)


def test_the_cart_and_its_target_stand_where_they_are():
    pictures = [rendering.cart_pole(x, 0.0, 1.0, 2 * x - 4.0, 10.0) for x in (-2.0, 1.0, 4.0)]
    assert scale_of(*pictures, colour=TRUTH) == pytest.approx(0.5, abs=0.02)
    assert scale_of(*pictures, colour=REFERENCE) == pytest.approx(0.5, abs=0.02)


def test_the_pole_leans_to_the_side_of_its_angle_by_it():
    picture = rendering.cart_pole(0.0, 0.5, 4.0, 5.0, 10.0)
    columns, rows = where(picture, ESTIMATE)
    slope, _ = np.polyfit(-rows, columns, 1)
    assert slope == pytest.approx(np.tan(0.5), rel=0.05)


def test_a_longer_pole_fits_into_the_picture():
    short, long = (rendering.cart_pole(0.0, 0.0, length, 0.0, 10.0) for length in (1.0, 4.0))
    assert long.shape[0] > short.shape[0]
    assert long.shape[1] == short.shape[1]
    assert np.ptp(where(long, ESTIMATE)[1]) == pytest.approx(4 * np.ptp(where(short, ESTIMATE)[1]), rel=0.1)
    assert long.shape[0] % 2 == short.shape[0] % 2 == 0


def test_bars_are_as_high_as_concentrations():
    picture = rendering.gene_ring(np.array([5.0, 5.0]), np.array([10.0, 10.0]), reference=15.0)[60:]  # no legend
    floor = where(picture, TRUTH)[1].max()
    mrna, protein = (floor - where(picture, colour)[1].min() for colour in (MUTED, TRUTH))
    assert protein == pytest.approx(2 * mrna, abs=3)
    assert floor - where(picture, REFERENCE)[1].mean() == pytest.approx(3 * mrna, abs=6)


def test_the_pendulums_hang_at_their_angles():
    picture = rendering.pendulum(truth=0.5, estimate=-0.5)
    for colour, angle in ((TRUTH, 0.5), (ESTIMATE, -0.5)):
        columns, rows = where(picture[100:], colour)
        slope, _ = np.polyfit(rows, columns, 1)
        assert slope == pytest.approx(np.tan(angle), rel=0.1)
