"""Loops whose gradients are summed behind the backward loop, and loops that fill arrays row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from tests.differences import directional_difference

random = np.random.default_rng(5)
normal = random.standard_normal


def over_axis_one(x, h0, Wx, Wh, b):
    N, T, _ = x.shape
    h = np.zeros((N, T, h0.shape[1]))
    prev = h0
    for t in range(T):
        prev = np.tanh(x[:, t, :] @ Wx + prev @ Wh + b)
        h[:, t, :] = prev
    return h


def into_rows(x, Wx, Wh):
    T = len(x)
    h = np.zeros((T + 1, Wh.shape[0]))
    for t in range(T):
        h[t + 1] = np.tanh(x[t] @ Wx + h[t] @ Wh)
    return h[1:]


def from_the_end(x, Wx, Wh):
    """The row before the first is the last one, which is written later."""
    h = np.zeros((len(x), Wh.shape[0])) + 0.3
    for t in range(len(x)):
        h[t] = np.tanh(x[t] @ Wx + h[t - 1] @ Wh)
    return h


def two_rows_back(x, a, b):
    y = np.zeros_like(x)
    y[0] = x[0]
    y[1] = x[1]
    for t in range(2, len(x)):
        y[t] = a * y[t - 1] + b * y[t - 2] + x[t]
    return np.sum(y**2)


def written_afterwards(x, a):
    y = np.zeros_like(x)
    y[0] = x[0]
    for t in range(1, len(x)):
        y[t] = np.tanh(a * y[t - 1]) + x[t]
    y *= 2
    y[0] = 3.0
    return np.sum(y**2)


def over_given_rows(x, a):
    y = x.copy()
    for t in range(1, len(x)):
        y[t] = a * y[t - 1]
    return np.sum(y**3)


def read_in_the_same_turn(x, a):
    y = np.zeros((len(x) + 1, 3))
    s = 0
    for t in range(len(x)):
        y[t + 1] = a * y[t] + x[t]
        s = s + np.sum(y[t + 1] ** 2)
    return s + np.sum(y)


def with_a_step(x, k, dt):
    v = x[0]
    for t in range(1, len(x)):
        v = v - dt * k * np.sin(v) + x[t]
    return np.sum(v**2)


def over_a_batch(xs, Wx, Wh, b):
    h = np.zeros((xs.shape[1], b.shape[0]))
    for x in xs:
        h = np.tanh(x @ Wx + h @ Wh + b)
    return np.sum(h**2)


def picked(xs, targets, W, V):
    h = np.zeros(W.shape[0])
    loss = 0.0
    for t in range(len(xs)):
        h = np.tanh(xs[t] + h @ W)
        p = np.exp(h @ V) / np.sum(np.exp(h @ V))
        loss -= np.log(p[targets[t]])
    return loss


Made = Callable[[int], tuple[Any, ...]]


def coupled(x, y, a, b, h):
    for _ in range(4):
        grown = x * (1 + h * (a - b * y))
        y = y * (1 + h * (a * x - b))
        x = grown
    return np.sum(x**2) + np.sum(y**2)


def column_by_column(x, u, w):
    h = np.zeros(x.shape[1:])
    states = []
    for t in range(len(x)):
        h = np.tanh(x[t] + u * h + w)
        states.append(h)
    return np.stack(states)


def read_from_a_matrix(a, b, C):
    """A memory that is read with another vector in each turn."""
    T = len(a)
    h = np.zeros(a.shape[1:])
    ys = []
    for t in range(T):
        h = a[t] * h + b[t]
        ys.append(h @ C[t])
    return np.stack(ys)


def corrected(Q, K, V, beta):
    T, d = Q.shape
    S = np.zeros((d, d))
    outputs = []
    for t in range(T):
        error = V[t] - S @ K[t]
        S = S + beta[t] * np.outer(error, K[t])
        outputs.append(S @ Q[t])
    return np.stack(outputs)


def weighed(M, u, S):
    """Sums of products of vectors with matrices, some the same in all turns, and products of whole matrices."""
    h, total = u, 0.0
    for t in range(len(M)):
        h = np.tanh(u @ M[t] + M[t] @ h + S[0])
        total = total + h @ S @ h + np.vdot(M[t] * S, np.outer(h, u))
    return total


LOOPS: dict[str, tuple[Callable[..., Any], Made, tuple[str, ...]]] = {
    "over_axis_one": (
        over_axis_one,
        lambda T: (normal((2, T, 3)), normal((2, 5)), normal((3, 5)), normal((5, 5)), normal(5)),
        ("np.tensordot(prevs[:-1], dtotals", "db = dtotals.sum(axis=(0, 1))"),
    ),
    "into_rows": (
        into_rows,
        lambda T: (normal((T, 3)), normal((3, 5)), normal((5, 5))),
        ("dWx = x.T @ dtotals", "h[:T].T @ dtotals", "slopes = 1 - h[1 : T + 1] ** 2"),
    ),
    "from_the_end": (from_the_end, lambda T: (normal((T, 3)), normal((3, 5)), normal((5, 5))), ("h_parts",)),
    "two_rows_back": (
        two_rows_back,
        lambda T: (normal((T, 3)), random.random(3), random.random(3)),
        ("dy[t - 1] += dy[t] * a",),
    ),
    "written_afterwards": (written_afterwards, lambda T: (normal((T, 3)), random.random(3)), ("dy = 2 * dy2",)),
    "over_given_rows": (
        over_given_rows,
        lambda T: (normal((T, 3)), random.random(3)),
        ("dy[t - 1] += dy[t] * a", "] = 0.0"),
    ),
    "read_in_the_same_turn": (
        read_in_the_same_turn,
        lambda T: (normal((T, 3)), random.random(3)),
        ("dy[t] += dy[t + 1] * a",),
    ),
    "with_a_step": (with_a_step, lambda T: (normal((T, 3)), random.random(3), 0.1), ("np.stack",)),
    "over_a_batch": (
        over_a_batch,
        lambda T: (normal((T, 4, 3)), normal((3, 2)), normal((2, 2)), normal(2)),
        ("dWx = np.tensordot(xs, dtotals", "hs[:-1]"),
    ),
    "picked": (
        picked,
        lambda T: (normal((T, 3)), random.integers(0, 4, T), normal((3, 3)), normal((3, 4))),
        ("targets[: xs.shape[0]]] -= 1", ".T @ "),
    ),
    # Sums of numbers are taken behind the loop as well.
    "coupled": (
        coupled,
        lambda T: (normal(T), normal(T), 0.3, 0.2, 0.1),
        (".sum()", "np.vdot("),
    ),
    # Products of vectors with matrices, of all turns.
    "read_from_a_matrix": (
        read_from_a_matrix,
        lambda T: (normal((T, 3, 2)), normal((T, 3, 2)), normal((T, 2))),
        ('np.einsum("ti,tij->tj", grad_output, hs[1:])', "dhs[t - 1] += dhs[t] * a[t]"),
    ),
    "corrected": (
        corrected,
        lambda T: (normal((T, 3)), 0.5 * normal((T, 3)), normal((T, 3)), random.random(T)),
        ('np.einsum("ti,tij->tj", grad_output, Ss[1:])', "Q[:, None] * grad_output[:, :, None]"),
    ),
    "weighed": (weighed, lambda T: (0.5 * normal((T, 3, 3)), normal(3), normal((3, 3))), ("np.stack",)),
    # One einsum, and the list of states is called as the user's own; hs has the first one too.
    "column_by_column": (
        column_by_column,
        lambda T: (normal((T, 3, 2)), normal(2), normal(2)),
        ('du = np.einsum("tij,tij->j", hs[:-1], dx)', "states = hs[1:]", "1 - states**2"),
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_gradients_are_right_at_any_length(name: str) -> None:
    function, make, parts = LOOPS[name]
    written = cr.write(function, *make(6))
    for part in parts:
        assert part in str(written), str(written)
    for turns in (6, 3, 9):
        args = make(turns)
        result = function(*args)
        g = normal(np.shape(result)) if np.ndim(result) else None
        value, gradients = written.function(*args, *([] if g is None else [g]))
        np.testing.assert_allclose(value, result)

        def loss(*own: Any, g: Any = g) -> Any:
            return np.sum(function(*own) * (1 if g is None else g))

        names = list(function.__code__.co_varnames)
        for wrt, gradient in gradients.items():
            place = names.index(wrt)
            direction = random.uniform(0.5, 1.5, np.shape(args[place]))
            slope = directional_difference(loss, list(args), place, direction, 1e-5)
            assert np.shape(gradient) == np.shape(args[place])
            assert abs(np.sum(gradient * direction) - slope) <= 1e-6 * (1 + np.sum(np.abs(gradient))), (wrt, turns)
