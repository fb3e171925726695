"""Episodes that go on beyond the time limits of test environments."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lac.envs import AnyEnv
from lac.envs.time_limits import time_limits


@contextmanager
def time_limits_at(envs: Sequence[AnyEnv], steps: int | None) -> Iterator[None]:
    """Move the time limits of the wrappers to ``steps`` within the block; None leaves them as they are."""
    limits = [limit for env in envs for limit in time_limits(env)] if steps is not None else []
    before = [limit._max_episode_steps for limit in limits]
    try:
        for limit in limits:
            limit._max_episode_steps = steps  # type: ignore[assignment]
        yield
    finally:
        for limit, own in zip(limits, before, strict=True):
            limit._max_episode_steps = own
