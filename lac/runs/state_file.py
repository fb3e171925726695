"""A state on disk: one safetensors file of arrays, with the rest as JSON in its header, and a checksum of both."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.numpy import load, save
from torch import Tensor

from lac.files import write_bytes

SCHEMA = 1
"""Version of the layout; a file of another one is refused."""

Array = npt.NDArray[Any]
_TENSOR, _ARRAY, _SCALAR, _FLOAT = "$tensor", "$array", "$scalar", "$float"


class DamagedError(ValueError):
    """A file of a checkpoint that cannot be used; the message is a phrase that says why."""


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state atomically and durably.

    Args:
        path: The file.
        state: Dictionaries with texts as keys, lists, tuples (read as lists), tensors, arrays, numbers and texts.

    Raises:
        TypeError: The state holds something else.
        OSError: It cannot be written.
    """
    arrays: dict[str, Array] = {}
    text = json.dumps({"schema": SCHEMA, "state": _encoded(state, "state", arrays)}, allow_nan=False)
    write_bytes(path, save(arrays, {"lac": text, "sha256": _checksum(arrays, text)}), is_durable=True)


def read_state(path: Path) -> dict[str, Any]:
    """The state in a file; tensors and arrays are as they were, on the CPU.

    Raises:
        DamagedError: The file is missing, torn or changed, or of another version.
    """
    try:
        arrays = load(path.read_bytes())
        with safe_open(path, framework="numpy") as reader:
            header = reader.metadata()
        text, checksum = header["lac"], header["sha256"]
    except Exception as error:  # the reader raises many kinds for damaged files
        raise DamagedError(f"it cannot be read: {' '.join(str(error).split())}") from error
    if _checksum(arrays, text) != checksum:
        raise DamagedError("its checksum differs")
    content = json.loads(text)
    if content["schema"] != SCHEMA:
        raise DamagedError(f"its layout is version {content['schema']}; this version of lac reads {SCHEMA}")
    state: dict[str, Any] = _decoded(content["state"], arrays)
    return state


def _checksum(arrays: Mapping[str, Array], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _encoded(value: Any, name: str, arrays: dict[str, Array]) -> Any:
    """A value in JSON types; arrays are moved to ``arrays``, under the name that the JSON has in their place."""
    if isinstance(value, float) and not isinstance(value, np.generic):
        return value if math.isfinite(value) else {_FLOAT: repr(value)}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str) or key.startswith("$")]
        if wrong:
            raise TypeError(f"{name} has the key {wrong[0]!r}; keys must be texts without $ at their beginning")
        return {key: _encoded(entry, f"{name}/{key}", arrays) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(entry, f"{name}/{i}", arrays) for i, entry in enumerate(value)]
    kinds = {Tensor: _TENSOR, np.ndarray: _ARRAY, np.generic: _SCALAR}
    kind = next((word for of, word in kinds.items() if isinstance(value, of)), None)
    array = np.array(value.detach().cpu().numpy() if isinstance(value, Tensor) else value, order="C")
    if kind is None or array.dtype.kind not in "biuf":
        raise TypeError(f"{name} is of the type {type(value).__name__}, which a state cannot hold")
    arrays[name] = array
    return {kind: name}


def _decoded(value: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(value, list):
        return [_decoded(entry, arrays) for entry in value]
    if not isinstance(value, dict):
        return value
    kind, content = next(iter(value.items()), ("", None))
    readers: dict[str, Callable[[str], Any]] = {
        _FLOAT: float,
        _TENSOR: lambda name: torch.from_numpy(arrays[name].copy()),
        _ARRAY: lambda name: arrays[name].copy(),
        _SCALAR: lambda name: arrays[name][()],
    }
    if kind in readers:
        return readers[kind](str(content))
    return {key: _decoded(entry, arrays) for key, entry in value.items()}
