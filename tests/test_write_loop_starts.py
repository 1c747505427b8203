"""Loops that begin with a number, or with one row, and go on with an array: ``h = 0.0``."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

normal = np.random.default_rng(0).standard_normal


def nothing_yet(x, w, b):
    h = 0
    for t in range(len(x)):
        h = np.tanh(x[t] @ w + b * h)
    return np.sum(h**2)


def one_row_for_all(x, w, b):
    h = np.zeros(3)
    for t in range(len(x)):
        h = np.tanh(x[t] @ w + h @ w + b)
    return h


def a_matrix_of_one_row(x, w, b):
    h = np.full((1, 3), 0.5)
    for row in x:
        h = np.tanh(row @ w + np.dot(h, w) + b)
    return h


def moving_average(x, w, b):
    v = 0.0
    for t in range(len(x)):
        v = b * v + (1 - b) * x[t] ** 2
    return np.sum(v * w[0])


def product_of_all(x, w, b):
    p = 1.0
    for row in x:
        p = p * np.exp(row @ w * 0.3)
    return p.sum()


def both_directions(x, w, b):
    later, loss = 0.0, 0.0
    for t in reversed(range(len(x))):
        later = x[t] + b * later
        loss = loss + np.sum(later**2 * w[1])
    return loss


def kept_powers(x, w, b):
    s = 0.5
    for row in x:
        s = np.sin(s**2 * b + row @ w) + s
    return s


def in_a_function(h, row, w, b):
    return np.where(h > 0, h * b, 0.1 * h * b) + row @ w


def moments(x, w, b, decay=0.9):
    m, v = 0, 0.0
    for t in range(len(x)):
        g = x[t] @ w
        m = decay * m + (1 - decay) * g
        v = 0.99 * v + 0.01 * g**2
    return np.sum(m / np.sqrt(v + 1e-8) * b)


def leaky(x, w, b):
    h = -1.0
    for row in x:
        h = in_a_function(h, row, w, b)
    return h


LOOPS = [
    nothing_yet, one_row_for_all, a_matrix_of_one_row, moving_average, product_of_all, both_directions, kept_powers,
    leaky, moments,
]  # fmt: skip


def arguments(turns, rows):
    return normal((turns, rows, 3)), normal((3, 3)), normal(3)


@pytest.mark.parametrize("f", LOOPS, ids=[f.__name__ for f in LOOPS])
def test_the_first_turn_stays_in_the_loop(f):
    source = cr.write(f, *arguments(4, 2))
    text = str(source)
    assert "written out" not in text
    assert "[1:]:" not in text
    # Of a single turn it cannot be told how long what it computes of a number would be.
    for turns, rows in ((4, 2), (2, 5), (6, 3), (1, 2))[: 3 if f is leaky else 4]:
        x = arguments(turns, rows)
        output = f(*x)
        g = normal(np.shape(output))
        value, named = source.function(*x, *([g] if np.ndim(output) else []))
        np.testing.assert_allclose(value, output, rtol=1e-12)
        exact = cr.grad(lambda *xs, g=g: np.sum(f(*xs) * (g if np.ndim(g) else 1)), argnums=(0, 1, 2))(*x)
        for found, own in zip(named.values(), exact, strict=True):
            np.testing.assert_allclose(found, own, rtol=1e-9, atol=1e-12)


def test_directions_and_other_styles():
    x = arguments(4, 2)
    directions = arguments(4, 2)
    value, tangent = cr.write(leaky, *x, what="jvp").function(*x, *directions)
    exact = cr.jvp(leaky, x, directions)
    np.testing.assert_allclose(value, exact[0])
    np.testing.assert_allclose(tangent, exact[1])
    for style in ("layer", "pullback", "lines"):
        assert "np.full_like(h, -1.0)" in str(cr.write(leaky, *x, style=style)) or style == "lines"


def from_a_given_number(x, w, b, h0):
    h = h0
    for t in range(len(x)):
        h = np.tanh(x[t] @ w + b * h)
    return np.sum(h**2)


def as_many_as_there_are(x, w, b):
    h = 1.0
    for t in range(len(x)):
        h = np.tanh(x[t] @ w + b * np.sum(h))
    return np.sum(h**2)


@pytest.mark.parametrize("f", [from_a_given_number, as_many_as_there_are])
def test_a_start_that_is_differentiated_or_counted_stands_apart(f):
    for rows in (2, 4):
        x = (*arguments(4, rows), 0.7)[: f.__code__.co_argcount]
        source = cr.write(f, *x)
        _, named = source.function(*x)
        exact = cr.grad(f, argnums=tuple(range(len(x))))(*x)
        for found, own in zip(named.values(), exact, strict=True):
            np.testing.assert_allclose(found, own, rtol=1e-9, atol=1e-12)
