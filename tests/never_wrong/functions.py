"""Updates in place by functions and methods: ``out=``, ``ufunc.at``, ``copyto``, ``sort``, ``fill`` and their kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.never_wrong.case import MATRIX, OTHER, Case, Table

__all__ = ["CASES"]

table = Table()
POINTS = MATRIX[:, :3].copy()


def right(*args: Any) -> Any:
    return table.function(*args, expected="right")


@right()
def copyto(x):
    y = np.zeros((2, 4))
    np.copyto(y, x**2)
    np.copyto(y[1], 3.0, where=x > 1.0)
    return y


@right()
def put(x):
    y = x**2
    np.put(y, [0, 2], x[1:3])
    y.put([3], x[0])
    np.put(y, [1, 5], x[0], mode="clip")
    return y


@right()
def place_and_putmask(x):
    y = x**2
    np.place(y, x > 1.0, x[:2])
    np.putmask(y, x < 0.5, 3.0 * x)
    return y


@right()
def put_along_axis(x):
    y = np.outer(x, x)
    np.put_along_axis(y, np.argmax(y, axis=1)[:, None], x[:, None] ** 2, axis=1)
    return y


@right()
def fill_diagonal(x):
    y = np.outer(x, x)
    np.fill_diagonal(y, x**2)
    z = np.ones((3, 3))
    np.fill_diagonal(z, x[0])
    return y, z


@right()
def set_by_diagonal_indices(x):
    y = np.zeros((4, 4))
    y[np.diag_indices(4)] = x
    y[np.triu_indices(4, 1)] = np.outer(x, x)[np.tril_indices(4, -1)]
    return y


@right()
def add_at_repeated(x):
    y = x**2
    np.add.at(y, [0, 0, 2, 0], x)
    np.subtract.at(y, [1, 1], x[:2])
    return y


@right()
def multiply_at_repeated(x):
    y = x**2
    np.multiply.at(y, [0, 0, 2], x[1:])
    return y


@table.function()
def maximum_at(x):
    y = np.zeros(3)
    np.maximum.at(y, [0, 0, 2, 1], x)
    return y


@table.function()
def unary_ufunc_at(x):
    y = x * 1.0
    np.negative.at(y, [0, 2])
    np.exp.at(y, [1])
    return y


@right()
def ufunc_out(x):
    y = np.empty(4)
    result = np.exp(x, out=y)
    np.multiply(y, x, y)
    np.add(y[:2], 1.0, out=y[2:])
    return result * y


@right()
def ufunc_out_and_where(x):
    y = np.zeros(4)
    np.divide(1.0, x, out=y, where=x > 0.5)
    np.negative(y, out=y, where=[True, False, True, False])
    return y


@right()
def outs_by_position(x):
    y = np.empty(4)
    np.exp(x, y)
    np.multiply(y, x, y)
    np.dot(np.diag(x), y, y)
    np.clip(y, 1.0, 6.0, y)
    z = np.empty((2, 2))
    np.outer(y[:2], x[:2], z)
    return y * x, z


@right()
def ufunc_with_two_outs(x):
    whole, fraction = np.empty(4), np.empty(4)
    np.modf(3.0 * x, out=(fraction, whole))
    np.divmod(x, 0.35, whole, fraction[::-1])
    return whole * x + fraction**2


@right()
def function_outs(x):
    a, b, c = np.empty(4), np.empty(()), np.empty((4, 4))
    np.cumsum(x, out=a)
    np.sum(a * x, out=b)
    np.outer(x, a, out=c)
    d = np.dot(c, a, out=np.empty(4))
    np.clip(d, 1.0, 8.0, out=d)
    e = np.empty((2, 4))
    np.stack([d, a], out=e)
    np.matmul(e, c, out=e)
    return e * b


@right()
def more_function_outs(x):
    a = np.empty(2)
    np.take(x, [1, 3], out=a)
    b = np.empty(6)
    np.concatenate([x, a], out=b)
    c = np.empty(3)
    np.mean(b.reshape(2, 3), axis=0, out=c)
    np.maximum.reduce(b.reshape(3, 2), axis=1, out=b[:3])
    return b[:3] * c


@right()
def einsum_out(x):
    y = np.zeros((4, 4))
    np.einsum("i,j->ij", x, x**2, out=y)
    y.dot(x, out=y[0])
    return y


@right()
def sort_in_place(x):
    y = x**2
    y.sort()
    z = np.outer(x, OTHER)
    z.sort(axis=0)
    return y * x, z * x


@right()
def sort_part_in_place(x):
    y = x**2
    y[1:].sort()
    y[::-1].sort()
    return y * x


@right()
def partition_in_place(x):
    y = x**2
    y.partition(2)
    return y[2] * y[:2].sum()


@right()
def fill(x):
    y = x**2
    y[:2].fill(x[3])
    return y * x


@right()
def round_and_clip_with_out(x):
    y = x**2
    y.clip(0.5, 2.0, out=y)
    np.nan_to_num(y, copy=False)
    return y * x


@table.function()
def resized_in_place(x):
    y = x**2
    y.resize((2, 3), refcheck=False)
    return y


@right()
def buffer_reused_between_steps(x):
    buffer = np.empty(4)
    kept = []
    for k in range(3):
        np.multiply(x, k + 1.0, out=buffer)
        buffer **= 2
        kept.append(buffer.copy())
        kept.append(buffer)
    return sum(k * values for k, values in enumerate(kept))


@right(POINTS)
def three_dimensional_scatter(points):
    grid = np.zeros((2, 2, 3))
    cells = (points[:, :2] > 0).astype(int)
    np.add.at(grid, (cells[:, 0], cells[:, 1]), points**2)
    grid[cells[0, 0], :, 1] += points[0, 1]
    return grid


CASES: list[Case] = table.cases
