"""Updates in place by assignment: slices, masks, index arrays, overlaps, swaps, buffers.  All must be right."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.never_wrong.case import MATRIX, OTHER, VECTOR, Case, Table

__all__ = ["CASES"]

table = Table()


def right(*args: Any) -> Any:
    return table.function(*args, expected="right")


@right()
def filled_element_by_element(x):
    y = np.zeros(4)
    for i in range(4):
        y[i] = x[i] * x[i - 1]
    return y


@right()
def empty_then_filled(x):
    y = np.empty(4)
    y[:2] = x[2:] ** 2
    y[2:] = 1.0
    return y * x


@right()
def overwritten(x):
    y = x**2
    y[1] = 0.0
    y[2] = x[1]
    y[2] *= x[0]
    return y


@right()
def overwritten_by_plain_data(x):
    y = x**2
    y[:] = OTHER
    return y * x


@right()
def augmented_everywhere(x):
    y = x.copy()
    y += x
    y *= y
    y -= 2.0
    y /= x
    y **= 2
    return y


@right()
def argument_updated(x):
    x *= x
    x[0] += x[1]
    return x


@right(VECTOR, OTHER)
def one_argument_into_another(x, y):
    x[1:] = y[:-1] * x[:-1]
    y += x
    return x * y


@right()
def read_before_and_after_a_write(x):
    y = x * 2.0
    before = y[1] * y[2]
    y[1] = x[0] ** 2
    after = y[1] * y[2]
    return before * after


@right()
def complex_buffer(x):
    z = np.empty(4, dtype=np.complex128)
    z[:] = x
    z[1] += 1j * x[2]
    return np.abs(z) ** 2


@table.function()
def integer_buffer_truncates(x):
    y = np.zeros(4, dtype=int)
    y[:] = 10 * x + 0.5
    return y * x


@right()
def boolean_buffer(x):
    keep = np.zeros(4, dtype=bool)
    keep[:] = x > 1.0
    keep[1] = x[1] < x[2]
    return (x**2)[keep]


@right()
def shifted_by_one(x):
    y = x**2
    y[1:] = y[:-1]
    return y * x


@right()
def shifted_back(x):
    y = x**2
    y[:-1] = y[1:]
    y[1:] += y[:-1]
    return y * x


@right()
def reversed_in_place(x):
    y = x**2
    y[:] = y[::-1]
    y[::-1] += y
    return y * x


@right()
def plus_its_transpose(x):
    y = np.outer(x, x**2)
    y += y.T
    y -= 0.5 * y[::-1, ::-1]
    return y


@right()
def swap_of_elements(x):
    y = x**2
    y[0], y[2] = y[2], y[0]
    return y * x


@right()
def swap_of_rows_with_copies(x):
    y = np.outer(x, x**2)
    y[0], y[2] = y[2].copy(), y[0].copy()
    return y * x


@right()
def swap_of_rows_without_copies(x):
    y = np.outer(x, x**2)
    y[0], y[2] = y[2], y[0]
    return y * x


@right()
def swap_of_rows_by_an_index(x):
    y = np.outer(x, x**2)
    y[[0, 2]] = y[[2, 0]]
    y[:, [1, 3]] = y[:, [3, 1]]
    return y * x


@right()
def fancy_increment_counts_once(x):
    y = x**2
    y[[0, 0, 2]] += x[1:]
    return y


@right()
def fancy_assignment_last_wins(x):
    y = x**2
    y[[0, 0, 2]] = x[1:]
    return y


@right()
def masks(x):
    y = x**2
    y[y > 1.0] = 1.0
    y[x < 0.5] *= x[0]
    y[~(x < 0.5)] += x[~(x < 0.5)]
    return y


@right()
def mask_of_a_matrix(x):
    y = np.outer(x, OTHER)
    y[y < 0] = 0
    y[1][y[1] > 0.3] = x[0]
    y[y > 1] -= x.sum()
    return y


@right()
def empty_and_full_masks(x):
    y = x**2
    y[x > 100] = 7.0
    y[x > -100] *= 2.0
    y[[]] = 3.0
    y[2:2] = 4.0
    return y


@right()
def broadcast_assignment(x):
    y = np.zeros((3, 4))
    y[:] = x
    y[:, 1] = x[0]
    y[1:, :] *= x[:2, None]
    return y


@right()
def delete_and_insert_lists(x):
    values = [x[0], x[1]]
    values[0] = values[1] * x[2]
    values += [x[3]]
    return np.array(values) ** 2


@right(MATRIX)
def whole_matrix_in_place(a):
    a[np.triu_indices(4, 1)] = 0.0
    a[1:, 0] /= a[0, 0]
    a[1:, 1:] -= np.outer(a[1:, 0], a[0, 1:])
    a @= a.T
    return a


@right(MATRIX)
def norms_written_to_columns(a):
    lengths = np.sqrt((a**2).sum(axis=1))
    a /= lengths[:, None]
    a[:, -1] = lengths
    a[lengths > 1.5, 0] = a[lengths > 1.5, 1]
    return a


@right()
def integer_array_times_in_place(x):
    counts = np.arange(4)
    scaled = counts * x
    scaled[counts % 2 == 0] -= counts[::2]
    counts += 1
    return scaled * counts


@right()
def single_precision_buffer(x):
    y = np.zeros(4, dtype=np.float32)
    y[:] = np.round(x)
    return y * x


@right()
def nan_buffer(x):
    y = np.full(4, np.nan)
    y[1:] = x[1:] ** 2
    y[np.isnan(y)] = x[0]
    return y


@right()
def where_then_write(x):
    y = np.where(x > 1.0, x, 0.0)
    y[np.nonzero(y)] **= 2
    y[np.argmin(x)] = x[np.argmax(x)]
    return y


CASES: list[Case] = table.cases
