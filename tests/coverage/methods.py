"""Expressions with the operators, methods and attributes of arrays, updates in place among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.coverage.row import Row, spread

__all__ = ["ROWS"]

X = spread(3, 4)
Y = spread(3, 4, seed=1)
POSITIVE = spread(3, 4, low=0.3, high=2.5, seed=2)
DENOMINATOR = spread(3, 4, low=0.7, high=1.3, seed=3)
LEFT = spread(5, 3, seed=4)
CUBE = spread(2, 3, 4, seed=5)
COLUMN = spread(3, 1, seed=6)
VECTOR = spread(6, seed=7)


def ndarray(function: str, expression: Callable[..., Any], *args: np.ndarray, refusable: bool = False) -> Row:
    return Row("ndarray", function, expression, args, refusable)


def assign_rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    result = np.zeros((3, 4))
    result[0] = x[1] * y[0]
    result[1:, 2] = y[1:, 0] ** 2
    return result


def add_in_place(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    total = x * 2.0
    total += y**2
    total[1] += x[0]
    return total


def sort_in_place(x: np.ndarray) -> np.ndarray:
    ordered = x.copy()
    ordered.sort()
    return ordered


def fill_in_place(x: np.ndarray) -> np.ndarray:
    level = np.empty(4)
    level.fill(x[1] * x[2])
    return level


ROWS = [
    ndarray(".T", lambda x: x.T, X),
    ndarray(".mT", lambda x: x.mT, CUBE),
    ndarray(".real", lambda x, y: ((x + 1j * y) ** 2).real, X, Y),
    ndarray(".flat", lambda x: x.flat[2:7], X, refusable=True),
    ndarray("__neg__", lambda x: -x, X),
    ndarray("__pos__", lambda x: +x, X),
    ndarray("__abs__", lambda x: abs(x), X),
    ndarray("__add__", lambda x, y: x + y, X, COLUMN),
    ndarray("__radd__ (ndarray left)", lambda x: Y + x, X),
    ndarray("__sub__", lambda x, y: x - y, X, COLUMN),
    ndarray("__mul__", lambda x, y: x * y, X, COLUMN),
    ndarray("__truediv__", lambda x, y: x / y, X, POSITIVE),
    ndarray("__floordiv__", lambda x, y: x // y, X, DENOMINATOR),
    ndarray("__mod__", lambda x, y: x % y, X, DENOMINATOR),
    ndarray("__pow__", lambda x: x**3, X),
    ndarray("__rpow__", lambda x: 2.5**x, X),
    ndarray("__matmul__", lambda x, y: x @ y, LEFT, X),
    ndarray("__rmatmul__ (ndarray left)", lambda x: LEFT @ x, X),
    ndarray("__divmod__", lambda x, y: divmod(x, y), X, DENOMINATOR),
    ndarray("__iter__", lambda x: sum(row * row[0] for row in x), X),
    ndarray("__setitem__", assign_rows, X, Y),
    ndarray("__iadd__", add_in_place, X, Y),
    ndarray(".astype", lambda x: x.astype(np.float64) * x, X),
    ndarray(".clip", lambda x: x.clip(-1.0, 0.8), X),
    ndarray(".compress", lambda x: x.compress([True, False, True], axis=0), X, refusable=True),
    ndarray(".conj", lambda x, y: (x + 1j * y).conj() * (1 + 2j), X, Y),
    ndarray(".copy", lambda x: x.copy() * x, X),
    ndarray(".cumprod", lambda x: x.cumprod(axis=1), X),
    ndarray(".cumsum", lambda x: x.cumsum(), X),
    ndarray(".diagonal", lambda x: x.diagonal(), X),
    ndarray(".dot", lambda x, y: x.dot(y), LEFT, X),
    ndarray(".flatten", lambda x: x.flatten(), X),
    ndarray(".max", lambda x: x.max(axis=1), X),
    ndarray(".mean", lambda x: x.mean(), X),
    ndarray(".min", lambda x: x.min(axis=0, keepdims=True), X),
    ndarray(".prod", lambda x: x.prod(axis=1), X),
    ndarray(".ravel", lambda x: x.ravel(), X),
    ndarray(".repeat", lambda x: x.repeat(2, axis=1), X),
    ndarray(".reshape", lambda x: x.reshape(-1, 2), X),
    ndarray(".round", lambda x: x.round() * x, X),
    ndarray(".squeeze", lambda x: x.squeeze(), COLUMN),
    ndarray(".std", lambda x: x.std(axis=1, ddof=1), X),
    ndarray(".sum", lambda x: x.sum(axis=(0, 1)), X),
    ndarray(".swapaxes", lambda x: x.swapaxes(0, 2), CUBE),
    ndarray(".take", lambda x: x.take([2, 0, 2], axis=1), X, refusable=True),
    ndarray(".trace", lambda x: x.trace(), X),
    ndarray(".transpose", lambda x: x.transpose(1, 2, 0), CUBE),
    ndarray(".var", lambda x: x.var(axis=0), X),
    ndarray(".sort (in place)", sort_in_place, VECTOR, refusable=True),
    ndarray(".fill (in place)", fill_in_place, VECTOR, refusable=True),
]
