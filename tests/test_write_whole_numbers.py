"""Whole numbers given to a function stay names in written source where it holds for all values; else it is said."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.whole_numbers import lengths_given

RANDOM = np.random.default_rng(3)


def convolution(x, w, stride, pad):
    N, _, H, W = x.shape
    F, _, kh, kw = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    height = (H + 2 * pad - kh) // stride + 1
    width = (W + 2 * pad - kw) // stride + 1
    out = np.zeros((N, F, height, width))
    for i in range(height):
        for j in range(width):
            patch = xp[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
            out[:, :, i, j] = np.tensordot(patch, w, axes=([1, 2, 3], [1, 2, 3]))
    return out


def split(x, heads):
    B, T, D = x.shape
    return x.reshape(B, T, heads, D // heads).transpose(0, 2, 1, 3)


def attention_scores(x, W, heads):
    assert x.shape[2] % heads == 0, f"{x.shape[2]} features are no {heads} heads"
    q = split(x @ W, heads)
    return q @ q.swapaxes(-1, -2) / np.sqrt(x.shape[2] / heads)


def attention_with_inner(x, W, heads):
    B, T, D = x.shape
    width = D // heads

    def parts(a):
        return a.reshape(B, T, heads, width).transpose(0, 2, 1, 3)

    q = parts(x @ W)
    return q @ q.swapaxes(-1, -2) / np.sqrt(width)


def group_norm(x, groups):
    N, C, H = x.shape
    g = x.reshape(N, groups, C // groups, H)
    g = (g - g.mean(axis=(2, 3), keepdims=True)) / np.sqrt(g.var(axis=(2, 3), keepdims=True) + 1e-5)
    return g.reshape(N, C, H)


def shifted(x, a, b):
    n = x.shape[0]
    y = np.zeros((n + a, x.shape[1]))
    y[a : a + n] = x
    return (y[b:] * (a + 1) - y[: len(y) - b]).sum() / (b + 1)


def windows(x, k, step):
    n = (len(x) - k) // step + 1
    total = 0.0
    for i in range(n):
        total = total + x[i * step : i * step + k].max() * (i + 1)
    return total / n


def recurrence(x, W, steps):
    h = x
    for _ in range(steps):
        h = np.tanh(h @ W)
    return h


def one_hot_loss(p, labels, classes):
    y = np.eye(classes)[labels]
    return -(y * np.log(p)).sum() / len(labels)


def normal(*shape):
    return RANDOM.standard_normal(shape)


CASES = [
    (convolution, (normal(2, 2, 5, 5), normal(3, 2, 3, 3), 1, 1), (normal(1, 1, 6, 7), normal(2, 1, 2, 3), 2, 0)),
    (convolution, (normal(2, 2, 5, 5), normal(3, 2, 3, 3), 2, 0), (normal(1, 1, 4, 4), normal(2, 1, 2, 2), 3, 2)),
    (attention_scores, (normal(2, 3, 4), normal(4, 4), 2), (normal(1, 5, 6), normal(6, 6), 3)),
    (attention_scores, (normal(2, 3, 4), normal(4, 4), 1), (normal(1, 5, 6), normal(6, 6), 2)),
    (attention_with_inner, (normal(2, 3, 4), normal(4, 4), 2), (normal(1, 5, 6), normal(6, 6), 3)),
    (group_norm, (normal(2, 4, 3), 2), (normal(2, 6, 2), 3)),
    (group_norm, (normal(2, 4, 3), 4), (normal(2, 6, 2), 1)),
    (shifted, (normal(4, 3), 1, 1), (normal(5, 2), 2, 1)),
    (shifted, (normal(4, 3), 0, 2), (normal(5, 2), 3, 0)),
    (windows, (normal(8), 3, 1), (normal(9), 2, 2)),
    (recurrence, (normal(2, 3), normal(3, 3), 4), (normal(2, 3), normal(3, 3), 7)),
    (one_hot_loss, (np.abs(normal(4, 3)), np.array([0, 1, 2, 1]), 3), (np.abs(normal(3, 5)), np.array([4, 1, 0]), 5)),
]


@pytest.mark.parametrize(("function", "traced", "other"), CASES)
@pytest.mark.parametrize("style", ["function", "pullback"])
def test_written_for_one_setting_it_is_right_for_another(function, traced, other, style):
    source = cr.write(function, *traced, style=style)
    assert "valid for" not in str(source)
    arrays = [k for k, x in enumerate(other) if isinstance(x, np.ndarray) and x.dtype.kind == "f"]

    def of_arrays(*given):
        values = dict(zip(arrays, given, strict=True))
        return function(*(values.get(k, x) for k, x in enumerate(other)))

    value, pullback = cr.vjp(of_arrays, *(other[k] for k in arrays))
    g = RANDOM.standard_normal(np.shape(value))
    wanted = pullback(g if np.shape(value) else 1.0)
    found = source.function(*other, *([g] if np.shape(value) else []))
    gradients = found[1] if style == "function" else found
    gradients = list(gradients.values()) if isinstance(gradients, dict) else gradients
    gradients, wanted = (x if isinstance(x, tuple | list) else [x] for x in (gradients, wanted))
    for one, two in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


def power(x, p):
    return (x**p).sum()


def chosen_row(x, k):
    return x[k] * 2


def through_a_list(x, k):
    return [x, 2 * x, 3 * x][k]


def along(x, axis):
    return x.sum(axis=axis)


def rows_of(x, k):
    return x.take(k, axis=0)


def derived_power(x, n):
    m = n // 2
    return x**m


def of_a_closure(x, n):
    def inner():
        return x**n

    return inner()


def size_of_kernel(k):
    return 2 * k + 1


def through_a_result(x, k):
    return x ** size_of_kernel(k)


def repeated(x, k):
    return np.concatenate([x] * k)


@pytest.mark.parametrize(
    "function", [power, chosen_row, through_a_list, rows_of, derived_power, of_a_closure, through_a_result, repeated]
)
def test_what_is_no_length_is_that_of_the_example(function):
    name = function.__code__.co_varnames[1]
    assert not lengths_given(function, {name})
    assert f"# valid for {name}=2" in str(cr.write(function, np.arange(1.0, 10.0).reshape(3, 3), 2))


def test_an_axis_is_no_length():
    assert "# valid for axis=1" in str(cr.write(along, np.ones((2, 3)), 1))


def doubled(x, k):
    y = x * k
    if k > 2:
        y = y**2
    return y


def test_what_a_whole_number_decides_is_said():
    source = cr.write(doubled, np.arange(6.0).reshape(2, 3), 3)
    line = doubled.__code__.co_firstlineno + 2
    assert f"# valid while `k > 2` on line {line}" in str(source)
    x, g = normal(2, 3), normal(2, 3)
    np.testing.assert_allclose(source.function(x, 5, g)[1]["x"], 50 * x * g)


def test_numbers_computed_from_lengths_keep_the_names_of_the_user():
    x, w = normal(2, 2, 5, 5), normal(3, 2, 3, 3)
    text = str(cr.write(convolution, x, w, 1, 1))
    assert text.count("height = (H + 2 * pad - kh) // stride + 1\n") == 1
    assert "for j in range(width):" in text
    assert "for i in reversed(range(height)):" in text
    assert "i * stride : i * stride + kh" in text
    assert "xp.shape" not in text


def test_the_name_of_a_number_that_is_given_twice_is_not_used():
    assert "k = " not in str(cr.write(given_twice, normal(6, 2), 2))


def given_twice(x, n):
    k = len(x) // n
    y = x.reshape(k, n, 2).sum(axis=1)
    k = k * 2
    return np.zeros((k, 2))[: len(y)] + y


def with_defaults(x, stride=1, pad=0):
    return np.pad(x, ((pad, pad), (0, 0)))[::stride] ** 2


def test_defaults_that_are_lengths_keep_their_names():
    source = cr.write(with_defaults, normal(4, 2))
    assert "(x, grad_output, *, stride=1, pad=0):" in str(source)
    x, g = normal(5, 3), normal(4, 3)
    expected = np.zeros_like(x)
    expected[[1, 3]] = 2 * x[[1, 3]] * g[[1, 2]]  # the outer rows are of the padding
    np.testing.assert_allclose(source.function(x, g, stride=2, pad=1)[1]["x"], expected)


def named_in_a_branch(x, flag=False):
    if flag:
        half = len(x) // 2
        n = len(x)
        return x[:half].sum() / n
    return (x[: len(x) // 2] ** 2).sum() / len(x)


def named_in_a_function(x):
    def cut(z):
        half = len(x) // 2
        n = len(x)
        return z[: half * n]

    return (x[: len(x) // 2] ** 2).sum() / len(x) + 0 * cut(x).sum()


@pytest.mark.parametrize("function", [named_in_a_branch, named_in_a_function])
def test_names_that_are_not_there_where_lines_are_pasted_are_not_used(function):
    lines = str(cr.write(function, normal(6), style="lines"))
    space = {"np": np, "x": normal(6)}
    exec(lines, space)
    np.testing.assert_allclose(space["dx"], cr.grad(function)(space["x"]))
