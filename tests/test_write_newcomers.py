"""Loops as newcomers write them: right at other sizes than traced, and written as one would write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

FACTOR = 0.85


def pagerank(A: Any, r: Any, d: float = 0.85) -> Any:
    M = A / A.sum(axis=0)
    n = len(r)
    for _ in range(10):
        r = (1 - d) / n + d * (M @ r)
    return (r**2).sum()


def scaled_by_a_constant(x: Any) -> Any:
    total = FACTOR / x.size * x
    return (total**2).sum() * (FACTOR - len(x)) + FACTOR ** len(x)


def convolution(x: Any, w: Any, b: Any) -> Any:
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    out = np.zeros((N, F, H - HH + 1, W - WW + 1))
    for n in range(N):
        for f in range(F):
            for i in range(H - HH + 1):
                for j in range(W - WW + 1):
                    window = x[n, :, i : i + HH, j : j + WW]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out


def arrays(*shapes: tuple[int, ...]) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    return tuple(np.exp(rng.normal(size=shape) * 0.3) for shape in shapes)


CONVOLVED = [(2, 2, 4, 5), (3, 2, 3, 3), (3,)]

CASES: dict[str, tuple[Any, list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    "pagerank": (pagerank, [(3, 3), (3,)], [(5, 5), (5,)]),
    "a float on the left of a length": (scaled_by_a_constant, [(3,)], [(5,)]),
    "four loops": (convolution, CONVOLVED, [(3, 1, 5, 4), (2, 1, 2, 2), (2,)]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_is_right_for_other_sizes(name: str) -> None:
    f, traced, other = CASES[name]
    source = cr.write(f, *arrays(*traced))
    for shapes in (traced, other):
        args = arrays(*shapes)
        value, pullback = cr.vjp(f, *args)
        given = [np.cos(np.arange(np.size(value))).reshape(np.shape(value))] if np.shape(value) else []
        written, gradients = source.function(*args, *given)
        np.testing.assert_allclose(written, value, rtol=1e-10)
        for own, exact in zip(gradients.values(), pullback(given[0] if given else 1.0), strict=True):
            np.testing.assert_allclose(own, exact, rtol=1e-8, atol=1e-12)


def test_arrays_that_loops_in_loops_write_into_are_not_copied_in_every_turn() -> None:
    text = str(cr.write(convolution, *arrays(*CONVOLVED)))
    assert text.count(".copy()") == 1  # of the cotangent, which is the caller's
    assert "np.stack" not in text  # the gradient of what is only read for its lengths is nothing


def normalised(x: Any, mu: Any, g: Any) -> Any:
    return (((x - mu) * g) ** 2).sum()


def recurrent(x: Any, g: Any, b: Any) -> Any:
    for _ in range(3):
        x = np.tanh(x * g + b)
    return x.sum()


def scaled(g: Any, x: Any, b: Any) -> Any:
    return ((g * x + b) ** 2).sum()


def reconstructed(b: Any, x: Any, W: Any) -> Any:
    return (np.exp(b) * (x @ W)).mean()


def encoded(mu: Any, logvar: Any, eps: Any) -> Any:
    z = mu + np.exp(0.5 * logvar) * eps
    return (z**2).sum() - 0.5 * (1 + logvar - mu**2 - np.exp(logvar)).sum()


def dense(x: Any, W: Any, b: Any) -> Any:
    return np.tanh(x @ W + b).sum()


ONE_ROW: list[tuple[Any, list[tuple[int, ...]], str]] = [
    (normalised, [(1, 3), (1, 3), (1, 3)], "valid while"),
    (encoded, [(1, 3), (1, 3), (1, 3)], "# valid while none of eps, mu is longer than logvar along axis 0"),
    (dense, [(1, 3), (3, 2), (1, 2)], ""),
    (recurrent, [(1, 3), (1, 3), (1, 3)], "write it from more"),
    (scaled, [(1, 3), (1, 3), (1, 3)], "# valid while none of x, b is longer than g along axis 0"),
    (reconstructed, [(1, 3), (1, 2), (2, 3)], "write it from more"),
    (normalised, [(2, 3), (1, 3), (1, 3)], ""),
]


@pytest.mark.parametrize(("f", "shapes", "said"), ONE_ROW)
def test_what_cannot_be_told_from_one_row_is_said(f: Any, shapes: Any, said: str) -> None:
    text = str(cr.write(f, *arrays(*shapes)))
    assert said in text if said else "valid while" not in text
