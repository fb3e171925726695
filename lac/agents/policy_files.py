"""Trained policies on disk: tensors and JSON without pickles, written atomically."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from lac.files import write_bytes
from lac.settings.policies import FINAL, POLICY_FOLDER, POLICY_SUFFIX, full_name, in_order
from lac.settings.rules import Text, raise_if_wrong


def policy_path(path: str | Path, name: str = FINAL) -> Path:
    """The policy file for ``path``, which is a file, or a run folder that holds it as ``policy/NAME.safetensors``.

    A path that does not exist is taken as a file if it has a suffix.
    """
    raise_if_wrong(path=(path, Text(is_path=True)))
    path = Path(path)
    if path.is_dir() or (not path.exists() and not path.suffix):
        return path / POLICY_FOLDER / (full_name(name) + POLICY_SUFFIX)
    return path


def policy_names(run_dir: Path) -> list[str]:
    """The names of the policies in a run folder: those of epochs in their order, then best and final."""
    return in_order([file.stem for file in (run_dir / POLICY_FOLDER).glob(f"*{POLICY_SUFFIX}") if file.name[0] != "."])


def write_policy(path: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write tensors with a JSON description in their header; an existing file is replaced atomically."""
    write_bytes(path, policy_bytes(tensors, description))


def policy_bytes(tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> bytes:
    """The content of a policy file."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(contiguous, metadata={"lac": json.dumps(description)})


def read_policy(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the description of a policy file or run folder.

    It also reads a ``torch.save`` file of a state dict, as the reference implementation writes it, with torch's
    weights-only loader, which rejects everything but tensors and plain values. The description is then its
    ``alg_name``.

    Raises:
        FileNotFoundError: There is no policy at ``path``.
        ValueError: The file is not a policy.
    """
    file = policy_path(path)
    if not file.is_file():
        raise FileNotFoundError(
            f"no policy at {file}; give a run folder or a policy file (such as policy/best{POLICY_SUFFIX})"
        )
    try:
        with file.open("rb") as stream:
            is_zip = stream.read(4) == b"PK\x03\x04"
        return _read_torch(file) if is_zip else _read_safetensors(file)
    except Exception as error:  # the readers of torch and safetensors raise many kinds for damaged files
        raise ValueError(f"{file} is not a policy that lac can read: {error}") from error


def _read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(file, framework="pt") as reader:
        tensors = {name: reader.get_tensor(name) for name in reader.keys()}  # noqa: SIM118 (not a dict)
        description = json.loads(reader.metadata()["lac"])
    if not isinstance(description, dict):
        raise TypeError(f"its description is a {type(description).__name__} instead of an object")
    return tensors, description


def _read_torch(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    content = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(content, Mapping):
        raise TypeError(f"it holds a {type(content).__name__} instead of a state dict")
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    return tensors, {"alg_name": content.get("alg_name")}
