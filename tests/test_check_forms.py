"""Mistakes in formulas that people write in one piece: normalisations, softmax, a factor at the wrong place."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

rng = np.random.default_rng(8)


def layer_norm(x, gamma):
    mean = x.mean(axis=-1, keepdims=True)
    var = x.var(axis=-1, keepdims=True)
    xhat = (x - mean) / np.sqrt(var + 1e-5)
    y = gamma * xhat
    return y


def softmax(z, T):
    s = z / T
    e = np.exp(s - s.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p


def norm(axis=-1, axis2=-1, inside=True, first=1.0, second=1.0, sums=False):
    """A gradient of ``x`` of a layer norm with some part wrong."""

    def backward(x, gamma, g):
        inv = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
        xhat = (x - x.mean(axis=-1, keepdims=True)) * inv
        d = g * gamma if inside else g
        reduced = np.sum if sums else np.mean
        dx = inv * (
            d - first * reduced(d, axis=axis, keepdims=True)
            - second * xhat * reduced(d * xhat, axis=axis2, keepdims=True)
        )  # fmt: skip
        return {"x": dx if inside else dx * gamma, "gamma": (g * xhat).sum(axis=0)}

    return backward


ARGS = {"x": rng.normal(size=(5, 4)), "gamma": rng.normal(size=4)}
CASES = [
    (norm(axis=0, axis2=0), "wrong_axis", {"xhat"}),
    (norm(axis2=0), "wrong_axis", {"xhat", "var"}),
    (norm(axis=0), "wrong_axis", {"mean", "xhat"}),
    (norm(first=0.0), "missing_mean_path", {"mean"}),
    (norm(inside=False), "misplaced_factor", {"y"}),
    (norm(sums=True), "missing_mean", {"xhat"}),
    (norm(second=-1.0), "sign_flipped_term", {"xhat", "var"}),
]


@pytest.mark.parametrize(("candidate", "kind", "steps"), CASES)
def test_a_normalisation(candidate, kind, steps):
    report = cr.check(candidate, layer_norm, ARGS, ["x", "gamma"])
    first = report.suspects[0]
    assert first.kind == kind
    assert first.step in steps
    assert first.gradients == ("x",)


def test_the_axes_are_said():
    report = cr.check(CASES[0][0], layer_norm, ARGS, ["x", "gamma"])
    assert "over axis 0, and must over axis 1" in str(report.suspects[0].explanation)


def test_a_temperature_is_said_in_the_users_names():
    def backward(z, T, g):
        p = softmax(z, T)
        return p * (g - (g * p).sum(axis=1, keepdims=True))

    report = cr.check(backward, softmax, {"z": rng.normal(size=(4, 3)), "T": 2.5}, "z")
    first = report.suspects[0]
    assert (first.kind, first.step) == ("missing_scale", "s")
    assert "`1 / T`" in str(first.explanation)
