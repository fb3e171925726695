"""What a measurement depends on beside the code: the machine, versions and BLAS libraries."""

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_info

_PACKAGES = ("lac", "torch", "numpy", "scipy", "numba")


def machine() -> dict[str, Any]:
    """Processor, number of cores, system, and the BLAS libraries that are loaded with the kernels that they chose."""
    libraries = [
        f"{info['internal_api']} {info['version']} ({info['architecture']})"
        for info in threadpool_info()
        if info["user_api"] == "blas" and info.get("architecture")
    ]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "blas": sorted(set(libraries)),
        "torch": torch.__config__.show(),
        "load": load(),
    }


def load() -> float | None:
    """Processes that want a core at present, the mean over a minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def versions(packages: Iterable[str] = ()) -> dict[str, str]:
    """Versions of Python, of what an update is computed with, and of other packages."""
    return {"python": platform.python_version(), **{name: version(name) for name in (*_PACKAGES, *packages)}}


def _processor() -> str:
    """Name of the processor; that of its kind where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
