"""What a measurement depends on beside the code: the machine, versions and BLAS libraries."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import torch
from threadpoolctl import threadpool_info

from lac.devices import processor

_PACKAGES = ("lac", "torch", "numpy", "scipy", "numba")


def machine() -> dict[str, Any]:
    """Processor, number of cores, system, and the BLAS libraries that are loaded with the kernels that they chose."""
    libraries = [
        f"{info['internal_api']} {info['version']} ({info['architecture']})"
        for info in threadpool_info()
        if info["user_api"] == "blas" and info.get("architecture")
    ]
    return {
        "processor": processor(),
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
