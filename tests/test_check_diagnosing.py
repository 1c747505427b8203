"""The diagnosis: two faults, faults in loops, conventions, and what the example could not have shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

RANDOM = np.random.default_rng(8)


def layer(X, W, b):
    Z = X @ W + b
    A = np.tanh(Z)
    return A


LAYER = {"X": RANDOM.standard_normal((4, 5)), "W": RANDOM.standard_normal((5, 3)), "b": RANDOM.standard_normal(3)}


def averaged(X, W, b, g):
    dZ = g * (1 - np.tanh(X @ W + b) ** 2)
    return dZ @ W.T, X.T @ dZ / len(X), dZ.mean(axis=0)


def test_a_convention_of_the_course_is_no_fault() -> None:
    report = cr.check(averaged, layer, LAYER)
    assert {n for n, g in report.gradients.items() if not g.ok} == {"W", "b"}
    assert report.suspects[0].kind == "extra_batch_mean"
    report = cr.check(averaged, layer, LAYER, convention="layer mean")
    assert report.ok
    assert report.gradients["W"].convention is not None


def with_a_count_of_its_own(X, W, b, g):
    dZ = g * (1 - np.tanh(X @ W + b) ** 2)
    return dZ @ W.T, X.T @ dZ, dZ.sum(axis=0) * len(X) / 4


def test_right_for_the_sizes_of_the_example_only() -> None:
    report = cr.check(with_a_count_of_its_own, layer, LAYER)
    assert not report.ok
    assert "fixed_sizes" in [s.kind for s in report.suspects]
    assert report.remarks


def slope_and_bias(X, W, b, g):
    dZ = g * (1 - np.tanh(X @ W + b))
    return dZ @ W.T, X.T @ dZ, dZ


def slope_and_average(X, W, b, g):
    dZ = g
    return dZ @ W.T, X.T @ dZ / len(X), dZ.sum(axis=0)


@pytest.mark.parametrize(
    ("candidate", "kinds"),
    [
        (slope_and_bias, {"bias_not_summed", "wrong_local_derivative"}),
        (slope_and_average, {"missing_activation_grad", "extra_batch_mean"}),
    ],
)
def test_two_faults_are_both_named(candidate: Any, kinds: set[str]) -> None:
    report = cr.check(candidate, layer, LAYER)
    assert kinds <= {s.kind for s in report.suspects}


def recurrence(x, h, W, U):
    for t in range(len(x)):
        h = np.tanh(x[t] @ W + h @ U)
    return h


STATES = {
    "x": RANDOM.standard_normal((3, 2, 4)),
    "h": RANDOM.standard_normal((2, 3)),
    "W": RANDOM.standard_normal((4, 3)),
    "U": RANDOM.standard_normal((3, 3)),
}


def through_time(fault: str) -> Any:
    def backward(x, h, W, U, g):
        states = [h]
        for t in range(len(x)):
            states.append(np.tanh(x[t] @ W + states[-1] @ U))
        dx, dW, dU = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U)
        for t in reversed(range(len(x))):
            dz = g if fault == "slope" else g * (1 - states[t + (fault != "slope before")] ** 2)
            dx[t] = dz @ W.T
            dW = x[t].T @ dz if fault == "assigned" else dW + x[-1 if fault == "last input" else t].T @ dz
            dU += (states[t + 1] if fault == "state" else states[t]).T @ dz
            g = dz @ U.T + (g if fault == "never cleared" else 0)
        return dx, g, dW, dU

    return backward


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("slope", {"missing_activation_grad"}),
        ("assigned", {"overwrites_instead_of_accumulates"}),
        ("state", {"off_by_one_index"}),
        ("slope before", {"off_by_one_index"}),
        ("last input", {"off_by_one_index"}),
        ("never cleared", {"accumulates_instead_of_overwrites"}),
    ],
)
def test_a_fault_in_every_turn_of_a_loop(fault: str, kinds: set[str]) -> None:
    report = cr.check(through_time(fault), recurrence, STATES)
    assert report.suspects[0].kind in kinds


def test_a_right_loop_is_right() -> None:
    assert cr.check(through_time(""), recurrence, STATES).ok


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p


def diagonal(z, g):
    p = softmax(z)
    return g * p * (1 - p)


def unit(z, g):
    p = softmax(z)
    return p * (g - 1)


def test_softmax() -> None:
    z = {"z": RANDOM.standard_normal((4, 3))}
    assert cr.check(diagonal, softmax, z).suspects[0].kind == "softmax_diag_only"
    assert cr.check(unit, softmax, z).suspects[0].kind == "assumes_unit_upstream"


def test_a_factor_of_all_gradients_is_said_as_one() -> None:
    def forward(x: Any, W: Any, b: Any, y: Any) -> Any:
        p = np.tanh(x @ W + b)
        return np.mean((p - y) ** 2)

    def candidate(x: Any, W: Any, b: Any, y: Any) -> Any:
        p = np.tanh(x @ W + b)
        dz = 2 * (p - y) * (1 - p**2) / p.size
        return {"W": x.T @ dz * 7, "b": 7 * dz.sum(axis=0)}

    rng = np.random.default_rng(0)
    shapes = {"x": (5, 3), "W": (3, 4), "b": (4,), "y": (5, 4)}
    report = cr.check(candidate, forward, {n: rng.normal(size=s) for n, s in shapes.items()}, ["W", "b"])
    assert [(s.kind, s.gradients) for s in report.suspects] == [("extra_factor", ("W", "b"))]


def test_a_count_is_said_in_names_of_the_code() -> None:
    def forward(x: Any, w: Any, y: Any) -> Any:
        return np.mean((np.tanh(x @ w) - y) ** 2)

    def candidate(x: Any, w: Any, y: Any) -> Any:
        p = np.tanh(x @ w)
        return x.T @ (2 * (p - y) * (1 - p**2))

    rng = np.random.default_rng(0)
    shapes = {"x": (5, 3), "w": (3, 4), "y": (5, 4)}
    report = cr.check(candidate, forward, {n: rng.normal(size=s) for n, s in shapes.items()}, ["w"])
    assert report.suspects[0].kind == "missing_mean"
    assert "a mean of (x.shape[0] * w.shape[1]) values" in str(report.suspects[0].explanation)
