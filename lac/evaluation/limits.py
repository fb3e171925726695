"""Episodes that go on beyond the time limits of test environments."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lac.envs import AnyEnv
from lac.envs.time_limits import time_limits


@contextmanager
def without_time_limits(envs: Sequence[AnyEnv]) -> Iterator[None]:
    """Lift the time limits of the wrappers within the block: who steps these environments ends their episodes."""
    # Not set to another length: a wrapper outside may take several steps at once.
    limits = [limit for env in envs for limit in time_limits(env)]
    before = [limit._max_episode_steps for limit in limits]
    try:
        for limit in limits:
            limit._max_episode_steps = math.inf  # type: ignore[assignment]
        yield
    finally:
        for limit, own in zip(limits, before, strict=True):
            limit._max_episode_steps = own
