"""An episode of a policy as a GIF."""

import io
import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from lac.envs import AnyEnv
from lac.envs.system import Pixels
from lac.envs.time_limits import time_limit
from lac.evaluation.limits import without_time_limits
from lac.evaluation.rollouts import Policy

MOST_FRAMES = 150
_LONGEST_FRAME = 0.1  # seconds: fewer frames in a second are no motion
_USUAL_RATE = 30.0  # steps in a second, where an environment does not say


class NotDrawnError(ValueError):
    """An environment that does not draw itself; the message is a sentence."""


class Video(NamedTuple):
    """The pictures of an episode."""

    frames: list[Pixels]
    """``[height, width, 3]`` each."""
    frame_seconds: float
    """How long each is shown."""
    speed: float
    """Time of the system over time of the video."""


def record(policy: Policy, env: AnyEnv, seed: int, steps: int | None = None) -> Video:
    """Draw an episode: its reset, every few steps and its end, so that there are at most :data:`MOST_FRAMES` pictures.

    Args:
        policy: Actions ``[B, act_dim]`` for observations ``[B, obs_dim]``.
        env: As :func:`lac.envs.wrap_env` makes it; its render mode is set to ``rgb_array``.
        seed: Of the reset.
        steps: Length of the episode, also beyond its time limit; None is that limit.

    Raises:
        NotDrawnError: The environment does not draw itself.
    """
    inner = env.unwrapped
    modes = inner.metadata.get("render_modes") or []
    if "rgb_array" not in modes:
        raise NotDrawnError(f"{type(inner).__name__} does not draw itself (it has no render mode rgb_array)")
    inner.render_mode = "rgb_array"
    length = steps or time_limit(env) or MOST_FRAMES
    stride = math.ceil(length / (MOST_FRAMES - 1))
    frames: list[Pixels] = []
    with without_time_limits([env] if steps else []):
        observation, _ = env.reset(seed=seed)
        frames.append(np.asarray(inner.render(), np.uint8))
        for step in range(1, length + 1):
            observation, _, terminated, truncated, _ = env.step(policy(observation[None])[0])
            is_last = terminated or truncated or step == length
            if step % stride == 0 or is_last:
                frames.append(np.asarray(inner.render(), np.uint8))
            if is_last:
                break
    true_seconds = stride / float(inner.metadata.get("render_fps") or _USUAL_RATE)
    shown = min(true_seconds, _LONGEST_FRAME)
    return Video(frames, shown, true_seconds / shown)


def as_gif(video: Video) -> bytes:
    """The video as an animated GIF that repeats itself."""
    images = [Image.fromarray(frame) for frame in video.frames]
    stream = io.BytesIO()
    milliseconds = max(20, round(1000 * video.frame_seconds))
    images[0].save(stream, "GIF", save_all=True, append_images=images[1:], duration=milliseconds, loop=0)
    return stream.getvalue()
