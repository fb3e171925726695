"""Pictures of the environments that are a System."""

import numpy as np
import pytest
from system_support import IDS, made, random_actions, steps


@pytest.mark.parametrize("env_id", IDS)
def test_pictures_show_the_state(env_id):
    if "rgb_array" not in made(env_id).metadata["render_modes"]:
        pytest.skip("it cannot be drawn")
    env = made(env_id, render_mode="rgb_array")
    pictures = [env.render()]
    for _ in range(2):
        steps(env, random_actions(env, 5))
        pictures.append(env.render())
    for picture in pictures:
        assert (picture.dtype, picture.ndim, picture.shape[2]) == (np.uint8, 3, 3)
        assert picture.shape == pictures[0].shape
    assert (pictures[0] != pictures[1]).any()
    assert (pictures[1] != pictures[2]).any()
    env.set_state(env.get_state())
    np.testing.assert_array_equal(env.render(), pictures[2])


@pytest.mark.parametrize("env_id", IDS)
def test_without_a_render_mode_there_is_no_picture(env_id):
    assert made(env_id).render() is None


@pytest.mark.parametrize("env_id", IDS)
def test_an_unknown_render_mode_is_refused(env_id):
    env = made(env_id)
    if not env.metadata["render_modes"]:
        pytest.skip("it draws nothing")
    with pytest.raises(ValueError, match="render_mode is 'ascii'"):
        type(env)(render_mode="ascii")


@pytest.mark.parametrize("env_id", IDS)
def test_pictures_have_the_rate_of_the_steps_where_a_step_is_in_seconds(env_id):
    env = made(env_id)
    if "Oscillator" in env_id:
        pytest.skip("its time has no unit")
    seconds = env.tau if "CartPole" in env_id else env.dt
    assert env.metadata["render_fps"] == pytest.approx(1 / seconds)
