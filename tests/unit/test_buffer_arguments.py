"""What the replay buffers refuse: nothing wrong is stored."""

import re

import numpy as np
import pytest

from lac.buffers import FiniteHorizonReplayBuffer, ReplayBuffer

pytestmark = pytest.mark.filterwarnings("error")  # of numpy, where it computes with what is refused

BUFFERS = {"infinite": lambda: ReplayBuffer(2, 1, 10), "finite": lambda: FiniteHorizonReplayBuffer(2, 1, 10, 1)}
RIGHT = {"obs": np.zeros(2), "act": np.zeros(1), "rew": 0.5, "obs_next": np.ones(2), "done": False}
UNFIT_ARRAYS = {
    "too wide": np.zeros(3),
    "a column": np.zeros((2, 1)),
    "one number": 0.0,
    "None": None,
    "texts": np.array(["1", "2"]),
    "complex": np.array([1j, 0]),
    "ragged": [1.0, [2.0]],
    "NaN": np.array([np.nan, 0.0]),
    "infinite": np.array([np.inf, 0.0]),
    "beyond float32": np.array([1e39, 0.0]),
    "whole numbers beyond float32": [10**39, 0],
    "whole numbers beyond float64": [10**400, 0],
}


@pytest.fixture(params=BUFFERS.values(), ids=BUFFERS)
def buffer(request):
    return request.param()


@pytest.mark.parametrize("value", UNFIT_ARRAYS.values(), ids=UNFIT_ARRAYS)
@pytest.mark.parametrize("name", ["obs", "obs_next", "act"])
def test_an_array_that_does_not_fit_is_refused(buffer, name, value):
    with pytest.raises(ValueError, match=rf"^{name} (is|has)"):
        buffer.store(**RIGHT | {name: value})
    assert len(buffer) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("rew", value) for value in ("1", None, True, np.ones(1), np.nan, np.inf, 1e39, 10**400, 1j)),
        *(("done", value) for value in ("no", None, 2, np.nan, np.zeros(1))),
        *(("env_index", value) for value in (-1, 0.5, "0", True, None)),
    ],
)
def test_a_scalar_that_does_not_fit_is_refused(buffer, name, value):
    with pytest.raises(ValueError, match=f"^{name} is "):
        buffer.store(**RIGHT | {name: value})
    assert len(buffer) == 0


def test_widths_are_not_made_up_for_by_each_other(buffer):
    with pytest.raises(ValueError, match=re.escape("obs has the shape (3,)")) as error:
        buffer.store(**RIGHT | {"obs": np.zeros(3), "act": np.zeros(0)})
    assert "act has the shape (0,)" in str(error.value)


def test_a_refused_transition_replaces_no_stored_one():
    buffer = ReplayBuffer(2, 1, 1)
    buffer.store(**RIGHT)
    with pytest.raises(ValueError, match="rew"):
        buffer.store(**RIGHT | {"rew": np.nan})
    assert buffer.sample_batch(1)["rew"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        *(("rew", value, 3.0) for value in (3, np.int64(3), np.float32(3), np.float64(3))),
        *(("done", value, 1.0) for value in (True, 1, 1.0, np.True_)),
        *(("obs", value, [1.0, 0.0]) for value in ([1, 0], (1.0, 0.0), np.array([1, 0]), np.array([True, False]))),
    ],
)
def test_numbers_of_every_kind_are_stored(buffer, name, value, stored):
    buffer.store(**RIGHT | {name: value})
    assert buffer.sample_batch(1)[name][0].tolist() == stored


def test_a_horizon_whose_sum_is_beyond_float32_is_refused():
    buffer = FiniteHorizonReplayBuffer(2, 1, 10, 2)
    buffer.store(**RIGHT | {"rew": 3e38})
    with pytest.raises(ValueError, match="2 scalars sum to 6e"):
        buffer.store(**RIGHT | {"rew": 3e38})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("obs_dim", "act_dim", "size") for value in (0, -1, 1.5, True, "2", None)),
        *(("seed", value) for value in (-1, 1.5, "a", True)),
        *(("device", value) for value in ("banana", None, 3)),
        ("size", 10**15),
        ("size", 10**30),
    ],
)
def test_a_buffer_that_cannot_be_is_refused(name, value):
    with pytest.raises(ValueError, match=f"^{name} is "):
        ReplayBuffer(**{"obs_dim": 2, "act_dim": 1, "size": 10} | {name: value})


@pytest.mark.parametrize("value", [0, 1.5, True, "2", None])
def test_a_horizon_or_a_batch_that_cannot_be_is_refused(buffer, value):
    with pytest.raises(ValueError, match=r"^horizon_length is "):
        FiniteHorizonReplayBuffer(2, 1, 10, value)
    buffer.store(**RIGHT)
    with pytest.raises(ValueError, match=r"^batch_size is "):
        buffer.sample_batch(value)


def test_sizes_may_be_numbers_of_numpy():
    buffer = FiniteHorizonReplayBuffer(np.int64(2), np.int32(1), np.uint8(10), np.int64(1), seed=np.int64(3))
    buffer.store(**RIGHT, env_index=np.int64(0))
    assert buffer.sample_batch(np.int64(4))["rew"].tolist() == [0.5] * 4
