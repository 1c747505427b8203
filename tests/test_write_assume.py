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
    T = (1 - eps) * Y + eps / Y.shape[1]
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


def springs(x: Any, y: Any) -> Any:
    d = np.linalg.norm(x - y, axis=1)
    return np.sum((d - 1) ** 2)


def divergence(s: Any, P: Any) -> Any:
    E = np.exp(s - s.max())
    Q = E / E.sum()
    return -np.sum(P * np.log(Q))


def focal(w: Any, y: Any) -> Any:
    p = 1 / (1 + np.exp(-w))
    pt = y * p + (1 - y) * (1 - p)
    return -np.mean((1 - pt) ** 2 * np.log(pt))


def compared(Z: Any, labels: Any) -> Any:
    T = (labels[:, None] == np.arange(3)) * 1.0
    return -(T * log_softmax(Z)).sum() / len(Z)


def masked(z: Any) -> Any:
    m = (z > 0) * 1.0
    return (m * (1 - m) * z**2 + (1 - m) ** 2 * z**3).sum()


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
    (springs, lambda n: (normal(n, 2), normal(n, 2)), {"d": "nonzero"}, ["# valid where d is nowhere 0"], ["== 0"]),
    (divergence, lambda n: (normal(n, n), np.full((n, n), n**-2.0)), {"P": "joint_distribution"},
     ["# valid where all elements of P add to 1", "ds = Q - P"], ["P.sum"]),
    (compared, lambda n: (normal(n, 3), RANDOM.integers(0, 3, n)), {"T": "one_hot"},
     ["# valid where each row of T is one-hot"], ["T.sum"]),
    (focal, lambda n: (normal(n), RANDOM.integers(0, 2, n)), {"y": "binary"}, ["power - 2 * pt * product)"], ["/ pt"]),
    (masked, lambda n: (normal(n),), {}, [], ["dz = 2"]),
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


class Energy:
    def __init__(self) -> None:
        self.S = symmetric(3)

    def forward(self, x: Any) -> Any:
        return x @ self.S @ x


def in_dictionary(params: Any, x: Any) -> Any:
    return x @ params["S"] @ x


def in_turns(x: Any, A: Any) -> Any:
    for _ in range(4):
        x = np.tanh(A @ x) + A.T @ x
    return x.sum()


def in_lists(Zs: Any, Ys: Any) -> Any:
    loss = 0.0
    for Z, Y in zip(Zs, Ys, strict=True):
        loss = loss + cross_entropy(Z, Y)
    return loss


TABLE = labels_of(5, 3)


def of_a_table(Z: Any) -> Any:
    return cross_entropy(Z, TABLE)


LISTS = [normal(4, 3) for _ in range(3)], [labels_of(4, 3) for _ in range(3)]


@pytest.mark.parametrize(
    ("f", "args", "assume", "gone"),
    [
        (Energy().forward, (normal(3),), {"self.S": "symmetric"}, ".T"),
        (in_dictionary, ({"S": symmetric(3)}, normal(3)), {"S": "symmetric"}, ".T"),
        (in_turns, (normal(3), symmetric(3)), {"A": ("symmetric",)}, "A.T @ d"),
        (in_lists, LISTS, {"Ys": "one_hot"}, "Y.sum(axis=1"),
        (of_a_table, (normal(5, 3),), {"TABLE": "one_hot"}, "TABLE.sum"),
        (cross_entropy, (normal(4, 3), labels_of(4, 3) > 0), {"Y": "one_hot"}, "Y.sum"),
        (cross_entropy, (normal(1, 3), labels_of(1, 3)), {"Y": "distribution"}, "Y.sum(axis=1"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_facts_of_what_is_reached_in_other_ways(f: Any, args: Any, assume: Any, gone: str) -> None:
    source = cr.write(f, *args, assume=assume)
    assert "# valid where " in str(source)
    assert gone not in str(source)


def test_facts_go_with_every_style_and_derivative() -> None:
    args, options = (normal(4, 3), labels_of(4, 3)), {"wrt": "Z", "assume": {"Y": "one_hot"}}
    for more in ({"style": "lines"}, {"style": "layer"}, {"what": "jvp"}):
        text = str(cr.write(cross_entropy, *args, **options, **more))
        assert "# valid where each row of Y is one-hot" in text
        assert "Y.sum" not in text
    assert "valid where" not in str(cr.write(cross_entropy, *args, assume={"Y": "one_hot"}, what="forward"))


Z, Y = normal(2, 3), labels_of(2, 3)


@pytest.mark.parametrize(
    ("f", "args", "assume", "said"),
    [
        (cross_entropy, (Z, Y / 2), {"Y": "one_hot"}, 'assume={"Y": "one_hot"}: in the example Y[0, '),
        (cross_entropy, (Z, Y * [[1], [3]]), {"Y": "distribution"}, "the elements of Y[1] add to 3."),
        (cross_entropy, (Z, Y * np.nan), {"Y": "distribution"}, "the elements of Y[0] add to nan."),
        (cross_entropy, (Z, Y), {"Y": "symmetric"}, "the shape of Y is (2, 3)."),
        (quadratic, (normal(2), np.array([[1.0, 2], [3, 4]])), {"S": "symmetric"}, "S[0, 1] is 2, and S[1, 0] is 3."),
        (switched, (normal(2), np.array([1.0, 0.5])), {"y": "binary"}, "y[1] is 0.5."),
        (larger, (np.arange(3.0), np.ones(3)), {"both": "no_ties"}, "meets equal values at [1]."),
        (larger, (np.arange(3.0), np.ones(3)), {"a": ("no_ties",)}, "meets equal values at [1]."),
        (springs, (np.ones((2, 2)), np.ones((2, 2))), {"d": "nonzero"}, "in the example d[0] is 0."),
        (divergence, (Z, Y), {"P": "joint_distribution"}, "the elements of P add to 2."),
        (pooled, (np.ones(4),), {"X": "no_ties"}, "meets equal values at [0]."),
        (quadratic, (normal(2), symmetric(2)), {"S": "no_ties"}, "no maximum or minimum is taken"),
        (quadratic, (normal(2), symmetric(2)), {"T": "symmetric"}, "of quadratic has this name. The arrays are: x, S."),
        (quadratic, (normal(2), symmetric(2)), {"S": "positive"}, "no fact 'positive'. The facts are: symmetric, "),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_said(f: Any, args: Any, assume: Any, said: str) -> None:
    with pytest.raises(cr.ChainruleError) as caught:
        cr.write(f, *args, assume=assume)
    assert said in str(caught.value)


def test_gradients_are_not_those_within_symmetric_matrices() -> None:
    V = symmetric(3)
    found = cr.write(lambda V: np.linalg.slogdet(V)[1], V, assume={"V": "symmetric"}).function(V)[1]["V"]
    np.testing.assert_allclose(found, np.linalg.inv(V))


def test_a_fact_that_the_code_breaks_elsewhere_is_not_used() -> None:
    """What is assumed of a name says nothing of what the code makes of it."""

    def scaled(Z: Any, Y: Any) -> Any:
        P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        return (Y * 2 * np.log(P)).sum() + (Y * np.arange(3.0) * np.log(P)).sum()

    args = normal(4, 3), labels_of(4, 3)
    found = cr.write(scaled, *args, wrt="Z", assume={"Y": "one_hot"}).function(*args)[1]["Z"]
    np.testing.assert_allclose(found, cr.grad(scaled)(*args), atol=1e-12)
