"""The replay buffer: one matrix of transitions, so that all minibatches of an update round are drawn at once."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lac.devices import torch_device
from lac.settings.rules import COUNT, FROM_ZERO, Number, is_number, raise_if_any, raise_if_wrong, shown

Batch = dict[str, Tensor]
Array = npt.NDArray[np.floating]

_SEED = Number(low=0, whole=True, optional=True)


class ReplayBuffer:
    """The last ``size`` transitions, drawn uniformly with replacement.

    Each transition is one float32 row; the columns of a batch are views of the rows that were drawn.

    Args:
        obs_dim: Number of observations.
        act_dim: Number of actions.
        size: Maximum number of transitions; memory is allocated as the buffer fills.
        device: Device of the batches.
        seed: Seed of the draws.

    Raises:
        ValueError: An argument is not allowed, or so many transitions do not fit into the memory.
    """

    def __init__(
        self,
        obs_dim: int,
        act_dim: int,
        size: int,
        device: str | torch.device = "cpu",
        seed: int | np.random.SeedSequence | None = None,
    ) -> None:
        raise_if_wrong(obs_dim=(obs_dim, COUNT), act_dim=(act_dim, COUNT), size=(size, COUNT))
        if not isinstance(seed, np.random.SeedSequence):
            raise_if_wrong(seed=(seed, _SEED))
        obs_dim, act_dim = int(obs_dim), int(act_dim)
        self._widths = {
            "obs": obs_dim,
            "act": act_dim,
            "obs_next": obs_dim,
            "rew": 0,
            "done": 0,
        } | self._extra_columns()
        self._splits = [max(width, 1) for width in self._widths.values()]
        self._obs_shape, self._act_shape = (obs_dim,), (act_dim,)
        self._max_size = int(size)
        self._rows = _zeros(self._max_size, sum(self._splits))
        self._new = np.zeros(sum(self._splits), dtype=np.float32)
        self._extra_zeros = (0.0,) * len(self._extra_columns())
        self._stored = self._next = self._size = 0
        self._rng = np.random.default_rng(seed)
        self._device = torch_device(str(device))

    def _extra_columns(self) -> dict[str, int]:
        """Names and widths of columns in addition to the transition; the width 0 denotes a scalar."""
        return {}

    def __len__(self) -> int:
        """Number of transitions that can be drawn."""
        return self._size

    def store(
        self,
        obs: Array,
        act: Array,
        rew: float,
        obs_next: Array,
        done: bool,
        env_index: int = 0,
    ) -> None:
        """Add a transition.

        Args:
            obs: Observation, ``[obs_dim]``.
            act: Action, ``[act_dim]``.
            rew: The environment's scalar.
            obs_next: Observation after it, ``[obs_dim]``.
            done: Whether the episode terminated; false where it was truncated.
            env_index: Index of its environment; steps of different environments may be interleaved.

        Raises:
            ValueError: An argument has a wrong type or shape, or is not finite in float32; nothing is stored.
        """
        self._write(self._new, obs, act, rew, obs_next, done, env_index)
        self._add(self._new, float(rew), int(env_index))

    def _add(self, row: Array, rew: float, env_index: int) -> None:
        """Add a row that was written; it is overwritten by the next one."""
        self._rows[self._next] = row
        self._advance()

    def finish_episode(self, env_index: int = 0, last: float | None = None) -> None:
        """Note that the episode of an environment ended, by termination, by truncation or with the run.

        Args:
            env_index: Index of the environment.
            last: The scalar with which the episode would go on, for buffers that sum over a horizon; None: that of
                its last step.
        """

    def sample_batch(self, batch_size: int = 256) -> Batch:
        """One minibatch: ``obs act obs_next`` are ``[B, dim]``, ``rew done`` (and ``horizon_rew``) ``[B]``."""
        return self.sample_batches(1, batch_size)[0]

    def sample_batches(self, number: int, batch_size: int) -> list[Batch]:
        """That many minibatches, drawn and moved to the device at once."""
        raise_if_wrong(number=(number, COUNT), batch_size=(batch_size, COUNT))
        if self._size == 0:
            raise ValueError("the replay buffer has no complete transition yet; store transitions before sampling")
        index = self._rng.integers(self._size, size=number * batch_size)
        rows = torch.from_numpy(self._rows.take(index, axis=0)).to(self._device)
        return [self._columns(chunk) for chunk in torch.split(rows, int(batch_size))]

    @property
    def stored(self) -> int:
        """Number of transitions stored so far, overwritten ones included: the next one gets this number."""
        return self._stored

    @property
    def oldest(self) -> int:
        """Number of the oldest transition that can be drawn."""
        return self._stored - self._size

    def rows_from(self, first: int) -> list[Array]:
        """The transitions with the number ``first`` and above as they are stored, ``[n, columns]`` each; views.

        Args:
            first: A number from :attr:`oldest` to :attr:`stored`.
        """
        return self._slots(first, self._stored - first)

    def state_dict(self, with_rows: bool = True) -> dict[str, Any]:
        """The stored transitions, how many there were, and the state of the generator.

        Args:
            with_rows: Whether the transitions are in it, as ``rows``: copies, the oldest first, ``[n, columns]`` each.
        """
        rows = {"rows": [part.copy() for part in self.rows_from(self.oldest)]} if with_rows else {}
        return {"stored": self._stored, "rng": self._rng.bit_generator.state, **rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned, with its rows, for the same dimensions and horizon.

        A buffer of another size continues as if it had been so from the start.

        Raises:
            ValueError: The transitions do not fit this buffer.
        """
        shapes = [np.shape(part) for part in state["rows"]]
        size, columns = sum(shape[0] for shape in shapes), self._rows.shape[1]
        needed = min(self._max_size, state["stored"])
        if any(shape[1:] != (columns,) for shape in shapes) or size != needed:
            raise ValueError(
                f"the saved transitions have the shapes {shapes}; this buffer needs {needed} rows of {columns} numbers"
            )
        self._stored, self._size = state["stored"], size
        self._next = self._stored % self._max_size
        first = self.oldest
        for part in state["rows"]:
            copied = 0
            for slots in self._slots(first, len(part)):
                slots[:] = part[copied : copied + len(slots)]
                copied += len(slots)
            first += copied
        self._rng.bit_generator.state = state["rng"]

    def _slots(self, first: int, number: int) -> list[Array]:
        """Where the transitions ``first``, ``first + 1``, ... lie: one or two parts of the memory."""
        start = first % self._max_size
        parts = self._rows[start : start + number], self._rows[: max(0, start + number - self._max_size)]
        return [part for part in parts if len(part)]

    @np.errstate(over="ignore")  # which is an error below
    def _write(
        self,
        row: Array,
        obs: Array,
        act: Array,
        rew: float,
        obs_next: Array,
        done: bool,
        env_index: int,
    ) -> None:
        """Write a transition to a row, with zeros in the additional columns.

        Raises:
            ValueError: An argument cannot be stored; all such arguments are named.
        """
        # This is called at every step: what is usual is found to be right at once, and the rest is looked at closely.
        is_usual = (
            type(obs) is type(act) is type(obs_next) is np.ndarray
            and obs.shape == obs_next.shape == self._obs_shape
            and act.shape == self._act_shape
            and type(rew) is float
            and type(done) is bool
            and type(env_index) is int
            and env_index >= 0
        )
        if not is_usual:
            self._raise_if_wrong(obs, act, rew, obs_next, done, env_index)
        try:
            np.concatenate((obs, act, obs_next, (rew, done, *self._extra_zeros)), out=row)
            # If a number is not finite, neither is the sum of squares, which may also overflow.
            is_finite = math.isfinite(row.dot(row)) or bool(np.isfinite(row).all())
        # An array of no numbers, or a number beyond float32 where warnings are errors.
        except (TypeError, RuntimeWarning):
            is_finite = False
        if not is_finite:
            self._raise_if_wrong(obs, act, rew, obs_next, done, env_index)

    def _raise_if_wrong(
        self, obs: object, act: object, rew: object, obs_next: object, done: object, env_index: object
    ) -> None:
        arrays = (("obs", obs, self._obs_shape), ("act", act, self._act_shape), ("obs_next", obs_next, self._obs_shape))
        errors = [problem for name, value, shape in arrays if (problem := _array_problem(name, value, shape))]
        if not is_number(rew) or not _fits_float32(rew):
            errors.append(f"rew is {shown(rew)}; it must be a finite number in the range of float32")
        if not (isinstance(done, np.bool_) or (isinstance(done, (bool, int, float)) and done in (0, 1))):
            errors.append(f"done is {shown(done)}; it must be true or false")
        if not FROM_ZERO.accepts(env_index):
            errors.append(f"env_index is {shown(env_index)}; it must be {FROM_ZERO}")
        raise_if_any(errors)

    def _columns(self, rows: Tensor) -> Batch:
        columns = torch.split(rows, self._splits, dim=1)
        named = zip(self._widths.items(), columns, strict=True)
        return {name: column if width else column[:, 0] for (name, width), column in named}

    def _advance(self) -> None:
        """Count the row that was written."""
        self._stored += 1
        self._next = self._stored % self._max_size
        self._size = min(self._stored, self._max_size)


def _zeros(size: int, columns: int) -> Array:
    """The empty rows of a buffer; memory is allocated as they are written."""
    try:
        return np.zeros((size, columns), dtype=np.float32)  # torch.zeros would allocate all of it at once
    except (MemoryError, ValueError, OverflowError) as error:
        raise ValueError(
            f"size is {size}, which needs {4 * size * columns} bytes, more than there is; choose a smaller size"
        ) from error


def _array_problem(name: str, value: object, shape: tuple[int]) -> str | None:
    """A sentence about a value that is no array of that shape with finite numbers; None if it is one."""
    needed = f"it must be an array of the shape {shape}"
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return f"{name} is {shown(value)}; {needed}"
    if array.shape != shape:
        return f"{name} has the shape {array.shape}; {needed}"
    if array.dtype.kind not in "fiub":
        return f"{name} is {shown(value)}, of the dtype {array.dtype}; {needed} with real numbers"
    if not _fits_float32(array):
        return f"{name} is {shown(value)}; {needed} with finite numbers in the range of float32"
    return None


def _fits_float32(numbers: Any) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.asarray(numbers, np.float64).astype(np.float32)).all())
