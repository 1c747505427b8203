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


def larger(X, M, b):
    Y = np.maximum(X, M) * b
    return Y


def larger_with_ties_to_the_first(X, M, b, g):
    d = g * b
    return d * (X >= M), d * (M > X), 3 * (g * np.maximum(X, M)).sum(axis=0)


def test_another_choice_at_ties_stays_right_while_a_cause_is_searched() -> None:
    args = {"X": 1.0 * (RANDOM.random((4, 3)) < 0.5), "M": 1.0 * (RANDOM.random((4, 3)) < 0.5), "b": np.ones(3)}
    report = cr.check(larger_with_ties_to_the_first, larger, args)
    assert [n for n, g in report.gradients.items() if not g.ok] == ["b"]


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
        (not_transposed, "missing_transpose", {"X", "W", "b"}),
        (negated, "sign_flipped", {"X"}),
        (wrote_into_it, "mutates_upstream", set()),
    ],
)
def test_wrong_is_wrong_and_named(candidate: Any, kind: str, wrong: set[str]) -> None:
    report = cr.check(candidate, dense, DENSE)
    assert not report.ok
    assert {n for n, g in report.gradients.items() if not g.ok} == wrong
    assert kind in [s.kind for s in report.suspects[:2]]


def network(X, T, W1, B1, W2, B2, W3, B3):
    Z1 = X.dot(W1) + B1
    A1 = np.maximum(0, Z1)
    Z2 = A1.dot(W2) + B2
    A2 = 1 / (1 + np.exp(-Z2))
    Y = A2.dot(W3) + B3
    err = ((Y - T) ** 2).mean()
    return err


SHAPES = {"X": (4, 5), "T": (4, 2), "W1": (5, 6), "B1": 6, "W2": (6, 6), "B2": 6, "W3": (6, 2), "B3": 2}
NETWORK = {name: RANDOM.standard_normal(shape) for name, shape in SHAPES.items()}


def network_with(fault: str) -> Any:
    def backward(X, T, W1, B1, W2, B2, W3, B3):
        Z1 = X.dot(W1) + B1
        A1 = np.maximum(0, Z1)
        Z2 = A1.dot(W2) + B2
        A2 = 1 / (1 + np.exp(-Z2))
        Y = A2.dot(W3) + B3
        dY = (1 if fault == "no 2" else 2) * (Y - T) / (len(Y) if fault == "count" else Y.size)
        dA2 = dY @ W3.T
        slope = {"none": 1.0, "z": Z2 * (1 - Z2), "itself": A2, "double": (A2 * (1 - A2)) ** 2}
        dZ2 = dA2 * slope.get(fault, A2 * (1 - A2))
        dA1 = dZ2 @ (W2 if fault == "transpose" else W2.T)
        masks = {"mask": 1.0, "inverted": Z1 <= 0, "other mask": Z2 > 0}
        dZ1 = dA1 * masks.get(fault, Z1 > 0)
        bias = {"not summed": dZ2, "all summed": dZ2.sum(), "wrong axis": dZ2.sum(axis=1)}
        return {
            "W1": X.T @ dZ1,
            "B1": dZ1.sum(axis=0),
            "W2": (Z1 if fault == "operand" else A1).T @ dZ2,
            "B2": bias.get(fault, dZ2.sum(axis=0)),
            "W3": A2.T @ dY,
            "B3": dY.sum(axis=0),
        }

    return backward


@pytest.mark.parametrize(
    ("fault", "kinds", "step"),
    [
        ("no 2", {"factor_2_missing"}, "err"),
        ("count", {"wrong_count"}, "err"),
        ("none", {"missing_activation_grad"}, "A2"),
        ("z", {"uses_pre_activation_wrongly"}, "A2"),
        ("itself", {"activation_for_derivative"}, "A2"),
        ("double", {"double_activation_grad"}, "A2"),
        ("transpose", {"missing_transpose"}, "Z2"),
        ("mask", {"missing_relu_mask"}, "A1"),
        ("inverted", {"inverted_mask"}, "A1"),
        ("other mask", {"mask_from_wrong_array"}, "A1"),
        ("not summed", {"bias_not_summed"}, "Z2"),
        ("all summed", {"summed_all_axes"}, "Z2"),
        ("wrong axis", {"wrong_axis"}, "Z2"),
        ("operand", {"uses_pre_activation_wrongly", "wrong_operand"}, "Z2"),
    ],
)
def test_a_fault_in_a_network_is_named_with_its_place(fault: str, kinds: set[str], step: str) -> None:
    report = cr.check(network_with(fault), network, NETWORK)
    assert not report.ok
    assert report.suspects[0].kind in kinds, [s.kind for s in report.suspects]
    assert report.suspects[0].step == step


def test_a_right_network_is_right() -> None:
    assert cr.check(network_with(""), network, NETWORK).ok


def looped(x, w, b):
    out = np.zeros((len(x), len(w), x.shape[1] - w.shape[1] + 1))
    for n in range(len(x)):
        for f in range(len(w)):
            for i in range(out.shape[2]):
                out[n, f, i] = np.sum(x[n, i : i + w.shape[1]] * w[f]) + b[f]
    return out


def looped_back(x, w, b, dout):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for n in range(len(x)):
        for f in range(len(w)):
            for i in range(dout.shape[2]):
                dx[n, i : i + w.shape[1]] += w[f] * dout[n, f, i]
                dw[f] += x[n, i : i + w.shape[1]] * dout[n, f, i]
    return dx, dw, dout.sum(axis=(0, 2))


def gated(x, h, W):
    H = h.shape[1]
    for t in range(len(x)):
        a = x[t] @ W
        h = np.tanh(a[:, :H]) * h + a[:, H:]
    return h


def gated_back(x, h, W, dh):
    H, hs = h.shape[1], [h]
    for t in range(len(x)):
        a = x[t] @ W
        hs.append(np.tanh(a[:, :H]) * hs[-1] + a[:, H:])
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    for t in reversed(range(len(x))):
        gate = np.tanh((x[t] @ W)[:, :H])
        da = np.concatenate([dh * hs[t] * (1 - gate**2), dh], axis=1)
        dx[t], dW, dh = da @ W.T, dW + x[t].T @ da, dh * gate
    return dx, dh, dW


def test_axes_with_one_counter_have_one_length_and_no_slice_is_broadcast() -> None:
    x, w, b = RANDOM.standard_normal((2, 4)), RANDOM.standard_normal((3, 3)), RANDOM.standard_normal(3)
    assert cr.check(looped_back, looped, (x, w, b)).ok
    x, h, W = RANDOM.standard_normal((6, 2, 3)), RANDOM.standard_normal((2, 4)), RANDOM.standard_normal((3, 8))
    assert cr.check(gated_back, gated, (x, h, W)).ok


def test_items_that_are_read_one_by_one_are_as_many_as_they_are() -> None:
    def smoothed(x: Any, w: Any) -> Any:
        return w[0] * x[:-2] + w[1] * x[1:-1] + w[2] * x[2:]

    def backward(x: Any, w: Any, dy: Any) -> Any:
        dx = np.zeros_like(x)
        dx[:-2] += w[0] * dy
        dx[1:-1] += w[1] * dy
        dx[2:] += w[2] * dy
        return dx, np.array([(x[:-2] * dy).sum(), (x[1:-1] * dy).sum(), (x[2:] * dy).sum()])

    assert cr.check(backward, smoothed, [np.cos(np.arange(8.0)), np.array([0.3, 0.5, 0.2])]).ok
