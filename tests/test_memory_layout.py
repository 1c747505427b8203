"""Whether an array is a view or a copy can depend on its layout in memory, and with it what a write changes.

``x.reshape(-1)`` is a view where ``x`` is in C order and a copy where it is not.  A followed array must have the layout
that NumPy would give it, or a write goes where it should not and nobody is told.  Each function here runs on C- and
Fortran-ordered inputs and on a strided view, one after the other and back again, so that what is kept from one trace
must not decide the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

WEIGHTS = np.arange(1.0, 7.0).reshape(2, 3)
VALUES = np.array([[0.3, -1.2, 2.1], [1.7, 0.9, -0.4]])
LAYOUTS = {
    "C": np.ascontiguousarray(VALUES),
    "F": np.asfortranarray(VALUES),
    "strided": np.repeat(np.repeat(VALUES, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": np.ascontiguousarray(VALUES[::-1, ::-1])[::-1, ::-1],
    "read-only": np.frombuffer(VALUES.tobytes()).reshape(2, 3),
}

FUNCTIONS: dict[str, Callable[[Any], Any]] = {}


def function(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Take ``f`` into the table."""
    FUNCTIONS[f.__name__] = f
    return f


@function
def write_into_reshape_of_copy(x):
    v = x.copy()
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_reshape_of_np_copy(x):
    v = np.copy(x)
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_ravel_of_result(x):
    v = x * 1.0
    v.ravel()[1] = 9 * x[1, 0]
    return v


@function
def write_into_reshape_after_write(x):
    v = x * 1.0
    v[0, 0] = 5 * x[1, 1]
    v.reshape(-1)[1] = 7 * x[0, 0]
    return v


@function
def write_into_ravel_of_transposed_after_write(x):
    v = x.T * 1.0
    v[0, 0] += x[1, 1]
    w = v.ravel()
    w[1] = 7 * x[0, 0]
    return v.T


@function
def write_into_reshape_after_the_value_was_used(x):
    v = x * 1.0
    s = np.sin(v)
    v[0] *= 2
    v.reshape(-1)[0] = x[1, 2] * 3
    return v + s


@function
def write_into_reshape_after_mask(x):
    v = np.tanh(x)
    v[v < 0.2] = 0.5
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_reshape_after_scatter(x):
    v = np.tanh(x)
    np.add.at(v, [0, 0], x[1])
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_buffer_in_fortran_order(x):
    v = np.zeros((2, 3), order="F")
    v[0] = x[0]
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_empty_like(x):
    v = np.empty_like(x)
    v[...] = x
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_zeros_like_of_transposed(x):
    v = np.zeros_like(x.T)
    v += x.T
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v.T


@function
def write_into_np_array(x):
    v = np.array(x)
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_array_in_given_order(x):
    v = np.array(x, order="C")
    w = np.array(x, order="F")
    v.reshape(-1)[1] = 9 * x[1, 0]
    w.reshape(-1)[1] = 9 * x[1, 0]
    return v + 2 * w


@function
def write_into_contiguous(x):
    v = np.ascontiguousarray(x * 1)
    v.reshape(-1)[1] = 9 * x[1, 0]
    w = np.asfortranarray(x * 1)
    w.T.reshape(-1)[1] = 9 * x[1, 0]
    return v + 2 * w


@function
def write_into_asarray_in_c_order(x):
    v = np.asarray(x * 1, order="C")
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_astype(x):
    v = x.astype(float)
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_astype_in_c_order(x):
    v = x.astype(float, order="C")
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_copy_of_swapped(x):
    v = x.swapaxes(0, 1).copy()
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v.T


@function
def write_into_copy_in_kept_order(x):
    v = x.T.copy(order="K")
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v.T


@function
def write_into_product(x):
    v = x.T @ np.ones((2, 2))
    v.T.reshape(-1)[1] = 3 * x[0, 0]
    v.reshape(-1)[1] = 5 * x[0, 1]
    return v.T


@function
def write_into_where_and_concatenate(x):
    v = np.where(x > 0, x, 2 * x)
    v.reshape(-1)[1] = 9 * x[1, 0]
    w = np.concatenate([x, x], axis=0)
    w.reshape(-1)[1] = 9 * x[1, 0]
    return v + w[:2]


@function
def write_into_reduction(x):
    v = (x[:, :, None] * np.ones(4)).sum(axis=2)
    v.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def write_into_diagonal_by_einsum(x):
    v = x.copy()
    d = np.einsum("ii->i", v[:, :2])
    d *= 3
    return v


@function
def write_into_transposed_by_einsum(x):
    v = x * 1.0
    w = np.einsum("ij->ji", v)
    w[0] *= 3
    w.reshape(-1)[1] = 9 * x[1, 0]
    return v


@function
def ravel_in_each_order(x):
    return np.stack([x.ravel(), x.ravel("F"), x.ravel("A"), x.ravel("K"), x.flatten("F")])


@function
def reshape_in_each_order(x):
    v = x * 1.0
    return np.stack([v.reshape(3, 2), v.reshape(3, 2, order="F"), v.reshape(3, 2, order="A")])


@function
def flat_and_take(x):
    return np.array([x.flat[1], x.T.flat[1], x.take(1), x.T.take(1), x.item(1), x.T.item(1)])


def weighted(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A scalar in which each element of the result has a weight of its own."""

    def loss(x: Any) -> Any:
        out = f(x)
        return (out * np.arange(1.0, out.size + 1).reshape(out.shape)).sum()

    return loss


def differences(f: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Central differences, taken in the layout of ``x``."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        ahead, behind = relaid(x), relaid(x)
        ahead[index] += 1e-6
        behind[index] -= 1e-6
        gradient[index] = (f(ahead) - f(behind)) / 2e-6
    return gradient


def relaid(x: np.ndarray) -> np.ndarray:
    """A writable copy with the strides of ``x``."""
    base = np.empty(sum((n - 1) * abs(s) for n, s in zip(x.shape, x.strides, strict=True)) // x.itemsize + 1)
    start = sum((n - 1) * -s for n, s in zip(x.shape, x.strides, strict=True) if s < 0) // x.itemsize
    copy = np.lib.stride_tricks.as_strided(base[start:], x.shape, x.strides)
    copy[...] = x
    return copy


@pytest.mark.parametrize("name", FUNCTIONS)
def test_layouts(name):
    loss = weighted(FUNCTIONS[name])
    for layout in ["C", "F", "C", "strided", "reversed", "read-only", "F"]:
        x = LAYOUTS[layout]
        value, gradient = cr.value_and_grad(loss)(x)
        np.testing.assert_allclose(value, loss(x), rtol=1e-12, err_msg=f"the value, with {layout} input")
        np.testing.assert_allclose(gradient, differences(loss, x), rtol=1e-7, atol=1e-7, err_msg=f"with {layout} input")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_value_of_vjp_is_numpys(name):
    for x in LAYOUTS.values():
        value, _ = cr.vjp(FUNCTIONS[name], x)
        expected = FUNCTIONS[name](x)
        assert np.array_equal(value, expected)
