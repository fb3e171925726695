"""When an episode counts as settled."""

import numpy as np
import numpy.typing as npt

_SHARE = 10
"""An episode has to end with this part of its steps, a tenth, in the goal set."""


def has_settled(last_outside: npt.NDArray[np.int64], lengths: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether the error came into the goal set and stayed there to the end, for at least the last tenth of the steps.

    Without that time an error that swings through the goal set would count where it is inside at the last step: the
    references are periodic, and episodes have whole periods.

    Args:
        last_outside: The last step after which the error was outside, ``[n]``; 0 is the reset, -1 never.
        lengths: Number of steps of the episodes, ``[n]`` or one for all.
    """
    steps = np.asarray(lengths, np.int64)
    return np.asarray(last_outside <= steps - np.maximum(1, steps // _SHARE))
