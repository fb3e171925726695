import numpy as np
import pytest
import torch

from lac.buffers import FiniteHorizonReplayBuffer, ReplayBuffer

MANY = 4000


def store(buffer, number, rew=None, done=False):
    """A transition that can be told from all others by its entries."""
    obs = np.array([number, number + 0.25])
    act = np.array([number + 0.5])
    buffer.store(obs, act, number * 10.0 if rew is None else rew, obs + 1000.0, done)


def seen(buffer, column="horizon_rew"):
    """What a large draw shows: the column's value by transition number."""
    batch = buffer.sample_batch(MANY)
    pairs = set(zip(batch["obs"][:, 0].tolist(), batch[column].tolist(), strict=True))
    assert len(dict(pairs)) == len(pairs), "one transition was drawn with two values"
    return dict(pairs)


def test_a_batch_has_the_promised_keys_shapes_and_types():
    buffer = ReplayBuffer(2, 1, size=10, seed=0)
    store(buffer, 1)
    batch = buffer.sample_batch(7)
    assert {name: tuple(column.shape) for name, column in batch.items()} == {
        "obs": (7, 2),
        "act": (7, 1),
        "obs_next": (7, 2),
        "rew": (7,),
        "done": (7,),
    }
    assert {column.dtype for column in batch.values()} == {torch.float32}


def test_columns_of_a_row_belong_together():
    buffer = ReplayBuffer(2, 1, size=50, seed=0)
    for number in range(30):
        store(buffer, number, done=number % 3 == 0)
    batch = buffer.sample_batch(200)
    number = batch["obs"][:, 0]
    assert torch.equal(batch["obs"][:, 1], number + 0.25)
    assert torch.equal(batch["act"][:, 0], number + 0.5)
    assert torch.equal(batch["obs_next"], batch["obs"] + 1000.0)
    assert torch.equal(batch["rew"], number * 10.0)
    assert torch.equal(batch["done"], (number % 3 == 0).float())


def test_only_stored_rows_are_drawn_while_the_buffer_fills():
    buffer = ReplayBuffer(2, 1, size=1000, seed=0)
    for number in range(1, 4):
        store(buffer, number)
        assert len(buffer) == number
        assert set(seen(buffer, "rew")) == set(range(1, number + 1))


@pytest.mark.parametrize("stored", [5, 6, 9, 10, 23])
def test_a_full_ring_holds_the_latest_rows(stored):
    buffer = ReplayBuffer(2, 1, size=5, seed=0)
    for number in range(stored):
        store(buffer, number)
    assert len(buffer) == 5
    assert set(seen(buffer, "rew")) == set(range(stored - 5, stored))


def test_rows_are_drawn_uniformly():
    buffer = ReplayBuffer(2, 1, size=10, seed=3)
    for number in range(13):
        store(buffer, number)
    draws = 20_000
    numbers = buffer.sample_batch(draws)["obs"][:, 0].numpy().astype(int)
    counts = np.bincount(numbers, minlength=13)[3:]
    # Five standard deviations of a binomial count.
    assert np.abs(counts - draws / 10).max() < 5 * np.sqrt(draws * 0.1 * 0.9)


def test_the_seed_decides_the_draws():
    def draw(seed):
        buffer = ReplayBuffer(2, 1, size=100, seed=seed)
        for number in range(100):
            store(buffer, number)
        return buffer.sample_batch(20)["rew"].tolist()

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_a_round_of_batches_is_that_many_different_batches():
    buffer = ReplayBuffer(2, 1, size=100, seed=0)
    for number in range(100):
        store(buffer, number)
    batches = buffer.sample_batches(3, 8)
    assert [tuple(batch["obs"].shape) for batch in batches] == [(8, 2)] * 3
    assert len({tuple(batch["rew"].tolist()) for batch in batches}) == 3


def test_a_drawn_batch_does_not_change_with_the_buffer():
    buffer = ReplayBuffer(2, 1, size=1, seed=0)
    store(buffer, 1)
    batch = buffer.sample_batch(4)
    store(buffer, 2)
    assert batch["rew"].tolist() == [10.0] * 4


@pytest.mark.parametrize(
    "buffer", [ReplayBuffer(2, 1, size=4), FiniteHorizonReplayBuffer(2, 1, size=4, horizon_length=3)]
)
def test_an_empty_buffer_says_so(buffer):
    with pytest.raises(ValueError, match="no complete transition"):
        buffer.sample_batch(2)


# Finite horizon --------------------------------------------------------------------------------------


def finite(size=1000, horizon_length=3, seed=0):
    return FiniteHorizonReplayBuffer(2, 1, size=size, horizon_length=horizon_length, seed=seed)


def test_a_finite_horizon_batch_adds_the_window_sum():
    buffer = finite(horizon_length=1)
    store(buffer, 4)
    batch = buffer.sample_batch(6)
    assert set(batch) == {"obs", "act", "obs_next", "rew", "done", "horizon_rew"}
    assert batch["horizon_rew"].shape == (6,)
    assert torch.equal(batch["horizon_rew"], batch["rew"])


def test_a_window_of_no_step_is_refused():
    with pytest.raises(ValueError, match="horizon_length is 0"):
        finite(horizon_length=0)


@pytest.mark.parametrize("terminated", [True, False])
def test_at_the_end_of_an_episode_the_last_cost_is_repeated(terminated):
    buffer = finite(horizon_length=3)
    for number, cost in enumerate([1.0, 2.0, 100.0]):
        store(buffer, number, cost, done=terminated and number == 2)
    buffer.finish_episode()
    assert seen(buffer) == {0: 103.0, 1: 202.0, 2: 300.0}
    assert seen(buffer, "done") == {0: 0.0, 1: 0.0, 2: float(terminated)}


def test_an_episode_shorter_than_the_window_is_padded():
    buffer = finite(horizon_length=5)
    store(buffer, 0, 2.0)
    store(buffer, 1, 3.0, done=True)
    buffer.finish_episode()
    assert seen(buffer) == {0: 14.0, 1: 15.0}


def test_a_window_does_not_reach_into_the_next_episode():
    buffer = finite(horizon_length=3)
    store(buffer, 0, 1.0, done=True)
    buffer.finish_episode()
    for number in (1, 2, 3):
        store(buffer, number, 50.0)
    assert seen(buffer) == {0: 3.0, 1: 150.0}


def test_finishing_twice_adds_nothing():
    buffer = finite(horizon_length=3)
    store(buffer, 0, 1.0)
    buffer.finish_episode()
    buffer.finish_episode()
    assert len(buffer) == 1


def expected_windows(episodes, horizon_length):
    """Window sum by transition number, from the definition, for whole episodes of (number, cost)."""
    sums = {}
    for costs in episodes:
        padded = [cost for _, cost in costs] + [costs[-1][1]] * horizon_length
        for i, (number, _) in enumerate(costs):
            sums[number] = sum(padded[i : i + horizon_length])
    return sums


@pytest.mark.parametrize("size", [1000, 7])
@pytest.mark.parametrize("horizon_length", [1, 2, 5])
def test_windows_of_random_episodes_against_their_definition(horizon_length, size):
    rng = np.random.default_rng(horizon_length)
    buffer = finite(size, horizon_length)
    finished, complete, number = [], [], 0
    for length in [1, horizon_length, *rng.integers(1, 14, size=14)]:
        costs = [(number + i, float(rng.integers(0, 100))) for i in range(length)]
        number += length
        truth = expected_windows([costs], horizon_length)
        for i, (transition, cost) in enumerate(costs):
            store(buffer, transition, cost, done=i == length - 1 and length % 2 == 0)
            # The transition whose window is complete now is the only one that may have become visible.
            if i >= horizon_length - 1:
                complete.append((costs[i - horizon_length + 1][0], truth[costs[i - horizon_length + 1][0]]))
            assert len(buffer) == min(len(complete), size)
            if complete:
                assert seen(buffer) == dict(complete[-size:])
        buffer.finish_episode()
        finished.append(costs)
        complete += [(t, truth[t]) for t, _ in costs if t > (complete[-1][0] if complete else -1)]
        assert seen(buffer) == dict(complete[-size:])
    assert dict(complete) == expected_windows(finished, horizon_length)


def test_the_running_episode_is_hidden_until_its_windows_are_complete():
    buffer = finite(horizon_length=4)
    for number in range(3):
        store(buffer, number, 1.0)
        assert len(buffer) == 0
    store(buffer, 3, 1.0)
    assert seen(buffer) == {0: 4.0}


def test_after_wrap_around_no_sum_of_an_older_transition_is_left():
    buffer = finite(size=4, horizon_length=3)
    for number in range(8):
        store(buffer, number, 7.0)
    buffer.finish_episode()
    for number in range(100, 103):
        store(buffer, number, 1.0)
    # One of the new rows has its window; the other slots still hold whole old transitions.
    assert seen(buffer) == {5: 21.0, 6: 21.0, 7: 21.0, 100: 3.0}


def test_windows_of_alternating_environments_are_kept_apart():
    buffer = finite(horizon_length=2)
    for number, cost in [(0, 1.0), (1, 20.0), (2, 3.0)]:
        buffer.store(np.full(2, number), np.zeros(1), cost, np.zeros(2), False, env_index=number % 2)
    assert seen(buffer) == {0: 4.0}
    buffer.finish_episode(1)
    assert seen(buffer) == {0: 4.0, 1: 40.0}
    buffer.finish_episode(0)
    assert seen(buffer) == {0: 4.0, 1: 40.0, 2: 6.0}
