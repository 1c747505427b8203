"""Matrices, slices and diagonals: what is rewritten holds for any input that the forward pass allows."""

from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.backward import backward_of
from chainrule.lengths import ONE, symbols_of
from chainrule.simplify.probe import compare
from tests.forms.form import count_function

_cholesky = np.linalg.cholesky
_windows = np.lib.stride_tricks.sliding_window_view


def _plain(shape):
    return lambda random, n: random.standard_normal(tuple(n + k for k in shape))


def _definite(random, n):
    a = random.standard_normal((n, n))
    return a @ a.T + np.eye(n) + np.triu(random.standard_normal((n, n)), 1)  # the upper triangle is not the mirror


def _weights(x):
    return np.cos(np.arange(x.size)).reshape(x.shape)


def _stepped(u, k):
    v = u.copy()
    v[1:-1] = u[1:-1] + np.tanh(k[0]) * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(np.exp(v[1:]) * v[:-1])


def _doubled(x, w):
    h = x * 1.5
    h[:, 0] *= w[0]
    h[np.arange(len(x)), np.arange(len(x)) % 2] -= w[1]
    return np.sum(h**3)


def _repeated(x, w):
    h = x * w[0]
    h[np.array([0, 1, 1])] = h[np.array([0, 1, 1])] * 2  # of repeated indices the last one counts
    return np.sum(h**3)


def _convolved(x, w):
    rows = [np.tensordot(x[t : t + 3], w, axes=([0, 1], [0, 1])) for t in range(len(x) - 2)]
    columns = []
    for t in range(len(x) - 2):
        columns.append(np.einsum("ij,ijk->k", x[t : t + 3], w))
    return np.sum(np.sin(np.stack(rows))) + np.sum(np.stack(columns) ** 2)


def _without_itself(x, s):
    distances = np.sum((x[:, None] - x[None]) ** 2, axis=2)
    np.fill_diagonal(distances, np.inf)
    shares = np.exp(-distances)
    shares = shares / shares.sum(axis=1, keepdims=True)
    similarities = x @ x.T
    np.fill_diagonal(similarities, s)
    return np.sum(np.sin(shares)) + np.sum(similarities**3)


def _hidden(x):
    x = x.copy()
    x[np.arange(len(x)), np.arange(len(x)) % 2] = -np.inf
    x[x < -1] = -np.inf
    return np.sum(np.sin(np.exp(x) * 3) * _weights(x)) + np.sum(np.exp(x) ** 2)


FUNCTIONS = {
    # Not symmetric, though they look like it.
    "two factors": (lambda A, B: np.sum((A @ B.T) ** 2 * _weights(A @ B.T)), (_plain((0, 1)), _plain((0, 1)))),
    "weights": (lambda A: np.sum((A @ A.T) * np.tril(A @ A.T)), (_plain((0, 1)),)),
    "inverse": (lambda A: np.sum(np.linalg.inv(A + 9 * np.eye(len(A))) @ A), (_plain((0, 0)),)),
    "antisymmetric": (lambda A: np.sum(np.exp(A - A.T) @ A), (_plain((0, 0)),)),
    # Symmetric by how they are made.
    "gram": (lambda A: np.sum(np.exp(-(A @ A.T)) ** 2), (_plain((0, 1)),)),
    "distances": (lambda x: np.sum(np.exp(-((x[:, None] - x[None]) ** 2)) @ x), (_plain((0,)),)),
    "pairs": (
        lambda x, v: np.sum(np.exp(-np.sum((x[:, None] - x[None]) ** 2, axis=2)) @ v / (1 + v)),
        (_plain((0, 2)), lambda random, n: random.random(n)),
    ),
    "log-determinant": (lambda A: np.linalg.slogdet(A.T @ A + np.eye(A.shape[1]))[1], (_plain((0, 1)),)),
    "quadratic": (
        lambda A, y: y @ np.linalg.solve(A @ A.T + np.eye(len(y)), y),
        (_plain((0, 1)), _plain((0,))),
    ),
    # Numbers by cases, both computed.
    "two numbers": (
        lambda x, y, a: np.mean(np.where(x > y, np.tanh(a[0]), 1 - np.tanh(a[0])) * (x - y) ** 2),
        (_plain((0,)), _plain((0,)), _plain((0,))),
    ),
    "sums of products": (lambda x, v: np.sum(np.cos(np.sin(x) * v + v)), (_plain((0, 1)), _plain((1,)))),
    # NumPy reads the lower triangle.
    "factor": (lambda S: np.sum(np.log(np.diag(_cholesky(S)))), (_definite,)),
    "factor, weighted": (lambda S: np.sum(np.sin(_cholesky(S))), (_definite,)),
    "factor of a Gram matrix": (
        lambda A: np.sum(np.sin(_cholesky(A @ A.T + np.eye(len(A))))),
        (_plain((0, 1)),),
    ),
    "likelihood": (
        lambda A, r: (
            np.sum(np.linalg.solve(_cholesky(A @ A.T + np.eye(len(r))), r) ** 2)
            + np.sum(np.log(np.diag(_cholesky(A @ A.T + np.eye(len(r))))))
        ),
        (_plain((0, 1)), _plain((0,))),
    ),
    "likelihood of a triangle": (
        lambda S, r: np.sum(np.linalg.solve(_cholesky(S), r) ** 2) + np.sum(np.log(np.diag(_cholesky(S)))),
        (_definite, _plain((0,))),
    ),
    # Slices that tile an array, and slices that do not.
    "halves": (lambda x: np.sum(np.sin(x[:2]) ** 2) + np.sum(np.exp(x[2:])), (_plain((0, 1)),)),
    "last": (lambda x: np.sum(np.sin(x[:, :-1]) ** 2) + np.sum(np.exp(x[:, -1:])), (_plain((0, 1)),)),
    "gap": (lambda x: np.sum(np.sin(x[:1]) ** 2) + np.sum(np.exp(x[2:])), (_plain((0, 1)),)),
    "overlap": (lambda x: np.sum(np.sin(x[:3]) ** 2) + np.sum(np.exp(x[2:])), (_plain((0, 1)),)),
    "both axes": (lambda x: np.sum(np.sin(x[:2]) ** 2) + np.sum(np.exp(x[:, 2:])), (_plain((0, 1)),)),
    "differences": (lambda x: np.sum(np.abs(x[1:] - x[:-1])) + np.sum(x**2), (_plain((0,)),)),
    "split": (lambda x: np.sum(np.sin(np.split(x, 2)[0]) * np.split(x, 2)[1]), (lambda r, n: _plain((n,))(r, n),)),
    "neighbours": (
        lambda x: np.sum(np.exp(x[::2] + x[1::2])) + np.sum((x[::2] - x[1::2]) ** 3), (_plain((0,)),)
    ),
    # Parts that are replaced in place.
    "stepped": (_stepped, (_plain((0,)), _plain((0,)))),
    "doubled": (_doubled, (_plain((0, 0)), _plain((0,)))),
    "repeated": (_repeated, (_plain((0, 0)), _plain((0,)))),
    "pools": (
        lambda x: np.sum((x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) ** 2) + np.sum(x[::2] * x[1::2]),
        (_plain((0, 0)),),
    ),
    "convolved": (_convolved, (_plain((1, -1)), lambda random, n: random.standard_normal((3, n - 1, 2)))),
    "windows": (
        lambda x, w: np.sum(np.sin(_windows(x, len(w)) @ w)) + np.sum(_windows(x, 3)[::2] ** 3),
        (_plain((1,)), lambda random, n: random.standard_normal(3)),
    ),
    "some windows": (
        lambda x, w: np.sum(np.einsum("nlk,k->nl", _windows(x, 2, axis=1)[:, 1::2], w) ** 2),
        (_plain((0, 1)), lambda random, n: random.standard_normal(2)),
    ),
    # Diagonals.
    "diagonal": (lambda A: np.sum(np.log1p(np.exp(A @ A.T))) - np.sum(np.diag(A @ A.T)), (_plain((0, 1)),)),
    "diagonal that is filled": (_without_itself, (_plain((0, 1)), _plain((0,)))),
    "set to minus infinity": (_hidden, (_plain((0, 1)),)),
    "traces": (
        lambda x: np.sum(np.trace(x @ x, axis1=1, axis2=2) ** 2) + np.sum(np.sin(np.trace(x[:, :-1], 1, 2, 0))),
        (_plain((1, 0, 0)),),
    ),
    "diagonal, scaled": (lambda A: np.sum(np.exp(A)) - np.mean(np.diagonal(A)) + np.trace(A @ A), (_plain((0, 0)),)),
    # Products in other notations.
    "einsum": (lambda A, B: np.sum(np.sin(np.einsum("ki,jk->ji", A, B))), (_plain((0, 1)), _plain((2, 0)))),
    "logarithm of a sum": (
        lambda a, A, b: np.sum(np.sin(a.max() + np.log(np.exp(a - a.max()) @ np.exp(A)) + b)),
        (_plain((0,)), _plain((0, 0)), _plain((0,))),
    ),
    "weighted sums": (
        lambda a, v, w: np.sum(np.log(np.exp(a - a.max(1, keepdims=True)) @ v) * w) + np.sum(a.max(1) * w),
        (_plain((1, 0)), lambda random, n: random.random(n) + 0.1, _plain((1,))),
    ),
    "power and logarithm": (
        lambda x, p: np.sum(x ** p[0] * 3 + (p[0] - 1) * np.log(x)),
        (lambda random, n: random.random(n) + 0.1, _plain((0,))),
    ),
    "logarithms of sums": (
        lambda a, A: np.sum(np.sin((m := a.max(1, keepdims=True)) + np.log(np.exp(a - m) @ np.exp(A)))),
        (_plain((1, 0)), _plain((0, 0))),
    ),
    "einsum of vectors": (lambda A, b: np.sum(np.sin(np.einsum("ki,k->i", A, b))), (_plain((0, 1)), _plain((0,)))),
    # A matrix that is a term of its own beside its products, and sums of products that are there.
    "trace of a solution": (
        lambda S, A: np.linalg.slogdet(S)[1] + np.trace(np.linalg.solve(S, A)),
        (lambda random, n: _definite(random, n) + 0.3, _plain((0, 0))),
    ),
    "corrected": (
        lambda x, P, H: np.sum(_weights(x) * (x - (P @ H.T) @ (H @ x))) + np.sum((np.eye(len(x)) - P @ H.T @ H) ** 3),
        (_plain((0,)), _plain((0, 0)), _plain((-1, 0))),
    ),
    "turned": (
        lambda P, R, s: np.sum((s[0] * P @ R.T - _weights(P)) ** 2), (_plain((1, 0)), _plain((0, 0)), _plain((0,)))
    ),
    "cosines": (
        lambda X, W: np.sum(
            np.exp((X / np.linalg.norm(X, axis=1, keepdims=True)) @ (W / np.linalg.norm(W, axis=0, keepdims=True)))
        ),
        (_plain((1, 0)), _plain((0, 2))),
    ),
    "entropy of shares": (
        lambda z, r: np.sum((p := (e := np.exp(z)) / e.sum(1, keepdims=True)) * r) - np.sum(p * np.log(p + 0.1)),
        (_plain((0, 1)), _plain((0, 1))),
    ),
    "half a hyperbolic tangent": (
        lambda x, y: np.sum(0.5 * x * (1 + np.tanh(x + 0.1 * x**3)) * y), (_plain((0,)), _plain((0,)))
    ),
    "heads in groups": (
        lambda q, k, v: np.sum(
            np.sin(np.tanh(q @ np.repeat(k, 2, axis=0).swapaxes(1, 2)) @ np.repeat(v, 2, axis=0))
        ),
        (lambda r, n: r.standard_normal((2 * n, 3, 5)), lambda r, n: r.standard_normal((n, n, 5)), _plain((0, 0, 1))),
    ),
    "outer": (lambda A, u, v: np.sum(np.sin(A @ np.outer(u, v) @ A)), (_plain((0, 0)), _plain((0,)), _plain((0,)))),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_matrices_and_slices_have_their_gradients(name):
    f, makers = FUNCTIONS[name]
    random = np.random.default_rng(3)
    written = cr.write(f, *(make(random, 4) for make in makers)).function
    for n in (4, 6):
        values = [make(random, n) for make in makers]
        _, found = written(*values)
        expected = cr.grad(f, tuple(range(len(values))))(*values)
        for g, e in zip(found.values(), expected if isinstance(expected, tuple) else (expected,), strict=True):
            assert g.shape == e.shape
            np.testing.assert_allclose(g, e, rtol=1e-8, atol=1e-9)


def test_what_interleaves_an_array_is_simplified_again():
    f, _ = FUNCTIONS["neighbours"]
    x = np.arange(6.0) / 6
    written = cr.write(f, x).function
    assert count_function(written, x)["operations"] - count_function(f, x)["operations"] <= 5


def test_an_axis_that_is_stretched_is_not_of_length_one():
    program = cr.trace(lambda x: np.broadcast_to(x[:, None], (4, 2)).reshape(8), np.ones(4))
    found = symbols_of(program)
    stretched = next(o for s in program.steps for o in s.outputs if o.shape == (4, 2))
    assert found[stretched.number][1] != ONE


def test_a_form_that_cannot_be_run_is_none():
    plain = backward_of(lambda x: np.sum(np.reshape(x, (2, 2)) ** 2), [np.ones(4)], [0])
    assert compare(plain, plain).as_good
    steps = plain.program.steps
    shapes = {s: replace(s, params={"shape": (3,)}) for s in steps if s.operation.name == "reshape"}
    found = replace(plain, program=replace(plain.program, steps=tuple(shapes.get(s, s) for s in steps)))
    assert shapes
    assert not compare(found, plain).as_good
