"""Saves and loads agents."""

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lac.agents.description import description_differences
from lac.agents.policy_files import policy_bytes, policy_path, read_policy, write_policy
from lac.exporting import Source, export_policy
from lac.settings.rules import Flag, raise_if_wrong, shown

_NAME_KEY = "alg_name"


class StateDictError(RuntimeError, ValueError):
    """A state dict that does not fit this agent."""


class SavedModule(nn.Module):
    """A module whose state dict contains the name of its class and can only be loaded into the same class."""

    _description: dict[str, Any]
    """What is needed besides the weights to rebuild the module."""
    _multiplier_names: ClassVar[tuple[str, ...]] = ("log_alpha",)

    def export(self, path: str | Path, format: str | None = None, c_type: str = "double") -> Path:
        """Write ``get_action(obs, deterministic=True)`` as a file that runs without this package, and a manifest.

        The file is run on 10 000 observations first and compared with a float64 reference; one that differs is not
        written.

        Args:
            path: The file (``*.onnx``, ``*.c``, ``*.pt2``), or a run folder, which gets ``export/policy.FORMAT``.
            format: ``onnx``, ``c`` or ``pt2``; None: that of the file's name, or C for a folder.
            c_type: ``double`` or ``float``, the number type of a C file.

        Returns:
            The file that was written; the manifest is beside it.

        Raises:
            ValueError: The policy cannot be exported: its actor-critic is not one of this package, the extra
                ``export`` is not installed, or the file does not compute the same actions.
        """
        agent: Any = self
        sha256 = hashlib.sha256(self._policy_bytes()).hexdigest()
        exported = export_policy(agent, path, Source(type(self).__name__, sha256), format, c_type)
        if exported.note is not None:
            warnings.warn(exported.note, stacklevel=2)
        return exported.file

    def save(self, path: str | Path) -> Path:
        """Write the agent's tensors to a file, or to ``policy/final.safetensors`` of a run folder.

        Returns:
            The file that was written; :meth:`restore` accepts it as well as ``path``.
        """
        file = policy_path(path)
        write_policy(file, *self._tensors_and_description())
        return file

    def _policy_bytes(self) -> bytes:
        """What :meth:`save` writes."""
        return policy_bytes(*self._tensors_and_description())

    def _tensors_and_description(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {name: value for name, value in self.state_dict().items() if isinstance(value, Tensor)}
        return tensors, {_NAME_KEY: type(self).__name__, **self._description}

    def restore(self, path: str | Path, restore_lagrance_multipliers: bool = False) -> None:
        """Load the weights of a saved agent.

        Args:
            path: A file written by :meth:`save`, a run folder (its final policy), or a ``torch.save`` file
                of the reference implementation's state dict.
            restore_lagrance_multipliers: Whether to load ``alpha`` and ``labda`` as well.

        Raises:
            FileNotFoundError: There is no policy at ``path``.
            ValueError: The file is not a policy, or is for another algorithm or architecture.
        """
        raise_if_wrong(restore_lagrance_multipliers=(restore_lagrance_multipliers, Flag()))
        tensors, description = read_policy(path)
        self._raise_if_other_networks(description)
        state = {**tensors, _NAME_KEY: description.get(_NAME_KEY)}
        self.load_state_dict(state, restore_lagrance_multipliers)

    def _raise_if_other_networks(self, description: Mapping[str, Any]) -> None:
        """Refuse weights that would mean something else here: their shapes do not show activations and scales."""
        saved_by = description.get(_NAME_KEY)
        differences = description_differences(self._description, description)
        if saved_by == type(self).__name__ and differences:
            raise StateDictError(
                f"these weights are for other networks: {', '.join(differences)}; build the agent with the spaces and "
                "network settings of the one that was saved"
            )

    def load_state_dict(  # type: ignore[override]
        self,
        state_dict: Mapping[str, Any],
        restore_lagrance_multipliers: bool = True,
        strict: bool = True,
        assign: bool = False,
    ) -> Any:
        """As :meth:`torch.nn.Module.load_state_dict`, but atomic, and optionally without the multipliers.

        Args:
            state_dict: What :meth:`state_dict` returned; it is not modified.
            restore_lagrance_multipliers: Whether to load ``log_alpha`` and ``log_labda``.
            strict: Whether a missing or unexpected entry is an error.
            assign: Whether to use the tensors of the state dict instead of copying their values.

        Raises:
            StateDictError: The state dict has another algorithm or other shapes; nothing has been loaded. The error
                is a RuntimeError, as in torch, and a ValueError.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict is {shown(state_dict)}; it must be a dict, as state_dict() returns it")
        state = dict(state_dict)
        own = self.state_dict()
        if not restore_lagrance_multipliers:
            state |= {name: own[name] for name in self._multiplier_names}
        self._raise_if_foreign(state, own, strict)
        return super().load_state_dict(state, strict=strict, assign=assign)

    def _raise_if_foreign(self, state: Mapping[str, Any], own: Mapping[str, Any], strict: bool) -> None:
        name = state.get(_NAME_KEY)
        if name not in (None, type(self).__name__):
            raise StateDictError(
                f"these weights are of {name}, this agent is {type(self).__name__}; build a {name} to load them"
            )
        tensors = {key: value for key, value in own.items() if isinstance(value, Tensor) and key in state}
        errors = [problem for key, value in tensors.items() if (problem := _tensor_problem(key, state[key], value))]
        if strict:
            errors += [f"{key} is missing" for key in own if key not in state and key != _NAME_KEY]
            errors += [f"{key} is not part of this agent" for key in state if key not in own]
        if errors:
            raise StateDictError(
                f"these weights do not fit this {type(self).__name__}: {'; '.join(errors)}; "
                "build it with the spaces and ac_kwargs of the agent that was saved"
            )

    # torch calls the next two for this module only, even if it is part of another module.

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + _NAME_KEY] = type(self).__name__

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        name = state_dict.get(prefix + _NAME_KEY)
        if name not in (None, type(self).__name__):
            error_msgs.append(f"{prefix}{_NAME_KEY} is {name}, this agent is {type(self).__name__}")
        arguments = (prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        super()._load_from_state_dict(state_dict, *arguments)
        if prefix + _NAME_KEY in unexpected_keys:
            unexpected_keys.remove(prefix + _NAME_KEY)


def _tensor_problem(name: str, value: object, own: Tensor) -> str | None:
    """A sentence about a value that cannot be copied to a tensor of an agent; None if it can."""
    if not isinstance(value, Tensor):
        return f"{name} is {shown(value)} and must be a tensor"
    if value.shape != own.shape:
        return f"{name} has shape {tuple(value.shape)} and must have {tuple(own.shape)}"
    is_dense = value.layout == torch.strided and not value.is_meta
    if not is_dense or value.is_floating_point() != own.is_floating_point() or value.is_complex():
        return f"{name} is of {value.dtype}, {value.layout}, on {value.device}, and must be as {own.dtype} in memory"
    return None
