"""The product of matrices in compiled functions, by ``sgemm`` of the fastest BLAS that is there.

Numba's own ``np.dot`` calls scipy's BLAS. Torch brings MKL along on most machines, which is faster on processors of its
maker, above all for matrices as small as here. Compiled code calls a symbol that is bound when this module is imported,
so that code in numba's cache runs with either.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import get_cython_function_address, intrinsic

_SYMBOL = "lac_sgemm"


def address_in_torch() -> int | None:
    """The address of ``sgemm`` in torch; None if it exports none, or one that is slow on this processor."""
    if not torch.backends.mkl.is_available() or llvm.get_host_cpu_name().startswith("znver"):
        return None
    for library in (Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*"):
        try:
            return ctypes.cast(ctypes.CDLL(str(library)).sgemm_, ctypes.c_void_p).value
        except (OSError, AttributeError):  # this build exports none
            continue
    return None


def bind_product() -> None:
    """Let compiled code that is loaded from now on call the fastest ``sgemm``.

    Raises:
        ImportError: There is neither that of torch nor scipy.
    """
    llvm.add_symbol(_SYMBOL, address_in_torch() or get_cython_function_address("scipy.linalg.cython_blas", "sgemm"))


def _product(_: Any, x: Any, w: Any, y: Any, kept: Any) -> tuple[Any, Callable[..., Any]]:
    """The types of a call of :data:`product`, and the function that writes its code."""
    if any(array.ndim != 2 or array.dtype != types.float32 for array in (x, w, y)):
        raise TypingError("all must be matrices in float32")
    if not {x.layout, w.layout} <= {"C", "F"} or y.layout != "C":
        raise TypingError("all must be contiguous, and the result not transposed")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = ir.IntType(32)
        arrays = [context.make_array(t)(context, builder, v) for t, v in zip(signature.args[:3], values, strict=False)]
        sizes = [[builder.trunc(n, word) for n in cgutils.unpack_tuple(builder, array.shape)] for array in arrays]
        (m, k), (_, n), _ = sizes

        def matrix(i: int) -> tuple[Any, Any, Any]:
            # Fortran has columns, not rows, one after the other, so it gets the transposed of all three.
            is_c = signature.args[i].layout == "C"
            flag, distance = ir.Constant(ir.IntType(8), ord("N" if is_c else "T")), sizes[i][1 if is_c else 0]
            return flag, arrays[i].data, distance

        (flag_x, data_x, ld_x), (flag_w, data_w, ld_w), (_, data_y, ld_y) = (matrix(i) for i in range(3))
        one = ir.Constant(ir.FloatType(), 1.0)
        given = (flag_w, flag_x, n, m, k, one, data_w, ld_w, data_x, ld_x, values[3], data_y, ld_y)
        pointers = [v if v.type.is_pointer else cgutils.alloca_once_value(builder, v) for v in given]
        address = cgutils.voidptr_t
        kind = ir.FunctionType(ir.VoidType(), [address] * len(pointers))
        function = cgutils.get_or_insert_function(builder.module, kind, _SYMBOL)
        builder.call(function, [builder.bitcast(pointer, address) for pointer in pointers])
        return context.get_dummy_value()

    return types.void(x, w, y, types.float32), generate


product: Any = intrinsic(_product)
"""``product(x, w, y, kept)``: ``y = x w + kept y`` for float32 matrices ``[m, k]``, ``[k, n]`` and ``[m, n]``, of which
``x`` and ``w`` may be transposed. Numba's cache does not notice a change of this module: save the kernel after it.
"""

bind_product()
