"""Where the numbers of a run come from: versions, machine, command."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from lac.devices import processor

_PACKAGES = ("lac", "torch", "numpy", "scipy", "numba", "gymnasium", "mujoco", "hydra-core", "wandb")
_WITHOUT_EFFECT = {"hydra-core", "wandb", "cpus", "threads"}


def provenance() -> dict[str, Any]:
    """Versions, git commit, machine and command, as the summary of a run has them."""
    installed = {name: version(name) for name in _PACKAGES if find_spec(name.replace("-core", ""))}
    here = {"platform": platform.platform(), "processor": processor()}
    return {
        "versions": {"python": platform.python_version(), **installed},
        "git_commit": _git_commit(),
        "machine": here | {"cpus": os.cpu_count(), "threads": torch.get_num_threads()},
        "command": sys.argv,
    }


def changes_since(summary: Mapping[str, Any]) -> list[str]:
    """What differs from where the summary of a run was written, and may change the last bits of a number."""
    now, before = (
        {**each.get("versions", {}), **each.get("machine", {}), "git_commit": each.get("git_commit")}
        for each in (provenance(), summary)
    )
    names = [name for name in now if name not in _WITHOUT_EFFECT and now[name] != before.get(name, now[name])]
    return [f"{name} is {now[name]} and was {before[name]}" for name in names]


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
