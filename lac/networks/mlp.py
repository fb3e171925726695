"""The multi-layer perceptron of actors and critics."""

import inspect
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from lac.settings.rules import nearest, shown

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


def activation_class(name: str, value: object) -> Activation:
    """The class of an activation, which is given as a class or by its name on the command line.

    Raises:
        ValueError: It is neither, or the class has required arguments; ``name`` is named.
    """
    if isinstance(value, str) and value in ACTIVATIONS:
        return ACTIVATIONS[value]
    if isinstance(value, type) and issubclass(value, nn.Module) and _has_no_required_argument(value):
        return value
    hint = nearest(value, ACTIVATIONS) if isinstance(value, str) else ""
    raise ValueError(
        f"{name} is {shown(value)}; it must be a class of modules that is built without arguments, as torch.nn.ReLU, "
        f"or one of {', '.join(ACTIVATIONS)}.{hint}"
    )


def _has_no_required_argument(activation: Activation) -> bool:
    try:
        inspect.signature(activation).bind()
    except TypeError:
        return False
    return True


def mlp(
    sizes: Sequence[int], activation: Activation, output_activation: Activation, bias: bool = True
) -> nn.Sequential:
    """Linear layers of the given sizes, ``[in, hidden..., out]``, each followed by an activation."""
    layers: list[nn.Module] = []
    last = len(sizes) - 2
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        layers += [linear(n_in, n_out, bias), output_activation() if i == last else activation()]
    return nn.Sequential(*layers)


def linear(n_in: int, n_out: int, bias: bool = True) -> nn.Linear:
    """A linear layer; without a bias it has zeros in its place, which are not trained and not saved."""
    layer = nn.Linear(n_in, n_out, bias=bias)
    if not bias:
        del layer.bias
        layer.register_buffer("bias", torch.zeros(n_out), persistent=False)
    return layer
