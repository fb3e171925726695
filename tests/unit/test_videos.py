"""Videos of episodes, read back."""

import io

import gymnasium
import numpy as np
import pytest
from PIL import Image

from lac.envs import wrap_env
from lac.evaluation.videos import MOST_FRAMES, NotDrawnError, as_gif, record


def steady(observations):
    return np.full((len(observations), 1), 2.0)


def video_of(steps, **settings):
    return record(steady, wrap_env(gymnasium.make("lac/CartPoleCost-v1", **settings)), 0, steps)


def test_a_video_has_a_frame_for_the_reset_and_each_step_until_the_episode_ends():
    video = video_of(10)
    assert len(video.frames) == 11
    assert (video.frame_seconds, video.speed) == (0.02, 1.0)
    assert not np.array_equal(video.frames[0], video.frames[-1])


def test_a_file_can_be_read_and_has_the_frames(monkeypatch):
    monkeypatch.setattr("lac.evaluation.videos.MOST_FRAMES", 4)
    video = video_of(11)  # steps 0, 4, 8 and 11
    assert len(video.frames) == 4
    assert video.frame_seconds == pytest.approx(0.08)
    image = Image.open(io.BytesIO(as_gif(video)))
    assert image.n_frames == 4
    assert image.size == video.frames[0].shape[1::-1]


def test_long_episodes_are_shown_faster_than_they_are(monkeypatch):
    monkeypatch.setattr("lac.evaluation.videos.MOST_FRAMES", 2)
    video = video_of(19)  # 19 steps of 0.02 s until the second frame
    assert len(video.frames) == 2
    assert (video.frame_seconds, video.speed) == (0.1, pytest.approx(3.8))
    assert MOST_FRAMES == 150


def test_what_does_not_draw_itself_is_refused(monkeypatch):
    env = wrap_env(gymnasium.make("lac/CartPoleCost-v1"))
    monkeypatch.setattr(type(env.unwrapped), "metadata", {"render_modes": []})
    with pytest.raises(NotDrawnError, match="CartPoleCost does not draw itself"):
        record(steady, env, 0, 3)
