"""``chainrule write``: lines that are pasted into scripts as people post them, and run there."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import subprocess
import sys
import warnings
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

import chainrule
from chainrule.script import trace_script
from chainrule.script_source import write_function, write_script

typer_testing = pytest.importorskip("typer.testing")
pytest.importorskip("rich")

from chainrule.cli import app  # noqa: E402  only where its libraries are there

ROOT = Path(__file__).resolve().parent.parent
NETWORK = ROOT / "examples" / "network.py"
GOLDEN = (ROOT / "tests" / "golden" / "network_lines.py").read_text(encoding="utf-8")


def invoke(*args: object):
    return typer_testing.CliRunner().invoke(app, [str(a) for a in args], env={"COLUMNS": "80"})


@pytest.fixture
def script(tmp_path):
    """Writes a script and gives its path."""

    def write(source: str, name: str = "script.py") -> Path:
        path = tmp_path / name
        path.write_text(dedent(source).lstrip("\n"), encoding="utf-8")
        return path

    return write


def pasted(path: Path, lines: str, line: int) -> dict[str, object]:
    """The variables right below a line of a script, into which the lines were pasted."""
    text = path.read_text(encoding="utf-8").splitlines()
    indent = re.match(r"\s*", text[line - 1])[0]
    keep = f"{indent}__kept.update(locals())"
    below = [indent + added for added in lines.splitlines()]
    kept: dict[str, object] = {}
    above = [indent + kept for kept in re.findall(r"^# put `(.*?)` above", lines, re.MULTILINE)]
    with contextlib.redirect_stdout(io.StringIO()):
        source = "\n".join([*text[: line - 1], *above, text[line - 1], *below, keep, *text[line:]])
        exec(compile(source, str(path), "exec"), {"__name__": "__main__", "__kept": kept})
    return kept


HEAD = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(6, 3))
t = rng.normal(size=(6, 2))
"""

# Per script: its source, the result, what is differentiated with the names of the gradients, and the updates.
SCRIPTS = {
    "own backward in a training loop": (
        HEAD
        + """
reg = 0.1
W = rng.normal(size=(3, 2))
b = np.zeros(2)
for step in range(3):
    z = X @ W + b
    err = np.mean((z - t) ** 2) + reg * np.sum(W ** 2)
    dz = z - t
    dW = X.T @ dz
    W -= 0.1 * dW
    b -= 0.1 * dz.sum(axis=0)
""",
        {"W": "dW", "b": "db"},
        "fixed",
    ),
    "a name used again and again": (
        HEAD
        + """
W1, W2 = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
h = X - X.mean(axis=0)
h = np.tanh(h @ W1)
h = h @ W2
h = h - t
err = (h * h).sum() / len(X)
""",
        {"W1": "dW1", "W2": "dW2"},
        None,
    ),
    "lists": (
        HEAD
        + """
weights = [rng.normal(size=(3, 4)), rng.normal(size=(4, 2))]
biases = [np.zeros(4), np.zeros(2)]
activation = X
activations = [X]
for w, b in zip(weights, biases):
    activation = np.tanh(activation @ w + b)
    activations.append(activation)
err = ((activations[-1] - t) ** 2).mean()
""",
        {"weights[0]": "dweights[0]", "weights[1]": "dweights[1]", "biases[1]": "dbiases_1"},
        None,
    ),
    "columns, one example at a time": (
        HEAD
        + """
sizes = [3, 4, 2]
weights = [rng.normal(size=(n, m)) for m, n in zip(sizes, sizes[1:])]
biases = [rng.normal(size=(n, 1)) for n in sizes[1:]]
a = X[:1].T
for b, w in zip(biases, weights):
    a = 1 / (1 + np.exp(-(w @ a + b)))
err = 0.5 * np.linalg.norm(a - t[:1].T) ** 2
""",
        {"weights[0]": "dws[0]", "weights[1]": "dws[1]", "biases[0]": "dbs[0]", "biases[1]": "dbs[1]"},
        None,
    ),
    "a loop over time": (
        HEAD
        + """
T = len(X)
W, U = rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
h = np.zeros(2)
err = 0
for k in range(T):
    h = np.tanh(X[k] @ W + h @ U)
    err += ((h - t[k]) ** 2).sum()
""",
        {"W": "dW", "U": "dU", "X": "dX"},
        None,
    ),
    "layers of a list in a function": (
        HEAD
        + """
def forward(layers, x):
    for layer in layers:
        x = np.maximum(0, x @ layer["W"] + layer["b"])
    return x
layers = [{"W": rng.normal(size=(3 - k % 2, 2 + k % 2)), "b": np.zeros(2 + k % 2)} for k in (0, 1, 2)]
err = ((forward(layers, X) - t) ** 2).mean()
""",
        {"layers[1]['W']": "dlayers_1_W", "layers[2]['b']": "dlayers_2_b", "layers[0]['b']": "dlayers_0_b"},
        None,
    ),
    "a dictionary and functions": (
        HEAD
        + """
def forward(p, x):
    hidden = np.maximum(0, x @ p['W1'])
    return hidden @ p['W2'] + p['b']
params = {'W1': rng.normal(size=(3, 4)), 'W2': rng.normal(size=(4, 2)), 'b': np.zeros(2)}
err = ((forward(params, X) - t) ** 2).sum()
""",
        {"params['W1']": "dW1", "params['W2']": "dW2", "params['b']": "db"},
        None,
    ),
    "an object trained by its own method": (
        HEAD
        + """
class Net:
    def __init__(self):
        self.w1, self.w2 = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
        self.out = np.zeros((6, 2))
    def forward(self, x):
        self.hidden = np.tanh(x @ self.w1)
        self.out = self.hidden @ self.w2
    def backward(self, x):
        self.w2 = self.w2 - 0.1 * self.hidden.T @ (self.out - t)
        self.w1 = self.w1 - 0.1
net = Net()
for i in range(3):
    net.forward(X)
    err = np.sum((net.out - t) ** 2)
    net.backward(X)
""",
        {"net.w1": "dw1", "net.w2": "dw2"},
        "fixed",
    ),
    "a state that goes from turn to turn": (
        HEAD
        + """
W = 0.1 * rng.normal(size=(3, 3))
def step(state, x):
    new = np.tanh(W @ state + x)
    return (new ** 2).sum(), new
state = np.zeros(3)
for x in X:
    err, state = step(state, x)
    W = W - 0.1 * W
""",
        {"W": "dW"},
        "fixed",
    ),
    "numpy under its own name": (
        "import numpy\nx = numpy.array([1.0, 2.0])\nw = numpy.array([0.5, -1.5])\n"
        "err = numpy.log(1 + numpy.exp(-w * x)).mean() + numpy.abs(w).sum()\n",
        {"w": "dw"},
        None,
    ),
    "numpy under no name": (
        "from numpy import *\nx = array([1.0, 2.0])\nw = array([0.5, -1.5])\nerr = sum(tanh(w * x))\n",
        {"w": "dw"},
        None,
    ),
    "labels at range(n)": (
        HEAD
        + """
labels = rng.integers(0, 4, 6)
num_examples = X.shape[0]
W = rng.normal(size=(3, 4))
scores = np.dot(X, W)
exp_scores = np.exp(scores)
probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
correct = -np.log(probs[range(num_examples), labels])
err = np.sum(correct) / num_examples
""",
        {"W": "dW"},
        None,
    ),
    "a step size that is called dx": (
        "import numpy as np\ndx = 0.1\nx = np.arange(0, 1, dx)\nu = np.sin(x)\nerr = dx * np.sum(u ** 2)\n"
        "assert dx == 0.1\n",
        {"u": "du"},
        None,
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_pasted_lines_compute_the_gradients(script, name):
    source, gradients, updates = SCRIPTS[name]
    path = script(source)
    options = {"of": "err", "wrt": list(gradients), "updates": updates}
    lines, _ = write_script(str(path), **options)
    followed = trace_script(str(path), **options)
    kept = pasted(path, str(lines), followed.line)
    for wanted, expected in followed.gradients().items():
        np.testing.assert_allclose(eval(gradients[wanted], {}, kept), expected, rtol=1e-11, atol=1e-13)


def test_the_network_as_in_the_golden_file():
    result = invoke("write", NETWORK, "--of", "err", "--wrt", "W1,W2,W3,W4,B1,B2,B3,B4")
    assert result.exit_code == 0
    lines = [re.sub(r"line \d+", "", line) for line in result.stdout.splitlines()]
    assert lines == [re.sub(r"line \d+", "", line) for line in GOLDEN.splitlines()]
    assert result.stdout.splitlines()[0].endswith("line 48")


def test_where_the_lines_go_and_what_they_stand_for(script):
    source, _, updates = SCRIPTS["own backward in a training loop"]
    path = script(source)
    lines = str(write_script(str(path), "err", ["W", "b"], updates=updates)[0]).splitlines()
    number = next(k for k, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("    err ="))
    assert lines[0] == f"# paste right below line {number}: W changes after it"
    assert lines[1] == f"# instead of your own dz, dW, from line {number + 1} on"
    assert any("reg * " in line and "0.1" not in line for line in lines if not line.startswith("#"))


@pytest.mark.parametrize(
    ("index", "warned"),
    [("batch = X[2 * k : 2 * k + 2]", False), ("batch = X[:2]\n    batch = batch * (k + 1.0) * w", True)],
)
def test_numbers_that_change_from_turn_to_turn_are_said(script, index, warned):
    path = script(
        HEAD
        + f"w = np.ones(3)\nfor k in range(3):\n    {index}\n    err = ((batch * w) ** 2).sum()\n    w = w - 0.1 * w\n"
    )
    lines, _ = write_script(str(path), "err", ["w"], updates="fixed")
    assert ("valid for the last turn" in str(lines)) is warned


def test_the_turns_of_a_sum_are_not_said_to_be_the_last_one(script):
    loop = "for i in [2, 0, 1]:\n    err = err - np.log(w * w)[i]\n"
    lines, _ = write_script(str(script(HEAD + "w = np.ones(3)\nerr = 0.0\n" + loop)), "err", ["w"])
    assert "valid for the last turn" not in str(lines)
    held = {"np": np, "w": np.ones(3)}
    exec(str(lines), held)
    np.testing.assert_allclose(held["dw"], [-2.0, -2.0, -2.0])


def test_the_output_is_the_code_and_nothing_else(script):
    path = script("import numpy as np\nw = np.ones(3)\nprint('hello')\nx = 2 * w\nerr = (x ** 2).sum()\n")
    result = invoke("write", path, "--of", "err")
    assert "hello" in result.stderr
    assert "hello" not in result.stdout
    ast.parse(result.stdout)
    target = path.with_name("written.py")
    saved = invoke("write", path, "--of", "err", "--output", target)
    assert saved.stdout == ""
    assert target.read_text(encoding="utf-8") == result.stdout
    assert "Wrote" in saved.stderr
    assert invoke("write", path, "--of", "err", "--output", path.with_name("no") / "f.py").exit_code == 2
    # Not even colours, unless it is a terminal.
    command = [sys.executable, "-m", "chainrule", "write", str(path), "--of", "err"]
    piped = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert piped.stdout == result.stdout


@pytest.mark.parametrize(("name", "loops"), [("a loop over time", 2), ("lists", 1)])
def test_a_loop_of_a_script_stays_one(script, name, loops):
    source, gradients, _ = SCRIPTS[name]
    result = invoke("write", script(source), "--of", "err", "--wrt", ",".join(gradients))
    assert result.stdout.count("\nfor ") == loops  # the script's own list has what the loop would keep
    assert "valid for the last turn" not in result.stdout


def test_a_loop_over_time_as_a_function_takes_the_number_of_turns(script):
    source, _, _ = SCRIPTS["a loop over time"]
    path = script(source)
    path.write_text(path.read_text().replace("T = len(X)", "T = 6"), encoding="utf-8")
    written, _ = write_script(str(path), "err", ["W", "U"], style="function")
    X, t, W, U = np.ones((9, 3)), np.zeros((9, 2)), np.full((3, 2), 0.1), np.eye(2) / 2

    def err(W, U):
        h, total = np.zeros(2), 0.0
        for k in range(9):
            h = np.tanh(X[k] @ W + h @ U)
            total = total + ((h - t[k]) ** 2).sum()
        return total

    value, gradients = written.function(X, t, W, U, 9)
    expected, (dW, dU) = chainrule.value_and_grad(err, argnums=(0, 1))(W, U)
    np.testing.assert_allclose(value, expected)
    np.testing.assert_allclose(gradients["W"], dW)
    np.testing.assert_allclose(gradients["U"], dU)


def test_which_result_of_a_function_and_which_derivative(script):
    path = script("""
        import numpy as np
        def two(x, w):
            y = x * w
            energy = (y ** 2).sum()
            return y, energy
        def one(x):
            return (x ** 3).sum()
        """)
    shapes = ("--shapes", "x=4,w=4")
    for of in ("energy", "1"):
        result = invoke("write", f"{path}::two", *shapes, "--of", of)
        assert result.exit_code == 0, result.stderr
        held: dict = {}
        exec(result.stdout, held)
        x, w = np.arange(4.0), np.ones(4)
        np.testing.assert_allclose(held["two_and_grad"](x, w)[1]["w"], 2 * x * x * w)
    assert "none of its variables" in " ".join(invoke("write", f"{path}::two", *shapes, "--of", "z").stderr.split())
    for what, call, expected in (
        ("jvp", lambda f: f(np.ones(3), np.arange(3.0))[1], 9.0),
        ("hvp", lambda f: f(np.ones(3), np.arange(3.0))["x"], 6 * np.arange(3.0)),
    ):
        result = invoke("write", f"{path}::one", "--shapes", "x=3", "--what", what)
        assert result.exit_code == 0, result.stderr
        held = {}
        exec(result.stdout, held)
        np.testing.assert_allclose(call(held[f"one_{what}"]), expected)
    refused = invoke("write", f"{path}::two", *shapes, "--of", "1", "--what", "jvp")
    assert refused.exit_code == 1
    assert "of= chooses" in refused.stderr


@pytest.mark.parametrize("prefix", ["d", "D", "grad_"])
@pytest.mark.parametrize("style", ["function", "layer", "pullback"])
def test_a_script_in_other_styles(script, style, prefix):
    path = script(
        HEAD + "reg = 0.1\nW = rng.normal(size=(3, 2))\nerr = ((X @ W - t) ** 2).sum() + reg * (W ** 2).sum()\n"
    )
    result = invoke("write", path, "--of", "err", "--wrt", "W", "--style", style, "--prefix", prefix)
    assert result.exit_code == 0, result.output
    assert f"{prefix}W" in result.stdout
    followed = trace_script(str(path), "err", ["W"])
    given = [followed.held[name].value for name in ("X", "t", "W")]
    expected = followed.gradients()["W"]
    held: dict = {}
    exec(result.stdout, held)
    if style == "layer":
        layer = held["Script"]()
        layer.forward(*given, 0.1)
        found = layer.backward()["W"]
    elif style == "function":
        found = held["script_and_grad"](*given, 0.1)[1]["W"]
    else:
        found = held["script_grad_W"](*given, 0.1)
    np.testing.assert_allclose(found, expected)
    forward = invoke("write", path, "--of", "err", "--wrt", "W", "--what", "forward")
    exec(forward.stdout, held)
    np.testing.assert_allclose(held["script"](*given, 0.1), followed.value)


def test_the_variables_of_main(script):
    path = script("""
        import numpy as np
        scale = 2.0
        def main(n=3):
            w = np.arange(1.0, n + 1)
            err = scale * (w ** 2).sum()
            return err
        if __name__ == "__main__":
            print(main())
        """)
    refused = invoke("write", path, "--of", "err")
    assert refused.exit_code == 2
    assert "--of err of" in " ".join(refused.stderr.split())
    result = invoke("write", f"{path}::main", "--of", "err")
    assert result.exit_code == 0, result.stderr
    w = np.arange(1.0, 4)
    held = {"w": w, "scale": 2.0, "np": np}
    exec(result.stdout, held)
    np.testing.assert_allclose(held["dw"], 4 * w)
    path.write_text("def f(x):\n    err = x\n    return err\n", encoding="utf-8")
    assert "f has arguments" in invoke("grad", f"{path}::f", "--of", "err").stderr


def test_a_function(script):
    path = script("""
        import numpy as np
        def norm(x, g, eps=1e-5, *, power=2.0):
            return g * x / np.sqrt((x ** power).mean(axis=1, keepdims=True) + eps)
        """)
    result = invoke("write", f"{path}::norm", "--shapes", "x=4x3,g=3,power:=4.0")
    assert result.exit_code == 0, result.output
    assert "deps" not in result.stdout
    assert "written for power=4.0" in result.stderr
    ast.parse(result.stdout)
    assert "deps" in invoke("write", f"{path}::norm", "--shapes", "x=4x3,g=3", "--wrt", "eps").stdout
    pullback, _ = write_function(f"{path}::norm", {"x": (4, 3), "g": (3,)}, wrt=["g"], style="pullback")
    x, g = np.random.default_rng(1).normal(size=(2, 3)), np.ones(3)
    cotangent = np.ones((2, 3))
    expected = (x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5)).sum(axis=0)
    np.testing.assert_allclose(pullback.function(x, g, 1e-5, cotangent), expected)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--style", "poem"), "style='poem'"),
        (("--prefix", "x"), "prefix='x'"),
        (("--what", "nothing"), "what='nothing'"),
        (("--what", "hvp"), "--what hvp is for functions"),
        (("--shapes", "w=3"), "--shapes is for functions"),
        (("--of-index", "x"), "no element"),
        (("--assume", "w"), "--assume: w gives an array no fact."),
        (("--assume", "w=one_hot"), "in the example the elements of w add to 3."),
    ],
)
def test_options_that_are_none(script, args, message):
    path = script("import numpy as np\nw = np.ones(3)\nerr = w.sum()\n")
    result = invoke("write", path, "--of", "err", *args)
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_facts_about_arrays_of_a_script_and_about_random_ones(script):
    body = "P = x @ S @ x\nQ = S @ x\nerr = P + Q @ Q\n"
    path = script(f"import numpy as np\nx = np.array([1.0, 2])\nS = np.array([[2.0, 1], [1, 3]])\n{body}")
    result = invoke("write", path, "--of", "err", "--wrt", "x", "--assume", "S=symmetric")
    assert result.stdout.startswith("# valid where S is symmetric\n")
    assert ".T" not in result.stdout
    module = script("import numpy as np\n\n\ndef f(x, S):\n    return (S @ x) @ S @ x + x @ S @ x\n", "module.py")
    result = invoke("write", f"{module}::f", "--shapes", "x=3,S=3x3", "--assume", "S=symmetric", "--wrt", "x")
    assert "# valid where S is symmetric" in result.stdout
    assert ".T" not in result.stdout


# What beginners' scripts fail with: their own line, and a hint where the cause is plain.
FAILURES = {
    "weigths ** 2": ("NameError: name 'weigths'", "did you mean weights?"),
    "math.exp(1)": ("NameError: name 'math'", "add import math"),
    "weights.summ()": ("AttributeError: 'ndarray' object has no attribute 'summ'", "did you mean .sum?"),
    "weights.dot(np.ones((4, 2)))": ("weights has shape (3,)", ""),
    "weights + np.ones(4)": ("The shapes do not fit", ""),
    "weights[3]": ("IndexError: index 3 is out of bounds", ""),
    "np.loadtxt('nowhere.csv')": ("FileNotFoundError: nowhere.csv not found", ""),
    "np.loadtxt('data.csv')": ("FileNotFoundError: data.csv not found", "data.csv is beside the script"),
    "f(weights)": ("TypeError: f() missing 1 required positional argument: 'b'", ""),
    "np.sum(weights, axes=0)": ("unexpected keyword argument 'axes'", ""),
    "[1.0] * 2.5": ("TypeError: can't multiply sequence", ""),
    "1 / zero": ("ZeroDivisionError", ""),
    "{'W1': weights}['w1']": ("KeyError: 'w1'", ""),
    "__import__('seaborn_')": ("ModuleNotFoundError", ""),
}


@pytest.mark.parametrize("verb", ["write", "grad"])
@pytest.mark.parametrize("expression", FAILURES)
def test_a_failing_script_shows_its_own_line(script, verb, expression, monkeypatch, tmp_path):
    path = script(
        f"import numpy as np\ndef f(a, b):\n    return a\nzero = 0\nweights = np.ones(3)\nerr = {expression}\n"
    )
    (tmp_path / "data.csv").write_text("1", encoding="utf-8")
    monkeypatch.chdir(ROOT)
    result = invoke(verb, path, "--of", "err")
    assert result.exit_code == 1
    message, hint = FAILURES[expression]
    assert message in result.stderr
    assert f'File "{path}", line 6, in <module>' in result.stderr
    assert f"err = {expression}" in result.stderr
    assert ("Hint:" in result.stderr) == bool(hint)
    assert hint in result.stderr
    assert "src/chainrule" not in result.stderr
    assert result.stdout == ""


def test_a_script_that_is_no_python(script):
    result = invoke("write", script("import numpy as np\nx = np.ones(3\nerr = x.sum()\n"), "--of", "err")
    assert result.exit_code == 1
    assert "'(' was never closed" in result.stderr
    assert "line 2" in result.stderr


def test_warnings_are_of_the_users_line(script, capsys):
    path = script("import numpy as np\nx = np.array([0.0, 1.0])\nerr = np.sum(x * np.log(x + 1) / x)\n")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        write_script(str(path), "err")
    printed = capsys.readouterr().err
    assert f"{path}:3: RuntimeWarning: invalid value" in printed
    assert "chainrule" not in printed.replace(str(path), "")
