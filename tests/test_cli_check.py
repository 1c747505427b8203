"""``chainrule check`` on the command line: scripts, functions, classes, and the status with which it ends."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest

typer_testing = pytest.importorskip("typer.testing")
pytest.importorskip("rich")

from chainrule.cli import app  # noqa: E402  only where its libraries are there

LAYERS = """
    def dense(x, W, b):
        Z = x @ W + b
        A = np.maximum(0, Z)
        return A
"""
HOMEWORK = """
    def dense_grad_input(x_input, grad_output, W, b):
        dZ = grad_output * (x_input @ W + b > 0)
        return dZ @ W.T

    def dense_grad_W(x_input, grad_output, W, b):
        return x_input.T @ grad_output

    def dense_grad_b(x_input, grad_output, W, b):
        return (grad_output * (x_input @ W + b > 0)).sum(axis=0)

    class Dense:
        def __init__(self, W, b):
            self.W, self.b = W, b

        def forward(self, x):
            self.x = x
            self.Z = x @ self.W + self.b
            return np.maximum(0, self.Z)

        def backward(self, g):
            dZ = g * (self.Z > 0)
            self.dW = self.x.T @ dZ
            self.db = dZ.sum(axis=0)
            return dZ @ self.W.T

    def strange(one, two, three, four):
        return one @ three.T
"""
NETWORK = """
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    W = [rng.normal(size=(3, 4)) * 0.5, rng.normal(size=(4, 2))]
    B1, b2 = np.zeros(4) + 0.1, np.zeros(2) - 0.2
    for turn in range(TURNS):
        Z1 = X.dot(W[0]) + B1
        A1 = np.maximum(0, Z1)
        Y = A1.dot(W[1]) + b2
        err = ((Y - T) ** 2).mean()
        print(turn, err)
        dY = 2 * (Y - T) / Y.size
        dW = [None, A1.T @ dY]
        db2 = dY.sum(axis=0)
        dZ1 = dY @ W[1].T * MASK
        dW[0] = X.T @ dZ1
        DB1 = dZ1.sum(axis=0)
        for k in range(2):
            W[k] -= 0.1 * dW[k]
        B1 -= 0.1 * DB1
        b2 -= 0.1 * db2
"""
SHAPES = "x=5x3,W=3x4,b=4"


def invoke(*args: object):
    return typer_testing.CliRunner().invoke(app, ["check", *map(str, args)], env={"COLUMNS": "80", "LANGUAGE": "en"})


@pytest.fixture
def write(tmp_path):
    """Writes a file and gives its path."""

    def written(source: str, name: str) -> Path:
        path = tmp_path / name
        path.write_text("import numpy as np\n" + dedent(source), encoding="utf-8")
        return path

    return written


@pytest.fixture
def files(write):
    """The homework, and what is to be said about the forward function."""
    return write(HOMEWORK, "homework.py"), ("--forward", f"{write(LAYERS, 'layers.py')}::dense", "--shapes", SHAPES)


@pytest.mark.parametrize(("name", "status"), [("dense_grad_input", 0), ("dense_grad_*", 1), ("Dense", 0)])
def test_homework(files, name, status):
    homework, about = files
    result = invoke(f"{homework}::{name}", *about)
    assert result.exit_code == status, result.output
    assert ("is right" if status == 0 else "is wrong") in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_names_can_be_told(files):
    homework, about = files
    result = invoke(f"{homework}::strange", *about)
    assert result.exit_code == 2
    assert "it cannot be told what one, two, three, four stand for" in result.stderr
    told = "one=grad_output,two=x,three=W,four=b"
    result = invoke(f"{homework}::strange", *about, "--names", told, "--wrt", "x", "--json")
    assert result.exit_code == 1
    assert set(json.loads(result.stdout)["gradients"]) == {"x"}


def test_json_and_gradescope(files, tmp_path):
    homework, about = files
    out = tmp_path / "results.json"
    asked = ("--json", "--gradescope", out, "--points", "W=3,x=2", "--feedback", "verdict")
    result = invoke(f"{homework}::dense_grad_*", *about, *asked)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert {n: g["right"] for n, g in report["gradients"].items()} == {"x": True, "W": False, "b": True}
    results = json.loads(out.read_text())
    assert results["score"] == 3.0  # 2 for x, 1 for b
    assert sum(t["max_score"] for t in results["tests"]) == 6.0


def test_a_results_file_that_cannot_be_written(files, tmp_path):
    homework, about = files
    out = tmp_path / "nowhere" / "results.json"
    result = invoke(f"{homework}::dense_grad_*", *about, "--gradescope", out)
    assert result.exit_code == 2
    assert "results.json cannot be written" in " ".join(result.stderr.split())


def network(write, mask: str, turns: int) -> Path:
    return write(NETWORK.replace("MASK", mask).replace("TURNS", str(turns)), "network.py")


@pytest.mark.parametrize("turns", [1, 3000])
def test_a_script(write, turns):
    result = invoke(network(write, "(Z1 > 0)", turns), "--of", "err", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert list(report["gradients"]) == ["W[0]", "W[1]", "B1", "b2"]
    assert "DB1 (B1)" in str(report["notes"])


def test_a_script_that_reads_only_the_length_of_an_array(write):
    lines = ["W = np.arange(20.0).reshape(5, 4)", "rows = np.arange(3)", "n = len(rows)", "V = W[:n]"]
    lines += ["err = np.mean(V**2)", "dW = np.zeros_like(W)", "dW[:n] = 2 * V / V.size"]
    result = invoke(write("import numpy as np\n" + "\n".join(lines), "script.py"), "--of", "err")
    assert result.exit_code == 0, result.output


def test_a_wrong_script(write):
    result = invoke(network(write, "1", 2), "--of", "err", "--json")
    assert result.exit_code == 1, result.output
    right = {n: g["right"] for n, g in json.loads(result.stdout)["gradients"].items()}
    assert right == {"W[0]": False, "W[1]": True, "B1": False, "b2": True}


def test_a_script_never_runs_in_the_checker(write, tmp_path):
    script = network(write, "1", 2)
    lines = ["import os, sys", "if 'chainrule.cli' in sys.modules: os._exit(9)  # it is loaded in the checker alone"]
    script.write_text("\n".join([*lines, script.read_text()]))
    result = invoke(script, "--of", "err")
    assert result.exit_code == 1, result.output
    assert "0 " not in result.stdout.splitlines()[0]  # what it prints


def test_some_gradients_of_a_script(write):
    result = invoke(network(write, "1", 1), "--of", "err", "--wrt", "b2", "--trust")
    assert result.exit_code == 0, result.output
    assert "network.py is right" in result.stdout


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("W = np.ones(3)\nerr = (W ** 2).sum()\ndW = 2 * V", "NameError: name 'V' is not defined"),
        ("W = np.ones(3)\nerr = (W ** 2).sum()", "computes no gradient of W"),
        ("W = np.ones(3)\nloss = (W ** 2).sum()\ndW = 2 * W", "the script defines no err"),
        ("err = (", "SyntaxError"),
    ],
)
def test_scripts_that_cannot_be_judged(write, body, text):
    script = write(body, "script.py")
    result = invoke(script, "--of", "err", "--trust")
    assert result.exit_code == 2
    assert text in result.stderr


def test_what_cannot_be_judged_is_a_report_too(write):
    result = invoke(write("err = V", "script.py"), "--of", "err", "--json")
    assert result.exit_code == 2
    report = json.loads(result.stdout)
    assert not report["judged"]
    assert "NameError: name 'V' is not defined" in "\n".join(report["notes"])


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((), "say what it is compared with"),
        (("--of", "err", "--forward", "x.py::f"), "say what it is compared with"),
        (("--forward", "x.py"), "name the function"),
        (("--forward", "x.py::f", "--feedback", "loud"), "feedback='loud'"),
        (("--forward", "x.py::f", "--points", "W=many"), "write numbers"),
        (("--of", "err", "--lang", "xx"), "no messages in the language"),
    ],
)
def test_what_is_asked_for_must_make_sense(files, args, text):
    result = invoke(files[0], *args)
    assert result.exit_code == 2
    assert text in result.stderr


def test_a_forward_function_that_fails(files):
    homework, (*about, _) = files
    result = invoke(f"{homework}::dense_grad_W", *about, "x=5x3,W=4x4,b=4")
    assert result.exit_code == 2
    assert "dense fails on the example: ValueError: matmul" in " ".join(result.stderr.split())
    assert "W has shape (4, 4)" in result.stderr


def test_one_file_for_both(files, write, tmp_path):
    both = write(LAYERS + HOMEWORK, "both.py")
    about = ("--forward", f"{both}::dense", "--shapes", SHAPES)
    result = invoke(f"{both}::dense_grad_input", *about)
    assert result.exit_code == 0, result.output
    assert "keep that in a file of its own" in " ".join(result.stdout.split())
    result = invoke(f"{both}::dense_grad_input", *about, "--gradescope", tmp_path / "results.json")
    assert result.exit_code == 2
    assert json.loads((tmp_path / "results.json").read_text())["score"] == 0


def test_limits(files, write):
    slow = write("def backward(g, x, W, b):\n    while True: pass", "slow.py")
    result = invoke(f"{slow}::backward", *files[1], "--time-limit", "0.5")
    assert result.exit_code == 1
    assert "longer than 0.5 seconds" in " ".join(result.stdout.split())
