"""What the process of the logger does with commands, with fakes in the place of W&B's runs."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import wandb

from lac.loggers.wandb_process import serve

pytestmark = pytest.mark.usefixtures("bare_home")


class FakeRun:
    """An open W&B run that writes down what it is told; ``broken`` are the methods that raise."""

    def __init__(self, mode: str, broken: tuple[str, ...] = (), config: dict | None = None) -> None:
        self.mode, self.id, self.url, self.dir = mode, "abc123", f"https://w/{mode}", "wandb/run/files"
        self.config = dict(config or {})
        self.calls: list[str] = []
        self.summary = SimpleNamespace(update=lambda values: self._call("summary"))
        self._broken = broken

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self._broken:
            raise ConnectionError(f"the service died in {name}")

    def define_metric(self, *args, **kwargs):
        self._call("define_metric")

    def log(self, values, step=None, commit=None):
        self._call("log")

    def log_artifact(self, artifact):
        self._call("log_artifact")

    def finish(self, exit_code=None):
        self._call("finish")
        self.exit_code = exit_code


@pytest.fixture
def opened(monkeypatch):
    """Puts fake runs in the place of ``wandb.init``; ``opened(fails=..., broken=...)`` gives the list of them."""
    monkeypatch.setattr(sys, "argv", list(sys.argv))  # the process takes over the command of the training

    def fake(fails: tuple[str, ...] = (), broken: tuple[str, ...] = (), locked: dict | None = None) -> list[FakeRun]:
        runs: list[FakeRun] = []

        def init(mode, settings, config, **kwargs):
            if mode in fails:
                raise wandb.errors.CommError(f"cannot open {mode}\nmore detail")
            runs.append(FakeRun(mode, broken, config | (locked or {})))
            runs[-1].asked, runs[-1].settings = kwargs, settings
            return runs[-1]

        monkeypatch.setattr(wandb, "init", init)
        return runs

    return fake


def an_opening(mode: str, folder: Path, config: dict | None = None) -> dict:
    return {
        "open": {
            "mode": mode,
            "command": ["scripts/train.py", "seed=0"],
            "timeouts": {"init_timeout": 20.0, "finish_timeout": 30.0},
            "dir": str(folder),
            "id": "abc123",
            "project": "p",
            "config": config or {"seed": 0},
        }
    }


def a_line(step: int) -> dict:
    return {"log": {"env_steps": float(step)}}


def an_end(folder: Path, exit_code: int = 0) -> dict:
    policy = folder / "policy"
    policy.mkdir(exist_ok=True)
    (policy / "final.safetensors").write_bytes(b"weights")
    results = {"summary": {"status": "finished"}, "picture": None, "policy_folder": str(policy)}
    return {"finish": results | {"exit_code": exit_code}}


def told_by(*commands: dict) -> list[dict]:
    events: list[dict] = []
    serve(iter(commands), events.append)
    return events


def warnings_of(events: list[dict]) -> list[str]:
    return [event["warning"] for event in events if "warning" in event]


def test_good_run_is_logged_and_closed(opened, tmp_path):
    runs = opened()
    events = told_by(an_opening("online", tmp_path), a_line(1), an_end(tmp_path))
    (run,) = runs
    assert run.calls == ["define_metric", "log", "summary", "log_artifact", "finish"]
    assert run.exit_code == 0
    assert events == [{"mode": "online", "url": "https://w/online", "folder": "wandb/run"}, {"is_broken": False}]


def test_run_is_opened_with_bounds_on_waiting_and_the_command_of_the_training(opened, tmp_path):
    runs = opened()
    told_by(an_opening("offline", tmp_path), an_end(tmp_path))
    settings = runs[0].settings
    assert (settings.init_timeout, settings.finish_timeout, settings.finish_timeout_raises) == (20, 30, True)
    assert settings.x_transaction_log_flush_interval <= 1
    assert settings.program == "scripts/train.py"
    assert runs[0].asked == {"dir": str(tmp_path), "id": "abc123", "project": "p"}


def test_online_run_that_cannot_be_opened_is_recorded_offline(opened, tmp_path):
    runs = opened(fails=("online",))
    events = told_by(an_opening("online", tmp_path), a_line(1), an_end(tmp_path))
    (warning,) = warnings_of(events)
    assert "cannot open online" in warning
    assert "offline" in warning
    assert "\n" not in warning
    assert [event["mode"] for event in events if "mode" in event] == ["offline", "offline"]
    assert runs[0].calls[1:] == ["log", "summary", "log_artifact", "finish"]


def test_run_that_cannot_be_opened_at_all(opened, tmp_path):
    runs = opened(fails=("online", "offline"))
    events = told_by(an_opening("online", tmp_path), a_line(1), an_end(tmp_path))
    assert runs == []
    assert len(warnings_of(events)) == 2
    assert events[-1]["is_broken"]


def test_offline_run_that_cannot_be_opened_does_not_blame_the_network(opened, tmp_path):
    opened(fails=("offline",))
    (warning,) = warnings_of(told_by(an_opening("offline", tmp_path), an_end(tmp_path)))
    assert "cannot open offline" in warning
    assert "reached" not in warning


@pytest.mark.parametrize("broken", ["log", "summary", "log_artifact", "finish"])
def test_run_that_breaks_is_told_once(broken, opened, tmp_path):
    opened(broken=(broken,))
    events = told_by(an_opening("offline", tmp_path), *map(a_line, range(3)), an_end(tmp_path))
    (warning,) = warnings_of(events)
    assert f"the service died in {broken}" in warning
    assert events[-1]["is_broken"]


@pytest.mark.parametrize("broken", ["summary", "log_artifact"])
def test_run_is_closed_even_if_its_results_cannot_be_added(broken, opened, tmp_path):
    runs = opened(broken=(broken,))
    told_by(an_opening("offline", tmp_path), an_end(tmp_path, exit_code=1))
    assert runs[0].calls[-1] == "finish"
    assert runs[0].exit_code == 1


def test_run_of_a_training_that_vanishes_is_closed_as_failed(opened, tmp_path):
    runs = opened()
    told_by(an_opening("offline", tmp_path), a_line(1))
    assert runs[0].calls == ["define_metric", "log", "finish"]
    assert runs[0].exit_code == 1


def test_upload_that_takes_too_long_is_left_for_wandb_sync(opened, monkeypatch, tmp_path):
    def finish(self, exit_code):
        raise TimeoutError

    opened()
    monkeypatch.setattr(FakeRun, "finish", finish)
    events = told_by(an_opening("online", tmp_path), an_end(tmp_path))
    (warning,) = warnings_of(events)
    assert "wandb sync wandb/run" in warning
    assert not events[-1]["is_broken"]


def test_group_that_a_sweep_hides_is_filed_under_dotted_names(opened, tmp_path):
    config = {"algo": {"name": "lac", "lr": {"a": 0.1}}, "env": {"name": "oscillator"}, "seed": 0}
    runs = opened(locked={"algo": "lac", "algo.lr.a": 0.1})
    told_by(an_opening("online", tmp_path, config), an_end(tmp_path))
    dotted = {"algo.name": "lac", "algo.lr.a": 0.1}
    assert runs[0].config == {"algo": "lac", "env": {"name": "oscillator"}, "seed": 0} | dotted
