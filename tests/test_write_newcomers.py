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


def batch_first(x: Any, h: Any, c: Any, Wx: Any, Wh: Any) -> Any:
    H = h.shape[1]
    hs = []
    for t in range(x.shape[1]):
        a = x[:, t] @ Wx + h @ Wh
        i = 1 / (1 + np.exp(-a[:, :H]))
        f = 1 / (1 + np.exp(-a[:, H : 2 * H]))
        c = f * c + i * np.tanh(a[:, 2 * H :])
        h = np.tanh(c)
        hs.append(h)
    return np.stack(hs, axis=1)


def gated(x: Any, h: Any, W: Any, U: Any) -> Any:
    for t in range(len(x)):
        z = 1 / (1 + np.exp(-(x[t] @ W + h @ U)))
        h = z * h + (1 - z) * np.tanh(x[t] @ W)
    return (h**2).sum()


def oscillator(x: Any, v: Any, k: Any, dt: float = 0.05) -> Any:
    xs = []
    for _ in range(6):
        v = v - dt * k * np.sin(x)
        x = x + v * dt
        xs.append(x)
    return (np.array(xs) ** 2).sum()


def windows(x: Any, w: Any) -> Any:
    H, W = x.shape
    k = w.shape[0]
    a, b = np.mgrid[0:k, 0:k]
    p, q = np.meshgrid(np.arange(H - k + 1), np.arange(W - k + 1), indexing="ij")
    columns = x[a.reshape(-1, 1) + p.reshape(1, -1), b.reshape(-1, 1) + q.reshape(1, -1)]
    return ((w.reshape(-1) @ columns) ** 2).sum()


def horner(coefficients: Any, x: Any) -> Any:
    y = np.zeros_like(x)
    for c in coefficients:
        y = y * x + c
    return y


CONVOLVED = [(2, 2, 4, 5), (3, 2, 3, 3), (3,)]

CASES: dict[str, tuple[Any, list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    "pagerank": (pagerank, [(3, 3), (3,)], [(5, 5), (5,)]),
    "a float on the left of a length": (scaled_by_a_constant, [(3,)], [(5,)]),
    "batch first": (
        batch_first,
        [(2, 4, 3), (2, 2), (2, 2), (3, 6), (2, 6)],
        [(3, 6, 2), (3, 1), (3, 1), (2, 3), (1, 3)],
    ),
    "gates": (gated, [(4, 2, 3), (2, 2), (3, 2), (2, 2)], [(7, 3, 2), (3, 3), (2, 3), (3, 3)]),
    "an oscillator": (oscillator, [(3,), (3,), (3,)], [(5,), (5,), (5,)]),
    "windows by grids": (windows, [(6, 7), (3, 3)], [(5, 8), (2, 2)]),
    "a polynomial": (horner, [(4,), (3,)], [(6,), (5,)]),
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
    assert ".copy()" not in text
    assert "np.stack" not in text  # the gradient of what is only read for its lengths is nothing


@pytest.mark.parametrize(
    ("f", "shapes", "parts"),
    [
        (
            batch_first,
            CASES["batch first"][1],
            ["in reversed(range(x.shape[1])):", "h_slopes = 1 - hs**2"],
        ),
        (gated, CASES["gates"][1], ["dx = gradients @ W.T"]),
        (
            oscillator,
            CASES["an oscillator"][1],
            ["x_slopes = products * np.cos(all_xs[:-1])", " * x_slopes[i]", "    xs = all_xs[1:]"],
        ),
        (pagerank, CASES["pagerank"][1], [".T @ rs"]),
        (horner, CASES["a polynomial"][1], ["dcoefficients = dys.sum(axis=1)"]),
    ],
)
def test_what_turns_need_not_do_is_done_for_all_of_them(f: Any, shapes: Any, parts: list[str]) -> None:
    text = str(cr.write(f, *arrays(*shapes)))
    for part in parts:
        assert part in text, text


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
