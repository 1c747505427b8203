"""The verdict: right code is right in any form, wrong code is not, and what is plain to see is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

RANDOM = np.random.default_rng(3)


def dense(X, W, b):
    Z = X @ W + b
    A = np.maximum(0, Z)
    return A


DENSE = {"X": RANDOM.standard_normal((4, 5)), "W": RANDOM.standard_normal((5, 3)), "b": RANDOM.standard_normal(3)}


def right(X, W, b, g):
    dZ = g * (X @ W + b > 0)
    return dZ @ W.T, X.T @ dZ, dZ.sum(axis=0)


def greater_or_equal(X, W, b, g):
    dZ = g * (X @ W + b >= 0)
    return dZ @ W.T, X.T @ dZ, dZ.sum(axis=0)


def in_single_precision(X, W, b, g):
    return tuple(d.astype(np.float32) for d in right(X, W, b, g))


@pytest.mark.parametrize("candidate", [right, greater_or_equal, in_single_precision])
@pytest.mark.parametrize("seed", range(5))
def test_right_is_right(candidate: Any, seed: int) -> None:
    report = cr.check(candidate, dense, DENSE, seed=seed)
    assert report.judged
    assert report.ok
    assert not report.suspects


def test_another_choice_at_a_kink_is_a_convention() -> None:
    report = cr.check(greater_or_equal, dense, DENSE)
    assert report.ok
    assert report.gradients["b"].convention is not None


def averaged(X, W, b, g):
    dX, dW, db = right(X, W, b, g)
    return dX, dW / len(X), db


def not_summed(X, W, b, g):
    dZ = g * (X @ W + b > 0)
    return dZ @ W.T, X.T @ dZ, dZ


def column(X, W, b, g):
    dX, dW, db = right(X, W, b, g)
    return dX, dW, db[None]


def not_transposed(X, W, b, g):
    dZ = g * (X @ W + b > 0)
    return dZ @ W, X.T @ dZ, dZ.sum(axis=0)


def negated(X, W, b, g):
    dX, dW, db = right(X, W, b, g)
    return -dX, dW, db


def wrote_into_it(X, W, b, g):
    g[X @ W + b <= 0] = 0
    return g @ W.T, X.T @ g, g.sum(axis=0)


@pytest.mark.parametrize(
    ("candidate", "kind", "wrong"),
    [
        (averaged, "extra_batch_mean", {"W"}),
        (not_summed, "bias_not_summed", {"b"}),
        (column, "shape_keepdims", {"b"}),
        (not_transposed, "raises_error", {"X", "W", "b"}),
        (negated, "sign_flipped", {"X"}),
        (wrote_into_it, "mutates_upstream", set()),
    ],
)
def test_wrong_is_wrong_and_named(candidate: Any, kind: str, wrong: set[str]) -> None:
    report = cr.check(candidate, dense, DENSE)
    assert not report.ok
    assert {n for n, g in report.gradients.items() if not g.ok} == wrong
    assert kind in [s.kind for s in report.suspects[:2]]
