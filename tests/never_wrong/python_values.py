"""Followed values in ordinary Python: builtins, containers, classes, types, threads."""

from __future__ import annotations

import bisect
import functools
import heapq
import itertools
import numbers
import operator
import threading
import warnings
from collections import defaultdict, namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy as xp
from numpy import array as captured_array
from numpy import asarray as captured_asarray
from numpy import zeros as captured_zeros

from tests.never_wrong.case import MATRIX, OTHER, VECTOR, Case, Table

__all__ = ["CASES"]

table = Table()
Pair = namedtuple("Pair", ["weight", "bias"])


@table.function(expected="right")
def printed_on_the_way(x):
    y = x**2
    text = f"{y} {y[0]:.3f} {y.sum():8.2e} {y.shape!r}" + str(y) + repr(y[1])
    return y * (1.0 if text else 0.0)


@table.function(expected="right")
def list_sorted_by_key(x):
    values = list(x)
    values.sort(key=lambda value: -value)
    return values[0] * values[1] ** 2 + values[3]


@table.function(expected="right")
def steered_by_values(x):
    total = x[0] * 0.0
    for value in x:
        if value > 1.0:
            total += value**2
        else:
            total += value
    while total < 20.0:
        total = total * 1.5
    return total


@table.function(expected="right")
def generated(x):
    def squares():
        for value in x:
            yield value * value

    return sum(squares()) * next(squares())


@table.function(expected="right")
def recursion(x):
    def tree_product(values):
        if len(values) == 1:
            return values[0]
        half = len(values) // 2
        return tree_product(values[:half]) * tree_product(values[half:])

    return tree_product(x)


class Ball:
    """State behind a property and a setter, and an operator of its own."""

    def __init__(self, position):
        self._position = position

    @property
    def position(self):
        return self._position

    @position.setter
    def position(self, value):
        self._position = value

    def __add__(self, other):
        return Ball(self._position + other)


@table.function(expected="right")
def objects_with_properties(x):
    ball = Ball(x)
    ball.position = ball.position * 2.0
    ball.position += x[0]
    return (ball + x**2).position


@dataclass(frozen=True)
class Layer:
    weight: np.ndarray
    bias: np.ndarray


@table.function(expected="right")
def dataclasses_and_named_tuples(x):
    layer = replace(Layer(x * 2, x[0]), bias=x[1] ** 2)
    pair = Pair(layer.weight, layer.bias)._replace(bias=x[2])
    return layer.weight * layer.bias + pair.weight * pair.bias


@table.function()
def threads_inside(x):
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(lambda value: value**2, [x, x * 2]))


@table.function()
def buffer_made_in_a_thread(x):
    result = np.zeros(4)

    def fill():
        made = np.zeros(2)
        made[:] = x[:2] ** 2
        result[1:3] = made

    failures = []

    def guarded():
        try:
            fill()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return result


@table.function()
def dictionary_keyed_by_value(x):
    table_of_values = {x[0]: 2.0, x[1]: 3.0}
    return sum(key * value for key, value in table_of_values.items())


@table.function()
def dictionary_looked_up_by_value(x):
    names = {value: k for k, value in enumerate(x)}
    return names[x[2]] * x


@table.function()
def grouped_by_value(x):
    groups = defaultdict(list)
    for value in x:
        groups[value > 1.0].append(value)
    return sum(groups[True]) * sum(groups[False])


@table.function()
def matched_by_type(x):
    match x[0]:
        case float():
            return x**2
        case _:
            return x


@table.function()
def try_and_fall_back(x):
    """The refusal of ``float`` is swallowed: what comes after must not be silently wrong."""
    try:
        scale = float(x[0])
    except TypeError:
        scale = 1.0
    return scale * x


@table.function()
def swallowed_exceptions(x):
    buffer = captured_zeros(4)
    try:
        buffer[0] = x[0] ** 2
    except Exception:
        buffer[0] = 1.0
    return buffer * x


@table.function(expected="right")
def alias_of_numpy(x):
    result = xp.zeros(4)
    result[1:] = xp.sin(x[:-1])
    return result


@table.function()
def captured_constructor(x):
    result = captured_zeros(4)
    result[0] = x[1] ** 2
    return result


@table.function()
def constructor_as_default(x, make=np.zeros):
    result = make(4)
    result[:2] = x[2:] ** 2
    return result


@table.function()
def constructor_by_partial(x):
    make = functools.partial(np.full, (4,))
    result = make(0.5)
    result[0] += x[0]
    return result * x


@table.function()
def ndarray_constructor(x):
    result = np.ndarray(shape=(4,), dtype=float)
    result[...] = x**2
    return result


@table.function()
def structured_array(x):
    records = np.zeros(4, dtype=[("position", float), ("speed", float)])
    records["position"] = x**2
    records["speed"][1] = x[0]
    return records["position"] * records["speed"]


@table.function()
def memory_mapped_like_subclass(x):
    result = np.zeros(4).view(np.recarray)
    result[0] = x[0] ** 2
    return np.asarray(result)


@table.function()
def matrix_subclass(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.asarray(np.matrix(x) * np.matrix(x).T)


@table.function(VECTOR, OTHER, expected="right")
def list_of_layers(x, y):
    activations = [x]
    for weight in [MATRIX, MATRIX.T]:
        activations.append(np.tanh(activations[-1] @ weight + y))
    return np.array([activation.sum() for activation in activations])


CASES: list[Case] = [
    *table.cases,
    Case("np.array of elements", lambda x: np.array([x[0] * x[1], np.sin(x[2])]), expected="right"),
    Case("np.array of arrays", lambda x: np.array([x, x**2]), expected="right"),
    Case("np.array of nested lists", lambda x: np.array([[x[0], 1.0], [x[1], x[2]]]), expected="right"),
    Case("np.array of itself", lambda x: np.array(x) ** 2, expected="right"),
    Case("np.array with ndmin", lambda x: np.array(x, ndmin=2) ** 2, expected="right"),
    Case("np.array of integers", lambda x: np.array([x[0], x[1]], dtype=int) * x[:2]),
    Case("np.array of single precision", lambda x: np.round(np.array(list(x), dtype=np.float32)) * x),
    Case("np.asarray of a list", lambda x: np.asarray(list(x)) ** 2, expected="right"),
    Case("np.asfortranarray", lambda x: np.asfortranarray(x) ** 2),
    Case("np.require", lambda x: np.require(x, dtype=float, requirements="C") ** 2),
    Case("np.asarray_chkfinite", lambda x: np.asarray_chkfinite(x) ** 2),
    Case("captured array", lambda x: captured_array([x[0], x[1] ** 2])),
    Case("captured asarray", lambda x: captured_asarray(x) ** 2),
    Case("np.ma", lambda x: np.ma.array(x**2, mask=[0, 1, 0, 0]).sum()),
    Case("np.r_", lambda x: np.r_[x[0], x[1:] ** 2, 0.0]),
    Case("np.c_", lambda x: np.c_[x, x**2]),
    Case("np.arange from a value", lambda x: np.arange(x[0], x[0] + 2.5) ** 2),
    Case("np.fromfunction", lambda x: np.fromfunction(lambda i: i * x[0] ** 2, (3,))),
    Case("np.poly1d", lambda x: np.poly1d([x[0], x[1], 1.0])(2.0)),
    Case("np.polynomial", lambda x: np.polynomial.Polynomial([x[0], x[1], 1.0])(2.0)),
    Case("np.zeros of a computed size", lambda x: np.zeros(int(x[0]) + 3) + x),
    Case("np.lib.stride_tricks.as_strided", lambda x: np.lib.stride_tricks.as_strided(x, (3, 2), (8, 8)) ** 2),
    Case("np.nditer", lambda x: sum(value * value for value in np.nditer(x))),
    Case("np.ndenumerate", lambda x: sum(k[0] * value**2 for k, value in np.ndenumerate(x))),
    Case("np.broadcast", lambda x: sum(a * b for a, b in np.broadcast(x, x))),
    Case("flatiter", lambda x: sum(value * value for value in x.flat)),
    Case("unbound ndarray method", lambda x: np.ndarray.sum(x) * x),
    Case("searchsorted position", lambda x: np.searchsorted([0.0, 1.0, 2.0], x) * x),
    Case("histogram of values", lambda x: np.histogram(x, bins=3)[0] * x[:3]),
    Case("sum", lambda x: sum(x) ** 2, expected="right"),
    Case("max and min", lambda x: max(x) * min(x), expected="right"),
    Case("max by key", lambda x: max(x, key=lambda value: -value) ** 2, expected="right"),
    Case("sorted", lambda x: sorted(x)[0] * sorted(x, reverse=True)[1] ** 2, expected="right"),
    Case("reversed", lambda x: sum(k * value**2 for k, value in enumerate(reversed(x))), expected="right"),
    Case("accumulate", lambda x: sum(itertools.accumulate(x, operator.mul)), expected="right"),
    Case("reduce", lambda x: functools.reduce(lambda a, b: a * b + a, x), expected="right"),
    Case("zip and map", lambda x: sum(map(operator.mul, x, x[::-1])), expected="right"),
    Case("abs, pow and divmod", lambda x: abs(-x[0]) * pow(x[1], 3) + divmod(x[2], 0.4)[1], expected="right"),
    Case("round", lambda x: round(x[0]) * x),
    Case("round to digits", lambda x: round(x[0], 1) * x),
    Case("set", lambda x: sum({value * 1.0 for value in x}) ** 2),
    Case("membership", lambda x: x**2 if x[0] in list(x) and x[0] not in [2.0, 3.0] else x),
    Case("list.index", lambda x: list(x).index(x[2]) * x),
    Case("any and all", lambda x: x**2 if any(x > 1) and not all(x > 1) else x, expected="right"),
    Case("chained comparison", lambda x: x**2 if 0.0 < x[0] < 2.0 else x, expected="right"),
    Case("heapq.nsmallest", lambda x: sum(heapq.nsmallest(2, x)) ** 2),
    Case("bisect", lambda x: bisect.bisect([0.0, 1.0, 2.0], x[0]) * x),
    Case("unpacking", lambda x: (lambda first, *rest: first * sum(rest))(*x), expected="right"),
    Case("lru_cache", lambda x: functools.lru_cache(lambda value: value**2)(x[0]) * x),
    Case("isinstance ndarray", lambda x: x**2 if isinstance(x, np.ndarray) else x),
    Case("isinstance float", lambda x: x**2 if isinstance(x[0], float) else x),
    Case("isinstance np.floating", lambda x: x**2 if isinstance(x[0], np.floating) else x),
    Case("isinstance Number", lambda x: x**2 if isinstance(x[0], numbers.Number) else x),
    Case("isinstance of a 0-d array", lambda x: x**2 if isinstance(x.sum(), np.ndarray) else x),
    Case("type is ndarray", lambda x: x**2 if type(x) is np.ndarray else x),
    Case("np.isscalar", lambda x: x**2 if np.isscalar(x[0]) else x),
    Case("np.ndim and np.size", lambda x: x * np.ndim(x) + x**2 * np.size(x[0]), expected="right"),
    Case("dtype comparison", lambda x: x**2 if x.dtype == np.float64 else x, expected="right"),
    Case("dtype kind", lambda x: x**2 if np.issubdtype(x.dtype, np.floating) else x, expected="right"),
    Case("np.iscomplexobj", lambda x: x**2 if np.iscomplexobj(x + 0j) and not np.iscomplexobj(x) else x),
    Case("np.allclose", lambda x: x**2 if np.allclose(x, VECTOR, atol=0.5) else x),
    Case("np.shares_memory", lambda x: x**2 if np.shares_memory(x, x[1:]) else x),
    Case("base", lambda x: x**2 if x[1:].base is not None else x),
    Case("flags", lambda x: x**2 if x.flags["C_CONTIGUOUS"] else x),
    Case("strides", lambda x: x**2 * x.strides[0] * x.itemsize * x.nbytes / 100),
    Case("named results", lambda a: np.linalg.slogdet(a).logabsdet + np.linalg.qr(a).R[0, 0], (MATRIX,), "right"),
    Case("more named results", lambda a: np.linalg.eigh(a + a.T).eigenvalues @ np.linalg.svd(a).S, (MATRIX,), "right"),
    Case("len of lists of arrays", lambda x: x**2 * len([x, x[0]]) / len((x,)) + len({"x": x}), expected="right"),
    Case("len and shape", lambda x: x.sum() / len(x) * x.shape[0] + x.size, expected="right"),
    Case("truth of an element", lambda x: x**2 if x[0] else x, expected="right"),
    Case("identity of an element", lambda x: x**2 if x[0] is not x[0] else x),
    Case("chained equality", lambda x: x**2 if (x == x).all() else x, expected="right"),
    Case("hash equality", lambda x: x**2 if hash(x[0]) == hash(x[0]) else x),
]
