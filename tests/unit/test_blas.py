"""The product of compiled functions, against numpy, by each BLAS that may be there."""

import ctypes

import llvmlite.binding as llvm
import numpy as np
import pytest
import torch
from numba import njit
from numba.core.errors import TypingError

from lac.engines import blas


def multiplier():
    """A newly compiled function, which is bound to the BLAS of this moment."""
    return njit(lambda x, w, y, kept: blas.product(x, w, y, np.float32(kept)))


@pytest.fixture(params=["fastest", "scipy"])
def multiply(request, monkeypatch):
    with monkeypatch.context() as patch:
        if request.param == "scipy":
            patch.setattr(torch.backends.mkl, "is_available", lambda: False)
            assert blas.address_in_torch() is None
        blas.bind_product()
        yield multiplier()
    blas.bind_product()


def test_products_are_those_of_numpy(multiply):
    random = np.random.default_rng(0)
    for m, k, n in ((1, 1, 1), (1, 5, 1), (5, 1, 3), (3, 4, 1), (7, 33, 20)):
        x, w = (random.normal(size=shape).astype(np.float32) for shape in ((m, k), (k, n)))
        before = random.normal(size=(m, n)).astype(np.float32)
        for left in (x, x.T.copy().T):
            for right in (w, w.T.copy().T):
                for kept in (0.0, 1.0):
                    y = before.copy() if kept else np.full((m, n), np.nan, np.float32)
                    multiply(left, right, y, kept)
                    expected = x.astype(np.float64) @ w + (before if kept else 0.0)
                    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5)


def test_other_arrays_are_no_matrices_of_a_product():
    matrix = np.ones((4, 4), np.float32)
    for arguments, message in (
        ((matrix, matrix.astype(np.float64), matrix), "float32"),
        ((matrix, matrix[0], matrix), "matrices"),
        ((matrix, matrix[:, ::2], matrix), "contiguous"),
        ((matrix, matrix, np.asfortranarray(matrix)), "not transposed"),
    ):
        with pytest.raises(TypingError, match=message):
            multiplier()(*arguments, 0.0)


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="this torch has no MKL")
def test_the_blas_of_torch_is_called_on_processors_that_it_suits(monkeypatch):
    monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: "sapphirerapids")
    assert blas.address_in_torch()
    monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: "znver4")
    assert blas.address_in_torch() is None


def test_a_torch_that_exports_no_product_is_passed_over(monkeypatch):
    def without(*_):
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", without)
    assert blas.address_in_torch() is None
