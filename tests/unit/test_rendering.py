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


def middle(picture, colour):
    """Where the pixels of a colour are, to the right and upwards."""
    columns, rows = where(picture, colour)
    return np.array([columns.mean(), -rows.mean()])


def test_links_stand_at_their_angles_from_upright():
    picture = rendering.links([0.6], [0.5])[60:]  # no mark at the top
    right, up = middle(picture, ESTIMATE) - middle(picture, to_rgb("black"))
    assert right / up == pytest.approx(np.tan(0.6), rel=0.05)
    both = rendering.links([0.6, -0.6], [1.0, 1.0])  # the second leads back to the line above the joint
    assert where(both, ESTIMATE)[0].min() < 200 < where(both, ESTIMATE)[0].max()


def test_the_point_of_the_phase_plane_is_where_the_state_is():
    states = np.array([[-5.0, 2.0], [0.0, 0.0], [5.0, -2.0]])
    pictures = [rendering.phase_plane(x, np.array([10.0, 10.0]), lambda grid: grid) for x in states]
    low, _, high = (middle(picture, TRUTH) for picture in pictures)
    np.testing.assert_allclose((high - low) / np.array([pictures[0].shape[1] - 100, -345]), [0.5, 0.2], atol=0.02)


def test_a_view_doubles_as_its_subject_goes_out():
    near, far = (rendering.ducted_fan(x, 0.0, 0.0) for x in (0.8, 1.6))
    offsets = [middle(picture, TRUTH)[0] - middle(picture, REFERENCE)[0] for picture in (near, far)]
    assert offsets[1] == pytest.approx(offsets[0], abs=1.5)
    tilted = rendering.ducted_fan(0.0, 0.0, 0.5)  # its thrust points to the left
    assert middle(tilted, ESTIMATE)[0] < middle(tilted, REFERENCE)[0]


def test_the_car_is_to_the_left_of_the_line_and_heads_across_it():
    picture = rendering.single_track_car((0.5, 0.9), -0.4, 0.0, 0.0, (1.2, 1.2))
    columns, rows = where(picture, TRUTH)
    slope, _ = np.polyfit(columns, -rows, 1)
    assert slope == pytest.approx(-np.tan(0.4), rel=0.1)
    before = rendering.single_track_car((-0.5, 0.0), -0.4, 0.0, 0.0, (1.2, 1.2))
    right, up = middle(picture, TRUTH) - middle(before, TRUTH)
    assert up / right == pytest.approx(0.9, rel=0.05)
    assert middle(picture, TRUTH)[1] > middle(picture, REFERENCE)[1]


def test_the_quadrotor_is_seen_above_its_path_with_its_front_towards_the_heading():
    path = np.stack((np.linspace(-2, 2, 9), np.zeros(9), np.full(9, 0.5)), axis=-1)
    picture = rendering.quadrotor(np.zeros(3), np.eye(3), np.array([0.0, 0.0, 0.5]), path)
    body, front, target = (middle(picture, colour) for colour in (TRUTH, ESTIMATE, REFERENCE))
    assert front[0] > body[0]
    assert body[1] > target[1]  # z points down
    turned = rendering.quadrotor(np.zeros(3), np.diag([-1.0, -1.0, 1.0]), np.array([0.0, 0.0, 0.5]), path)
    assert middle(turned, ESTIMATE)[0] < middle(turned, TRUTH)[0]
