"""Plain data outside the function, reached through globals, closures, objects and containers."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from tests.never_wrong.case import MATRIX, VECTOR, Case, Table

__all__ = ["CASES", "globals_are_untouched"]

table = Table()
GLOBAL_MATRIX = MATRIX.copy()
GLOBAL_BUFFER = np.zeros(4)
GLOBAL_TABLE = {"matrix": MATRIX.copy(), "list": [MATRIX.copy()]}
WATCHED = [GLOBAL_MATRIX, GLOBAL_BUFFER, GLOBAL_TABLE["matrix"], GLOBAL_TABLE["list"][0]]


def globals_are_untouched() -> bool:
    """Whether the module's names still stand for the arrays they were given."""
    return GLOBAL_MATRIX is WATCHED[0] and GLOBAL_BUFFER is WATCHED[1]


def _with_globals(function: Any) -> tuple[Any, list[Any]]:
    """A function that reaches the module's data, with that data as it was at first."""
    global GLOBAL_BUFFER
    GLOBAL_BUFFER = WATCHED[1]
    GLOBAL_BUFFER[:] = 0.0
    GLOBAL_MATRIX[:] = MATRIX
    return function, WATCHED


@table.factory(expected="right")
def global_dot():
    return _with_globals(lambda x: GLOBAL_MATRIX.dot(x) ** 2)


@table.factory()
def global_in_a_dictionary_dot():
    return _with_globals(lambda x: GLOBAL_TABLE["matrix"].dot(x) ** 2)


@table.factory()
def global_in_a_list_in_a_dictionary_dot():
    return _with_globals(lambda x: GLOBAL_TABLE["list"][0].dot(x) ** 2)


@table.factory()
def global_buffer_element():
    def function(x):
        GLOBAL_BUFFER[0] = x[0] ** 2
        return GLOBAL_BUFFER * x

    return _with_globals(function)


@table.factory()
def global_buffer_slice():
    def function(x):
        GLOBAL_BUFFER[1:3] = x[:2] ** 2
        return GLOBAL_BUFFER * x

    return _with_globals(function)


@table.factory()
def global_buffer_in_place():
    def function(x):
        global GLOBAL_BUFFER
        GLOBAL_BUFFER += x**2
        return GLOBAL_BUFFER * x

    return _with_globals(function)


@table.factory(expected="right")
def closure_dot():
    plain = MATRIX.copy()
    return (lambda x: plain.dot(x) ** 2), [plain]


@table.factory(expected="right")
def closure_dot_in_a_helper():
    plain = MATRIX.copy()

    def helper(values):
        return plain.T.dot(values) + plain[:2].dot(values).sum()

    return (lambda x: helper(x) ** 2), [plain]


@table.factory()
def attribute_dot():
    holder = types.SimpleNamespace(plain=MATRIX.copy())
    return (lambda x: holder.plain.dot(x) ** 2), [holder.plain]


@table.factory()
def class_attribute_dot():
    class Model:
        plain = MATRIX.copy()

        def __call__(self, x):
            return self.plain.dot(x) ** 2

    return Model().__call__, [Model.plain]


@table.factory()
def callable_object():
    class Model:
        def __init__(self):
            self.plain = MATRIX.copy()

        def __call__(self, x):
            return self.plain.dot(x) ** 2

    model = Model()
    return (lambda x: model(x)), [model.plain]


@table.factory()
def default_argument_dot():
    plain = MATRIX.copy()

    def function(x, matrix=plain):
        return matrix.dot(x) ** 2

    return function, [plain]


@table.factory()
def list_of_plain_arrays_dot():
    layers = [MATRIX.copy(), MATRIX.T.copy()]

    def function(x):
        for layer in layers:
            x = np.tanh(layer.dot(x))
        return x

    return function, layers


@table.factory()
def returned_by_a_function_dot():
    plain = MATRIX.copy()

    def data():
        return plain

    return (lambda x: data().dot(x) ** 2), [plain]


@table.factory()
def element_of_closure():
    plain = np.zeros(4)

    def function(x):
        plain[0] = x[0] ** 2
        plain[1] += x[1]
        return plain * x

    return function, [plain]


@table.factory()
def buffer_of_an_object():
    class Filter:
        def __init__(self):
            self.buffer = np.zeros(4)

        def __call__(self, x):
            self.buffer[:] = x**2
            self.buffer *= 2.0
            return self.buffer.sum() * x

    model = Filter()
    return (lambda x: model(x)), [model.buffer]


@table.factory()
def view_of_closure_written():
    plain = np.zeros((2, 4))
    row = plain[1]

    def function(x):
        row[:] = x**2
        return plain.sum(axis=0) * x

    return function, [plain, row]


@table.factory()
def ravelled_closure_written():
    plain = np.zeros((2, 2))

    def function(x):
        plain.ravel()[:] = x**2
        return plain

    return function, [plain]


@table.factory()
def transposed_closure_written():
    plain = np.zeros((2, 4))

    def function(x):
        plain.T[1:3] += x[:2]
        np.transpose(plain)[0] = x[0] ** 2
        plain.swapaxes(0, 1)[3] *= x[1]
        return plain

    return function, [plain]


@table.factory()
def reshaped_closure_augmented():
    plain = np.ones((2, 2))

    def function(x):
        flat = plain.reshape(4)
        flat += x**2
        np.ravel(plain)[1] = x[0]
        return plain * x.reshape(2, 2)

    return function, [plain]


@table.factory()
def row_of_closure_filled():
    plain = np.zeros((2, 4))

    def function(x):
        plain[0].fill(x[1])
        plain[1].flat = x**2
        return plain

    return function, [plain]


@table.factory()
def rows_of_closure_written_in_a_loop():
    plain = np.ones((4, 2))

    def function(x):
        for row, value in zip(plain, x, strict=True):
            row *= value
        return plain

    return function, [plain]


@table.factory()
def out_in_closure():
    buffer = np.zeros(4)

    def function(x):
        np.multiply(x, x, out=buffer)
        return buffer * x

    return function, [buffer]


@table.factory()
def out_of_dot_in_closure():
    buffer = np.zeros(4)

    def function(x):
        np.dot(MATRIX, x, out=buffer)
        return buffer * x

    return function, [buffer]


@table.factory()
def out_of_a_reduction_in_closure():
    buffer = np.zeros(4)

    def function(x):
        np.cumsum(x, out=buffer)
        MATRIX.dot(x, out=buffer)
        return buffer * x

    return function, [buffer]


@table.factory()
def copyto_closure():
    buffer = np.zeros(4)

    def function(x):
        np.copyto(buffer, x**2)
        return buffer * x

    return function, [buffer]


@table.factory()
def put_place_putmask_closure():
    first, second, third = np.zeros(4), np.zeros(4), np.zeros(4)

    def function(x):
        np.put(first, [0, 2], x[:2])
        np.place(second, np.array([True, False, True, False]), x[1:3])
        np.putmask(third, np.array([True, True, False, False]), x)
        return first * second * x + third**2

    return function, [first, second, third]


@table.factory()
def fill_closure():
    buffer, square = np.zeros(4), np.zeros((4, 4))

    def function(x):
        buffer.fill(x[0])
        np.fill_diagonal(square, x)
        return square.dot(buffer)

    return function, [buffer, square]


@table.factory()
def flat_of_closure():
    buffer = np.zeros(4)

    def function(x):
        buffer.flat[1:3] = x[1:3] ** 2
        return buffer * x

    return function, [buffer]


@table.factory()
def add_at_closure():
    buffer = np.zeros(4)

    def function(x):
        np.add.at(buffer, [0, 0, 2], x[:3] ** 2)
        return buffer * x

    return function, [buffer]


@table.factory()
def appended_to_an_outside_list():
    history: list[Any] = []

    def function(x):
        history.append(x**2)
        return history[-1] * x

    return function, []


@table.factory()
def memoised_in_an_outside_dictionary():
    cache: dict[int, Any] = {}

    def fibonacci(n, x):
        if n < 2:
            return x[n]
        if n not in cache:
            cache[n] = fibonacci(n - 1, x) + fibonacci(n - 2, x) * 0.5
        return cache[n]

    return (lambda x: fibonacci(6, x)), []


@table.factory()
def nonlocal_accumulator():
    total = 0.0

    def function(x):
        nonlocal total
        for value in x:
            total = total + value**2
        return total

    return function, []


@table.factory(expected="right")
def plain_data_indexed_by_a_mask():
    data = MATRIX.copy()
    return (lambda x: data[:, x > 1.0].sum() * x), [data]


@table.factory(expected="right")
def plain_data_indexed_by_positions():
    data = VECTOR.copy() ** 2
    return (lambda x: data[np.argsort(x)] * x + data[np.argmax(x)] * x[0]), [data]


@table.factory(expected="right")
def plain_data_left_of_operators():
    data = VECTOR.copy() ** 2
    return (lambda x: (data + x) * data / (data - 9.0 * x) @ data + (data @ x) ** 2), [data]


@table.factory()
def plain_data_as_mutated_argument_of_methods():
    data = MATRIX.copy()

    def function(x):
        ordered = data.copy()
        ordered[0] = x
        ordered.sort(axis=1)
        return ordered @ x

    return function, [data]


CASES: list[Case] = table.cases
