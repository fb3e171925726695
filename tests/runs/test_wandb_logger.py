"""Whatever happens to W&B, a training goes on: nothing here needs a network, a key or an account."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import wandb

import lac.loggers.wandb as wandb_logger
from lac.loggers.wandb import WandbLogger, WandbSettings, resolve_mode
from lac.loggers.wandb_process import serve

NETRC = "machine {host} login user password 0123456789\n"


@pytest.fixture(autouse=True)
def bare_home(monkeypatch, tmp_path) -> Path:
    """No settings of W&B, and an empty home folder."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [*filter(lambda name: name.startswith("WANDB_"), os.environ), "NETRC"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    return home


def write_private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


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

    def log(self, values):
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


# The mode


@pytest.mark.parametrize("mode", ["online", "offline", "disabled"])
def test_mode_that_is_asked_for_is_taken(mode, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online" if mode == "disabled" else "disabled")
    assert resolve_mode(mode)[0] == mode


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"'onlin'.*auto, online, offline, disabled"):
        resolve_mode("onlin")


def test_auto_is_offline_without_a_key():
    mode, reason = resolve_mode("auto")
    assert mode == "offline"
    assert "no API key" in reason


@pytest.mark.parametrize(("key", "mode"), [("0123456789", "online"), ("", "offline")])
def test_auto_is_online_with_a_key_in_the_environment(key, mode, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", key)
    assert resolve_mode("auto")[0] == mode


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        ("api.wandb.ai", "online"),
        ("api.forge.coreweave.com", "online"),  # where wandb 0.31 files it
        ("github.com", "offline"),
        ("wandb.example.org", "offline"),
    ],
)
def test_auto_reads_the_key_from_netrc(host, mode, monkeypatch, tmp_path):
    monkeypatch.setenv("NETRC", str(write_private(tmp_path / "netrc", NETRC.format(host=host))))
    assert resolve_mode("auto")[0] == mode


def test_auto_reads_netrc_in_the_home_folder(bare_home):
    write_private(bare_home / ".netrc", NETRC.format(host="api.wandb.ai"))
    assert resolve_mode("auto")[0] == "online"


@pytest.mark.parametrize("host", ["wandb.example.org:8080", "wandb.example.org"])
def test_auto_reads_the_key_of_a_server_of_ones_own(host, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org:8080/")
    monkeypatch.setenv("NETRC", str(write_private(tmp_path / "netrc", NETRC.format(host=host))))
    assert resolve_mode("auto")[0] == "online"


def test_key_of_wandbs_own_server_is_no_key_of_another(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    monkeypatch.setenv("NETRC", str(write_private(tmp_path / "netrc", NETRC.format(host="api.wandb.ai"))))
    assert resolve_mode("auto")[0] == "offline"


def test_wandb_login_files_the_key_where_auto_looks(bare_home, clean_environment):
    """Held against W&B itself, which has moved the place once."""
    environment = clean_environment | {"HOME": str(bare_home)}
    command = [str(Path(sys.executable).with_name("wandb")), "login", "--no-verify", "0123456789" * 4]
    subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
    assert resolve_mode("auto")[0] == "online"


@pytest.mark.parametrize("content", ["this is no netrc file\n", None])
def test_auto_is_offline_when_netrc_cannot_be_read(content, monkeypatch, tmp_path):
    path = tmp_path / "netrc"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("NETRC", str(path))
    assert resolve_mode("auto")[0] == "offline"


@pytest.mark.parametrize("wished", ["online", "offline", "disabled"])
def test_auto_follows_wandb_mode(wished, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789")
    monkeypatch.setenv("WANDB_MODE", wished)
    assert resolve_mode("auto") == (wished, f"WANDB_MODE={wished}")


# What the process does


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


# What the training sees of it


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
    """The records of an offline run by type, as W&B's own reader tells them."""
    (file,) = logger.offline_folder.glob("*.wandb")
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    records: dict[str, list[dict]] = {}
    for line in result.stdout.splitlines():
        record = json.loads(line)
        records.setdefault(record["type"], []).append(record[record["type"]])
    return records


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
    return logger._run_dir / "wandb"


def test_agent_of_a_sweep_says_which_run_it_is(monkeypatch, logger_in):
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    monkeypatch.setenv("WANDB_RUN_ID", "agents1")
    logger, _ = logger_in("run")
    logger.start()
    close(logger)
    assert records_of(logger)["run"][0]["run_id"] == "agents1"


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.05)


def wait_until_open(logger: WandbLogger) -> None:
    def is_open() -> bool:
        logger._take_notice()
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
    assert "does not come to an end" in warnings[0]
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
