"""The multi-layer perceptron of actors and critics."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

Activation = type[nn.Module]

ACTIVATIONS: dict[str, Activation] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}


def mlp(sizes: Sequence[int], activation: Activation, output_activation: Activation) -> nn.Sequential:
    """Linear layers of the given sizes, ``[in, hidden..., out]``, each followed by an activation."""
    layers: list[nn.Module] = []
    last = len(sizes) - 2
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        layers += [nn.Linear(n_in, n_out), output_activation() if i == last else activation()]
    return nn.Sequential(*layers)
