"""Whether runs go online: by what is asked for, W&B's settings and its keys."""

import subprocess
import sys
from pathlib import Path

import pytest

from lac.loggers.wandb_environment import resolve_mode

pytestmark = pytest.mark.usefixtures("bare_home")

NETRC = "machine {host} login user password 0123456789\n"


def write_private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


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
    subprocess.run(command, env=environment, capture_output=True, timeout=180, check=True)
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


@pytest.mark.parametrize(
    ("text", "mode"),
    [("OFFLINE", "offline"), ("Online", "online"), ("Disabled", "disabled"), ("dryrun", "offline"), ("run", "online")],
)
def test_wandb_mode_is_read_as_wandb_users_write_it(text, mode, monkeypatch):
    """In any case; ``dryrun`` and ``run`` are the names of earlier versions of W&B."""
    monkeypatch.setenv("WANDB_MODE", text)
    assert resolve_mode("auto") == (mode, f"WANDB_MODE={text}")


@pytest.mark.parametrize("text", ["true", "True", "1", "YES"])
def test_wandb_disabled_wins_over_key_and_mode(text, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789")
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_DISABLED", text)
    mode, reason = resolve_mode("auto")
    assert mode == "disabled"
    assert f"WANDB_DISABLED={text}" in reason
    assert "WANDB_MODE=online is not used" in reason


@pytest.mark.parametrize("text", ["", "false", "0", "No"])
def test_wandb_disabled_may_say_no(text, monkeypatch):
    monkeypatch.setenv("WANDB_DISABLED", text)
    assert resolve_mode("auto") == ("offline", "no API key is configured")


@pytest.mark.parametrize(
    ("variable", "value", "asked", "mode"),
    [
        ("WANDB_MODE", "shared", "auto", "offline"),
        ("WANDB_MODE", "disabled", "offline", "offline"),
        ("WANDB_DISABLED", "perhaps", "auto", "offline"),
        ("WANDB_DISABLED", "true", "online", "online"),
    ],
)
def test_variable_that_is_not_used_is_told(variable, value, asked, mode, monkeypatch):
    monkeypatch.setenv(variable, value)
    chosen, reason = resolve_mode(asked)
    assert chosen == mode
    assert f"{variable}={value}" in reason
    assert reason.endswith("is not used")
