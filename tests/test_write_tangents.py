"""Tangents of loops are loops; lists whose last item is treated otherwise, lists that are joined, filled arrays."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.trees import flatten, unflatten


def _normal(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def recurrence(X: Any, W: Any, U: Any, y: Any) -> Any:
    h = np.zeros(len(U))
    for t in range(len(X)):
        h = np.tanh(X[t] @ W + h @ U)
    return ((h - y) ** 2).sum()


def layers(x: Any, Ws: Any, bs: Any) -> Any:
    for k, (W, b) in enumerate(zip(Ws, bs, strict=True)):
        x = x @ W + b
        if k < len(Ws) - 1:
            x = np.maximum(x, 0)
    return x


def both_ends(x: Any, Ws: Any) -> Any:
    for k, W in enumerate(Ws):
        if k == 0:
            x = 2 * x
        x = x @ W
        if k != len(Ws) - 1:
            x = np.tanh(x)
    return (x**2).sum()


def joined(xs: Any, W: Any) -> Any:
    outputs = []
    for x in xs:
        outputs.append(np.tanh(x @ W))
    return np.concatenate(outputs, axis=0)


def beside(xs: Any, W: Any) -> Any:
    return np.hstack([np.tanh(x @ W) for x in xs])


def chain(q: Any, d: Any) -> Any:
    T = np.eye(3)
    for k in range(len(q)):
        c, s = np.cos(q[k]), np.sin(q[k])
        T = T @ np.array([[c, -s, d[k] * c], [s, c, d[k] * s], [0, 0, 1]])
    return T[:2, 2]


def filled(x: Any, w: Any) -> Any:
    n, m = w.shape
    out = np.zeros((x.shape[0] - n + 1, x.shape[1] - m + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(x[i : i + n, j : j + m] * w)
    return out


CASES: dict[Any, Any] = {
    recurrence: lambda n: (_normal(1, n, 2), _normal(2, 2, 3), _normal(3, 3, 3), _normal(4, 3)),
    layers: lambda n: (_normal(1, 2, 3), [_normal(k, 3, 3) for k in range(n)], [_normal(k, 3) for k in range(n)]),
    both_ends: lambda n: (_normal(1, 2, 3), [_normal(k, 3, 3) for k in range(n)]),
    joined: lambda n: ([_normal(k, 2, 3) for k in range(n)], _normal(9, 3, 4)),
    beside: lambda n: ([_normal(k, 2, 3) for k in range(n)], _normal(9, 3, 4)),
    chain: lambda n: (_normal(1, n), _normal(2, n)),
    filled: lambda n: (_normal(1, n + 1, n + 2), _normal(2, 2, 3)),
}


@cache
def _written(f: Any, what: str) -> cr.Source:
    return cr.write(f, *CASES[f](4), what=what)  # type: ignore[arg-type]


def _close(own: Any, other: Any) -> None:
    for a, b in zip(flatten(own)[0], flatten(other)[0], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)


@pytest.mark.parametrize("f", CASES, ids=lambda f: f.__name__)
def test_other_numbers_of_turns(f: Any) -> None:
    make = CASES[f]
    tangents, backward = _written(f, "jvp"), _written(f, "backward")
    for n in (2, 3, 6):
        args = make(n)
        directions = make(n)[: len(args)]
        _close(tangents.function(*args, *directions), cr.jvp(f, args, directions))
        output, pullback = cr.vjp(f, *args)
        given = np.cos(np.arange(np.size(output))).reshape(np.shape(output))
        value, found = backward.function(*args, *([given] if np.ndim(output) else []))
        _close(value, output)
        _close(list(found.values()), pullback(given if np.ndim(output) else 1.0))


def test_what_is_written_reads_as_a_person_would_write_it() -> None:
    tangents = str(_written(recurrence, "jvp"))
    assert tangents.count("for t in range(len(X)):") + tangents.count("for t in range(X.shape[0]):") == 1
    assert "        h, dh = h2, dh2\n" in tangents
    backward = str(_written(filled, "backward"))
    assert "            dw += grad_output[i, j] * x[i : i + n, j : j + m]\n" in backward
    assert ".copy()" not in backward
    assert "zip(Ws[:-1], bs[:-1])" in str(_written(layers, "backward"))


def test_arrays_of_one_row_do_not_stand_for_arrays_of_few() -> None:
    """With the first and the last layer written out, one layer would be both of them."""
    written = _written(both_ends, "backward").function
    with pytest.raises(ValueError, match=r"^written for len\(Ws\) > 1$"):
        written(*CASES[both_ends](1))


def heads(x: Any, Wq: Any, Wk: Any, Wv: Any) -> Any:
    outputs = []
    for q, k, v in zip(Wq, Wk, Wv, strict=True):
        e = np.exp((x @ q) @ (x @ k).T)
        outputs.append(e / e.sum(axis=1, keepdims=True) @ (x @ v))
    return sum(outputs)


def test_one_row_in_a_loop_stands_for_many() -> None:
    """That an axis is of length 1 in the example does not say that it needs no sum."""

    def arguments(n: int) -> Any:
        return (_normal(1, n, 3), *([_normal(3 * m + k, 3, 2) for k in range(2)] for m in range(1, 4)))

    written = cr.write(heads, *arguments(1)).function
    args = arguments(5)
    given = _normal(0, 5, 2)
    _, found = written(*args, given)
    _close(list(found.values()), cr.vjp(heads, *args)[1](given))


def _two_gates(x: Any, A: Any, b: Any, n: int) -> Any:
    y = x
    total = 0.0
    for _ in range(n):
        z = 1 / (1 + np.exp(-(A @ y + b)))
        y = z * x + (1 - z) * y
        total = total + (y * y).sum()
    return total


_SQUARE = _normal(2, 3, 3)
HESSIANS: list[tuple[Any, tuple[Any, ...], tuple[Any, ...], bool]] = [
    (
        recurrence,
        (_normal(0, 5, 2), _normal(1, 2, 3), _SQUARE, _normal(3, 3)),
        (_normal(4, 8, 2), _normal(1, 2, 3), _SQUARE, _normal(3, 3)),
        True,
    ),
    (_two_gates, (_normal(0, 3), _SQUARE, _normal(1, 3), 4), (_normal(0, 3), _SQUARE, _normal(1, 3), 7), True),
    (both_ends, (_normal(0, 3), [_SQUARE, _normal(5, 3, 3), _SQUARE]), (), False),
]


@pytest.mark.parametrize(("f", "args", "others", "looped"), HESSIANS, ids=[f.__name__ for f, *_ in HESSIANS])
def test_products_with_the_hessian_of_a_loop_are_loops(f: Any, args: Any, others: Any, looped: bool) -> None:
    written = cr.write(f, *args, what="hvp")
    assert ("is written out" in str(written)) != looped
    assert (str(written).count("    for ") == 2) == looped
    for given in (args, others) if looped else (args,):
        moving = [x for x in given if type(x) is not int]
        numbers = [x for x in given if type(x) is int]
        vectors = [unflatten(flatten(x)[1], [np.sin(leaf) for leaf in flatten(x)[0]]) for x in moving]
        exact = cr.hvp(lambda *xs, numbers=numbers: f(*xs, *numbers), tuple(moving), tuple(vectors))
        found = written.function(*given, *vectors)
        for own, other in zip(flatten(list(found.values()))[0], flatten(list(exact))[0], strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-12)


def test_tangents_of_one_argument_alone() -> None:
    args = (_normal(0, 5, 2), _normal(1, 2, 3), _SQUARE, _normal(3, 3))
    vector = np.cos(_SQUARE)
    written = cr.write(recurrence, *args, wrt="U", what="jvp").function
    zeros = [np.zeros_like(x) for x in args]
    zeros[2] = vector
    value, tangent = cr.jvp(recurrence, args, tuple(zeros))
    np.testing.assert_allclose(written(*args, vector), (value, tangent), rtol=1e-12)
