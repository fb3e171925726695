"""Whatever happens to W&B, a training goes on: nothing here needs a network, a key or an account."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import wandb

from lac.loggers.wandb import WandbLogger, WandbSettings, resolve_mode

NETRC = "machine {host} login user password 0123456789\n"


@pytest.fixture(autouse=True)
def bare_home(monkeypatch, tmp_path) -> Path:
    """No settings of W&B, and an empty home folder."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    # The logger sets it; this puts it back.
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    return home


def write_private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


class FakeRun:
    """An open W&B run that writes down what it is told; ``broken`` are the methods that raise."""

    def __init__(self, mode: str, broken: tuple[str, ...] = ()) -> None:
        self.mode, self.id, self.url, self.dir = mode, "abc123", None, "wandb/run/files"
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

    def fake(fails: tuple[str, ...] = (), broken: tuple[str, ...] = ()) -> list[FakeRun]:
        runs: list[FakeRun] = []

        def init(mode, **kwargs):
            if mode in fails:
                raise wandb.errors.CommError(f"cannot open {mode}\nmore detail")
            runs.append(FakeRun(mode, broken))
            return runs[-1]

        monkeypatch.setattr(wandb, "init", init)
        return runs

    return fake


def a_logger(mode: str, folder: Path) -> tuple[WandbLogger, list[str]]:
    warnings: list[str] = []
    return WandbLogger(WandbSettings(mode=mode), folder, {"seed": 0}, warnings.append), warnings


def results(folder: Path) -> tuple[dict, None, Path, int]:
    policy = folder / "policy"
    policy.mkdir(exist_ok=True)
    (policy / "final.safetensors").write_bytes(b"weights")
    return {"status": "finished"}, None, policy, 0


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
    ("host", "mode"), [("api.wandb.ai", "online"), ("github.com", "offline"), ("wandb.example.org", "offline")]
)
def test_auto_reads_the_key_from_netrc(host, mode, monkeypatch, tmp_path):
    monkeypatch.setenv("NETRC", str(write_private(tmp_path / "netrc", NETRC.format(host=host))))
    assert resolve_mode("auto")[0] == mode


def test_auto_reads_netrc_in_the_home_folder(bare_home):
    write_private(bare_home / ".netrc", NETRC.format(host="api.wandb.ai"))
    assert resolve_mode("auto")[0] == "online"


def test_auto_reads_the_key_of_a_server_of_ones_own(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org:8080/")
    monkeypatch.setenv("NETRC", str(write_private(tmp_path / "netrc", NETRC.format(host="wandb.example.org"))))
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


# Runs that go well


def test_disabled_never_touches_wandb(opened, tmp_path):
    runs = opened(fails=("disabled", "offline", "online"))
    logger, warnings = a_logger("disabled", tmp_path)
    logger.start()
    logger.log({"env_steps": 1.0})
    logger.finish(*results(tmp_path))
    assert (runs, warnings, logger.offline_folder) == ([], [], None)
    assert logger.description["mode"] == "disabled"


def test_good_run_is_logged_and_closed(opened, tmp_path):
    runs = opened()
    logger, warnings = a_logger("offline", tmp_path)
    logger.start()
    logger.log({"env_steps": 1.0})
    assert logger.description["id"] == "abc123"
    logger.finish(*results(tmp_path))
    (run,) = runs
    assert run.calls == ["define_metric", "log", "summary", "log_artifact", "finish"]
    assert run.exit_code == 0
    assert warnings == []


# Runs that do not


def test_online_run_that_cannot_be_opened_is_recorded_offline(opened, tmp_path):
    runs = opened(fails=("online",))
    logger, warnings = a_logger("online", tmp_path)
    logger.start()
    assert len(warnings) == 1
    assert "cannot open online" in warnings[0]
    assert "offline" in warnings[0]
    assert "\n" not in warnings[0]
    assert logger.mode == "offline"
    logger.log({"env_steps": 1.0})
    logger.finish(*results(tmp_path))
    assert [run.mode for run in runs] == ["offline"]
    assert runs[0].calls[1:] == ["log", "summary", "log_artifact", "finish"]
    assert len(warnings) == 1


def test_run_that_cannot_be_opened_at_all_leaves_the_training_alone(opened, tmp_path):
    runs = opened(fails=("online", "offline"))
    logger, warnings = a_logger("online", tmp_path)
    logger.start()
    told = len(warnings)
    assert 1 <= told <= 2
    logger.log({"env_steps": 1.0})
    logger.finish(*results(tmp_path))
    assert runs == []
    assert len(warnings) == told
    assert logger.mode == "disabled"


def test_offline_run_that_cannot_be_opened_does_not_blame_the_network(opened, tmp_path):
    opened(fails=("offline",))
    logger, warnings = a_logger("offline", tmp_path)
    logger.start()
    logger.log({"env_steps": 1.0})
    assert len(warnings) == 1
    assert "offline" in warnings[0]
    assert "reached" not in warnings[0]


def test_run_that_breaks_is_told_once_and_left_alone(opened, tmp_path):
    runs = opened(broken=("log",))
    logger, warnings = a_logger("offline", tmp_path)
    logger.start()
    for step in range(3):
        logger.log({"env_steps": float(step)})
    assert len(warnings) == 1
    assert "the service died in log" in warnings[0]
    logger.finish(*results(tmp_path))
    assert len(warnings) == 1
    assert runs[0].calls.count("log") == 1
    assert logger.mode == "disabled"


@pytest.mark.parametrize("broken", ["summary", "log_artifact", "finish"])
def test_finish_never_raises(broken, opened, tmp_path):
    opened(broken=(broken,))
    logger, warnings = a_logger("offline", tmp_path)
    logger.start()
    logger.finish(*results(tmp_path))
    assert len(warnings) == 1
    assert f"the service died in {broken}" in warnings[0]


@pytest.mark.parametrize("broken", ["summary", "log_artifact"])
def test_run_is_closed_even_if_its_results_cannot_be_added(broken, opened, tmp_path):
    runs = opened(broken=(broken,))
    logger, _ = a_logger("offline", tmp_path)
    logger.start()
    logger.finish({"status": "failed"}, None, results(tmp_path)[2], exit_code=1)
    assert runs[0].calls[-1] == "finish"
    assert runs[0].exit_code == 1


def test_finish_before_start_does_nothing(opened, tmp_path):
    runs = opened()
    logger, warnings = a_logger("offline", tmp_path)
    logger.finish(*results(tmp_path))
    assert (runs, warnings) == ([], [])


def test_run_is_opened_without_questions_and_with_bounds_on_waiting(monkeypatch, tmp_path):
    asked: dict = {}

    def init(**kwargs):
        asked.update(kwargs)
        return FakeRun(kwargs["mode"])

    monkeypatch.setattr(wandb, "init", init)
    settings = WandbSettings(mode="online", project="p", entity="e", group="g", name="n", tags=["t"])
    WandbLogger(settings, tmp_path, {"seed": 3}, pytest.fail).start()
    told = {name: asked[name] for name in ("mode", "project", "entity", "group", "name", "tags", "config", "dir")}
    assert told == {
        "mode": "online",
        "project": "p",
        "entity": "e",
        "group": "g",
        "name": "n",
        "tags": ["t"],
        "config": {"seed": 3},
        "dir": str(tmp_path),
    }
    assert asked["settings"].init_timeout <= 60
    assert asked["settings"].finish_timeout <= 60
    assert asked["settings"].x_transaction_log_flush_interval <= 1
