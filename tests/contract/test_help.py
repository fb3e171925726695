"""``--help`` of all commands."""

import pytest

from lac.settings.commands import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns(command, script_here):
    end = script_here(f"{command}.py", "--help")
    assert end.status == 0
    assert [line for line in end.stdout.splitlines() if len(line) > 80] == []
