"""Copies of the metrics for other programs, also of a run that was interrupted."""

import csv
import json
import math
import sys

import numpy as np
import pytest
from resume_support import maker, train_on
from run_support import metrics_of

import lac
from lac.loggers.metrics_files import MetricsFiles
from lac.settings.logging import CopySettings

ROWS = [{"env_steps": step, "loss": 0.1 * step, "cost": math.nan if step == 10 else 1 / step} for step in (10, 20, 30)]


def table(path):
    """The rows of a table; None for an empty cell."""
    with path.open(newline="") as file:
        return [{name: float(text) if text else None for name, text in row.items()} for row in csv.DictReader(file)]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def logged(path, rows, position=0, **copies):
    """Log some rows; returns the length of the file."""
    files = MetricsFiles(path, position, CopySettings(**copies))
    for row in rows:
        files.log(row)
    length = files.position
    files.close()
    return length


def test_a_table_is_the_file_also_after_lines_that_were_taken_back(tmp_path):
    path = tmp_path / "metrics.jsonl"
    position = logged(path, ROWS[:2], csv=True)
    assert table(tmp_path / "metrics.csv") == lines(path)
    logged(path, ROWS[1:], position, csv=True)  # the copy has more than the checkpoint
    assert table(tmp_path / "metrics.csv") == lines(path)
    logged(path, ROWS[1:], position, csv=True)
    assert table(tmp_path / "metrics.csv") == lines(path)
    assert [row["cost"] for row in table(tmp_path / "metrics.csv")] == [None, 1 / 20, 1 / 20, 1 / 30]


def test_a_table_gets_the_columns_that_come_later(tmp_path):
    rows = [ROWS[0], ROWS[1] | {"new": 5.0}, ROWS[2]]
    logged(tmp_path / "metrics.jsonl", rows, csv=True)
    assert [row["new"] for row in table(tmp_path / "metrics.csv")] == [None, 5.0, None]
    assert [{name: row[name] for name in ROWS[0]} for row in table(tmp_path / "metrics.csv")] == [
        {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in ROWS
    ]


def test_a_run_has_the_table_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("lac.runs.recorder.learning_curve", lambda *_: None)
    run = tmp_path / "run"
    train_on("lac", run, maker(), epochs=2, steps_per_epoch=60, logging={"csv": True})
    assert not (run / "tensorboard").exists()
    train_on("lac", run, maker(), epochs=3, steps_per_epoch=60, logging={"csv": True})
    assert table(run / "metrics.csv") == metrics_of(run)
    assert [row["epoch"] for row in metrics_of(run)] == [1, 2, 3]


def test_events_are_the_numbers_of_the_file(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event  # noqa: PLC0415 (from an extra)

    path = tmp_path / "metrics.jsonl"
    position = logged(path, ROWS[:2], tensorboard=True)
    logged(path, ROWS[2:], position, tensorboard=True)
    (file,) = (tmp_path / "tensorboard").iterdir()
    content, found = file.read_bytes(), []
    while content:  # length in 8 bytes, its checksum in 4, the event, its checksum in 4
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        content = content[16 + length :]
    expected = [
        (row["env_steps"], name, np.float32(value))
        for row in lines(path)
        for name, value in row.items()
        if value is not None
    ]
    assert found == expected


def test_without_the_package_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ValueError, match=r"tensorboard is true, but tensorboardX cannot be used .*\[tensorboard\]"):
        lac.lac(maker(), logger_kwargs={"tensorboard": True, "output_dir": str(tmp_path / "run")})
    assert not (tmp_path / "run").exists()
