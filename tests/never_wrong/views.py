"""Updates in place through views and aliases: what is written through one name is read through another."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.never_wrong.case import Case, Table

__all__ = ["CASES"]

table = Table()


def right(*args: Any) -> Any:
    return table.function(*args, expected="right")


@right()
def view_taken_before_a_write(x):
    y = x * 2.0
    view = y[1:3]
    y[1] = x[0] ** 2
    return view * x[:2]


@right()
def view_written_base_read(x):
    y = x * 2.0
    view = y[::2]
    view[:] = x[1:3] ** 2
    return y


@right()
def view_of_a_view_written(x):
    y = np.outer(x, x)
    rows = y[1:]
    rows[:, ::2][1][0] = x[3]
    rows[0][1:] *= 3.0
    return y


@right()
def two_views_written_in_turn(x):
    y = x * 1.0
    left, right_part = y[:3], y[1:]
    left *= 2.0
    right_part *= x[:3]
    left += right_part
    return y


@right()
def reshape_written(x):
    y = x * 1.0
    y.reshape(2, 2)[0, 1] = x[3] ** 2
    np.reshape(y, (2, 2))[1] *= 3.0
    return y


@right()
def ravel_written(x):
    y = np.outer(x, x)
    y.ravel()[5:9] = x**2
    np.ravel(y)[0] = 0.0
    return y


@right()
def ravel_of_a_transpose_is_a_copy(x):
    y = np.outer(x, x**2)
    y.T.ravel()[:] = 0.0
    y.flatten()[:] = 0.0
    y.T.reshape(-1)[:] = 0.0
    return y


@right()
def ravel_of_a_part_of_a_buffer_keeps_its_values(x):
    y = np.zeros((4, 4))
    y[...] = np.outer(x, x)
    part, flipped = y[:, :3].ravel(), y[::-1].reshape(-1)
    y *= x
    return y.ravel() * flipped, part


@table.function()
def ravel_of_a_part_of_a_buffer_written(x):
    y = np.zeros((4, 4))
    y[...] = np.outer(x, x)
    part = y[:, :3].ravel()
    part *= 2.0
    y[::-1].reshape(-1)[:] = 0.0
    return y, part


@right()
def ravel_of_whole_rows_of_a_buffer_is_a_view(x):
    y = np.zeros((4, 4))
    y[...] = np.outer(x, x)
    rows = y[1:3].ravel()
    rows *= 2.0
    y[1] += x
    rows[4:] = x**2
    return y, rows


@right()
def transpose_written(x):
    y = np.outer(x, x)
    y.T[0] = x**3
    y.transpose()[1, 2] = 5.0
    np.swapaxes(y, 0, 1)[3] *= x
    return y


@right()
def diagonal_written_by_a_view_of_strides(x):
    y = np.outer(x, x)
    y.reshape(-1)[:: y.shape[1] + 1] = x**2
    y.ravel()[1::5] += 1.5
    return y


@right()
def flat_written(x):
    y = np.outer(x, x)
    y.flat[::5] = x
    y.flat[1] = x[2] ** 2
    y.flat[[2, 3]] = x[:2]
    return y


@right()
def flat_attribute_set(x):
    y = np.zeros((2, 2))
    y.flat = x**2
    return y


@right()
def real_and_imaginary_written(x):
    z = np.zeros(4, dtype=complex)
    z.real = x**2
    z.imag[1:] = x[:-1]
    z.real[0] *= 3.0
    z *= 1.0 + 2.0j
    return z


@table.function()
def shape_attribute_set(x):
    y = x**2
    y.shape = (2, 2)
    return y @ y


@table.function()
def dtype_attribute_set(x):
    y = x**2
    y.dtype = np.int64
    y.dtype = np.float64
    return y


@right()
def transposed_attribute_written(x):
    y = np.outer(x, x)
    y.T[...] = np.outer(x, x**2)
    y.T[1, ...] += 1.0
    y.mT[2] = 0.0
    return y


@table.function()
def nditer_writing(x):
    y = x**2
    with np.nditer(y, op_flags=["readwrite"]) as iterator:
        for value in iterator:
            value[...] = value * 2.0
    return y * x


@table.function()
def ndenumerate_writing(x):
    y = np.zeros((2, 2))
    for (i, j), value in np.ndenumerate(x.reshape(2, 2)):
        y[j, i] = value**2 + i
    return y


@right()
def rows_written_in_a_loop(x):
    y = np.outer(x, x**2)
    for row in y:
        row *= 2
        row[0] = x[1]
    return y


@right()
def rows_of_two_arrays_written(x):
    y, z = np.outer(x, x), np.zeros((4, 4))
    for k, (source, target) in enumerate(zip(y, z, strict=True)):
        target[:] = source[::-1]
        source[k] = 0.0
    return y * z


@right()
def columns_unpacked_and_written(x):
    y = np.outer(x, x)
    first, *_, last = y.T
    first += last
    last[...] = x
    return y


@right()
def row_rebound_is_not_written(x):
    y = np.outer(x, x)
    for row in y:
        row = row * 2
    return y


@right()
def element_rebound_is_not_written(x):
    y = x * 2.0
    value = y[0]
    value += 5.0
    value *= x[1]
    return y * value


@right()
def newaxis_and_ellipsis_written(x):
    y = np.zeros((2, 4))
    y[..., None][1] = x[:, None] ** 2
    y[None][0, 0] = x
    return y


@right()
def squeeze_and_expand_written(x):
    y = np.outer(x, x)
    np.squeeze(y[:, None])[0] = x
    np.expand_dims(y, 0)[0, 1] = x**2
    np.atleast_2d(y)[2] = 1.0
    np.moveaxis(y, 0, 1)[3] = x
    return y


@right()
def asarray_shares_and_array_copies(x):
    y = x**2
    np.asarray(y)[0] = x[3]
    np.array(y)[1] = 100.0
    np.asanyarray(y)[2] *= 2.0
    np.copy(y)[3] = 100.0
    return y


@right()
def split_parts_written(x):
    y = x**2
    left, right_part = np.split(y, 2)
    left[:] = x[2:]
    right_part *= left
    np.hsplit(y, 2)[0][1] = 0.5
    return y


@right()
def fancy_index_is_a_copy(x):
    y = x**2
    picked = y[[0, 2]]
    picked *= 10.0
    y[x > 1.0][0] = 100.0
    return y * picked[0]


@right()
def flip_and_rot_written(x):
    y = np.outer(x, x**2)
    np.flip(y, 0)[0] = x
    np.rot90(y)[1] *= 2.0
    np.fliplr(y)[:, 0] = 1.0
    return y


@right()
def aliased_by_assignment(x):
    y = x**2
    z = y
    z += x
    z[0] = 0.0
    return y * z


@right()
def aliased_in_a_list(x):
    y = x**2
    history = [y, y.copy()]
    y *= x
    return history[0] + 2.0 * history[1]


@right()
def aliased_results(x):
    y = x**2
    first = y
    y = y + 1.0
    y += x
    return first, y


@right()
def helper_updates_its_argument(x):
    def scale(values, factor):
        values *= factor
        values[0] = factor

    y = x**2
    scale(y, x[1])
    scale(y[2:], x[3])
    return y


CASES: list[Case] = table.cases
