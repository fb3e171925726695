"""Printed commands: a shell and Hydra read from them what was meant."""

import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from lac.cli.app import register
from lac.config.commands import override, pasteable_command
from lac.config.schemas import CONFIG_DIR
from lac.files import shell_text

NAMES = [
    "outputs/2026-11-25/10-00-00-oscillator-lac",
    "my run [1] (é)",
    "it's",
    'say "x"',
    "a,b=c:{d}",
    "~home",
    "$HOME `id` $(id) !x",
    "${oc.env:HOME}",
    "\\${seed}",
    "back\\",
    "two\nlines\tand \x1b",
    "null",
    "1e5",
    ".5",
    "007",
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_reads_the_words_that_were_meant(name):
    line = shell_text(["printf", r"%s\0", name, f"key={name}"])
    assert "\n" not in line
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True, timeout=10)
    assert done.stdout.decode().split("\0")[:-1] == [name, f"key={name}"]


def test_a_name_that_is_no_text_is_read_as_its_bytes():
    done = subprocess.run(["bash", "-c", shell_text(["printf", "%s", "a\udcff"])], capture_output=True, check=True)
    assert done.stdout == b"a\xff"


@pytest.mark.parametrize("name", NAMES)
def test_hydra_reads_the_folder_that_was_meant(name):
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        assert compose("evaluate", overrides=[override("run_dir", name)]).run_dir == name


def test_a_plain_folder_is_shown_without_quotes():
    assert override("run_dir", NAMES[0]) == f"run_dir={NAMES[0]}"


@pytest.mark.parametrize(
    ("started", "command"),
    [
        ("scripts/train.py", "python scripts/evaluate.py run_dir=a"),
        ("../my code/scripts/train.py", "python '../my code/scripts/evaluate.py' run_dir=a"),
        ("lac train", "lac evaluate run_dir=a"),
    ],
)
def test_a_command_is_started_as_the_present_one_was(started, command, monkeypatch):
    monkeypatch.setattr(sys, "argv", [started])
    assert pasteable_command("evaluate", [override("run_dir", "a")]) == command
