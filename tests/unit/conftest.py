"""Fixtures of the tests in this folder."""

import pytest
from saved_run_support import compose_config, save_run


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a finished run, to be copied."""
    folder = tmp_path_factory.mktemp("saved") / "run"
    save_run(folder, compose_config())
    return folder
