"""Files are written whole or not at all, and JSON is strict."""

import json
import os
import subprocess
import sys

import pytest

from lac.files import overwrite_json, write_bytes, write_json


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": float("-inf")}, "e": None})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {"a": None, "b": [None, 1.5], "c": {"d": None}, "e": None}


def test_what_killed_processes_have_left_is_removed_by_the_next_writer(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, alive = (tmp_path / f".a.json.{pid}.tmp" for pid in (ended.pid, os.getppid()))
    other = tmp_path / f".b.json.{ended.pid}.tmp"
    for file in (left, alive, other):
        file.write_text("half")
    write_json(tmp_path / "a.json", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.json", alive.name, other.name])


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    write_bytes(tmp_path / "a", b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_bytes(tmp_path / "a", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_json_is_written_in_the_place_of_a_longer_file(tmp_path):
    file = tmp_path / "a.json"
    write_json(file, {"status": "running", "machine": "x" * 50})
    overwrite_json(file, {"status": "failed"})
    assert json.loads(file.read_text()) == {"status": "failed"}
    with pytest.raises(OSError, match="no room"):
        overwrite_json(file, {"status": "failed", "error": "long"})
    assert json.loads(file.read_text()) == {"status": "failed"}
