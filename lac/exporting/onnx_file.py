"""A policy as an ONNX model, written node by node: the same bytes each time."""

from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from lac.exporting.policy import DeterministicPolicy, Layer

_OPSET, _IR_VERSION = 13, 8  # old, so that many runtimes read it
_PACKAGES = ("onnx", "onnxruntime")
INPUT, OUTPUT = "observation", "action"


def missing_extra() -> str | None:
    """What to install for ONNX; None where it is installed."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if not missing:
        return None
    verb = "is" if len(missing) == 1 else "are"
    return f'{" and ".join(missing)} {verb} not installed; pip install -c constraints.txt -e ".[export]" installs them'


class _Graph:
    """Nodes and constants of a model that is a chain, in their order."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._numbers = count(1)

    def constant(self, name: str, value: npt.ArrayLike) -> str:
        from onnx import numpy_helper  # noqa: PLC0415 (an extra)

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        from onnx import helper  # noqa: PLC0415

        name = output or f"{kind.lower()}_{next(self._numbers)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name


def onnx_bytes(policy: DeterministicPolicy, about: Mapping[str, Any]) -> bytes:
    """The model: ``observation`` ``[batch, obs_dim]`` to ``action`` ``[batch, act_dim]``, in float32.

    Args:
        policy: The policy.
        about: Its metadata, name by name.
    """
    import onnx  # noqa: PLC0415
    from onnx import TensorProto, helper  # noqa: PLC0415

    graph = _Graph()
    _add_policy(graph, policy)
    ends = {INPUT: policy.obs_dim, OUTPUT: policy.act_dim}
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", ends[name]])] for name in (INPUT, OUTPUT)
    )
    model = helper.make_model(
        helper.make_graph(graph.nodes, "policy", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="lac",
        producer_version=version("lac"),
    )
    helper.set_model_props(model, {name: str(value) for name, value in about.items()})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _add_policy(graph: _Graph, policy: DeterministicPolicy) -> None:
    value = graph.add("Sub", INPUT, graph.constant("observation_centre", policy.obs_centre))
    value = graph.add("Mul", value, graph.constant("observation_factor", policy.obs_inverse_width))
    for number, layer in enumerate(policy.layers):
        value = _add_layer(graph, value, layer, f"layer_{number}")
    value = graph.add("Tanh", value)
    value = graph.add("Mul", value, graph.constant("action_half_width", policy.half_width))
    value = graph.add("Add", value, graph.constant("action_centre", policy.centre))
    low, high = policy.float32_bounds
    value = graph.add("Max", value, graph.constant("action_low", low))
    graph.add("Min", value, graph.constant("action_high", high), output=OUTPUT)


def _add_layer(graph: _Graph, value: str, layer: Layer, name: str) -> str:
    weight, bias = graph.constant(f"{name}_weight", layer.weight), graph.constant(f"{name}_bias", layer.bias)
    linear = graph.add("Gemm", value, weight, bias, transB=1)
    match layer.activation:
        case "identity":
            return linear
        case "silu":
            return graph.add("Mul", linear, graph.add("Sigmoid", linear))
        case "gelu":
            # x/2 (1 + erf(x / sqrt 2)); a node Gelu came with a later version
            scaled = graph.add("Mul", linear, graph.constant(f"{name}_root", [np.sqrt(0.5)]))
            twice = graph.add("Add", graph.add("Erf", scaled), graph.constant(f"{name}_one", [1.0]))
            half = graph.add("Mul", linear, graph.constant(f"{name}_half", [0.5]))
            return graph.add("Mul", half, twice)
        case activation:
            return graph.add({"relu": "Relu", "tanh": "Tanh", "elu": "Elu", "softplus": "Softplus"}[activation], linear)


def run_onnx(model: bytes, obs: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """The actions ``[B, act_dim]`` that onnxruntime computes from observations ``[B, obs_dim]``."""
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (actions,) = session.run([OUTPUT], {INPUT: obs.astype(np.float32)})
    return np.asarray(actions)
