"""A policy as a program of ``torch.export``."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lac.exporting.policy import DeterministicPolicy
from lac.networks import ACTIVATIONS


class _Module(nn.Module):
    """The policy as a module; ``[batch, obs_dim]`` to ``[batch, act_dim]`` in float32."""

    def __init__(self, policy: DeterministicPolicy) -> None:
        super().__init__()
        low, high = policy.float32_bounds
        for name, value in {
            "observation_centre": policy.obs_centre,
            "observation_factor": policy.obs_inverse_width,
            "action_centre": policy.centre,
            "action_half_width": policy.half_width,
            "action_low": low,
            "action_high": high,
        }.items():
            self.register_buffer(name, torch.tensor(value))
        self.net = nn.Sequential(*_modules(policy))

    def forward(self, observation: Tensor) -> Tensor:
        part = {name: buffer for name, buffer in self.named_buffers() if "." not in name}
        scaled = (observation - part["observation_centre"]) * part["observation_factor"]
        action = torch.addcmul(part["action_centre"], self.net(scaled).tanh(), part["action_half_width"])
        return torch.minimum(torch.maximum(action, part["action_low"]), part["action_high"])


def _modules(policy: DeterministicPolicy) -> Sequence[nn.Module]:
    modules: list[nn.Module] = []
    for layer in policy.layers:
        # On meta nothing is drawn: torch's global generator stays as it is.
        linear = nn.Linear(layer.weight.shape[1], layer.weight.shape[0], device="meta")
        linear.weight, linear.bias = (
            nn.Parameter(torch.tensor(numbers), requires_grad=False) for numbers in (layer.weight, layer.bias)
        )
        modules += [linear, ACTIVATIONS[layer.activation]()]
    return modules


def pt2_bytes(policy: DeterministicPolicy) -> bytes:
    """The saved program, for any size of the batch; ``torch.export.load(path).module()`` gives the function."""
    batch = torch.export.Dim("batch")
    program = torch.export.export(
        _Module(policy).eval(), (torch.zeros(2, policy.obs_dim),), dynamic_shapes=({0: batch},), strict=False
    )
    stream = io.BytesIO()
    torch.export.save(program, stream)
    return stream.getvalue()


def run_pt2(saved: bytes, obs: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """The actions ``[B, act_dim]`` that a saved program computes from observations ``[B, obs_dim]``."""
    module = torch.export.load(io.BytesIO(saved)).module()
    with torch.inference_mode():
        actions: Tensor = module(torch.tensor(obs, dtype=torch.float32))
    return actions.numpy()
