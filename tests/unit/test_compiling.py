"""When the kernel is compiled, what is told, and what happens where that is impossible."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, IndexDataCacheFile

import lac
from lac.engines import compiling

UPDATE = """
import sys
import numpy as np, torch
from types import SimpleNamespace
from gymnasium.spaces import Box
import lac
spaces = SimpleNamespace(observation_space=Box(-1.0, 1.0, (2,)), action_space=Box(-1.0, 1.0, (1,)))
agent = lac.LAC(spaces, ac_kwargs={"hidden_sizes": [4]})
one = torch.ones(3, 1)
agent.update({"obs": torch.ones(3, 2), "act": one, "obs_next": torch.ones(3, 2), "rew": one[:, 0], "done": one[:, 0]})
print(lac.choose_engine(agent).name, "numba" in sys.modules)
"""


def updated(**environment):
    """What a process with these variables and folders of packages prints."""
    return subprocess.run(
        [sys.executable, "-c", UPDATE], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )


def test_without_a_working_numba_torch_computes_and_one_line_says_so(tmp_path):
    broken = tmp_path / "numba" / "__init__.py"
    broken.parent.mkdir()
    broken.write_text("raise ImportError('Numba needs NumPy 2.4 or less')")
    end = updated(PYTHONPATH=f"{tmp_path}:{Path(lac.__file__).parents[1]}")
    assert end.stdout == "torch False\n"
    assert end.stderr == (
        "numba cannot be used (Numba needs NumPy 2.4 or less): updates run in torch, which is several times slower\n"
    )


@pytest.fixture
def short_kernel(monkeypatch, tmp_path):
    """A module with one short function in the place of the kernel, and an empty cache."""
    source = tmp_path / "short.py"
    source.write_text("def total(x):\n    return x.sum()\n")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    config.reload_config()
    spec = importlib.util.spec_from_file_location("short", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "lac.engines.kernel", module)
    monkeypatch.setattr("lac.engines.kernel", module, raising=False)
    yield tmp_path / "cache"
    monkeypatch.undo()
    config.reload_config()
    compiling._function.cache_clear()


def compile_anew():
    compiling._function.cache_clear()
    ones = np.ones((3, 2), np.float32)
    return compiling.compiled("total", (ones,))(ones)


def test_it_is_compiled_and_told_once(short_kernel, capsys):
    assert compile_anew() == 6.0
    assert re.fullmatch(r"compiling the update, once: \d+ s\n", capsys.readouterr().err)
    assert list(short_kernel.rglob("*.nbc"))
    assert compile_anew() == 6.0
    assert capsys.readouterr().err == ""


def test_a_damaged_cache_is_compiled_anew(short_kernel):
    compile_anew()
    for file in short_kernel.rglob("*.nb?"):
        file.write_bytes(b"damaged")
    assert compile_anew() == 6.0


def test_no_folder_for_a_cache(short_kernel, monkeypatch):
    monkeypatch.setattr(CompileResultCacheImpl, "_locator_classes", [])
    assert compile_anew() == 6.0


def test_a_full_disk(short_kernel, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    assert compile_anew() == 6.0
