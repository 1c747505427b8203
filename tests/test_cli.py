"""The command line, on scripts as people post them and on functions in files."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

import chainrule as cr
from chainrule.script import RequestError, ScriptError, load_function, trace_function, trace_script
from examples import dense, mlp

typer_testing = pytest.importorskip("typer.testing")
pytest.importorskip("rich")

from chainrule.cli import app  # noqa: E402  only where its libraries are there

ROOT = Path(__file__).resolve().parent.parent
POSTED = ROOT / "tests" / "scripts" / "network_as_posted.py"
MENDED = ROOT / "tests" / "scripts" / "network.py"
DENSE = ROOT / "examples" / "dense.py"


def invoke(*args: object):
    return typer_testing.CliRunner().invoke(app, [str(a) for a in args], env={"COLUMNS": "80"})


def process(*args: object, **more: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"PYTHONIOENCODING": "utf-8"} | more
    command = [sys.executable, "-m", "chainrule", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=env, cwd=ROOT, check=False)


@pytest.fixture
def script(tmp_path):
    """Writes a script and gives its path."""

    def write(source: str, name: str = "script.py") -> Path:
        path = tmp_path / name
        path.write_text("import numpy as np\n" + dedent(source), encoding="utf-8")
        return path

    return write


def gradients(path: Path, *args: object) -> dict[str, np.ndarray]:
    result = invoke("grad", path, "--json", *args)
    assert result.exit_code == 0, result.output
    return {name: np.array(g["values"]) for name, g in json.loads(result.stdout)["gradients"].items()}


# The third seed's script


def test_the_script_as_posted_gets_its_own_error_and_the_line_to_add():
    result = invoke("grad", POSTED, "--of", "err")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    line = next(k for k, text in enumerate(POSTED.read_text().splitlines(), 1) if "W[0]" in text)
    assert lines[0] == "Traceback (most recent call last):"
    assert f'  File "{POSTED}", line {line}, in <module>' in lines
    assert "NameError: name 'W' is not defined" in lines
    assert "Hint: W[0] is used, but only W1, W2, W3, W4 are defined: add W = [W1, W2, W3, W4]" in lines
    assert "Hint: B[0] is used, but only B1, B2, B3, B4 are defined: add B = [B1, B2, B3, B4]" in lines
    assert "chainrule" not in "".join(lines).replace(str(POSTED), "")
    assert result.stdout == ""


def test_the_mended_script_gives_the_eight_gradients():
    found = gradients(MENDED, "--of", "err")
    assert list(found) == ["X", "T", "W1", "W2", "W3", "W4", "B1", "B2", "B3", "B4"]
    expected = mlp.gradients()
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-13, atol=1e-15)


def test_names_of_lists_and_intermediate_results():
    found = gradients(MENDED, "--of", "err", "--wrt", "B[3],Z3,W1")
    np.testing.assert_allclose(found["B[3]"], mlp.gradients()["B4"])
    np.testing.assert_allclose(found["Z3"][0], mlp.gradients()["B3"])
    np.testing.assert_allclose(found["W1"], mlp.gradients()["W1"])
    assert list(gradients(MENDED, "--of", "err", "--wrt", "W")) == ["W[0]", "W[1]", "W[2]", "W[3]"]


def test_a_table_of_80_columns_without_colour_when_piped():
    result = process("grad", MENDED, "--of", "err")
    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert all(line == line.rstrip() for line in result.stdout.splitlines())
    assert "dW1    4×6      6.09   [[-1.5423  0.1824  0.     -2.015  -1.3237 -1.2044]" in result.stdout
    coloured = process("grad", MENDED, "--of", "err", FORCE_COLOR="1", COLUMNS="80")
    assert "\x1b[" in coloured.stdout


def test_full_prints_every_element_with_all_digits(script):
    path = script("w = np.linspace(0, 1, 100)\nerr = (w ** 3).sum()")
    short, full = (invoke("grad", path, "--of", "err", *more).stdout for more in ((), ("--full",)))
    assert "..." in short
    assert "..." not in full
    numbers = full[full.index("[") + 1 : full.index("]")].split()
    assert [float(x) for x in numbers] == [3 * x**2 for x in np.linspace(0, 1, 100)]


def test_trace_prints_the_program():
    result = invoke("trace", MENDED, "--of", "err", "--wrt", "W4,B4")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "def network(W4: float64[6, 1], B4: float64[1]):"
    assert "    A3: float64[1, 6], a plain array" not in result.stdout
    assert "Y = t4 + B4" in result.stdout
    assert "W1: float64[4, 6], a plain array" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


# What a name stands for


def test_an_update_at_the_end_does_not_matter(script):
    head = """
        X = np.array([[1.0, 2.0, 3.0], [0.5, 0.1, -1.0]])
        W = np.array([[0.1, -0.2], [0.3, 0.4], [0.5, -0.6]])
        b = np.zeros(2)
        Z = X.dot(W) + b
        err = (np.tanh(Z) ** 2).sum()
        """
    expected = gradients(script(head), "--of", "err")
    assert list(expected) == ["X", "W", "b"]
    step = dedent(head) + dedent("""
        W -= 0.1 * np.ones((3, 2))
        b[:] = b - 0.3
        np.subtract(X, 1.0, out=X)
        Z = None
        """)
    found = gradients(script(step), "--of", "err")
    assert list(found) == ["X", "W", "b"]
    for name in expected:
        assert np.array_equal(found[name], expected[name])


def test_what_is_made_of_numbers_draws_or_files_is_a_parameter_and_what_is_computed_from_one_is_not(script, tmp_path):
    np.savetxt(tmp_path / "data.txt", [[1.0, 2.0], [3.0, 4.5], [5.0, 0.0]])
    path = script(f"""
        X = np.loadtxt({str(tmp_path / "data.txt")!r})
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        np.random.seed(1)
        W = np.random.randn(2, 3) * 0.5
        W[0, 0] = 2.0
        b = W[0] * 2
        params = {{"V": np.ones((3, 1)), "c": np.zeros(1)}}
        A = X
        A = np.maximum(A @ W + b, 0)
        A = A @ params["V"] + params["c"]
        err = (A ** 2).sum()
        """)
    found = gradients(path, "--of", "err")
    assert list(found) == ["X", "W", "params['V']", "params['c']"]
    raw = np.loadtxt(tmp_path / "data.txt")
    X = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    W = np.random.RandomState(1).randn(2, 3) * 0.5
    W[0, 0] = 2.0

    def err(X, W, V, c):
        return ((np.maximum(X @ W + W[0] * 2, 0) @ V + c) ** 2).sum()

    expected = cr.grad(err, argnums=(0, 1, 2, 3))(X, W, np.ones((3, 1)), np.zeros(1))
    for gradient, wanted in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-12)
    np.testing.assert_allclose(gradients(path, "--of", "err", "--wrt", "b")["b"], expected[1][0] * 0 + (
        cr.grad(lambda b: ((np.maximum(X @ W + b, 0) @ np.ones((3, 1))) ** 2).sum())(W[0] * 2)
    ))  # fmt: skip


TRAINING = """
    np.random.seed(0)
    X = np.random.randn(8, 3)
    T = np.random.randn(8, 1)
    W1 = np.random.randn(3, 4) * 0.5
    b1 = np.zeros(4)
    W2 = np.random.randn(4, 1) * 0.5
    for i in range(3):
        {0}Z = X @ W1 + b1
        A = np.tanh(Z)
        Y = A @ W2
        dY = 2 * (Y - T) / Y.size
        dW2 = A.T @ dY
        dZ = (dY @ W2.T) * (1 - A ** 2)
        loss = ((Y - T) ** 2).mean()
        W1 -= 0.1 * (X.T @ dZ)
        b1 = b1 - 0.1 * dZ.sum(axis=0)
        W2[...] = W2 - 0.1 * dW2
    """


def trained(turns: int):
    random = np.random.RandomState(0)
    X, T = random.randn(8, 3), random.randn(8, 1)
    params = [random.randn(3, 4) * 0.5, np.zeros(4), random.randn(4, 1) * 0.5]

    def loss(W1, b1, W2, X):
        return ((np.tanh(X @ W1 + b1) @ W2 - T) ** 2).mean()

    gradient = cr.grad(loss, argnums=(0, 1, 2, 3))
    for _ in range(turns):
        params = [p - 0.1 * g for p, g in zip(params, gradient(*params, X), strict=False)]
    return gradient(*params, X)


@pytest.mark.parametrize("late", [False, True])
def test_a_training_loop_is_asked_about_and_then_right(script, late):
    source = TRAINING.replace("{0}", "")
    if late:  # the loss is computed behind the update, from what was computed before it
        lines = source.splitlines()
        place = next(k for k, line in enumerate(lines) if "loss =" in line)
        source = "\n".join([*lines[:place], *lines[place + 1 : -1], lines[place], lines[-1]])
    path = script(source)
    refused = invoke("grad", path, "--of", "loss")
    assert refused.exit_code == 2
    assert "loss was computed 3 times, and W1, b1, W2 changed in between" in refused.stderr.replace("\n  ", " ")
    assert "--updates fixed" in " ".join(refused.stderr.split())
    found = gradients(path, "--of", "loss", "--updates", "fixed")
    assert list(found) == ["X", "T", "W1", "b1", "W2"]
    for name, expected in zip(("W1", "b1", "W2", "X"), trained(2), strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, atol=1e-15)
    alone = gradients(path, "--of", "loss", "--updates", "fixed", "--wrt", "b1")
    np.testing.assert_allclose(alone["b1"], trained(2)[1], rtol=1e-12, atol=1e-15)


def test_arrays_that_functions_assign_as_globals_are_noticed(script):
    path = script("""
        X = np.array([[0.0, 0.2, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
        T = np.array([1.0, 0.0, 2.0])
        def start():
            global w
            w = np.array([0.1, 0.2, 0.3])
        def step():
            global w
            y = X @ w
            error = ((y - T) ** 2).mean()
            w = w - 0.2 * X.T @ (y - T) / 3
            return error
        start()
        for i in range(4):
            loss = step()
        """)
    assert "w changed in between" in " ".join(invoke("grad", path, "--of", "loss").stderr.split())
    X, T = np.array([[0.0, 0.2, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]), np.array([1.0, 0.0, 2.0])
    w = np.array([0.1, 0.2, 0.3])
    for _ in range(4):
        gradient = 2 * X.T @ (X @ w - T) / 3
        w = w - 0.1 * gradient
    np.testing.assert_allclose(gradients(path, "--of", "loss", "--updates", "fixed")["w"], gradient, rtol=1e-12)


def test_a_state_that_is_carried_on_says_what_it_hides(script):
    path = script("""
        W, x, h = np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([1.0, 2.0]), np.zeros(2)
        for t in range(4):
            h = np.tanh(W @ h + x)
            err = (h ** 2).sum()
        """)
    fixed = invoke("grad", path, "--of", "err", "--updates", "fixed")
    assert "Note: W, x: left out" in fixed.stdout
    refused = invoke("grad", path, "--of", "err", "--updates", "fixed", "--wrt", "W")
    assert refused.exit_code == 2
    assert "only through earlier values of h" in refused.stderr.replace("\n  ", " ")
    assert list(gradients(path, "--of", "err", "--updates", "followed")) == ["W", "x"]


RECURRENCE = """
    rng = np.random.default_rng(0)
    W = rng.normal(size=(3, 3))
    U = rng.normal(size=(3, 2))
    xs = rng.normal(size=(5, 2))
    ys = rng.normal(size=(5, 3))
    h = np.zeros(3)
    loss = 0
    for x, y in zip(xs, ys):
        h = np.tanh(W @ h + U @ x)
        loss += ((h - y) ** 2).sum()
    """


def test_a_recurrence_is_followed_through_its_states(script):
    path = script(RECURRENCE)
    rng = np.random.default_rng(0)
    W, U, xs, ys = (rng.normal(size=s) for s in ((3, 3), (3, 2), (5, 2), (5, 3)))

    def loss(W, U):
        h = np.zeros(3)
        total = 0.0
        for x, y in zip(xs, ys, strict=True):
            h = np.tanh(W @ h + U @ x)
            total += ((h - y) ** 2).sum()
        return total

    found = gradients(path, "--of", "loss")
    assert list(found) == ["W", "U", "xs", "ys"]
    for gradient, expected in zip((found["W"], found["U"]), cr.grad(loss, argnums=(0, 1))(W, U), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12)
    refused = invoke("grad", path, "--of", "loss", "--wrt", "h")
    assert refused.exit_code == 2
    assert "h held 6 values that loss was computed from" in " ".join(refused.stderr.split())


def test_states_that_are_no_parameters_are_not_cut_by_a_second_result(script):
    path = script("""
        X = np.array([[1.0, 2.0], [3.0, 4.0]])
        W = np.array([1.0, -1.5])
        h = np.zeros(2)
        for k in range(3):
            h = np.tanh(X @ h + W)
        err = np.abs(h).mean()
        err = (h ** 2).mean()
        """)

    def err(W, X):
        h = np.zeros(2)
        for _ in range(3):
            h = np.tanh(X @ h + W)
        return (h**2).mean()

    expected = cr.grad(err)(np.array([1.0, -1.5]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_allclose(gradients(path, "--of", "err")["W"], expected, rtol=1e-13)


def test_functions_classes_and_plain_numbers_of_the_script(script):
    path = script("""
        class Net:
            def __init__(self, x):
                self.x = x
                self.w = np.full((2, 1), 0.5)
            def forward(self):
                self.out = sigmoid(self.x.dot(self.w))
        sigmoid = lambda z: 1 / (1 + np.exp(-z))
        scale = 2.0
        net = Net(np.array([[1, 2], [3, 4]]))
        net.forward()
        net.loss = scale * net.out.sum()
        """)
    s = 1 / (1 + np.exp(-np.array([1.5, 3.5])))
    slope = 2 * (s * (1 - s)) @ np.array([[1, 2], [3, 4]])
    np.testing.assert_allclose(gradients(path, "--of", "net.loss")["net.w"][:, 0], slope, rtol=1e-13)
    np.testing.assert_allclose(gradients(path, "--of", "net.loss", "--wrt", "scale")["scale"], s.sum(), rtol=1e-13)


# Code that is not followed


def test_what_comes_after_the_result_may_be_foreign(script):
    path = script("w = np.array([1.0, 2.0])\nerr = (w ** 2).sum()\nprint('kept')\nw.tolist()\nprint('not run')")
    result = invoke("grad", path, "--of", "err")
    assert result.exit_code == 0
    assert "kept" in result.stdout
    assert "not run\n" not in result.stdout
    assert "Note: the rest of the script, from line 5 on, was not run" in result.stdout


def test_what_comes_before_the_result_may_be_foreign_for_other_arrays(script):
    path = script("w = np.array([1.0, 2.0])\nx = w * 1.0\nx.tolist()\nv = np.ones(2)\nerr = (w * x * v).sum()")
    refused = invoke("grad", path, "--of", "err")
    assert refused.exit_code == 1
    assert "x.tolist()\n    ^^^^^^^^^^" in refused.stderr
    assert "--wrt W,b" in " ".join(refused.stderr.split())
    assert gradients(path, "--of", "err", "--wrt", "v")["v"].tolist() == [1.0, 4.0]
    assert invoke("grad", path, "--of", "err", "--wrt", "w").exit_code == 1


def test_an_array_that_lost_its_link_under_another_name_is_refused(script):
    path = script("""
        params = {"w": np.array([1.0, 2.0])}
        plain = (params["w"] * 2).tolist()
        w = params["w"]
        err = (w * np.array(plain)).sum()
        """)
    refused = invoke("grad", path, "--of", "err", "--wrt", "w")
    assert refused.exit_code == 1
    assert "ask for the first name" in refused.stderr.replace("\n   ", "")
    assert "tolist" in invoke("grad", path, "--of", "err", "--wrt", "params['w']").stderr
    assert "tolist" in invoke("grad", path, "--of", "err").stderr


def test_the_interpreter_is_as_python_has_it_and_is_restored(script, tmp_path):
    (tmp_path / "beside.py").write_text("FACTOR = 3.0\n", encoding="utf-8")
    path = script("""
        import sys, __main__
        from beside import FACTOR
        assert __name__ == "__main__" and sys.argv == [__file__], sys.argv
        assert sys.path[0] == __file__.rpartition("/")[0]
        w = np.array([1.0])
        assert __main__.w is w
        err = FACTOR * w.sum()
        sys.exit(0)
        """)
    before = sys.argv, sys.path[:], sys.modules["__main__"]
    assert gradients(path, "--of", "err")["w"].tolist() == [3.0]
    assert (sys.argv, sys.path, sys.modules["__main__"]) == before


# Errors


@pytest.mark.parametrize(
    ("source", "args", "code", "message"),
    [
        ("w = np.ones(2)\nerr = w.sum()", (), 2, "--of is missing"),
        ("w = np.ones(2)\nerr = w.sum()", ("--of", "er"), 2, "the numbers that it computes: err"),
        ("w = np.ones(2)\nerr = w.sum()", ("--of", "err", "--wrt", "v"), 2, "no v. The float arrays of the script: w"),
        ("w = np.ones(2)\nv = np.ones(2)\nerr = w.sum()", ("--of", "err", "--wrt", "v"), 2, "was not computed from"),
        ("w = np.ones(2)\nerr = w * 2", ("--of", "err"), 2, "err has the shape (2,)"),
        ("w = np.ones(2)\nerr = 2.0", ("--of", "err"), 2, "err was not computed from arrays"),
        ("w = np.array([1, 2])\nerr = w.sum()", ("--of", "err"), 2, "err was not computed from arrays"),
        ("w = np.ones(2)\nerr = w.sum() * 1j", ("--of", "err"), 2, "err is complex"),
        ("def f():\n    err = np.ones(2).sum()\nf()", ("--of", "err"), 2, "it is a variable of f()"),
        ("w = np.ones(2)\nerr = w.sum()", ("--of", "err", "--shapes", "w=2"), 2, "--shapes is for functions"),
        ("w = np.ones(2)\nerr = w.sum()", ("--of", "err", "--updates", "no"), 2, "choose one of fixed, followed"),
        ("w = np.ones(2)\nw.dot(np.ones(3))", ("--of", "err"), 1, "The shapes do not fit"),
        ("w = np.ones(2)\nw[7]", ("--of", "err"), 1, "IndexError"),
        ("w = ", ("--of", "err"), 1, "SyntaxError"),
        ("w = nump.ones(2)", ("--of", "err"), 1, "name 'nump' is not defined"),
        ("w = math.pi", ("--of", "err"), 1, "Hint: add import math"),
        ("import sys\nsys.exit(3)", ("--of", "err"), 1, "sys.exit(3)"),
    ],
)  # fmt: skip
def test_errors(script, source, args, code, message):
    result = invoke("grad", script(source), *args)
    assert result.exit_code == code, result.output
    assert message in result.stderr.replace("\n  ", " ")
    assert result.stdout == ""


def test_usage_errors():
    assert invoke("grad", "nowhere.py", "--of", "err").exit_code == 2
    assert invoke("grad", MENDED, "--of", "err", "--of-index", "x").exit_code == 2
    assert invoke("grad", MENDED, "--off", "err").exit_code == 2
    assert invoke("nothing").exit_code == 2
    assert invoke("--help").exit_code == 0


def test_a_command_loads_what_it_needs_alone():
    code = (
        "import sys; sys.argv = ['chainrule', 'grad', '--help']\n"
        "from chainrule.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "loaded = [n for n in sys.modules if n.startswith(('chainrule.check', 'chainrule.explain'))]\n"
        "assert not loaded, loaded"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_without_the_extra_the_message_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from chainrule.cli import main"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.strip().endswith("pip install chainrule[cli]")
    assert "Traceback" not in result.stderr


# Functions in files


def test_a_function_with_shapes():
    result = invoke("grad", f"{DENSE}::dense_forward", "--shapes", "x_input=5x18,W=18x5,b=5", "--json")
    record = json.loads(result.stdout)
    assert {name: g["shape"] for name, g in record["gradients"].items()} == {"x_input": [5, 18], "W": [18, 5], "b": [5]}
    assert any("random grad_output from a fixed seed" in note for note in record["notes"])
    again = json.loads(
        invoke("grad", f"{DENSE}::dense_forward", "--shapes", "x_input=5x18,W=18x5,b=5", "--json").stdout
    )
    assert again == record
    # The gradients are those of one and the same cotangent, which is not all ones.
    loaded = load_function(f"{DENSE}::dense_forward", {"x_input": (5, 18), "W": (18, 5), "b": (5,)})
    x, W, _ = loaded.args
    found = {name: np.array(g["values"]) for name, g in record["gradients"].items()}
    g = found["x_input"] @ np.linalg.pinv(W.T)
    np.testing.assert_allclose(g.sum(axis=0), found["b"])
    np.testing.assert_allclose(x.T @ g, found["W"])
    assert np.ptp(g) > 1


def test_an_element_of_a_function():
    found = gradients(Path(f"{DENSE}::dense_forward"), "--of-index", "1,2")
    assert found["b"].tolist() == [0, 0, 1, 0, 0]
    np.testing.assert_allclose(found["W"][:, 2], dense.x_input[1])


def test_a_function_on_the_variables_of_its_file():
    found = gradients(Path(f"{ROOT}/examples/mlp.py::error"))
    for name, gradient in mlp.gradients().items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-13, atol=1e-15)
    assert "(W" not in "".join(found)


def test_values_defaults_and_several_results(script):
    path = script("""
        def pooled(x, size, power=2.0, *, unused=None):
            out = (x.reshape(-1, size) ** power).sum()
            return out, (x, size), x.mean()
        class Layer:
            @staticmethod
            def forward(x, shape):
                return x.reshape(shape).sum(axis=0).max()
        """)
    result = invoke("grad", f"{path}::pooled", "--shapes", "x=6, size:=3", "--wrt", "x", "--json")
    record = json.loads(result.stdout)
    assert any("result 0 of the" in note for note in record["notes"])
    x = np.random.default_rng(0).standard_normal(6)
    np.testing.assert_allclose(record["gradients"]["x"]["values"], 2 * x)
    mean = gradients(Path(f"{path}::pooled"), "--shapes", "x=6,size:=3", "--of", "2", "--wrt", "x")
    np.testing.assert_allclose(mean["x"], np.full(6, 1 / 6))
    assert gradients(Path(f"{path}::Layer.forward"), "--shapes", "x=6,shape:=(2, 3)")["x"].sum() == 2
    assert invoke("grad", f"{path}::pooled", "--shapes", "x=6").exit_code == 2
    assert "pooled needs size" in " ".join(invoke("grad", f"{path}::pooled", "--shapes", "x=6").stderr.split())
    assert invoke("grad", f"{path}::pooled", "--shapes", "x=6y").exit_code == 2
    assert "it defines pooled" in " ".join(invoke("grad", f"{path}::pool").stderr.split())
    failed = invoke("grad", f"{path}::pooled", "--shapes", "x=6,size:='a'")
    assert failed.exit_code == 1
    assert "TypeError" in failed.stderr
    assert "chainrule/" not in failed.stderr


def test_trace_of_a_function():
    result = invoke("trace", f"{DENSE}::dense_forward", "--shapes", "x_input=5x18,W=18x5,b=5")
    assert result.exit_code == 0
    assert "t1 = np.dot(x_input, W)" in result.stdout
    assert "grad_output" not in result.stdout.split("Note")[0]


# The same in Python


def test_the_record_for_other_verbs():
    followed = trace_script(str(MENDED), of="err", wrt=["W4", "B4"])
    assert followed.names == ("W4", "B4")
    assert followed.inputs()["B4"].tolist() == [-0.27]
    assert followed.value == mlp.error(*(getattr(mlp, name) for name in followed_names()))
    first, second = followed.gradients(), followed.gradients()
    assert all(np.array_equal(first[name], second[name]) for name in followed.names)
    program = followed.program()
    assert [x.name for x in program.inputs] == ["W4", "B4"]
    assert cr.Program is type(program)
    with pytest.raises(RequestError):
        trace_script(str(MENDED), of="no")
    with pytest.raises(ScriptError):
        trace_script(str(POSTED), of="err")
    assert trace_function(f"{DENSE}::dense_forward", {}).names == ("x_input", "W", "b")


def followed_names() -> tuple[str, ...]:
    return ("W1", "W2", "W3", "W4", "B1", "B2", "B3", "B4")


# The documentation


def with_output(page: str) -> str:
    """A page with what its commands really print."""

    def printed(match: re.Match[str]) -> str:
        command = match[1]
        result = process(*shlex.split(command)[1:])
        return f"```console\n$ {command}\n{result.stdout}{result.stderr}```\n"

    return re.sub(r"```console\n\$ (chainrule .*)\n(?:.*\n)*?```\n", printed, page)


@pytest.mark.parametrize("name", ["check.md", "command-line.md", "selftest.md", "why.md", "write.md"])
def test_the_page_shows_what_is_printed(name):
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert with_output(page) == page
