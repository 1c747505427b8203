"""What a report says of a forward statement is so, and no line is proposed that the candidate has already."""

from __future__ import annotations

import ast

import numpy as np
import pytest

import chainrule as cr

pytest.importorskip("typer")

from typer.testing import CliRunner

from chainrule.cli import app

RANDOM = np.random.default_rng(6)
ARGS = {"x": RANDOM.standard_normal((5, 3)), "t": RANDOM.standard_normal((5, 4)),
        "W": RANDOM.standard_normal((3, 4)), "b": RANDOM.standard_normal(4)}  # fmt: skip


def mean_of_squares(x, t, W, b):
    y = x @ W + b
    e = y - t
    loss = (e**2).sum(axis=1).mean()
    return loss


def only_the_bias_is_averaged(x, t, W, b):
    dy = 2 * (x @ W + b - t)
    dW = x.T @ dy
    db = dy.mean(axis=0)
    return {"W": dW, "b": db}


def only_the_weights_are_averaged(x, t, W, b):
    dy = 2 * (x @ W + b - t)
    dW = x.T @ dy / len(x)
    db = dy.sum(axis=0)
    return {"W": dW, "b": db}


@pytest.mark.parametrize(
    ("candidate", "wrong"), [(only_the_bias_is_averaged, "W"), (only_the_weights_are_averaged, "b")]
)
def test_a_mean_that_is_left_out_of_one_gradient_is_that_of_the_statement_that_takes_it(candidate, wrong):
    report = cr.check(candidate, mean_of_squares, ARGS, ["W", "b"])
    assert [name for name, g in report.gradients.items() if not g.ok] == [wrong]
    first = report.suspects[0]
    assert (first.kind, first.step) == ("missing_batch_mean", "loss")
    assert "mean()" in str(first.explanation)


SCRIPT = """
import numpy as np
x = np.linspace(-1, 1, 15).reshape(5, 3) ** 2
t = np.ones((5, 4))
W = np.linspace(-1, 2, 12).reshape(3, 4) ** 3
b = np.zeros(4)
y = x @ W + b
loss = ((y - t) ** 2).sum(axis=1).mean()
dy = 2 * (y - t)
dW = x.T @ dy
db = dy.mean(axis=0)
"""


def test_no_line_is_proposed_that_the_candidate_has(tmp_path):
    path = tmp_path / "post.py"
    path.write_text(SCRIPT, encoding="utf-8")
    done = CliRunner().invoke(app, ["check", str(path), "--of", "loss", "--json"])
    assert done.exit_code == 1, done.output
    assert "missing_batch_mean" in done.output
    assert '"fix": "dW = x.T @ dy"' not in done.output


SMALL = """
import numpy as np
x = np.array([[0.5, -1.0], [2.0, 1.0], [0.0, 0.3]])
W = np.array([[1.0, -2.0, 0.5], [0.3, 0.8, -1.0]])
labels = np.array([0, 2, 1])
scores = x @ W
E = np.exp(scores - scores.max(axis=1, keepdims=True))
P = E / E.sum(axis=1, keepdims=True)
loss = -np.log(P[np.arange(3), labels]).mean()
dscores = P.copy()
dscores[np.arange(3), labels] -= 1
dW = x.T @ dscores
"""


def test_a_batch_as_small_as_a_plain_number_is_a_batch_still(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(SMALL, encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(path), "--of", "loss"])
    text = " ".join(result.stdout.split())
    assert "missing_batch_mean" in text
    assert "3 is your batch size" in text


def test_lines_to_write_assign_what_they_read():
    def forward(x, W, b):
        return np.maximum(0, x @ W + b)

    class Own(np.ndarray):
        pass

    def candidate(x, W, b, g):
        return tuple(part.view(Own) for part in (g @ W.T, x.T @ g, g.sum(0)))

    rng = np.random.default_rng(0)
    report = cr.check(candidate, forward, {"x": rng.normal(size=(5, 3)), "W": rng.normal(size=(3, 4)), "b": np.ones(4)})
    (fix,) = {s.fix for s in report.suspects if s.kind == "missing_relu_mask"}
    assert fix is not None
    names = {"x", "W", "b", "grad_output"}
    for line in fix.splitlines():
        target, _, value = line.partition(" = ")
        assert {n.id for n in ast.walk(ast.parse(value)) if isinstance(n, ast.Name)} <= names
        names.add(target)
    assert names >= {"dx", "dW", "db"}


def test_all_arrays_that_are_written_into_are_named():
    def forward(x, w):
        return (x * w) ** 2

    def candidate(x, w, g):
        dx, dw = 2 * g * x * w**2, 2 * g * x**2 * w
        x *= 0
        w *= 0
        return dx, dw

    report = cr.check(candidate, forward, {"x": np.array([1.0, 2.0]), "w": np.array([3.0, 4.0])})
    assert "writes into x, w" in str(report)
