"""The line to write instead, put into the file as it is printed: the candidate must be right with it.

``CHAINRULE_ALL_SEEDS=1`` does that for every exhibit of the museum whose report says that its lines hold.
"""

from __future__ import annotations

import ast
import importlib.util
import linecache
import os
import sys
from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.check.changing import Scene, text_of
from chainrule.check.order_repairs import changes_of_modes
from chainrule.check.statement_repairs import changes_of_statement
from chainrule.check.verdicts import chief
from tests.museum.rooms import WRONG
from tests.museum.scoring import judged

ALL = bool(os.environ.get("CHAINRULE_ALL_SEEDS"))

# What people want to read: their own line with one thing changed.
SHOWN = {
    "assignments/batchnorm_staged": ("dxmu2 = 2 * xmu * dsq / n",),
    "assignments/dropout_not_scaled": ("dh = dout * mask / keep",),
    "assignments/rnn_no_carry": ("dz = (dh[:, t] + dprev_h) * (1 - hs[t + 1] ** 2)",),
    "models/softmax_two_faults": ("dW = dW / num + reg * W * 2",),
    "models/logistic_bias_penalised": ("grad[1:] += lam / m * theta[1:]",),
    "homework/called_unaveraged": ("dW = np.dot(dZ, A_prev.T) / m",),
    "homework/called_turned_about": ("dZ[Z <= 0] = 0",),
    "models/tied_not_transposed": ("dW = X.T @ dH + dR.T @ H",),
    "notebooks/scaled_before_division": ("dgamma = (do * n).sum(0)",),
    "notebooks/tanh_not_squared_twice": ("dW = np.outer(dh * (1 - h ** 2), x)", "db = dh * (1 - h ** 2)"),
    "notebooks/recurrent_stops_early": ("for t in range(T - 1, -1, -1):",),
    "notebooks/margins_target_once": (),
    "notebooks/engine_not_squared": (),
}
CHOSEN = [n for n in WRONG if not isinstance(WRONG[n].candidate, dict)] if ALL else list(SHOWN)


def with_lines(candidate, lines):
    """A candidate from its file with statements replaced, as a reader would do it."""
    source = "".join(linecache.getlines(sys.modules[candidate.__module__].__file__))
    for number, (text, own) in sorted(lines.items(), reverse=True):
        rows = source.splitlines()
        first, last = number, number + own.count("\n")
        before, behind = rows[number - 1][: len(rows[number - 1]) - len(rows[number - 1].lstrip())], ""
        if "\n" not in own and not text.endswith(":"):
            simple = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.stmt) and not hasattr(n, "body")]
            held = [n for n in simple if n.lineno <= number <= n.end_lineno]
            old = next((n for n in held if ast.get_source_segment(source, n) == own), held[0])  # beside others
            first, last = old.lineno, old.end_lineno
            before, behind = rows[first - 1][: old.col_offset], rows[last - 1][old.end_col_offset :]
        new = [before + row for row in text.splitlines()]
        new[-1] += behind
        source = "\n".join([*rows[: first - 1], *new, *rows[last:]]) + "\n"
    name = f"mended_{candidate.__name__}"
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader=None))
    module.__file__ = f"<{name}>"
    linecache.cache[module.__file__] = (len(source), None, source.splitlines(keepends=True), module.__file__)
    sys.modules[name] = module
    exec(compile(source, module.__file__, "exec"), vars(module))
    return getattr(module, candidate.__name__)


@pytest.mark.parametrize("name", CHOSEN)
def test_a_candidate_is_right_with_the_lines_that_are_said_to_hold(name):
    exhibit = WRONG[name]
    found = [s for s, _ in chief(judged(exhibit).suspects) if s.fix]
    lines = {s.candidate_line: (s.fix, s.candidate_source) for s in found if s.candidate_line}
    for text in SHOWN.get(name, ()):
        assert text in [fix for fix, _ in lines.values()]
    if not lines or not all(s.fix_holds for s in found):
        pytest.skip("no line is said to hold")
    report = judged(replace(exhibit, candidate=with_lines(exhibit.candidate, lines)))
    mended = {n for s in found for n in s.gradients}
    assert all(report.gradients[n].ok for n in mended), (lines, str(report))


def test_what_is_read_one_step_further_on_is_read_one_back():
    (statement,) = ast.parse("dW += np.dot(dz, hs[t].T) + xs[t - 1]").body
    values = {"t": 1, "hs": np.ones((3, 2)), "xs": np.ones((3, 2)), "dz": np.ones(2), "dW": np.ones(2)}
    scene = Scene({name: name for name in values}, [values])
    texts = {ast.unparse(c.node) for c in changes_of_statement(statement, scene) if c.word == "off_by_one_index"}
    assert "dW += np.dot(dz, hs[t - 1].T) + xs[t - 1]" in texts
    assert "dW += np.dot(dz, hs[t].T) + xs[t]" in texts


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("for t in range(T - 1, 0, -1): pass", "for t in range(T - 1, -1, -1):"),
        ("for t in range(1, T): pass", "for t in range(T):"),
        ("for t in range(T - 1): pass", "for t in range(T):"),
        ("for t in range(H): pass", "for t in range(T):"),
        ("for t in range(T): pass", "for t in reversed(range(T)):"),
        ("dW[i, t] += dz[t]", "dW[t, i] += dz[t]"),
        ("dz = np.concatenate([di, do, df])", "dz = np.concatenate([di, df, do])"),
        ("dz = dW[-H:]", "dz = dW[:H]"),
        ("hs, ws = i * H, t", "hs, ws = i * H, t * 2"),
        ("dW[idx] = dz", "np.add.at(dW, idx, dz)"),
        ("dz = np.zeros(T, dtype=int)", "dz = np.zeros(T)"),
        ("dz = f(dz, 'relu')", "dz = f(dz, 'sigmoid')"),
    ],
)
def test_what_is_taken_in_another_order_is_offered(line, meant):
    (statement,) = ast.parse(line).body
    values = {"t": 1, "i": 0, "T": 3, "H": 2, "idx": np.array([0, 0]), "dW": np.ones((3, 3))}
    values |= {name: np.ones(3) for name in ("dz", "di", "df", "do")}
    scene = Scene({name: name for name in values}, [values], modes=("relu", "sigmoid"))
    changes = [*changes_of_modes(statement, scene), *changes_of_statement(statement, scene)]
    assert meant in {text_of(c.node) for c in changes}


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def loss_of_lists(x, y, biases, weights):
    a = x
    for b, w in zip(biases, weights, strict=True):
        a = sigmoid(w @ a + b)
    return 0.5 * np.sum((a - y) ** 2)


def backprop(x, y, biases, weights):
    nabla_b = [np.zeros(b.shape) for b in biases]
    nabla_w = [np.zeros(w.shape) for w in weights]
    activations = [x]
    for b, w in zip(biases, weights, strict=True):
        activations.append(sigmoid(w @ activations[-1] + b))
    delta = activations[-1] - y
    nabla_b[-1] = delta
    nabla_w[-1] = np.dot(delta, activations[-2].T)
    return nabla_b, nabla_w


def test_lists_of_weights_have_lines_too():
    draw = np.random.default_rng(0).standard_normal
    args = {"x": draw((4, 1)), "y": draw((2, 1)), "biases": [draw((2, 1))], "weights": [draw((2, 4))]}
    first = cr.check(backprop, loss_of_lists, args, ["biases", "weights"]).suspects[0]
    assert (first.kind, first.fix_holds) == ("missing_activation_grad", True)
    assert first.candidate_source == "delta = activations[-1] - y"


def two_layers(x, W, V):
    return np.maximum(np.maximum(x @ W, 0) @ V, 0)


def relu_back(g, z):
    return g * (g > 0)


def dense_back(g, x, W):
    return x.T @ g, g @ W.T


def two_layers_back(x, W, V, dout):
    z = x @ W
    h = np.maximum(z, 0)
    dV, dh = dense_back(relu_back(dout, h @ V), h, V)
    dW, dx = dense_back(relu_back(dh, z), x, W)
    return dx, dW, dV


def rnn(x, h0, W, U):
    h = h0
    for t in range(len(x)):
        h = np.tanh(x[t] @ W + h @ U)
    return h


def rnn_back(x, h0, W, U, dh):
    hs = [h0]
    for t in range(len(x)):
        hs.append(np.tanh(x[t] @ W + hs[-1] @ U))
    dx, dW, dU = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U)
    for t in reversed(range(len(x))):
        dz = dh
        dW += x[t].T @ dz
        dU += hs[t].T @ dz
        dx[t] = dz @ W.T
        dh = dz @ U.T
    return dx, dh, dW, dU


@pytest.mark.parametrize(
    ("candidate", "forward", "shapes", "line"),
    [
        (two_layers_back, two_layers, {"x": (5, 4), "W": (4, 6), "V": (6, 3)}, "return g * (z > 0)"),
        (rnn_back, rnn, {"x": (3, 2, 4), "h0": (2, 3), "W": (4, 3), "U": (3, 3)}, "dz = dh * (1 - hs[t + 1] ** 2)"),
    ],
    ids=["in what is called", "an item of a list"],
)
def test_a_line_that_all_wrong_gradients_go_through_mends_them_all(candidate, forward, shapes, line):
    draw = np.random.default_rng(1).standard_normal
    first = cr.check(candidate, forward, {n: draw(s) for n, s in shapes.items()}).suspects[0]
    assert (first.fix, first.fix_holds) == (line, True)
