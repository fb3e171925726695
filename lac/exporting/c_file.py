"""A policy as one C99 file that needs nothing but ``math.h``."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lac.exporting.activations import SOFTPLUS_THRESHOLD
from lac.exporting.policy import DeterministicPolicy, Layer

# A comparison with NaN is false, so that NaN passes through each of them: it must not become an action by accident.
_ACTIVATIONS: Mapping[str, str] = {
    "relu": "x < @0 ? @0 : x",
    "tanh": "tanh#(x)",
    "elu": "x > @0 ? x : expm1#(x)",
    "gelu": f"@0.5 * x * (@1 + erf#(x * @{math.sqrt(0.5)}))",
    "silu": "x / (@1 + exp#(-x))",
    "softplus": f"x > @{SOFTPLUS_THRESHOLD} ? x : log1p#(exp#(x))",
}
"""``#`` stands for the suffix of the functions of the number type, ``@`` marks its constants."""

_PER_LINE = 6


def c_source(policy: DeterministicPolicy, c_type: str, about: Mapping[str, Any]) -> str:
    """The text of the file.

    Args:
        policy: The policy.
        c_type: ``double`` or ``float``, the type of all numbers.
        about: What the comment at the top says, name by name.
    """
    lines = [*_head(policy, c_type, about)]
    names = [f"layer_{number}" for number in range(len(policy.layers))]
    constants = {
        "observation_centre": policy.obs_centre,
        "observation_factor": policy.obs_inverse_width,
        "action_centre": policy.centre,
        "action_half_width": policy.half_width,
    }
    bounds: Sequence[npt.NDArray[Any]] = (policy.low, policy.high)
    if c_type == "float":
        bounds = policy.float32_bounds
    constants |= dict(zip(("action_low", "action_high"), bounds, strict=True))
    for name, numbers in constants.items():
        lines += _array(name, numbers, c_type)
    for name, layer in zip(names, policy.layers, strict=True):
        # One row for each input: the inner loop then runs over independent sums, which compilers vectorise.
        lines += _array(f"{name}_weight", layer.weight.T, c_type)
        lines += _array(f"{name}_bias", layer.bias, c_type)
    for activation in sorted({layer.activation for layer in policy.layers} - {"identity"}):
        body = _in_type(_ACTIVATIONS[activation], c_type)
        lines += [f"static {c_type} {activation}_of({c_type} x)", "{", f"    return {body};", "}", ""]
    return "\n".join([*lines, *_step(policy, c_type, names)]) + "\n"


def _head(policy: DeterministicPolicy, c_type: str, about: Mapping[str, Any]) -> Iterator[str]:
    yield "/*"
    yield " * A deterministic policy, exported by lac. C99; link with -lm."
    yield " *"
    for name, value in about.items():
        yield f" * {_in_comment(name)}: {_in_comment(value)}"
    yield " *"
    yield " * The function keeps nothing between calls and allocates nothing. What is not a number in an observation"
    yield " * is not a number in the actions either: check it before it reaches an actuator."
    yield " * Compile with -DLAC_POLICY=other_name to give the function another name."
    yield " */"
    yield "#include <math.h>"
    yield ""
    yield "#ifndef LAC_POLICY"
    yield "#define LAC_POLICY lac_policy"
    yield "#endif"
    yield ""
    yield f"{_prototype(policy, c_type)};"
    yield ""


def _prototype(policy: DeterministicPolicy, c_type: str) -> str:
    return f"void LAC_POLICY(const {c_type} observation[{policy.obs_dim}], {c_type} action[{policy.act_dim}])"


def _step(policy: DeterministicPolicy, c_type: str, names: Sequence[str]) -> Iterator[str]:
    """The function that computes an action."""
    yield _prototype(policy, c_type)
    yield "{"
    yield f"    {c_type} input[{policy.obs_dim}];"
    for name, layer in zip(names, policy.layers, strict=True):
        yield f"    {c_type} {name}[{len(layer.bias)}];"
    yield "    int i, j;"
    yield ""
    yield f"    for (i = 0; i < {policy.obs_dim}; i++) {{"
    yield "        input[i] = (observation[i] - observation_centre[i]) * observation_factor[i];"
    yield "    }"
    for before, name, layer in zip(["input", *names], names, policy.layers, strict=False):
        yield from _layer(before, name, layer)
    yield f"    for (j = 0; j < {policy.act_dim}; j++) {{"
    tanh = _in_type("tanh#", c_type)
    yield f"        const {c_type} a = action_centre[j] + action_half_width[j] * {tanh}({names[-1]}[j]);"
    yield "        action[j] = a < action_low[j] ? action_low[j] : a > action_high[j] ? action_high[j] : a;"
    yield "    }"
    yield "}"


def _layer(before: str, name: str, layer: Layer) -> Iterator[str]:
    n_out, n_in = layer.weight.shape
    yield f"    for (j = 0; j < {n_out}; j++) {{"
    yield f"        {name}[j] = {name}_bias[j];"
    yield "    }"
    yield f"    for (i = 0; i < {n_in}; i++) {{"
    yield f"        for (j = 0; j < {n_out}; j++) {{"
    yield f"            {name}[j] += {name}_weight[i][j] * {before}[i];"
    yield "        }"
    yield "    }"
    if layer.activation != "identity":
        yield f"    for (j = 0; j < {n_out}; j++) {{"
        yield f"        {name}[j] = {layer.activation}_of({name}[j]);"
        yield "    }"


def _array(name: str, numbers: npt.NDArray[Any], c_type: str) -> Iterator[str]:
    """The definition of a constant vector or matrix."""
    size = "".join(f"[{n}]" for n in numbers.shape)
    yield f"static const {c_type} {name}{size} = {{"
    for row in numbers if numbers.ndim == 2 else [numbers]:
        texts = [_number(value, c_type) for value in row]
        lines = [", ".join(texts[start : start + _PER_LINE]) for start in range(0, len(texts), _PER_LINE)]
        if numbers.ndim == 2:
            yield "    { " + ",\n      ".join(lines) + " },"
        else:
            yield "    " + ",\n    ".join(lines)
    yield "};"
    yield ""


def _number(value: Any, c_type: str) -> str:
    """A number as the shortest text that a compiler reads as the same number."""
    if c_type == "double":
        return repr(float(value))
    text = str(np.float32(value))
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def _in_type(text: str, c_type: str) -> str:
    """A template of an expression for a number type."""
    suffix = "f" if c_type == "float" else ""
    constants = re.sub(r"@(\d+(?:\.\d+)?)", lambda match: f"{float(match[1])!r}{suffix}", text)
    return constants.replace("#", suffix)


def _in_comment(value: Any) -> str:
    """A text with the characters that mean nothing in a comment of C."""
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return re.sub(r"[^A-Za-z0-9 _.,:;()\[\]{}<>=+/|^%'\"-]", "_", text)
