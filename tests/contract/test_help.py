"""``--help`` of all commands."""

import pytest

from lac.config.help import options
from lac.config.schemas import CONFIG_DIR
from lac.settings.commands import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns(command, script_here):
    end = script_here(f"{command}.py", "--help")
    assert end.status == 0
    assert [line for line in end.stdout.splitlines() if len(line) > 80] == []


def test_each_option_is_described_by_a_whole_sentence():
    groups = [folder.name for folder in CONFIG_DIR.iterdir() if folder.is_dir()]
    described = {f"{group}={name}": text for group in groups for name, text in options(group).items()}
    assert len(described) > 100
    assert [name for name, text in described.items() if not text.rstrip(")").endswith(".")] == []
