"""Checkpoints on disk: what they hold, what they cost, and what happens to damaged ones."""

import os
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lac.buffers import ReplayBuffer
from lac.runs import row_files
from lac.runs.checkpoints import Checkpoints, newest_checkpoint
from lac.runs.row_files import RowFiles
from lac.runs.state_file import DamagedError, read_state, write_state

NO_RECORD = {"metrics_bytes": 0}


class Training:
    """A training of one tensor, whose state is its number of steps."""

    is_complete = False

    def __init__(self, size=1000):
        self.buffer, self.env_steps = ReplayBuffer(2, 1, size, seed=0), 0

    def step(self, number=1):
        for _ in range(number):
            self.env_steps += 1
            self.buffer.store(np.full(2, self.env_steps), np.zeros(1), 0.5, np.ones(2), False)

    def state_dict(self, with_rows=True):
        return {"buffer": self.buffer.state_dict(with_rows), "weights": torch.full((20_000,), float(self.env_steps))}


def written(folder, *steps, keep=2):
    """Checkpoints after these numbers of steps each."""
    training, checkpoints = Training(), Checkpoints(folder, keep, 0.0)
    for number in steps:
        training.step(number)
        checkpoints.write(training, lambda: NO_RECORD)
    return training


def numbers(rows):
    return [int(row[0]) for part in rows for row in part]


def test_a_state_is_read_as_it_was_written(tmp_path):
    state = {
        "tensors": [torch.tensor(3.0), torch.arange(6).reshape(2, 3).T, torch.zeros(0, dtype=torch.uint8)],
        "arrays": {"": np.array(2**63 + 1, np.uint64), "flags": np.array([True, False])},
        "scalar": np.float32(0.1),
        "numbers": (2**127, 0.1, float("nan"), -float("inf"), True, None, "text"),
    }
    write_state(tmp_path / "file", state)
    read = read_state(tmp_path / "file")
    for one, other in zip(read["tensors"], state["tensors"], strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    assert read["arrays"][""].dtype == np.uint64
    assert read["arrays"][""] == 2**63 + 1
    assert read["arrays"]["flags"].tolist() == [True, False]
    assert type(read["scalar"]) is np.float32
    assert repr(read["numbers"]) == repr(list(state["numbers"]))


@pytest.mark.parametrize("state", [{"a": object()}, {1: 2}, {"$tensor": 1}, {"a": np.array([object()])}])
def test_what_a_state_cannot_hold_is_refused(tmp_path, state):
    with pytest.raises(TypeError, match="state"):
        write_state(tmp_path / "file", state)
    assert list(tmp_path.iterdir()) == []


def test_a_torn_or_flipped_checkpoint_is_recognised_and_the_one_before_it_is_used(tmp_path):
    written(tmp_path, 3, 2)
    newest = max(tmp_path.glob("checkpoints/step-*"))
    content = newest.read_bytes()
    assert newest_checkpoint(tmp_path)[0].env_steps == 5
    spoilt = [content[:end] for end in range(0, len(content), 4096)] + [content[:-1]]
    for at in np.random.default_rng(0).integers(8, len(content), 40).tolist():
        spoilt.append(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
    for bad in spoilt:
        newest.write_bytes(bad)
        checkpoint, problems = newest_checkpoint(tmp_path)
        if checkpoint.env_steps == 5:  # a flipped blank or escape between what counts
            assert (checkpoint.training["weights"] == 5.0).all()
            continue
        assert checkpoint.env_steps == 3
        assert numbers(checkpoint.training["buffer"]["rows"]) == [1, 2, 3]
        assert len(problems) == 1
        assert newest.name in problems[0]


@pytest.mark.parametrize("spoil", ["cut", "flip", "remove"])
def test_damaged_rows_are_recognised(tmp_path, spoil):
    written(tmp_path, 3, 2)
    (file,) = tmp_path.glob("checkpoints/rows-*")
    content = bytearray(file.read_bytes())
    content[-3] ^= 1  # in the rows of the newest one alone
    {"cut": lambda: os.truncate(file, len(content) - 1), "flip": lambda: file.write_bytes(content)}.get(
        spoil, file.unlink
    )()
    checkpoint, problems = newest_checkpoint(tmp_path)
    assert file.name in problems[0]
    assert (checkpoint is None) == (spoil == "remove")


def test_metrics_that_are_shorter_than_at_a_checkpoint_without_them_make_it_useless(tmp_path):
    training, checkpoints = Training(), Checkpoints(tmp_path, 2, 0.0)
    training.step()
    checkpoints.write(training, lambda: {"metrics_bytes": 10})
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    assert "metrics.jsonl" in newest_checkpoint(tmp_path)[1][0]


def test_a_checkpoint_writes_only_the_rows_since_the_last_one(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files, "_BYTES_OF_FILE", 10 * 7 * 4)  # ten rows
    tmp_path.joinpath("checkpoints").mkdir()
    training, files = Training(size=30), RowFiles(tmp_path / "checkpoints")
    for _ in range(7):
        training.step(7)
        before = {file.name: file.stat().st_mtime_ns for file in tmp_path.glob("checkpoints/*")}
        description = files.append(training.buffer)
        files.remove_before(description["oldest"])
        changed = [f for f in tmp_path.glob("checkpoints/*") if before.get(f.name) != f.stat().st_mtime_ns]
        assert len(changed) <= 2
    again = RowFiles(tmp_path / "checkpoints", description)
    assert numbers(again.rows(description["oldest"])) == list(range(20, 50))
    assert len(list(tmp_path.glob("checkpoints/*"))) == 4
    training.step(3)
    description = again.append(training.buffer)
    assert numbers(RowFiles(tmp_path / "checkpoints", description).rows(22)) == list(range(23, 53))


def test_rows_that_were_overwritten_between_two_checkpoints_are_left_out(tmp_path):
    training, files = Training(size=4), RowFiles(tmp_path)
    training.step(3)
    files.append(training.buffer)
    training.step(20)
    description = files.append(training.buffer)
    assert numbers(RowFiles(tmp_path, description).rows(description["oldest"])) == [20, 21, 22, 23]


def test_a_process_that_was_killed_while_it_wrote_leaves_nothing(tmp_path):
    training = written(tmp_path, 3)
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / "checkpoints" / f".step-000000000004.safetensors.{dead.pid}.tmp").write_bytes(b"half")
    (file,) = tmp_path.glob("checkpoints/rows-*")
    with file.open("ab") as stream:
        stream.write(b"half a row")
    checkpoint, problems = newest_checkpoint(tmp_path)
    assert problems == []
    later = Checkpoints(tmp_path, 2, 0.0, checkpoint)
    training.step(2)
    later.write(training, lambda: NO_RECORD)
    assert numbers(newest_checkpoint(tmp_path)[0].training["buffer"]["rows"]) == [1, 2, 3, 4, 5]
    assert list(tmp_path.glob("checkpoints/.*")) == []


def test_the_last_few_are_kept(tmp_path):
    written(tmp_path, 1, 1, 1, 1, keep=3)
    assert [file.name[-14:-12] for file in sorted(tmp_path.glob("checkpoints/step-*"))] == ["02", "03", "04"]
    written(tmp_path / "none", 1, keep=0) if (tmp_path / "none").mkdir() else None
    assert list((tmp_path / "none").iterdir()) == []


def test_checkpoints_take_a_small_share_of_the_time(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("lac.runs.checkpoints.time", SimpleNamespace(monotonic=lambda: now[0]))
    training, checkpoints = Training(), Checkpoints(tmp_path, 2, 10.0)

    def slow():
        now[0] += 2.0
        return NO_RECORD

    now[0] = 9.9
    assert not checkpoints.is_due
    now[0] = 10.0
    assert checkpoints.is_due
    checkpoints.write(training, slow)
    now[0] = 49.9
    assert not checkpoints.is_due
    now[0] = 50.0
    assert checkpoints.is_due


def test_another_layout_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("lac.runs.state_file.SCHEMA", 99)
    write_state(tmp_path / "file", {})
    monkeypatch.undo()
    with pytest.raises(DamagedError, match="version 99; this version of lac reads 1"):
        read_state(tmp_path / "file")


@pytest.mark.parametrize("sizes", [(5, 9), (9, 9)])
def test_a_larger_buffer_continues_as_if_it_had_been_so_from_the_start(sizes):
    small, large, whole = (Training(size) for size in (*sizes, sizes[1]))
    small.step(5)
    whole.step(5)
    large.buffer.load_state_dict(small.buffer.state_dict())
    large.env_steps = 5
    large.step(7)
    whole.step(7)
    assert torch.equal(large.buffer.sample_batch(50)["obs"], whole.buffer.sample_batch(50)["obs"])


def test_a_buffer_of_which_rows_are_missing_is_refused():
    small, large = Training(5), Training(9)
    small.step(7)
    with pytest.raises(ValueError, match="needs 7 rows"):
        large.buffer.load_state_dict(small.buffer.state_dict())
