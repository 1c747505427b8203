"""Losses that are sums of terms: a term that a gradient leaves out, or has another number of times than once."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

rng = np.random.default_rng(4)


def ridge(X, w, y, lam):
    pred = X @ w
    data = ((pred - y) ** 2).mean()
    penalty = lam * (w**2).sum()
    loss = data + penalty
    return loss


def network(X, W1, W2, T, lam):
    H = np.tanh(X @ W1)
    Y = H @ W2
    fit = np.mean((Y - T) ** 2)
    decay = 0.5 * lam * (np.sum(W1 * W1) + np.sum(W2 * W2))
    return fit + decay


def ridge_gradient(data, penalty):
    """A gradient of ``w`` with other multiples of its two terms."""

    def gradient(X, w, y, lam):
        return data(X) * 2 * X.T @ (X @ w - y) / len(y) + penalty(lam) * 2 * lam * w

    return gradient


ARGS = {"X": rng.normal(size=(6, 3)), "w": rng.normal(size=3), "y": rng.normal(size=6), "lam": 0.3}
ONE = lambda x: 1.0  # noqa: E731
CASES = [
    ("the penalty is forgotten", ONE, lambda lam: 0.0, [("missing_reg_grad", "penalty")]),
    ("its two is", ONE, lambda lam: 0.5, [("factor_2_missing", "penalty")]),
    ("its sign is wrong", ONE, lambda lam: -1.0, [("sign_flipped_term", "penalty")]),
    ("its strength is forgotten", ONE, lambda lam: 1 / lam, [("missing_scale", "penalty")]),
    ("the mean of the data is", lambda X: len(X), ONE, [("missing_batch_mean", "data")]),
    ("the data are averaged twice", lambda X: 1 / len(X), ONE, [("extra_batch_mean", "data")]),
    (
        "mean and penalty", lambda X: len(X), lambda lam: 0.0,
        [("missing_batch_mean", "data"), ("missing_reg_grad", "penalty")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "penalty", "wanted"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_term_has_the_wrong_multiple(data, penalty, wanted):
    report = cr.check(ridge_gradient(data, penalty), ridge, ARGS, "w")
    assert [(s.kind, s.step) for s in report.suspects[: len(wanted)]] == wanted


def test_the_penalties_of_two_layers():
    def backward(X, W1, W2, T, lam):
        H = np.tanh(X @ W1)
        dY = 2 * (H @ W2 - T) / T.size
        dH = dY @ W2.T * (1 - H**2)
        return {"W1": X.T @ dH, "W2": H.T @ dY + lam * W2}

    args = {"X": rng.normal(size=(5, 3)), "W1": rng.normal(size=(3, 4)), "W2": rng.normal(size=(4, 2))}
    report = cr.check(backward, network, {**args, "T": rng.normal(size=(5, 2)), "lam": 0.1})
    first = report.suspects[0]
    assert (first.kind, first.step, first.gradients) == ("missing_reg_grad", "decay", ("W1",))
    assert "`lam * W1`" in str(first.explanation)


def test_a_gradient_of_one_term_shares_the_fault():
    def loss(x, w, b, y):
        fit = np.sum((x @ w + b - y) ** 2) / len(y)
        return fit + 0.1 * np.sum(w * w)

    def backward(x, w, b, y):
        e = 2 * (x @ w + b - y)
        return {"w": x.T @ e + 0.2 * w, "b": np.sum(e)}

    args = {"x": rng.normal(size=(6, 3)), "w": rng.normal(size=3), "b": 0.4, "y": rng.normal(size=6)}
    report = cr.check(backward, loss, args, ["w", "b"])
    first = report.suspects[0]
    assert (first.kind, first.step, set(first.gradients)) == ("missing_batch_mean", "fit", {"w", "b"})


def two_terms(x, w, y):
    h = np.tanh(x @ w)
    loss = np.mean((h - y) ** 2) + 0.3 * np.sum(w**2)
    return loss


def test_the_part_of_a_statement_is_said():
    def backward(x, w, y):
        h = np.tanh(x @ w)
        return x.T @ (2 * (h - y) * (1 - h**2) / y.size) + 0.3 * w

    args = {"x": rng.normal(size=(5, 3)), "w": rng.normal(size=(3, 2)), "y": rng.normal(size=(5, 2))}
    first = cr.check(backward, two_terms, args, "w").suspects[0]
    assert (first.kind, first.step) == ("factor_2_missing", "loss")
    assert "At `0.3 * np.sum(w**2)` (line" in str(first.explanation)
    assert first.source.startswith("loss = ")


def test_the_batch_is_the_axis_of_the_data():
    def backward(x, w, y):
        h = np.tanh(x @ w)
        return (x.T @ (2 * (h - y) * (1 - h**2) / y.shape[1]) + 0.6 * w / len(x)) / len(x)

    args = {"w": rng.normal(size=(3, 2)), "x": rng.normal(size=(5, 3)), "y": rng.normal(size=(5, 2))}
    report = cr.check(backward, lambda w, x, y: two_terms(x, w, y), args, "w")
    assert "x.shape[0]" in str(report)
