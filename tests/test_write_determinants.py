"""Determinants: written as in the books, for matrices of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr


def _normal(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def _definite(seed: int, n: int) -> Any:
    A = _normal(seed, n, n)
    return A @ A.T + np.eye(n)


def independent_components(W: Any, X: Any) -> Any:
    return np.log(np.cosh(X @ W.T)).sum(axis=1).mean() - np.log(np.abs(np.linalg.det(W)))


def density(S: Any, X: Any) -> Any:
    scale = np.sqrt((2 * np.pi) ** X.shape[1] * np.linalg.det(S))
    return -np.log(np.exp(-0.5 * np.sum(X @ np.linalg.inv(S) * X, axis=1)) / scale).sum()


def wishart(A: Any, V: Any, degrees: Any) -> Any:
    L = A @ A.T
    _, logdet = np.linalg.slogdet(L)
    return 0.5 * (degrees - len(A) - 1) * logdet - 0.5 * np.trace(np.linalg.solve(V, L))


CASES: list[tuple[Any, tuple[Any, ...], tuple[Any, ...], str]] = [
    (
        independent_components,
        (_normal(0, 3, 3), _normal(1, 7, 3)),
        (_normal(2, 5, 5), _normal(3, 4, 5)),
        " - np.linalg.inv(W)).T",
    ),
    (density, (_definite(0, 2), _normal(1, 5, 2)), (_definite(2, 4), _normal(3, 3, 4)), "(X.shape[0] * product).T"),
    (wishart, (_normal(0, 3, 3), _definite(1, 3), 5.0), (_normal(2, 4, 4), _definite(3, 4), 7.5), "np.linalg.inv(L)"),
]


@pytest.mark.parametrize(("f", "args", "others", "part"), CASES, ids=[f.__name__ for f, *_ in CASES])
def test_determinants_are_written_as_in_books(f: Any, args: Any, others: Any, part: str) -> None:
    written = cr.write(f, *args)
    assert "valid" not in str(written)
    assert part in str(written)
    for given in (args, others):
        value, gradients = written.function(*given)
        exact = cr.grad(f, argnums=range(len(given)))(*given)
        assert value == pytest.approx(f(*given))
        for own, other in zip(gradients.values(), exact, strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-8, atol=1e-10)


def test_a_singular_example_has_its_cofactors() -> None:
    written = cr.write(np.linalg.det, np.array([[1.0, 2.0], [2.0, 4.0]])).function
    for x in ([[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]):
        A = np.array(x)
        (gradient,) = written(A)[1].values()
        np.testing.assert_allclose(gradient, [[A[1, 1], -A[1, 0]], [-A[0, 1], A[0, 0]]], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_examples_of_other_lengths_with_singular_matrices_say_nothing(seed: int) -> None:
    # Of a matrix with fewer columns, `A @ A.T` is singular but for rounding.
    assert "valid" not in str(cr.write(wishart, _normal(seed, 3, 3), _definite(seed + 1, 3), 5.0))
