"""What random programs found: written code that was wrong for other arguments, or could not be written."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.trees import flatten

rng = np.random.default_rng(0)
normal = rng.standard_normal


def column_sums_in_a_loop(X, w):
    total = X
    for j in range(w.size):
        total = total + X[:, j].sum() * w[j] * 0.9
    return total


def centred_in_a_loop(X, v, w):
    h = w
    for i in range(len(X)):
        h = np.tanh(h + X[i] @ w) + v[i] * (h - h.mean())
    return h.sum()


def handed_on(v):
    for _ in range(2):
        v = v + 1.5
    return v


def set_where_negative(X):
    t = X * 1.0
    t[t < 0] = 2.0
    return t.sum()


def scaled_rows(X, w):
    t = X * 1.0
    t[0] *= w
    t[-1] *= 0.5
    return t.sum()


def summed_backwards(X):
    return np.subtract(X, X.cumsum(axis=0)).sum()


def flipped_mean(X):
    return (np.flip(X, axis=0) / X.shape[0]).sum()


def squares_of_sums(U):
    t = U.T @ U + (U.T @ U).T
    return t.sum()


def same_either_way(X):
    return np.where(X > 0, X, X).sum() + np.where(X > 0, 2 * X, X).sum()


def trace_of_a_rectangle(X):
    return X / np.log(3 + np.trace(X) ** 2)


def diagonal_above(A):
    return np.trace(A, 1) * np.trace(A)


def traces(A):
    return np.trace(A @ A) * np.trace(A.T @ A) + np.trace(A)


def mean_of_copies(X, v, w):
    return np.mean(np.broadcast_to(w, (X.shape[1], v.size, w.size)), 0).sum()


def odd_or_even(x, y):
    return x.sum() * (len(x) % 2) + y.sum() * (len(x) // 2)


def rows_of_two(x, y):
    return np.tanh(np.vstack([x * y, x - y])).sum(axis=1).prod()


def columns_of_two(x, Y):
    return np.tanh(np.c_[1 - x, Y]).sum(axis=0).prod()


def numbers_beside(x, y):
    return np.tanh(np.hstack([x.sum(), y, 1.0, x.mean()])).prod()


# Arguments to trace, and others to run with.
CASES: list[tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = [
    (column_sums_in_a_loop, (normal((4, 3)), normal(3)), (normal((2, 5)), normal(5))),
    (centred_in_a_loop, (normal((4, 3)), normal(4), normal(3)), (normal((2, 5)), normal(2), normal(5))),
    (handed_on, (normal(3),), (normal(5),)),
    (set_where_negative, (normal((4, 3)),), (normal((2, 5)),)),
    (scaled_rows, (normal((4, 3)), normal(3)), (normal((2, 5)), normal(5))),
    (summed_backwards, (normal((4, 3)),), (normal((2, 5)),)),
    (flipped_mean, (normal((4, 3)),), (normal((2, 5)),)),
    (squares_of_sums, (normal((4, 3)),), (normal((2, 5)),)),
    (same_either_way, (normal((4, 3)),), (normal((2, 5)),)),
    (trace_of_a_rectangle, (normal((4, 3)),), (normal((2, 5)),)),
    (trace_of_a_rectangle, (normal((1, 1)),), (normal((3, 1)),)),
    (diagonal_above, (normal((3, 3)),), (normal((5, 5)),)),
    (traces, (normal((3, 3)),), (normal((5, 5)),)),
    (mean_of_copies, (normal((4, 3)), normal(4), normal(3)), (normal((2, 5)), normal(2), normal(5))),
    (rows_of_two, (normal(4), normal(4)), (normal(5), normal(5))),
    (columns_of_two, (normal(4), normal((4, 2))), (normal(5), normal((5, 3)))),
    (numbers_beside, (normal(4), normal(3)), (normal(2), normal(5))),
    (odd_or_even, (normal(4), normal(4)), (normal(5), normal(5))),
]


def same(function, f, args):
    """The written function gives the value and gradients of ``f``, in the same precision."""
    value, pullback = cr.vjp(f, *args)
    g = np.ones(np.shape(value), np.asarray(value).dtype)
    output, named = function(*args, *([g] if np.ndim(value) else []))
    tolerance = 1e-4 if args[0].dtype == np.float32 else 1e-9
    for found, expected in zip((output, *named.values()), (value, *flatten(pullback(g))[0]), strict=True):
        assert (np.shape(found), np.asarray(found).dtype) == (np.shape(expected), np.asarray(expected).dtype)
        assert np.allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("f", "args", "others"), CASES, ids=[c[0].__name__ for c in CASES])
def test_written_code_gives_the_gradients_for_other_arguments_too(f, args, others, dtype):
    args, others = (tuple(a.astype(dtype) for a in arrays) for arrays in (args, others))
    function = cr.write(f, *args).function
    same(function, f, args)
    same(function, f, others)


def larger_than_three(x, y):
    n = len(x)
    return x.sum() * n if n > 3 else y.sum()


def not_less_than_three(x, y):
    return x.sum() / max(len(x), 3) + y.sum()


def shorter_of_two(x, y):
    return x[: min(len(x), len(y))].sum() * y.sum()


def pairwise_logarithms(x, y):
    return np.logaddexp.reduce(x) * y.sum()


def each_once(x, y):
    for _ in range(len(x)):
        y = y + x * y
    return y.sum()


def above_the_diagonal(x, y):
    square = np.outer(x, y)
    square[np.triu_indices(len(x), 1)] = 0
    return square.sum()


REMARKS = {
    above_the_diagonal: (4, "is that for the lengths of the example"),
    larger_than_three: (4, "# valid while `n > 3` on line"),
    not_less_than_three: (4, "# valid while `max(len(x), 3)` on line"),
    shorter_of_two: (4, "# valid while `min(len(x), len(y))` on line"),
    pairwise_logarithms: (4, "is for length 4"),
    each_once: (1, "is written out, 1 turn\n"),
}


@pytest.mark.parametrize("f", REMARKS)
def test_what_a_length_decided_is_said(f):
    length, remark = REMARKS[f]
    assert remark in str(cr.write(f, normal(length), normal(length)))


def each_compared(x):
    return sum(v for v in x if v > 0)


def largest_element(x):
    return max(x) ** 2


def element_by_element(x):
    return np.vectorize(lambda v: v**2 if v > 0 else np.exp(v))(x).prod()


def first_half(x):
    return np.array_split(x, 2)[0].prod()


def low_quantile(x):
    return np.percentile(x, 30) ** 2


def middle(x):
    return np.median(x) ** 2


def coefficients(x):
    return np.polyval(x, 1.5) ** 2


@pytest.mark.parametrize(
    "f", [each_compared, largest_element, element_by_element, first_half, low_quantile, middle, coefficients]
)
def test_what_a_length_decided_is_right_or_refused_for_others(f):
    x = np.array([3.0, 2.0, 1.0, 0.5])
    function = cr.write(f, x).function
    for other in (x, np.append(x, [9.0, 4.5]), np.append(x, 0.3), np.append(x, [0.3, -7.0, 0.2])):
        try:
            value, gradients = function(other)
        except ValueError as error:
            refused = str(error)
        else:
            refused = ""
        if other is x or not refused:
            assert np.isclose(value, f(other))
            np.testing.assert_allclose(gradients["x"], cr.grad(f)(other))
        else:
            assert "written for" in refused


def first_turn_apart(X, w):
    h, loss = w, 0
    for t in range(len(X)):
        h = np.tanh(h + X[t])
        if t > 0:
            loss = loss + h.sum()
    return loss


def test_a_loop_that_is_written_with_its_first_turn_apart_is_not_called_written_out():
    assert "written out" not in str(cr.write(first_turn_apart, normal((4, 2)), normal(2)))


@pytest.mark.parametrize(
    "size",
    ["np.sqrt(k**2)", "(k**2) ** 0.5", "np.sqrt(k * k)", "1 / np.sqrt(k**2)", "np.sqrt((k - 5) ** 2)", "np.sqrt(k**4)"],
)
def test_the_root_of_the_square_of_a_length_less_another_is_not_that_number(size):
    source = f"def f(x, y):\n    k = len(x) - len(y)\n    return np.sum(x) * {size} * np.sum(y)\n"
    namespace: dict[str, Any] = {"np": np}
    exec(source, namespace)
    f = namespace["f"]
    function = cr.write(f, normal(5), normal(3)).function
    same(function, f, (normal(3), normal(5)))


def _triangular(A, b):
    x = b.copy()
    for i in range(len(b)):
        if i > 0:
            for j in range(i):
                x[i] = x[i] - A[i, j] * x[j]
        x[i] = x[i] / A[i, i]
    return (x**2).sum()


def test_a_loop_within_a_loop_that_is_written_out_reads_the_counter_as_a_number():
    # The outer turns differ, so they are written one by one; the counter of the outer loop is none in the inner body.
    random = np.random.default_rng(4)
    A, b = random.standard_normal((4, 4)) + 4 * np.eye(4), random.standard_normal(4)
    _, gradients = cr.write(_triangular, A, b).function(A, b)
    exact = cr.grad(_triangular, argnums=(0, 1))(A, b)
    np.testing.assert_allclose(gradients["A"], exact[0], atol=1e-13)
    np.testing.assert_allclose(gradients["b"], exact[1], atol=1e-13)


def _two_states(X, a, b, U):
    states = [a, b]
    loss = 0.0
    for t in range(len(X)):
        x = X[t]
        new = []
        for state in states:
            x = np.tanh(x + state @ U)
            new.append(x)
        states = new
        loss = loss + (x**2).sum()
    return loss


def test_states_that_are_called_by_one_name_have_gradients_of_their_own():
    random = np.random.default_rng(6)
    arguments = [random.standard_normal(shape) for shape in ((5, 3), 3, 3, (3, 3))]
    _, gradients = cr.write(_two_states, *arguments).function(*arguments)
    exact = cr.grad(_two_states, argnums=(0, 1, 2, 3))(*arguments)
    for found, wanted in zip(gradients.values(), exact, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-13)


def _states_in_a_list(X, H, Ws):
    loss = 0.0
    for t in range(len(X)):
        x = X[t]
        new = []
        for k in range(len(Ws)):
            x = np.tanh(x @ Ws[k] + H[k])
            new.append(x)
        H = new
        loss = loss + (x**2).sum()
    return loss


def test_what_loops_read_by_name_is_read_out_of_its_list():
    random = np.random.default_rng(7)
    arguments = (
        random.standard_normal((5, 3)),
        list(random.standard_normal((3, 3))),
        list(random.standard_normal((3, 3, 3))),
    )
    _, gradients = cr.write(_states_in_a_list, *arguments).function(*arguments)
    exact = flatten(cr.grad(_states_in_a_list, argnums=(0, 1, 2))(*arguments))[0]
    for found, wanted in zip(gradients.values(), exact, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-13)


def test_a_saturated_sigmoid_beside_a_guarded_logarithm_is_shortened():
    def loss(x, z):
        p = 1 / (1 + np.exp(-z))
        return -np.sum(x * np.log(p + 1e-9) + (1 - x) * np.log(1 - p + 1e-9)) / len(x)

    rng = np.random.default_rng(0)
    for scale in (1.0, 8.0):
        x, z = rng.random((6, 5)), scale * rng.standard_normal((6, 5)) + scale
        source = cr.write(loss, x, z, wrt="z")
        np.testing.assert_allclose(source.function(x, z)[1]["z"], cr.grad(loss, 1)(x, z), rtol=1e-6, atol=1e-12)
        assert "exp_minus" not in str(source).partition("# ")[2]


def _last_outputs(layers, x):
    for W, b in layers:
        outputs = x @ W + b
        x = np.maximum(0, outputs)
    return np.sum(outputs**2)


@pytest.mark.parametrize("sizes", [(2, 3, 5), (4, 4, 4)])
def test_the_outputs_of_the_last_layer_are_those_of_no_other(sizes):
    def arguments(sizes, n):
        layers = [(normal((m, k)), normal(k)) for m, k in pairwise(sizes)]
        return layers, normal((n, sizes[0]))

    function = cr.write(_last_outputs, *arguments(sizes, 3)).function
    for args in (arguments(sizes, 3), arguments((sizes[0], 6, 2), 5)):
        _, gradients = function(*args)
        exact = flatten(cr.grad(_last_outputs, argnums=(0, 1))(*args))[0]
        for found, wanted in zip(flatten(list(gradients.values()))[0], exact, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-12)


def _normalised(X, W, b, gain, shift, y):
    n = X.shape[0]
    Z = X @ W + b
    centred = Z - 1 / n * Z.sum(0, keepdims=True)
    H = (gain * centred / np.sqrt(1 / (n - 1) * (centred**2).sum(0, keepdims=True) + 1e-5) + shift) ** 3
    return (H * y).sum()


def test_what_vanishes_is_zeros_and_rows_are_added_to_gradients_below_the_line_of_their_own():
    args = (normal((6, 3)), normal((3, 4)), normal(4), normal((1, 4)), normal((1, 4)), normal((6, 4)))
    source = cr.write(_normalised, *args)
    lines = str(source).splitlines()
    assert any(line.endswith("np.zeros_like(b)") or '"b": np.zeros_like(b)' in line for line in lines)
    below = lines[next(k for k, line in enumerate(lines) if line.lstrip().startswith("# H = ")) :]
    own = below[: next(k for k, line in enumerate(below) if line.lstrip().startswith("# centred ="))]
    assert sum("dgain =" in line or "dshift =" in line for line in own) == 2
    _, gradients = source.function(*args)
    for found, exact in zip(gradients.values(), cr.grad(_normalised, tuple(range(6)))(*args), strict=True):
        np.testing.assert_allclose(found, exact, atol=1e-10)


def test_minus_one_times_a_quotient_is_a_quotient_with_a_sign():
    def nothing_but_a_logarithm(p, q):
        return -np.log(p + q)

    source = cr.write(nothing_but_a_logarithm, 1.5, 2.0)
    assert "dp = -1 / denominator" in str(source)
    assert source.function(1.5, 2.0)[1]["p"] == -1 / 3.5
