"""Elementary functions in float32 for :mod:`lac.engines.kernel`, which are vectorised in loops; the library's are not.

Numba compiles the kernel anew when the kernel's file changes, and not when this one does.
"""

import math

import numpy as np
from numba import njit

f32 = np.float32
ZERO, HALF, ONE, TWO = f32(0.0), f32(0.5), f32(1.0), f32(2.0)
LOG_2, LOG_2_HIGH, LOG_2_LOW = f32(math.log(2.0)), f32(0.693359375), f32(math.log(2.0) - 0.693359375)
C2, C3, C4, C5, C6, C7 = (f32(1.0 / math.factorial(k)) for k in range(2, 8))
D3, D5, D7, D9, D11, D13 = (f32(1.0 / k) for k in range(3, 14, 2))
part = njit(error_model="numpy")


@part
def exponential(x):
    """Numbers ``scale, e`` of ``exp(x) = scale (1 + e)``; ``(scale - 1) + scale e`` is exact near 0."""
    x = f32(-87.0) if x < f32(-87.0) else (f32(87.0) if x > f32(87.0) else x)
    k = np.floor(x / LOG_2 + HALF)
    r = (x - k * LOG_2_HIGH) - k * LOG_2_LOW
    e = r * (ONE + r * (C2 + r * (C3 + r * (C4 + r * (C5 + r * (C6 + r * C7))))))
    return np.int32((np.int32(ZERO if np.isnan(k) else k) + np.int32(127)) << np.int32(23)).view(f32), e


@part
def log_of_one_and(x):
    """``log(1 + x)`` for x from 0 to 1, as ``2 artanh(x / (2 + x))``."""
    s = x / (TWO + x)
    r = s * s
    return TWO * s * (ONE + r * (D3 + r * (D5 + r * (D7 + r * (D9 + r * (D11 + r * D13))))))


@part
def tanh(x):
    """The hyperbolic tangent, also of small numbers, as ``(1 - e^-2|x|) / (1 + e^-2|x|)``."""
    scale, e = exponential(-TWO * abs(x))
    return math.copysign(((ONE - scale) - scale * e) / ((ONE + scale) + scale * e), x)
