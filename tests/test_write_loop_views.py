"""Loops that read rows of arrays, or parts and views of rows, forwards and backwards: they are read again, not kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

normal = np.random.default_rng(0).standard_normal


def from_the_last_row(w, xs, ys):
    h = np.zeros(3)
    for t in range(len(xs) - 1, -1, -1):
        h = np.tanh(xs[t] @ w + h)
    return h


def in_reverse(w, xs, ys):
    h = np.zeros(3)
    for t in reversed(range(len(xs))):
        h = np.tanh(xs[t] @ w + h * ys[t])
    return h


def in_reverse_from_the_second(w, xs, ys):
    h = np.zeros(3)
    for t in range(len(xs) - 2, 0, -1):
        h = np.tanh(xs[t + 1] @ w + h * ys[t - 1])
    return h


def over_a_reversed_array(w, xs, ys):
    h = np.zeros(3)
    for x in xs[::-1]:
        h = np.tanh(x @ w + h)
    return h


def mirrored(w, xs, ys):
    h, n = np.zeros(3), len(xs)
    for t in range(n):
        h = np.tanh(xs[n - 1 - t] @ w + h * ys[t])
    return h


def from_the_end(w, xs, ys):
    h = np.zeros(3)
    for t in range(len(xs)):
        h = np.tanh(xs[-1 - t] @ w + h * ys[-t - 1])
    return h


def mirrored_backwards(w, xs, ys):
    h, n = np.zeros(3), len(xs)
    for t in range(n - 1, -1, -1):
        h = np.tanh(xs[n - 1 - t] @ w + h)
    return h


def columns(w, xs, ys):
    h, zs = np.zeros(3), xs.T
    for t in reversed(range(len(ys))):
        h = np.tanh(zs[:, t] @ w + h * ys[t])
    return h


def new_axes(w, xs, ys):
    h = np.zeros((3, 3))
    for t in range(len(xs)):
        h = 0.5 * h + w * xs[t][:, None] + np.sin(ys[t][None])
    return h


def slices_of_rows(w, xs, ys):
    h = np.zeros(2)
    for t in reversed(range(len(xs))):
        h = np.tanh(xs[t, 1:] @ w[:2, :2] + h * ys[t][:2] * ys[t, 0])
    return h


def one_less(w, xs, ys):
    h = np.zeros(3)
    for t in range(len(xs)):
        h = (1 - ys[t]) * h + xs[t] @ w
    return h


def squares_of_the_row_before(w, xs, ys):
    h = np.zeros(3)
    for t in range(1, len(xs)):
        h = h * xs[t - 1] ** 2 * w[0] + w[1] * ys[t]
    return h


def every_row_in_two_places(w, xs, ys):
    h, loss = np.zeros(3), 0.0
    for t in reversed(range(len(xs) - 1)):
        h = 0.5 * h + xs[t] * xs[t + 1] * w[0]
        loss = loss + np.sum(h * ys[t])
    return loss


def turned_around(w, xs, ys):
    h = np.zeros((3, 3))
    for x, y in zip(xs, ys, strict=True):
        h = np.tanh(h * w + y[:, None] @ x[None, :])
    return h


LOOPS = [
    from_the_last_row, in_reverse, in_reverse_from_the_second, over_a_reversed_array, mirrored, from_the_end,
    mirrored_backwards, columns, new_axes, slices_of_rows, one_less, squares_of_the_row_before,
    every_row_in_two_places, turned_around,
]  # fmt: skip


def arguments(turns: int) -> tuple[Any, ...]:
    return normal((3, 3)), normal((turns, 3)), normal((turns, 3))


def same(f, function, args):
    output = f(*args)
    g = normal(np.shape(output))
    value, named = function(*args, g) if np.ndim(output) else function(*args)
    np.testing.assert_allclose(value, output, rtol=1e-12)
    for found, exact in zip(
        named.values(),
        cr.grad(lambda *xs: np.sum(g * f(*xs)) if np.ndim(output) else f(*xs), argnums=(0, 1, 2))(*args),
        strict=False,
    ):
        np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("f", LOOPS, ids=[f.__name__ for f in LOOPS])
def test_the_gradients_are_right_for_any_number_of_turns(f):
    source = cr.write(f, *arguments(5))
    assert "written out" not in str(source)
    assert "parts" not in str(source)  # no list of what is a part of an array
    for turns in (5, 3, 8):
        same(f, source.function, arguments(turns))
