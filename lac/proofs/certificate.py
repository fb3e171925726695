"""What a proof leaves, as a file of plain arrays: all that a checker needs beside the environment and the policy."""

import io
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from lac.files import write_bytes
from lac.proofs.closed_loop import ClosedLoop
from lac.proofs.domains import FloatArray
from lac.proofs.ellipses import Frame
from lac.proofs.flow import IntArray

SCHEMA = 1


@dataclass(frozen=True)
class Certificate:
    """The claims of a proof, and the boxes that show them."""

    low: FloatArray
    """Of the region of starts, ``[2]``"""
    high: FloatArray
    """``[2]``"""
    frame: Frame
    core: float
    """The loop contracts in ``V <= core``, and stays in it without action error"""
    contraction: float
    """By this factor in a step"""
    trap: float
    """``V <= trap`` is mapped into itself; without action error V decreases between it and the core"""
    level: float
    """V decreases between it and the trap"""
    action_error: float
    corners: IntArray
    """Lowest cell of each box, ``[2, B]``, in the order in which each image lies in the ellipse and the boxes before"""
    sizes: IntArray
    """Cells along the sides, ``[B]``"""
    steps: IntArray
    """After which the image is taken, ``[B]``"""
    region_share: float
    largest_arrival: int
    """Steps after which every start in the proved share of the region is in the ellipse"""
    policy_sha256: str
    environment: str
    """JSON: ``id`` and ``kwargs`` of Gymnasium's registry, null if unknown, and ``system``, its class and constants"""

    def save(self, path: str | Path) -> None:
        """Write it as an ``npz`` file, atomically."""
        arrays: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        frame = arrays.pop("frame")
        arrays |= {"schema": SCHEMA, "centre": frame.centre, "basis": frame.basis, "P": frame.P}
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)
        write_bytes(Path(path), stream.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "Certificate":
        """Read such a file; no pickle is loaded.

        Raises:
            FileNotFoundError: There is no file at ``path``.
            ValueError: It is no certificate.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            return cls._from_arrays(arrays)
        except FileNotFoundError:
            raise
        except Exception as error:  # a damaged file makes numpy and zipfile raise many kinds
            raise ValueError(f"{path} is no certificate that can be read: {error}") from error

    @classmethod
    def _from_arrays(cls, arrays: dict[str, Any]) -> "Certificate":
        if arrays["schema"] != SCHEMA:
            raise ValueError(f"its schema is {arrays['schema']}; {SCHEMA} is known")
        frame = Frame(_floats(arrays["centre"], (2,)), _floats(arrays["basis"], (2, 2)))
        number = len(arrays["sizes"])
        values: dict[str, Any] = {"frame": frame, "corners": _integers(arrays["corners"], (2, number))}
        values |= {name: _floats(arrays[name], (2,)) for name in ("low", "high")}
        values |= {name: _integers(arrays[name], (number,)) for name in ("sizes", "steps")}
        numbers = ("core", "contraction", "trap", "level", "action_error", "region_share")
        values |= {name: float(_floats(arrays[name], ())) for name in numbers}
        values["largest_arrival"] = int(_integers(arrays["largest_arrival"], ()))
        values |= {name: str(arrays[name]) for name in ("policy_sha256", "environment")}
        return cls(**values)


def environment_text(env: Any, loop: ClosedLoop) -> str:
    """What a certificate says of its environment."""
    spec = getattr(env, "spec", None)
    kwargs = None if spec is None else {name: repr(value) for name, value in sorted(spec.kwargs.items())}
    return json.dumps({"id": None if spec is None else spec.id, "kwargs": kwargs, "system": loop.fingerprint()})


def _floats(array: Any, shape: tuple[int, ...]) -> FloatArray:
    if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
        raise ValueError(f"an array has the shape {array.shape} instead of {shape}, or other entries than numbers")
    return np.asarray(array)


def _integers(array: Any, shape: tuple[int, ...]) -> IntArray:
    if array.shape != shape or array.dtype.kind != "i":
        raise ValueError(f"an array has the shape {array.shape} instead of {shape}, or other entries than integers")
    return np.asarray(array, np.int64)
