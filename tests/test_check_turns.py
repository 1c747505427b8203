"""What the turns of a loop have to do with each other, numbers on both sides of a decision, and other lines."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.check.adapters.plain_runs import plain_gradients
from chainrule.check.adapters.script_traces import traced_script
from chainrule.check.adapters.scripts import ScriptCandidate
from chainrule.check.checking import judge

RNG = np.random.default_rng(5)


def recurrence(X, U, W):
    h = np.zeros(U.shape[0])
    out = np.zeros((len(X), U.shape[0]))
    for t in range(len(X)):
        h = np.tanh(X[t] @ W + h @ U)
        out[t] = h
    return out


def not_handed_on(X, U, W, dout):
    hs = [np.zeros(U.shape[0])]
    for t in range(len(X)):
        hs.append(np.tanh(X[t] @ W + hs[t] @ U))
    dX, dU, dW = np.zeros_like(X), np.zeros_like(U), np.zeros_like(W)
    dh_next = np.zeros(U.shape[0])
    for t in reversed(range(len(X))):
        dz = (dout[t] + dh_next) * (1 - hs[t + 1] ** 2)
        dX[t] = dz @ W.T
        dW += np.outer(X[t], dz)
        dU += np.outer(hs[t], dz)
    return dX, dU, dW


def not_added_up(X, U, W, dout):
    hs = [np.zeros(U.shape[0])]
    for t in range(len(X)):
        hs.append(np.tanh(X[t] @ W + hs[t] @ U))
    dX, dU, dW = np.zeros_like(X), np.zeros_like(U), np.zeros_like(W)
    dh = np.zeros(U.shape[0])
    for t in reversed(range(len(X))):
        dz = (dout[t] + dh) * (1 - hs[t + 1] ** 2)
        dX[t] = dz @ W.T
        dW = np.outer(X[t], dz)
        dU += np.outer(hs[t], dz)
        dh = dz @ U.T
    return dX, dU, dW


ARGS = {"X": RNG.normal(size=(4, 2)), "U": RNG.normal(size=(3, 3)) * 0.5, "W": RNG.normal(size=(2, 3))}


@pytest.mark.parametrize(
    ("candidate", "kind", "fix"),
    [
        (not_handed_on, "truncated_recurrence", "dU += np.outer(hs[t], dz)\ndh_next = U @ dz"),
        (not_added_up, "overwrites_instead_of_accumulates", "dW += np.outer(X[t], dz)"),
    ],
)
def test_a_line_between_turns(candidate, kind, fix):
    first = cr.check(candidate, recurrence, ARGS).suspects[0]
    assert (first.kind, first.fix, first.fix_holds) == (kind, fix, True)


def heads(x, W, h=2):
    B, T, C = x.shape
    return (x @ W).reshape(B, T, h, C // h).transpose(0, 2, 1, 3) * np.arange(1.0, h + 1)[:, None, None]


def merged_by_reshape(x, W, dout, h=2):
    B, T, C = x.shape
    dq = dout * np.arange(1.0, h + 1)[:, None, None]
    dz = dq.reshape(B, T, C)
    return dz @ W.T, x.reshape(-1, C).T @ dz.reshape(-1, C)


def test_heads_are_merged_with_a_transpose():
    args = {"x": RNG.normal(size=(2, 3, 4)), "W": RNG.normal(size=(4, 4))}
    report = cr.check(merged_by_reshape, heads, args, wrt=["x", "W"])
    assert report.suspects[0].kind == "reshape_instead_of_transpose"
    assert "dz = dq.transpose(0, 2, 1, 3).reshape(B, T, C)" in [s.fix for s in report.suspects if s.fix_holds]


def rectified(a, b):
    q = a * b
    return max(q, 0.0) ** 2 + b


def without_a_mask(a, b):
    return 2 * a * b * b, 2 * a * b * a + 1


def with_a_mask(a, b):
    mask = a * b > 0
    return 2 * a * b * b * mask, 2 * a * b * a * mask + 1


def test_numbers_on_both_sides_of_a_decision():
    args = {"a": 2.0, "b": 1.5}
    assert cr.check(with_a_mask, rectified, args).ok
    report = cr.check(without_a_mask, rectified, args)
    assert not report.ok
    assert not any(s.fix_holds for s in report.suspects if s.fix and "1 - " in s.fix)


def squared(a, b):
    return max(a * b, 0.0) ** 2


def hinge(a, b):
    return max(0, 2 - a * b)


def test_positive_arrays_are_tried_on_the_other_side_of_a_decision_too():
    def forward(x, w):
        return max(np.sum(x * w), 0.0) ** 2

    def unmasked(x, w):
        s = np.sum(x * w)
        return 2 * s * w, 2 * s * x

    def masked(x, w):
        s = max(np.sum(x * w), 0.0)
        return 2 * s * w, 2 * s * x

    args = {"x": np.array([1.0, 2.0]), "w": np.array([0.4, 0.3])}
    assert cr.check(masked, forward, args).ok
    assert not cr.check(unmasked, forward, args).ok


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        (
            squared,
            lambda a, b: (2 * max(a * b, 0) * b, 2 * max(a * b, 0) * a),
            lambda a, b: (2 * a * b * b, 2 * a * b * a),
        ),
        (hinge, lambda a, b: (-b * (a * b < 2), -a * (a * b < 2)), lambda a, b: (-b, -a)),
    ],
)
def test_what_is_a_number_alone_on_one_side_of_a_decision_has_gradients_of_zero(function, right, wrong):
    args = {"a": 1.0, "b": 1.5}
    assert cr.check(right, function, args).ok
    assert not cr.check(wrong, function, args).ok


LOGISTIC = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(9, 3))
y = (X[:, 0] > 0) * 1.0
w = rng.normal(size=3)
b = 0.3
for i in range(4):
    f = 1 / (1 + np.exp(-(X @ w + b)))
    cost = -(y * np.log(f) + (1 - y) * np.log(1 - f)).mean() + 0.1 * np.sum(w ** 2)
    dj_dw = np.zeros(3)
    for j in range(len(y)):
        dj_dw += (f - y)[j] * X[j] / len(y)
    dj_dw = dj_dw + 0.2 * w
    dj_db = (f - y).sum() / len(y)
    w = w - 0.1 * dj_dw
    b = b - 0.1 * dj_db
"""


def judged_script(tmp_path, text):
    path = tmp_path / "logistic.py"
    path.write_text(text, encoding="utf-8")
    found = ScriptCandidate(traced_script(str(path), "cost"))
    return found, judge(found, found.forward, found.args)


def test_quotients_as_names_and_a_number_as_a_parameter(tmp_path):
    found, report = judged_script(tmp_path, LOGISTIC)
    assert set(found.wrt) == {"w", "b"}
    assert report.ok
    _, report = judged_script(tmp_path, LOGISTIC.replace(".sum() / len(y)", ".sum()"))
    assert not report.gradients["b"].ok
    assert report.gradients["w"].ok


def test_a_plain_run_gives_what_the_trace_says(tmp_path):
    found, _ = judged_script(tmp_path, LOGISTIC)
    plain = plain_gradients(found.file, "cost", {"w": "dj_dw", "b": "dj_db"})
    traced = found.answer(found.args, 1.0).gradients
    assert all(np.allclose(plain[n], traced[n]) for n in ("w", "b"))
    line = next(k for k, row in enumerate(LOGISTIC.splitlines(), 1) if "dj_db = " in row)
    assert found.plainly(line, "dj_db = 2.0", line)["b"] == 2.0
    assert found.plainly(line, "dj_db = unknown", line) == {}
