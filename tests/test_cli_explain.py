"""``chainrule explain``, ``cr.explain`` and ``%%explain``: on scripts, functions and cells."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.explain.notebook import explained_cell, load_ipython_extension
from examples import dense, network

typer_testing = pytest.importorskip("typer.testing")
pytest.importorskip("rich")

from chainrule.cli import app  # noqa: E402  only where its libraries are there

ROOT = Path(__file__).resolve().parent.parent
NETWORK = ROOT / "examples" / "network.py"
DENSE = f"{ROOT / 'examples' / 'dense.py'}::dense_forward"
SHAPES = "x_input=5x18,W=18x5,b=5"


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("LANGUAGE", "en")


def invoke(*args: object):
    environment = {"COLUMNS": "80", "LANGUAGE": "en"}
    return typer_testing.CliRunner().invoke(app, ["explain", *map(str, args)], env=environment)


def shown(*args: object) -> str:
    result = invoke(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


# ---- the command


def test_a_script_is_explained_with_the_lines_that_write_prints():
    names = "W1,W2,W3,W4,B1,B2,B3,B4"
    explained = shown(NETWORK, "--of", "err", "--wrt", names)
    written = typer_testing.CliRunner().invoke(app, ["write", str(NETWORK), "--of", "err", "--wrt", names])
    codes = [line for line in written.stdout.splitlines() if line and not line.startswith("#")]
    assert len(codes) == 15
    for code in codes:
        assert f"Code                {code}" in explained
    assert "4  Z3 = A2.dot(W3) + B3" in explained
    assert "line 45" in explained
    assert max(map(len, explained.splitlines())) <= 80
    assert "\x1b" not in explained
    assert [line for line in explained.splitlines() if line != line.rstrip()] == []


def test_brief_and_full():
    usual, brief, full = (shown(NETWORK, "--of", "err", *depth) for depth in ([], ["--brief"], ["--full"]))
    assert len(brief.splitlines()) < len(usual.splitlines()) / 3
    assert "Written out" in full
    assert "Written out" not in usual
    result = invoke(NETWORK, "--of", "err", "--brief", "--full")
    assert result.exit_code == 2
    assert "choose one of --brief, --full" in result.stderr


def test_a_function_of_a_file():
    explained = shown(DENSE, "--shapes", SHAPES, "--wrt", "x_input")
    assert "dx_input = grad_output @ W.T" in explained
    assert "(5,18) = (5,5)·(18,5)ᵀ" in explained
    assert "dW" not in explained


def test_one_element():
    explained = shown(NETWORK, "--of", "err", "--element", "W3[2,1]")
    assert explained.startswith("How the gradient of W3[2,1] is found")
    assert "the ReLU is off" in explained
    result = invoke(NETWORK, "--of", "err", "--element", "W3")
    assert result.exit_code == 1
    assert "name one element" in result.stderr


def test_pages_and_markdown_are_written(tmp_path):
    html, markdown = tmp_path / "out.html", tmp_path / "out.md"
    result = invoke(NETWORK, "--of", "err", "--html", html, "--markdown", markdown)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "Wrote" in result.stderr
    assert html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "```math" in markdown.read_text(encoding="utf-8")
    assert shown(NETWORK, "--of", "err", "--markdown", "-").startswith("# How the gradients of err are found")
    missing = invoke(NETWORK, "--of", "err", "--html", tmp_path / "none" / "out.html")
    assert missing.exit_code == 2
    assert "cannot be written" in " ".join(missing.stderr.split())


def test_the_page_follows_an_element_too(tmp_path):
    path = tmp_path / "out.html"
    invoke(NETWORK, "--of", "err", "--html", path, "--element", "W3[2,1]")
    page = path.read_text(encoding="utf-8")
    assert 'class="following"' in page
    assert page.count("<article") == 8


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        ([NETWORK, "--of", "none"], 2, "none"),
        ([NETWORK, "--of", "err", "--lang", "tlh"], 2, "there are no messages"),
        ([NETWORK, "--of", "err", "--shapes", "X=1x4"], 2, "--shapes is for functions"),
        ([DENSE, "--shapes", SHAPES, "--of-index", "0,0"], 2, "for scripts"),
        ([ROOT / "none.py", "--of", "err"], 2, "none.py"),
    ],
)
def test_what_cannot_be_explained_is_said(args, status, said):
    result = invoke(*args)
    assert (result.exit_code, said in result.stderr) == (status, True), result.stderr


def test_languages(tmp_path):
    page = tmp_path / "out.html"
    assert invoke(NETWORK, "--of", "err", "--html", page, "--lang", "fr").exit_code == 0
    assert '<html lang="fr"' in page.read_text(encoding="utf-8")


# ---- in Python


def test_explain_is_called_by_its_name_whatever_was_imported():
    assert callable(cr.explain)
    explanation = cr.explain(dense.dense_forward, dense.x_input, dense.W, dense.b, grad_output=dense.grad_output)
    derivation = explanation.derivation
    lines = {line.target: line.value for part in derivation.parts for route in part.routes for line in route.lines}
    for name, gradient in (
        ("dx_input", dense.dense_grad_input),
        ("dW", dense.dense_grad_W),
        ("db", dense.dense_grad_b),
    ):
        expected = gradient(dense.x_input, dense.grad_output, dense.W, dense.b)
        np.testing.assert_allclose(lines[name], expected, rtol=1e-12)
    assert repr(explanation) == str(explanation)


def test_an_element_has_the_gradient_of_the_derivation():
    def f(x, w):
        return np.tanh(x @ w)

    x, w = np.arange(6.0).reshape(2, 3) / 10, np.arange(12.0).reshape(3, 4) / 10
    g = np.arange(8.0).reshape(2, 4)
    for given in (None, g):
        explanation = cr.explain(f, x, w, grad_output=given)
        derivation = explanation.derivation
        lines = {line.target: line.value for p in derivation.parts for r in p.routes for line in r.lines}
        assert explanation.element("w[1,2]").story.gradient == pytest.approx(lines["dw"][1, 2], rel=1e-12)


def test_an_argument_that_is_called_grad_output_is_the_functions_own():
    def loss(x, grad_output):
        return (x * grad_output).sum()

    x = np.arange(3.0)
    derivation = cr.explain(loss, x, wrt="x", grad_output=np.ones(3)).derivation
    assert derivation.value == x.sum()


# ---- in a notebook


class Shell:
    """What IPython's shell does for a cell's command."""

    def __init__(self, **variables):
        self.user_ns = {"np": np, **variables}
        self.magics = {}

    def run_cell(self, cell):
        exec(cell, self.user_ns)

    def register_magic_function(self, function, kind, name):
        self.magics[kind, name] = function


CELL = dedent(
    """\
    # the forward pass
    Z = X @ W + b

    A = np.maximum(0, Z)
    err = ((A - T) ** 2).mean()
    """
)


@pytest.fixture
def shell():
    random = np.random.default_rng(0)
    shapes = {"X": (5, 3), "W": (3, 2), "b": (2,), "T": (5, 2)}
    return Shell(**{name: random.normal(size=shape) for name, shape in shapes.items()})


def test_a_cell_is_run_and_explained(shell):
    load_ipython_extension(shell)
    explanation = shell.magics["cell", "explain"]("err --wrt W,b", CELL)
    assert "err" in shell.user_ns
    derivation = explanation.derivation
    # The line of %%explain is the cell's first.
    assert [(part.result, part.line) for part in derivation.parts] == [("err", 6), ("A", 5), ("Z", 3)]
    gradients = {line.target: line.value for p in derivation.parts for r in p.routes for line in r.lines}
    assert set(gradients) >= {"dW", "db"}
    assert "dX" not in gradients
    assert explanation._repr_html_().startswith("<iframe")


@pytest.mark.parametrize(
    ("line", "cell", "result"),
    [
        ("", CELL, "err"),
        ("", CELL + "err", "err"),
        ("A", "A = (X @ W).sum()", "A"),
        ("", "X = X * 2\nX.sum()\ny = X.sum()", "y"),
    ],
)
def test_the_result_of_a_cell(shell, line, cell, result):
    assert explained_cell(line, cell, shell.user_ns).derivation.result == result


def test_what_a_notebook_shows_of_an_error_is_what_it_says(shell):
    load_ipython_extension(shell)
    with pytest.raises(ChainruleError, match="computes no such variable") as refused:
        shell.magics["cell", "explain"]("nothing", CELL)
    assert refused.value._render_traceback_() == [f"ChainruleError: {refused.value}"]


def test_options_of_a_cell(shell):
    assert explained_cell("err --brief --wrt W", CELL, shell.user_ns).depth == "brief"
    assert explained_cell("err --full --lang ja", CELL, shell.user_ns).language == "ja"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("none", "computes no such variable; it computes: Z, A, err"),
        ("err --wrt Z", "it reads: X, W, b, T"),
        ("err --shape", "unrecognized arguments"),
    ],
)
def test_what_a_cell_does_not_have_is_said(shell, line, said):
    with pytest.raises(ChainruleError, match=re.escape(said)):
        explained_cell(line, CELL, shell.user_ns)


def test_chainrule_is_an_extension_of_ipython():
    assert cr.load_ipython_extension is load_ipython_extension


# ---- the documentation


def test_the_page_shows_what_is_printed():
    written = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")

    def printed(match: re.Match[str]) -> str:
        result = typer_testing.CliRunner().invoke(
            app, shlex.split(match[1])[1:], env={"COLUMNS": "80", "LANGUAGE": "en"}
        )
        return f"```console\n$ {match[1]}\n{result.stdout}{result.stderr}```\n"

    commands = re.findall(r"\$ (chainrule explain .*)", written)
    assert len(commands) >= 3
    page = re.sub(r"```console\n\$ (chainrule .*)\n(?:.*\n)*?```\n", printed, written)
    assert page == written, "run `python -m docs.explanations` and read what has changed"


def test_the_examples_are_the_seeds():
    assert network.err == pytest.approx(5.779, abs=1e-3)
    assert "chainrule.explain" in sys.modules
