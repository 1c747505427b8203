"""Where a candidate goes wrong first, by its own variables; and expressions that are evaluated without being run."""

from __future__ import annotations

import ast
import os

import numpy as np
import pytest

import chainrule as cr
from chainrule.check.candidates import candidate_of
from chainrule.check.checking import judge
from chainrule.check.evaluating import NoValueError, evaluated, reads_of
from chainrule.check.findings import Place
from chainrule.check.forward import Forward
from chainrule.check.isolation.opening import opened
from chainrule.check.locating import Location, witness_of
from chainrule.check.mending import Fix, mended
from chainrule.check.trials import Trials
from chainrule.check.vocabulary import suspect


def network(X, W1, b1, W2, b2, T):
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Y = A1 @ W2 + b2
    return ((Y - T) ** 2).mean()


def mask_forgotten(X, W1, b1, W2, b2, T):
    A1 = np.tanh(X @ W1 + b1)
    Y = A1 @ W2 + b2
    dY = 2 * (Y - T) / Y.size
    dW2, db2 = A1.T @ dY, dY.sum(axis=0)
    dA1 = dY @ W2.T
    dZ1 = dA1  # here
    return X.T @ dZ1, dZ1.sum(axis=0), dW2, db2


def derivative_of_another_array(X, W1, b1, W2, b2, T):
    z1 = X @ W1 + b1
    a1 = np.tanh(z1)
    y_hat = a1 @ W2 + b2
    delta2 = 2 * (y_hat - T) / y_hat.size
    back = delta2.dot(W2.T)
    slope = 1 - z1**2
    delta1 = back * slope  # here
    grads = {}
    grads["W1"] = X.T.dot(delta1)
    grads["b1"] = delta1.sum(axis=0)
    grads["W2"] = a1.T.dot(delta2)
    grads["b2"] = delta2.sum(axis=0)
    return grads


def mean_forgotten(X, W1, b1, W2, b2, T):
    A1 = np.tanh(X @ W1 + b1)
    Y = A1 @ W2 + b2
    dY = 2 * (Y - T)  # here
    dZ1 = dY @ W2.T * (1 - A1**2)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    dW2 = A1.T @ dY
    db2 = dY.sum(axis=0)
    return dW1, db1, dW2, db2


def averaged_late_and_one_axis_too_many(X, W1, b1, W2, b2, T):
    n = T.size
    A1 = np.tanh(X @ W1 + b1)
    dY = A1 @ W2 + b2 - T
    dZ1 = dY @ W2.T * (1 - A1**2)
    dW2 = A1.T @ dY * 2 / n
    db2 = dY.sum(axis=0) * 2 / n
    dW1 = X.T @ dZ1 * 2 / n
    db1 = dZ1.sum() * 2 / n  # here
    return dW1, db1, dW2, db2


def transposed_weight(X, W1, b1, W2, b2, T):
    A1 = np.tanh(X @ W1 + b1)
    Y = A1 @ W2 + b2
    g = 2 * (Y - T) / Y.size
    gW2 = g.T @ A1  # here
    gb2 = g.sum(axis=0)
    g = g @ W2.T
    g = g * (1 - A1 * A1)
    gW1 = X.T @ g
    gb1 = g.sum(axis=0)
    return gW1, gb1, gW2, gb2


def nothing_named(X, W1, b1, W2, b2, T):
    A1 = np.tanh(X @ W1 + b1)
    dY = 2 * (A1 @ W2 + b2 - T) / T.size
    return (
        X.T @ ((dY @ W2.T) * (1 - A1**2)),
        ((dY @ W2.T) * (1 - A1)).sum(axis=0),
        A1.T @ dY,
        dY.sum(axis=0),
    )


CASES = [
    (mask_forgotten, ["W1", "b1"], "A1", True),
    (derivative_of_another_array, ["W1", "b1"], "A1", False),
    (mean_forgotten, ["W1", "b1", "W2", "b2"], None, True),
    (averaged_late_and_one_axis_too_many, ["b1"], "Z1", True),
    (transposed_weight, ["W2"], "Y", True),
    (nothing_named, ["b1"], "A1", True),
]


def sizes_and_arguments():
    rng = np.random.default_rng(3)
    shapes = {"X": (6, 4), "W1": (4, 5), "b1": (5,), "W2": (5, 3), "b2": (3,), "T": (6, 3)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(("function", "wrong", "step", "certain"), CASES, ids=lambda x: getattr(x, "__name__", None))
def test_the_first_wrong_line_is_found(function, wrong, step, certain):
    arguments = sizes_and_arguments()
    candidate = candidate_of(function, network, arguments, ["W1", "b1", "W2", "b2"])
    trials = Trials.begun(candidate, Forward(network, arguments), candidate.wrt, 0)
    trials.usual()
    assert sorted({n for t in trials.done for n in t.wrong}) == sorted(wrong)
    witness = witness_of(candidate, [t.exact for t in trials.done if t.label == "fresh"])
    (found,) = witness.locate(wrong)
    assert list(found.gradients) == wrong
    assert found.place.step == step
    assert found.certain is certain
    if "# here" in "".join(map(str, candidate.source)):
        lines = candidate.source.splitlines()
        here = next(k for k, line in enumerate(lines) if "# here" in line) + candidate.first_line
        assert found.line in ((here,) if certain else (here - 1, here))


X = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(x @ x.T) * 2", (X @ X.T) * 2),
        ("np.sum(x, axis=0)[:, None] / len(x)", X.sum(0)[:, None] / 2),
        ("-x.sum(axis=1, keepdims=True) ** 2", -(X.sum(1, keepdims=True) ** 2)),
        ("np.where(x > 1, x, 0.0)", np.where(X > 1, X, 0)),
        ("grads['W'] + self.b", X + 1),
        ("x[np.arange(2), 1]", None),
    ],
)
def test_expressions_are_evaluated(text, expected):
    values = {"x": X, 'grads["W"]': X, "b": 1.0}
    node = ast.parse(text, mode="eval").body
    if expected is None:
        with pytest.raises(NoValueError):
            evaluated(node, values)
        return
    np.testing.assert_array_equal(evaluated(node, values), expected)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "open('x')",
        "x.tofile('x')",
        "np.save('x', x)",
        "np.lib.format",
        "x.__class__",
        "(lambda: 1)()",
        "np.add(x, x, out=x)",
        "np.zeros((10**6, 10**6))",
        "10 ** 10 ** 10",
        "[x for x in y]",
        "x.sum(out=x)",
        "np.copyto(x, 0)",
        "missing",
    ],
)
def test_what_does_more_than_arithmetic_is_not_evaluated(text):
    before = X.copy()
    with pytest.raises(NoValueError):
        evaluated(ast.parse(text, mode="eval").body, {"x": X})
    np.testing.assert_array_equal(X, before)


def test_what_a_statement_reads():
    (statement,) = ast.parse("self.dW += cache['x'].T @ g[0] * np.exp(a.b)").body
    assert {"dW", 'cache["x"]', "g[0]", "a.b"} <= reads_of(statement)


FIXES = [
    (mask_forgotten, "dZ1 = dA1", "dZ1 = "),
    (derivative_of_another_array, "slope", "delta1 = "),
    (mean_forgotten, "dY = 2 * (Y - T)", "dY = 2 * (Y - T) / Y.size"),
    (averaged_late_and_one_axis_too_many, "db1 = dZ1.sum()", "db1 = "),
    (transposed_weight, "gW2 = (g.T @ A1)", "gW2 = A1.T @ g"),
    (nothing_named, "((dY @ W2.T) * (1 - A1)).sum(axis=0)", "return"),
]


@pytest.mark.parametrize(("function", "line", "fix"), FIXES, ids=lambda x: getattr(x, "__name__", None))
def test_the_line_to_write_instead_was_run_and_holds(function, line, fix):
    report = cr.check(function, network, sizes_and_arguments(), ["W1", "b1", "W2", "b2"])
    assert not report.ok
    found = next(s for s in report.suspects if s.fix_holds)
    assert fix in found.fix
    assert found.candidate_line is not None
    assert found.gradients


def two_faults_on_one_way(x, W, b, V):
    a = x @ W + b
    dh = 2 * np.ones((len(x), V.shape[1])) @ V.T
    da = dh
    return {"W": x.T @ da, "b": 3 * da.sum(axis=0), "V": np.maximum(a, 0).T @ np.ones((len(x), V.shape[1]))}


def test_a_line_that_spoils_another_gradient_is_not_proposed():
    def forward(x, W, b, V):
        h = np.maximum(x @ W + b, 0)
        return (h @ V).sum()

    rng = np.random.default_rng(0)
    arguments = {name: rng.normal(size=s) for name, s in {"x": (5, 3), "W": (3, 4), "b": 4, "V": (4, 2)}.items()}
    report = cr.check(two_faults_on_one_way, forward, arguments, ["W", "b", "V"])
    held = {(s.candidate_line, s.fix): s.gradients for s in report.suspects if s.fix_holds}
    assert len({line for line, _ in held}) == len(held)  # one text for one line, which cannot be two at once
    candidate = candidate_of(two_faults_on_one_way, forward, arguments, ["W", "b", "V"])
    for line, text in held:
        candidate = candidate.replaced(line, text)
    again = judge(candidate, forward, arguments)
    assert held
    assert all(again.gradients[name].ok for names in held.values() for name in names)


def test_a_line_holds_for_a_suspect_only_where_it_mends_all_its_gradients():
    at = Location(("W",), 7, "dW = x.T @ dz * 3", "dW", Place(), Place())
    fix = Fix(at, "dW = x.T @ dz", ("W",), tried=True)
    both, one = (suspect("extra_factor", gradients=names, factor="3") for names in (("W", "b"), ("W",)))
    assert [s.fix_holds for s in mended([both, one], [fix], [at])] == [False, True]


def scaled(x, factor, g):
    return g * factor  # not three


def test_a_candidate_is_made_anew_with_another_line():
    def product(x, factor):
        return x * factor * 3.0

    arguments = {"x": np.arange(3.0), "factor": 2.0}
    candidate = candidate_of(scaled, product, arguments, ["x"])
    line = candidate.first_line + 1
    mended = candidate.replaced(line, "return g * factor * 3.0")
    np.testing.assert_array_equal(mended.answer(arguments, np.ones(3)).gradients["x"], np.full(3, 6.0))
    np.testing.assert_array_equal(candidate.answer(arguments, np.ones(3)).gradients["x"], np.full(3, 2.0))
    assert candidate.replaced(line, "return (") is None
    assert candidate.replaced(10**6, "pass") is None


HOMEWORK = """import numpy as np


def dense_grad_W(x, grad_output, W, b):
    return x @ grad_output


def dense_grad_b(x, grad_output, W, b):
    rows = grad_output.sum(axis=1)
    return rows
"""


@pytest.mark.skipif(os.name != "posix", reason="no process of its own for a candidate")
def test_somebody_elses_file_is_mended_where_it_runs(tmp_path):
    def dense(x, W, b):
        return x @ W + b

    path = tmp_path / "homework.py"
    path.write_text(HOMEWORK, encoding="utf-8")
    rng = np.random.default_rng(0)
    arguments = {"x": rng.normal(size=(4, 4)), "W": rng.normal(size=(4, 4)), "b": rng.normal(size=4)}
    with opened(str(path), "dense_grad_*", dense, arguments) as candidate:
        report = judge(candidate, dense, arguments)
    found = {s.gradients: (s.candidate_line, s.fix, s.fix_holds) for s in report.suspects if s.fix_holds}
    assert found["W",] == (5, "return x.T @ grad_output", True)
    assert found["b",][1:] == ("rows = grad_output.sum(axis=0)", True)
    assert path.read_text(encoding="utf-8") == HOMEWORK


def test_what_cannot_be_seen_is_not_located():
    arguments = {"x": np.arange(3.0) + 1}
    namespace = {"np": np}
    exec("def back(x, g):\n    return g * x\n", namespace)
    report = cr.check(namespace["back"], lambda x: x**2, arguments)
    assert not report.ok
    assert all(s.candidate_line is None for s in report.suspects)
