"""Vectors of numpy, of torch and of other number types, taken apart and put together along their last axis.

The equations of our systems are written entry by entry for a namespace ``xp``: ``numpy``, ``torch``, or an object that
offers what the equations use of them: ``sin cos tan sqrt abs where stack unbind concatenate asarray``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Entries = Sequence[Any]
"""The entries of a vector, ``[...]`` each: floats for one system, arrays or tensors for many."""


def unpack(vectors: Any, xp: Any) -> list[Any]:
    """The entries of ``[..., n]``, ``n`` of them.

    Those of one numpy vector are plain floats, whose arithmetic is quicker than that of numpy's scalars.
    """
    if xp is np:
        array = np.asarray(vectors, dtype=np.float64)
        return array.tolist() if array.ndim == 1 else list(array.T)
    return list(xp.unbind(constant(vectors, xp), -1))


def pack(entries: Entries, xp: Any) -> Any:
    """The vectors ``[..., n]`` of ``n`` entries, in new memory."""
    return np.array(entries).T if xp is np else xp.stack(list(entries), -1)


def constant(value: Any, xp: Any) -> Any:
    """A physical constant, one number or an array of them, for arithmetic in ``xp``."""
    return value if xp is np or isinstance(value, (int, float)) else xp.asarray(value)


def copied(vectors: Any, xp: Any) -> Any:
    """The same vectors, in new memory where a caller may write into it."""
    return vectors.copy() if xp is np else vectors
