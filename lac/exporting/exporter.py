"""Exports the deterministic policy of an agent: written, verified, and only then kept."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy.typing as npt
from gymnasium.spaces import Box

from lac.exporting.c_file import c_source
from lac.exporting.c_program import FLAGS, find_compiler, run_c
from lac.exporting.errors import ExportError
from lac.exporting.onnx_file import INPUT, OUTPUT, missing_extra, onnx_bytes, run_onnx
from lac.exporting.policy import ActingAgent, DeterministicPolicy, Float64Array, deterministic_policy
from lac.exporting.pt2_file import pt2_bytes, run_pt2
from lac.exporting.verification import plan, verified, yardstick
from lac.files import write_bytes, write_json
from lac.settings.exporting import C_TYPE, DEFAULT_FORMAT, EXPORT_FORMAT, EXPORT_FORMATS
from lac.settings.rules import Text, nearest, raise_if_wrong

EXPORT_FOLDER, MANIFEST = "export", "manifest.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Source:
    """Where an exported policy comes from.

    Attributes:
        algorithm: Name of the algorithm.
        sha256: Hash of the policy file, or of that which saving the agent would write.
        file: Name of the policy file; None for an agent that was not loaded from one.
        environment: Id of the environment; None where it is not known.
        observation_box: The box of observations in the environment; None: that of the agent.
        observation_names: A name with its unit for each observation; None where the environment has none.
        action_names: Likewise for each action.
    """

    algorithm: str
    sha256: str
    file: str | None = None
    environment: str | None = None
    observation_box: Box | None = None
    observation_names: Sequence[str] | None = None
    action_names: Sequence[str] | None = None


@dataclass(frozen=True)
class Exported:
    """A policy that was exported.

    Attributes:
        file: The file.
        manifest: The file that describes it.
        entry: The description.
        note: A sentence about what could not be verified; None where all was.
    """

    file: Path
    manifest: Path
    entry: Mapping[str, Any]
    note: str | None


@dataclass(frozen=True)
class _Form:
    """A policy in a format.

    Attributes:
        content: The file.
        number_type: ``float`` or ``double``, with which it computes.
        run: Computes actions from observations with the file; None where that is not possible here.
        runtime: What runs it, and with what.
        call: How it is called.
    """

    content: bytes
    number_type: str
    run: Callable[[Float64Array], npt.NDArray[Any]] | None
    runtime: str | None
    call: str


def export_policy(
    agent: ActingAgent,
    path: str | Path,
    source: Source,
    format: str | None = None,
    c_type: str = "double",
    name: str = "policy",
) -> Exported:
    """Write the deterministic policy of an agent as a file of a format, with a manifest beside it.

    Args:
        agent: The agent; its networks are those of this package.
        path: The file (``*.onnx``, ``*.c``, ``*.pt2``), or a run folder, which gets ``export/NAME.FORMAT``, and
            ``export/NAME-float.c`` for a C file in float.
        source: Where the policy comes from.
        format: ``onnx``, ``c`` or ``pt2``; None: that of the file's name, or C.
        c_type: ``double`` or ``float``, the number type of a C file.
        name: Name of the file in a run folder.

    Raises:
        ValueError: An argument is not allowed.
        ExportError: The policy cannot be exported, or what was written does not compute the same actions; nothing
            was written then.
    """
    raise_if_wrong(path=(path, Text(is_path=True)), format=(format, EXPORT_FORMAT), c_type=(c_type, C_TYPE))
    path = Path(path)
    format = format or _format_of(path)
    stem = f"{name}-float" if (format, c_type) == ("c", "float") else name
    file, manifest = _files(path, format, stem)
    policy = deterministic_policy(agent)
    try:
        form = _form(policy, format, c_type, _about(policy, source))
    except ExportError:
        raise
    except Exception as error:  # whatever the writer of a format raises
        raise ExportError(f"{file} cannot be written: {type(error).__name__}: {error}") from error
    measured = yardstick(agent, policy, source.observation_box)
    if form.run is None:
        note = f"{file} was not verified: no C compiler (cc, gcc or clang) was found"
        found = {"largest_difference": None, **plan(measured, form.number_type)}
    else:
        note, found = None, verified(str(file), measured, form.number_type, form.run)
    entry = {
        "format": format,
        "number_type": form.number_type,
        "sha256": hashlib.sha256(form.content).hexdigest(),
        "call": form.call,
        "policy": {"file": source.file, "sha256": source.sha256, "algorithm": source.algorithm},
        "environment": source.environment,
        **_interface(policy, source),
        "verification": {**found, "runtime": form.runtime},
        "versions": {name: version(name) for name in ("lac", "torch", "numpy", *_packages(format))},
    }
    _keep(file, form.content, manifest, entry)
    return Exported(file, manifest, entry, note)


def _format_of(path: Path) -> str:
    """The format that the name of a file says; the default for a folder."""
    suffix = path.suffix.removeprefix(".")
    if path.is_dir() or not suffix:
        return DEFAULT_FORMAT
    if suffix in EXPORT_FORMATS:
        return suffix
    endings = ", ".join(f".{name}" for name in EXPORT_FORMATS)
    raise ExportError(
        f"path is {str(path)!r}; it must be a folder, or end with {endings}.{nearest(suffix, EXPORT_FORMATS)}"
    )


def _files(path: Path, format: str, stem: str) -> tuple[Path, Path]:
    """The exported file and its manifest."""
    if path.is_dir() or not path.suffix:
        folder = path / EXPORT_FOLDER
        return folder / f"{stem}.{format}", folder / MANIFEST
    if path.suffix != f".{format}":
        raise ExportError(f"path is {str(path)!r}, but format={format} has files that end with .{format}")
    return path, path.with_name(f"{path.name}.{MANIFEST}")


def _form(policy: DeterministicPolicy, format: str, c_type: str, about: Mapping[str, Any]) -> _Form:
    match format:
        case "onnx":
            missing = missing_extra()
            if missing is not None:
                raise ExportError(missing)
            model = onnx_bytes(policy, about)
            call = f"{INPUT} [batch, {policy.obs_dim}] -> {OUTPUT} [batch, {policy.act_dim}], float32"
            return _Form(
                model, "float", lambda obs: run_onnx(model, obs), f"onnxruntime {version('onnxruntime')}", call
            )
        case "pt2":
            saved = pt2_bytes(policy)
            call = f"torch.export.load(file).module()(observation): [batch, {policy.obs_dim}], float32"
            return _Form(saved, "float", lambda obs: run_pt2(saved, obs), f"torch {version('torch')}", call)
        case _:
            text, compiler = c_source(policy, c_type, about), find_compiler()
            call = f"void lac_policy(const {c_type} observation[{policy.obs_dim}], {c_type} action[{policy.act_dim}])"
            if compiler is None:
                return _Form(text.encode("ascii"), c_type, None, None, call)
            return _Form(
                text.encode("ascii"),
                c_type,
                lambda obs: run_c(compiler, text, obs, policy.act_dim, c_type),
                " ".join([Path(compiler).name, *FLAGS]),
                call,
            )


def _packages(format: str) -> tuple[str, ...]:
    return ("onnx", "onnxruntime") if format == "onnx" else ()


def _about(policy: DeterministicPolicy, source: Source) -> dict[str, Any]:
    """What an exported file says about itself."""
    described = _interface(policy, source)
    known = {
        "environment": source.environment,
        "algorithm": source.algorithm,
        "sha256 of the policy": source.sha256,
        "observations": described["observation"]["names"],
        "actions": described["action"]["names"],
        "smallest actions": described["action"]["low"],
        "largest actions": described["action"]["high"],
        "lac": version("lac"),
    }
    return {name: value for name, value in known.items() if value is not None}


def _interface(policy: DeterministicPolicy, source: Source) -> dict[str, Any]:
    """What goes in and out of an exported policy, in JSON types."""
    box = source.observation_box
    names = {"observation": source.observation_names, "action": source.action_names}
    lists = {name: None if texts is None else list(texts) for name, texts in names.items()}
    return {
        "observation": {
            "shape": [policy.obs_dim],
            "names": lists["observation"],
            "low": None if box is None else box.low.tolist(),
            "high": None if box is None else box.high.tolist(),
            "centre": policy.obs_centre.tolist(),
            "scale": (1.0 / policy.obs_inverse_width.astype(float)).tolist(),
        },
        "action": {
            "shape": [policy.act_dim],
            "names": lists["action"],
            "low": policy.low.tolist(),
            "high": policy.high.tolist(),
        },
        "network": [
            {"inputs": layer.weight.shape[1], "outputs": layer.weight.shape[0], "activation": layer.activation}
            for layer in policy.layers
        ],
    }


def _keep(file: Path, content: bytes, manifest: Path, entry: Mapping[str, Any]) -> None:
    """Write a verified file and its entry in the manifest, beside those of other files that are still there."""
    exports = {name: other for name, other in _entries(manifest).items() if (file.parent / name).is_file()}
    write_bytes(file, content)
    try:
        write_json(manifest, {"schema": _SCHEMA, "exports": exports | {file.name: entry}})
    except OSError:
        file.unlink(missing_ok=True)  # without its description it must not be taken for a finished export
        raise


def _entries(manifest: Path) -> dict[str, Any]:
    """The entries of a manifest; none where it is missing or damaged, since it is written anew."""
    try:
        exports = json.loads(manifest.read_text(encoding="utf-8"))["exports"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return exports if isinstance(exports, dict) else {}
