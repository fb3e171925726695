"""The activations of the networks in float64, as torch defines them with its default arguments."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import erf

Float64Array = npt.NDArray[np.float64]

SOFTPLUS_THRESHOLD = 20.0
"""Above it torch's softplus is the identity."""


def _softplus(x: Float64Array) -> Float64Array:
    return np.where(x > SOFTPLUS_THRESHOLD, x, np.log1p(np.exp(np.minimum(x, SOFTPLUS_THRESHOLD))))


def _silu(x: Float64Array) -> Float64Array:
    with np.errstate(over="ignore"):  # exp(-x) may be infinite, and x / inf is the right 0
        return x / (1.0 + np.exp(-x))


ACTIVATION_FUNCTIONS: Mapping[str, Callable[[Float64Array], Float64Array]] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
    "elu": lambda x: np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0))),
    "gelu": lambda x: 0.5 * x * (1.0 + erf(x / np.sqrt(2.0))),
    "silu": _silu,
    "softplus": _softplus,
    "identity": lambda x: x,
}
"""The functions by the names of :data:`lac.networks.ACTIVATIONS`."""
