"""Tiny training runs from Python, and composed configs."""

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from api_support import SMALL, oscillator
from config_support import Compose, composing

from lac import lac


@pytest.fixture
def train(tmp_path, monkeypatch):
    """A tiny run; returns the agent, the buffer, the lines of metrics and the run folder."""
    # Drawing takes longer than everything else here; pictures have their own tests.
    monkeypatch.setattr("lac.runs.recorder.learning_curve", lambda *_: None, raising=False)
    numbers = iter(range(100))

    def run(env_fn=oscillator, function=lac, **changes):
        folder = tmp_path / f"run{next(numbers)}"
        settings = {
            "ac_kwargs": SMALL,
            "epochs": 1,
            "steps_per_epoch": 60,
            "update_after": 20,
            "update_every": 20,
            "steps_per_update": 2,
            "batch_size": 16,
            "num_test_episodes": 0,
            "seed": 0,
        }
        settings |= changes
        settings["logger_kwargs"] = {"output_dir": folder, "quiet": True} | changes.get("logger_kwargs", {})
        agent, buffer = function(env_fn, **settings)
        metrics = folder / "metrics.jsonl"
        rows = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.exists() else []
        return SimpleNamespace(agent=agent, buffer=buffer, rows=rows, folder=folder)

    return run


@pytest.fixture
def composed() -> Iterator[Compose]:
    with composing() as composer:
        yield composer
