"""Plain arrays that meet followed ones and change afterwards: each use counts with the values it saw."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from tests.never_wrong.case import MATRIX, OTHER, VECTOR, Case, Table

__all__ = ["CASES"]

table = Table()


def right(*args: Any) -> Any:
    return table.function(*args, expected="right")


@right()
def factor_updated(x):
    w = np.arange(1.0, 5.0)
    y = x * w
    w += 1.0
    z = x * w
    w[0] = 100.0
    return y * z


@right()
def factor_captured_and_updated(x):
    w = OTHER.copy()
    y = x * w
    w *= 2.0
    return y * x * w


@right()
def factor_filled_sorted_and_copied_to(x):
    w = OTHER.copy()
    total = x * w
    w.sort()
    total = total + x * w
    w.fill(3.0)
    total = total + x**2 * w
    np.copyto(w, OTHER)
    return total * (x - w)


@table.function()
def factor_drawn_anew(x):
    rng = np.random.default_rng(0)
    w = np.empty(4)
    total = 0.0
    for _ in range(3):
        rng.standard_normal(out=w)
        total = total + (x - w) ** 2
    return total


@table.function()
def factor_shuffled(x):
    rng = np.random.default_rng(0)
    w = OTHER.copy()
    y = x * w
    rng.shuffle(w)
    return y * (x + w)


@right()
def factor_changed_through_a_view(x):
    w = MATRIX.copy()
    y = w.dot(x)
    w[1:, 1:][0] = 7.0
    w.T[2] += 1.0
    z = w @ x
    w.reshape(-1)[:] = 0.0
    return y * z


@right()
def factor_changed_by_a_ufunc(x):
    w = OTHER.copy()
    y = np.exp(w * x)
    np.multiply(w, 2.0, out=w)
    z = y * w
    np.add.at(w, [0, 0], 1.0)
    return z * x + w


@table.function()
def factor_changed_through_a_pointer(x):
    w = OTHER.copy()
    y = x * w
    w.ctypes.data_as(ctypes.POINTER(ctypes.c_double))[0] = 5.0
    memoryview(w)[1] = 6.0
    return y * x * w


@right()
def index_updated(x):
    positions = np.array([0, 1, 2])
    y = x[positions]
    positions += 1
    z = x[positions]
    positions[:] = 0
    return y * z


@right()
def index_list_updated(x):
    positions = [0, 1]
    y = x[positions]
    positions[0] = 3
    positions.append(2)
    return y.sum() * x[positions]


@right()
def mask_updated(x):
    mask = np.array([True, False, True, True])
    y = x[mask].sum()
    mask[0] = False
    z = np.where(mask, x**2, x)
    mask[:] = False
    return y * z


@right()
def mask_updated_between_writes(x):
    mask = np.array([True, False, True, False])
    y = x**2
    y[mask] = 2.0 * x[mask]
    mask[:] = ~mask
    y[mask] *= x[mask] ** 2
    mask[:] = True
    return y


@right()
def written_value_updated(x):
    w = OTHER.copy()
    y = x**2
    y[:] = w
    y *= x
    w[:] = 0.0
    return y


@right()
def coordinates_updated(x):
    nodes = np.arange(4.0)
    y = np.interp(0.3 * x, nodes, OTHER)
    nodes += 0.5
    z = np.interp(1.5, nodes, x)
    nodes[:] = 0.0
    return y * z


@right()
def argument_copy_then_argument_updated(x):
    y = x.copy()
    z = x * y
    x += 1.0
    y[:] = 0.0
    return z * x


@right(VECTOR, MATRIX)
def saved_operands_updated(x, w):
    y = w @ x
    w *= 2.0
    z = np.tanh(y)
    y[:] = 0.0
    u = z**2
    z *= 3.0
    return u + z + w @ x


@right()
def output_of_exp_updated(x):
    y = np.exp(x)
    z = np.sqrt(y)
    y += 1.0
    z *= y
    return z


@table.factory(expected="right")
def counter_outside():
    seen = np.zeros(1)

    def function(x):
        local = seen.copy()
        total = 0.0
        for value in x:
            local += 1.0
            total = total + value * local[0]
        return total**2

    return function, [seen]


CASES: list[Case] = table.cases
