"""Integers, truth values and NumPy scalars in what is written: exact for any values, and of NumPy's own dtypes."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

RANDOM = np.random.default_rng(5)
COUNT = np.int64(3)
WIDE = np.float64(1.5)


def square_of_labels(x, y):
    a = x * y
    return np.sum(a * a * y)


def labels_twice(x, y):
    return np.sum(x * y * y)


def chosen_by_labels(x, y):
    return np.sum(np.where(y, 3.0, 0) * x)


def chosen_by_a_comparison(x, y):
    return np.sum(np.where(y > 1, x * y, 0) + np.where(y > 1, 0, x * x * y))


def both_sides(x, y):
    p = 1 / (1 + np.exp(-x))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def cubed(x, y):
    return np.sum(x**2 * (y * y) * y)


def opposite(x, y):
    return np.sum(x * (0 - y) * y)


def distance(x, y):
    return np.mean((x - y) ** 2 * y)


def scaled_labels(x, y):
    return np.sum(x * (COUNT * y))


def added_number(x, y):
    return np.sum(x * (y + np.int64(300)))


FUNCTIONS = [
    square_of_labels, labels_twice, chosen_by_labels, chosen_by_a_comparison, both_sides, cubed, opposite, distance,
    scaled_labels, added_number,
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "bool"])
@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_integers_are_no_truth_values(f, dtype):
    x = RANDOM.standard_normal((3, 4))
    first, second = (RANDOM.integers(0, high, (3, 4)).astype(dtype) for high in (2, 120))
    try:
        function = cr.write(f, x, first, wrt="x").function
    except cr.ChainruleError:
        assert dtype == "bool"
        return
    for y in (first, second):
        value, gradients = function(x, y)
        np.testing.assert_allclose(value, f(x, y), rtol=1e-12)
        np.testing.assert_allclose(gradients["x"], cr.grad(f)(x, y), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["int64", "bool", "float64"])
def test_the_loss_of_labels_is_as_short_for_integers(dtype):
    source = str(cr.write(both_sides, RANDOM.standard_normal(5), np.array([0, 1, 1, 0, 1], dtype), wrt="x"))
    assert "dx = (p - y) / len(x)" in source


def wide_scalar(x):
    return np.sum(x * WIDE)


def root_of_two(x):
    return np.sum(x * np.sqrt(2.0))


def wide_maximum(x):
    return np.sum(np.maximum(x, np.float64(0)))


def narrow_scalar(x):
    return np.sum(x / np.float32(2))


def root_of_a_length(x):
    return np.sum(x / np.sqrt(x.shape[0]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("f", [wide_scalar, root_of_two, wide_maximum, narrow_scalar, root_of_a_length])
def test_numpy_scalars_keep_their_precision(f, dtype):
    x = RANDOM.standard_normal(3).astype(dtype)
    value, gradients = cr.write(f, x).function(x)
    assert value.dtype == f(x).dtype
    assert gradients["x"].dtype == x.dtype
    np.testing.assert_array_equal(value, f(x))
