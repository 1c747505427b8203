"""Facts that the reader knows: they make what is written shorter, are said above it, and are checked on the example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

RANDOM = np.random.default_rng(5)


def labels_of(n: int, k: int) -> np.ndarray:
    return np.eye(k)[RANDOM.integers(0, k, n)]


def symmetric(n: int) -> np.ndarray:
    a = RANDOM.standard_normal((n, n))
    return a @ a.T + np.eye(n)


def log_softmax(z: Any) -> Any:
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def cross_entropy(Z: Any, Y: Any) -> Any:
    return -(Y * log_softmax(Z)).sum() / len(Z)


def cross_entropy_of_probabilities(Z: Any, Y: Any) -> Any:
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    return -np.sum(np.log(np.sum(P * Y, axis=1))) / len(Z)


def smoothed(Z: Any, Y: Any, eps: float = 0.1) -> Any:
    T = (1 - 0.1) * Y + 0.1 / Y.shape[1]
    return -(T * log_softmax(Z)).sum() / len(Z)


def wishart(V: Any, S: Any) -> Any:
    return np.linalg.slogdet(V)[1] - np.trace(np.linalg.inv(V) @ S)


def quadratic(x: Any, S: Any) -> Any:
    return x @ S @ x


def switched(w: Any, y: Any) -> Any:
    p = y * w + (1 - y) * w**2
    return np.sum(p**2)


def larger(a: Any, b: Any) -> Any:
    both = np.maximum(a, b)
    return np.sum(both**2)


def pooled(X: Any) -> Any:
    return np.sum(X.reshape(-1, 2).max(axis=1) ** 2)


def built_inside(Z: Any, labels: Any) -> Any:
    Y = np.eye(Z.shape[1])[labels]
    return -(Y * log_softmax(Z)).sum() / len(Z)


def written_inside(Z: Any, labels: Any) -> Any:
    Y = np.zeros(Z.shape)
    Y[np.arange(len(Z)), labels] = 1
    return -(Y * log_softmax(Z)).sum() / len(Z)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape)


def computed(X: Any, y: Any) -> Any:
    K = np.exp(-((X[:, 0][:, None] - X[:, 0]) ** 2)) * np.exp(X[:, 1] @ X[:, 1]) + np.eye(len(X))
    return y @ np.linalg.solve(K, y)


Make = Callable[[int], tuple[Any, ...]]

# function, what it is called with, what is assumed, what stands in the source and what does not
CASES: list[tuple[Any, Make, dict[str, Any], list[str], list[str]]] = [
    (cross_entropy, lambda n: (normal(n, 3), labels_of(n, 3)), {"Y": "one_hot"},
     ["# valid where each row of Y is one-hot", " - Y) / "], ["Y.sum", "dY.sum"]),
    (cross_entropy, lambda n: (normal(n, 3), np.full((n, 3), 1 / 3)), {"Y": "distribution"},
     ["# valid where each row of Y adds to 1"], ["Y.sum"]),
    (cross_entropy_of_probabilities, lambda n: (normal(n, 3), labels_of(n, 3)), {"Y": ("one_hot",)},
     ["(P - Y) / "], ["Y.sum"]),
    (smoothed, lambda n: (normal(n, 3), labels_of(n, 3)), {"Y": "one_hot"}, [" - T) / "], ["T.sum"]),
    (wishart, lambda n: (symmetric(n), symmetric(n)), {"V": "symmetric", "S": "symmetric"},
     ["# valid where V is symmetric\n# valid where S is symmetric"], [".T"]),
    (quadratic, lambda n: (normal(n), symmetric(n)), {"S": "symmetric"}, [], ["S.T"]),
    (switched, lambda n: (normal(n), RANDOM.integers(0, 2, n) * 1.0), {"y": "binary"},
     ["# valid where y is 0 or 1"], []),
    (larger, lambda n: (normal(n), normal(n)), {"both": "no_ties"},
     ["# valid where no values tie in `np.maximum(a, b)` on line"], ["0.5", "=="]),
    (pooled, lambda n: (normal(2 * n),), {"X": "no_ties"}, ["# valid where no values tie in `X.resh"], [".sum(axis"]),
    (computed, lambda n: (normal(n, 2), normal(n)), {"K": "symmetric"}, ["# valid where K is symmetric"], ["K.T"]),
    (built_inside, lambda n: (normal(n, 3), RANDOM.integers(0, 3, n)), {}, [], ["Y.sum", "valid where"]),
    (written_inside, lambda n: (normal(n, 3), RANDOM.integers(0, 3, n)), {}, [], ["Y.sum", "valid where"]),
]  # fmt: skip


@pytest.mark.parametrize(("f", "make", "assume", "there", "gone"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_facts_make_the_source_shorter(f: Any, make: Make, assume: Any, there: list[str], gone: list[str]) -> None:
    args = make(4)
    floating = [k for k, x in enumerate(args) if x.dtype.kind == "f"]
    source = cr.write(f, *args, assume=assume)
    body = str(source).partition('gradients by name."""')[2]
    assert all(text in str(source) for text in there)
    assert not any(text in (body if text != "valid where" else str(source)) for text in gone)
    for other in (args, make(6)):
        value, gradients = source.function(*other)
        np.testing.assert_allclose(value, f(*other))
        for gradient, exact in zip(gradients.values(), cr.grad(f, argnums=tuple(floating))(*other), strict=True):
            np.testing.assert_allclose(gradient, exact, atol=1e-10)
