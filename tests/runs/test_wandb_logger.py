"""Whatever happens to W&B, a training goes on: nothing here needs a network, a key or an account."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from run_support import wandb_records

import lac.loggers.wandb as wandb_logger
from lac.loggers.wandb import WandbLogger, WandbSettings

pytestmark = pytest.mark.usefixtures("bare_home")


@pytest.fixture
def logger_in(tmp_path) -> Callable[..., tuple[WandbLogger, list[str]]]:
    def make(folder: str, mode: str = "offline", **settings) -> tuple[WandbLogger, list[str]]:
        warnings: list[str] = []
        (tmp_path / folder).mkdir()
        settings = WandbSettings(mode=mode, **settings)
        return WandbLogger(settings, tmp_path / folder, {"folder": folder}, warnings.append), warnings

    return make


def close(logger: WandbLogger) -> None:
    logger.finish({"status": "finished"}, None, None, 0)


def records_of(logger: WandbLogger) -> dict[str, list[dict]]:
    (file,) = logger.offline_folder.glob("*.wandb")
    return wandb_records(file)


def steps_of(logger: WandbLogger) -> list[float]:
    return [record["item"]["env_steps"] for record in records_of(logger)["history"]]


def test_disabled_starts_nothing(monkeypatch, logger_in):
    monkeypatch.setattr(subprocess, "Popen", pytest.fail)
    logger, warnings = logger_in("run", "disabled")
    logger.start()
    logger.log({"env_steps": 1.0})
    close(logger)
    assert (warnings, logger.offline_folder) == ([], None)
    assert logger.description == {"mode": "disabled", "id": None, "url": None}


def test_finish_before_start_does_nothing(logger_in):
    logger, warnings = logger_in("run")
    close(logger)
    assert (warnings, logger.offline_folder) == ([], None)


def test_process_that_cannot_be_started_is_told_once(monkeypatch, logger_in):
    monkeypatch.setattr(wandb_logger, "_COMMAND", ("/nonexistent",))
    logger, warnings = logger_in("run")
    logger.start()
    logger.log({"env_steps": 1.0})
    close(logger)
    assert len(warnings) == 1
    assert logger.mode == "disabled"


@pytest.mark.slow
def test_each_run_of_one_process_is_a_run_of_its_own(monkeypatch, logger_in):
    """Open at the same time as well as one after the other, whatever the environment says."""
    for name, value in {
        "WANDB_RUN_ID": "shared",
        "WANDB_RUN_GROUP": "mine",
        "WANDB_SERVICE": "3-1-tcp-localhost-1",
    }.items():
        monkeypatch.setenv(name, value)
    loggers = {}
    for names in (["a", "b"], ["c"]):
        for name in names:
            loggers[name], warnings = logger_in(name, group="seeds", job_type="train", tags=["oscillator", "lac"])
            loggers[name].start()
        for step, name in enumerate(names):
            loggers[name].log({"env_steps": float(step)})
        for name in names:
            close(loggers[name])
            assert warnings == []
    assert len({logger.description["id"] for logger in loggers.values()} | {"shared"}) == 4
    for name, logger in loggers.items():
        (run,) = records_of(logger)["run"]
        assert run["run_id"] == logger.description["id"]
        assert (run["run_group"], run["job_type"], run["tags"]) == ("seeds", "train", ["oscillator", "lac"])
        assert run["config"]["update"]["folder"] == name
        assert logger.offline_folder.parent == logger_folder(logger)
        assert steps_of(logger) == [1.0 if name == "b" else 0.0]


def logger_folder(logger: WandbLogger) -> Path:
    return logger._data_folder / "wandb"


def test_wandbs_own_variables_are_respected(monkeypatch, logger_in, tmp_path):
    """``WANDB_MODE`` and the tags in forms at which W&B itself would fail."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    long = "x" * 65
    variables = {"MODE": "OFFLINE", "DIR": folder, "TAGS": f"b, c,,{long}", "RUN_GROUP": "mine", "ENTITY": "we"}
    for name, value in variables.items():
        monkeypatch.setenv(f"WANDB_{name}", str(value))
    logger, warnings = logger_in("run", "auto", tags=["a", "b"], name="n" * 200)
    logger.start()
    close(logger)
    assert len(warnings) == 1, warnings
    assert long in warnings[0]
    for name in variables:
        monkeypatch.delenv(f"WANDB_{name}")  # W&B's reader would fail at some of them
    (run,) = records_of(logger)["run"]
    assert (run["tags"], run["run_group"], run["entity"]) == (["a", "b", "c"], "mine", "we")
    assert run["display_name"] == "n" * 128
    assert logger.offline_folder.parent == folder / "wandb"
    assert list((tmp_path / "run").iterdir()) == []


def test_variables_that_settings_replace_are_told(monkeypatch, logger_in):
    given = {"WANDB_PROJECT": "theirs", "WANDB_RUN_GROUP": "theirs", "WANDB_RUN_ID": "shared", "WANDB_ENTITY": "we"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    logger, _ = logger_in("run", project="ours", group="ours", entity="we")
    told = {text for text in given if f"{text}={given[text]} is not used" in logger.reason}
    assert told == {"WANDB_PROJECT", "WANDB_RUN_GROUP", "WANDB_RUN_ID"}


def test_agent_of_a_sweep_says_which_run_it_is(monkeypatch, logger_in):
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    monkeypatch.setenv("WANDB_RUN_ID", "agents1")
    logger, _ = logger_in("run")
    logger.start()
    close(logger)
    assert records_of(logger)["run"][0]["run_id"] == "agents1"


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 180
    while not happened():
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.05)


def wait_until_open(logger: WandbLogger) -> None:
    def is_open() -> bool:
        logger._handle_events()
        return logger._folder is not None

    wait_until(is_open)


def services_of(logger: WandbLogger) -> list[int]:
    """The service processes that a logger's process has started."""
    pids = [int(word) for file in children_files(logger) for word in file.read_text().split()]
    return [pid for pid in pids if "wandb-core" in Path(f"/proc/{pid}/cmdline").read_text()]


def is_gone(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] in {"Z", "X"}


def children_files(logger: WandbLogger) -> Iterator[Path]:
    return Path(f"/proc/{logger._process._popen.pid}/task").glob("*/children")


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds W&B's process in /proc")


@needs_proc
@pytest.mark.parametrize("victim", ["service", "process"])
def test_death_is_told_once(victim, logger_in):
    logger, warnings = logger_in("run")
    logger.start()
    wait_until_open(logger)
    (service,) = services_of(logger)
    os.kill(service if victim == "service" else logger._process._popen.pid, signal.SIGKILL)
    for step in range(5):
        logger.log({"env_steps": float(step)})
    close(logger)
    logger.log({"env_steps": 5.0})
    assert len(warnings) == 1
    assert "W&B" in warnings[0]
    assert logger.mode == "disabled"
    wait_until(lambda: is_gone(service))


@needs_proc
def test_service_that_hangs_is_left_behind(monkeypatch, logger_in):
    """It does not die: W&B's own ``finish`` would wait for ever."""
    monkeypatch.setattr(wandb_logger, "FINISH_TIMEOUT", 1.0)
    monkeypatch.setattr(wandb_logger, "_GRACE", 0.5)
    logger, warnings = logger_in("run")
    logger.start()
    wait_until_open(logger)
    (service,) = services_of(logger)
    os.kill(service, signal.SIGSTOP)
    for step in range(2000):
        logger.log({"env_steps": float(step), **dict.fromkeys(map(str, range(100)), 1.0)})
    close(logger)
    assert len(warnings) == 1
    assert "does not finish" in warnings[0]
    os.kill(service, signal.SIGCONT)
    wait_until(lambda: is_gone(service))


@pytest.fixture
def closed_door() -> Iterator[tuple[str, threading.Event]]:
    """A server of W&B that refuses every key, once it is let answer."""
    may_answer = threading.Event()

    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.refuse()

        def do_GET(self) -> None:
            self.refuse()

        def refuse(self) -> None:
            may_answer.wait(60)
            body = json.dumps({"errors": [{"message": "permission denied"}]}).encode()
            self.send_response(401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", may_answer
    may_answer.set()
    server.shutdown()


def test_wrong_key_does_not_keep_the_training_waiting(closed_door, monkeypatch, logger_in):
    url, may_answer = closed_door
    monkeypatch.setenv("WANDB_BASE_URL", url)
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    logger, warnings = logger_in("run", "auto")
    assert logger.mode == "online"
    logger.start()
    for step in range(10):
        logger.log({"env_steps": float(step)})
    # The server has said nothing so far, and the training is through.
    may_answer.set()
    close(logger)
    assert len(warnings) == 1
    assert "recorded offline" in warnings[0]
    assert (logger.mode, steps_of(logger)) == ("offline", [float(step) for step in range(10)])
    assert records_of(logger)["run"][0]["run_id"] == logger.description["id"]


def test_no_network_does_not_keep_the_training_waiting(monkeypatch, logger_in):
    monkeypatch.setattr(wandb_logger, "INIT_TIMEOUT", 1.0)
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{nobody_listens.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
        logger, warnings = logger_in("run", "auto")
        logger.start()
        logger.log({"env_steps": 1.0})
        assert warnings == []
        close(logger)
    assert len(warnings) == 1
    assert "recorded offline" in warnings[0]
    assert steps_of(logger) == [1.0]
    assert [path.name[:8] for path in logger_folder(logger).glob("*run-*")] == ["offline-"], "no empty online run"
