"""Devices by name, the processor, and the number of CPU threads."""

import math
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from lac.settings.rules import nearest

_CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where Linux has the memory of a container."""
_LIMITS: list[tuple[int, ExitStack]] = []
"""The contexts of :func:`limited_threads` that are open."""


def torch_device(name: str) -> torch.device:
    """The device called ``cpu``, ``gpu``, ``gpu:N``, ``cuda``, ``cuda:N`` or ``auto`` (a GPU if there is one).

    Raises:
        ValueError: The name is none of these, or there is no such GPU.
    """
    text = str(name).lower()
    if text == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = text.partition(":")
    if kind not in {"cpu", "gpu", "cuda"} or (index and not index.isdigit()) or (kind == "cpu" and index):
        hint = nearest(text, ("cpu", "gpu", "cuda", "auto"))
        raise ValueError(f"device is {name!r}; it must be cpu, gpu, gpu:N, cuda, cuda:N or auto.{hint}")
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available() or (index and int(index) >= torch.cuda.device_count()):
        raise ValueError(
            f"device is {name!r}, but this machine has {torch.cuda.device_count()} CUDA GPUs; use cpu or auto"
        )
    return torch.device("cuda", int(index)) if index else torch.device("cuda")


def memory_of_machine() -> float:
    """Bytes of memory of this machine, or less where this process is limited to less."""
    limits = [math.inf]
    with suppress(ValueError, OSError, AttributeError):  # not on every system
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ImportError):
        import resource  # noqa: PLC0415 (not on every system)

        limits += [limit for limit in resource.getrlimit(resource.RLIMIT_AS)[:1] if limit != resource.RLIM_INFINITY]
    for file in _CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or the word "max"
            limits.append(int(file.read_text()))
    return float(min(limits))


@contextmanager
def limited_threads(threads: int = 1) -> Iterator[None]:
    """Limit torch and numpy to that many CPU threads inside the context.

    One thread is fastest for networks of this size: several processes with one thread each do more work than one
    process with several threads. Two processes with several threads each slow each other to a near standstill.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with ExitStack() as stack:
            _LIMITS.append((threads, stack))
            stack.callback(_LIMITS.pop)
            limit_loaded_libraries()
            yield
    finally:
        torch.set_num_threads(before)


def limit_loaded_libraries() -> None:
    """Apply the limit of the context around, if there is one, to libraries that have been loaded in it."""
    if _LIMITS:
        threads, stack = _LIMITS[-1]
        stack.enter_context(threadpool_limits(threads))


def processor() -> str:
    """Name of the processor; that of its kind where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
