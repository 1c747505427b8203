"""``why``: what is said about gradients that are zero, NaN, infinite, tiny or huge, and that its numbers are right."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr
from tests.zoo import FUNCTIONS

_random = np.random.default_rng(0)
X = _random.standard_normal((5, 3))
W = _random.standard_normal((3, 4))
V = _random.standard_normal(4)
U = 0.3 * _random.standard_normal((4, 4))
F32 = np.float32


def layer(X, W, b, v):
    Z = X @ W + b
    A = np.maximum(0, Z)
    return (A @ v).sum()


def one_line(X, W, b, v):
    return (np.maximum(0, X @ W + b) @ v).sum()


def sigmoid(x, w):
    z = x * w
    s = 1 / (1 + np.exp(-z))
    return (s**2).sum()


def hyperbolic(x, w):
    a = np.tanh(x * w)
    return a.sum()


def unused(x, y):
    z = y * 2
    assert z.shape == y.shape
    return (x**2).sum()


def chosen(x, y):
    k = np.argmax(x)
    return y[k] * 2


def compared(x, y):
    return np.where(x > 0, y, -y).sum()


def truncated(x, y):
    n = x.astype(int)
    return (n * y).sum()


def length(x):
    return np.sqrt((x**2).sum())


def root(x):
    r = np.sqrt(x)
    return r.sum()


def ratio(x, y):
    q = x / y
    return (q * x).sum()


def likelihood(p, y):
    return -(y * np.log(p)).mean()


def logistic(x, w):
    z = x * w
    p = 1 / (1 + np.exp(-z))
    return ((p - 1) ** 2).sum()


def guarded_once(x):
    y = np.where(x > 0, np.sqrt(x), 0.0)
    return y.sum()


def repeated(x, w):
    h = x
    for _ in range(50):
        h = w * h
    return h.sum()


def recurrent(h, X, W, U):
    for x in X:
        h = np.tanh(x @ U + h @ W)
    return (h**2).sum()


def opposed(x):
    a = 0.5 * x
    b = -0.5 * x
    return (a + b).sum()


def nearly_opposed(x):
    a = (1 + 1e-12) * x
    b = -1.0 * x
    return (a + b).sum()


def looked_up(E, ids, w):
    V = E[ids]
    return (V @ w).sum()


def dropped(X, W, mask):
    H = X @ W
    D = H * mask
    return D.sum()


def clipped(x):
    y = np.clip(x, -1, 1)
    return (y * y).sum()


def largest(x):
    m = x.max()
    return m * m


def row_largest(x):
    return x.max(axis=1).sum()


def softmax_loss(z):
    z = z - z.max()
    p = np.exp(z) / np.exp(z).sum()
    return -np.log(p[0])


def naive_softmax(z, y):
    e = np.exp(z)
    p = e / e.sum()
    return ((p - y) ** 2).sum()


def underflowing(z, y):
    e = np.exp(z)
    return (e * y).sum()


def overwritten(x, y):
    a = x * 2
    a[0] = y[0]
    return a.sum()


def lower_part(A):
    return np.tril(A).sum()


def two_branches(x, y):
    m = np.maximum(x, y)
    return m.sum()


def flat_square(x):
    return ((x - 1) ** 2).sum()


def large(x):
    return (1e6 * x).sum()


OFF = np.array([0.0, 0.0, -50.0, 0.0])
NO = np.zeros(4)


def centred(x, g):
    n = x - x.mean(axis=0)
    s = n.sum(axis=0) * g
    return s.sum()


def normalised(z):
    e = np.exp(z - z.max())
    p = e / e.sum()
    return p.sum()


def powers(x, k):
    p = x**k
    return p.sum()


# name: function, arguments, what is asked about, the kind, what the answer says, what else is said
CASES = {
    "a sum along the axis of the mean": (
        centred,
        (X, np.arange(1.0, 4.0)),
        "dx",
        "zero",
        ["its paths cancel", "cancel on line", "the gradient of n is the same all along axis 0"],
        [],
    ),
    "a sum of shares": (
        normalised,
        (np.zeros(2),),
        "dz",
        "zero",
        ["its paths cancel", "all elements of the gradient of p are 1", "nothing is handed on to e"],
        [],
    ),
    "a root of a negative number": (
        powers,
        (np.array([0.5, -1.0]), np.array([0.5, 0.5])),
        "dx",
        "nan",
        ["dx[1] is nan", "makes nan from x[1] = -1, k[1] = 0.5"],
        ["x is negative there"],
    ),
    "a unit that is off for every row": (
        layer,
        (X, W, OFF, V),
        "dW[1,2]",
        "zero",
        ["dW[1,2] is 0", "Z[:,2] is at most 0 in all 5 rows", "the ReLU of np.maximum(0, Z)"],
        ["leaky ReLU"],
    ),
    "the same without the d": (layer, (X, W, OFF, V), "W[1,2]", "zero", ["dW[1,2] is 0", "off for every row"], []),
    "its bias": (layer, (X, W, OFF, V), "db[2]", "zero", ["off for every row"], []),
    "in one line": (one_line, (X, W, OFF, V), "dW[1,2]", "zero", ["(X @ W + b)[:,2] is at most 0"], []),
    "all of the weights": (
        layer,
        (X, W, OFF, V),
        "dW",
        "mixed",
        ["3 of the 12 elements of dW are 0", "Z[:,2]"],
        ["The largest element is dW[0,"],
    ),
    "one row": (layer, (X[:1], W, OFF, V), "db[2]", "zero", ["Z[0,2] = ", "< 0: the ReLU"], []),
    "a column of zeros": (
        layer,
        (X * np.array([1, 0, 1.0]), W, NO, V),
        "dW[1]",
        "zero",
        ["All of dW[1] is 0", "X[:,1] is 0", "these data are 0 in all 5 rows"],
        [],
    ),
    "an intermediate value": (layer, (X, W, OFF, V), "dZ[0,2]", "zero", ["Z[0,2] = ", "the ReLU"], []),
    "saturated sigmoid": (
        sigmoid,
        (np.array([1.0, 40.0]), np.ones(2)),
        "dw[1]",
        "tiny",
        ["is tiny", "the slope of 1 / (1 + np.exp(-z))", "z[1] = 40"],
        ["saturated"],
    ),
    "sigmoid that overflows inside": (
        sigmoid,
        (np.array([1.0, -800.0]), np.ones(2)),
        "dw[1]",
        "zero",
        ["every path to sigmoid has a factor"],
        [],
    ),
    "saturated tanh": (
        hyperbolic,
        (np.array([1.0, 9.0]), np.ones(2)),
        "dw[1]",
        "tiny",
        ["slope of np.tanh"],
        ["saturated"],
    ),
    "tanh to all digits": (hyperbolic, (np.array([1.0, 40.0]), np.ones(2)), "dw[1]", "zero", ["saturated"], []),
    "never used": (unused, (X, X), "dy", "unreached", ["no derivative leads from y to unused", "z is not used"], []),
    "argmax": (chosen, (V, V), "dx", "unreached", ["np.argmax(x)", "returns positions"], []),
    "a comparison": (compared, (V, V), "dx[0]", "unreached", ["x > 0", "truth values"], []),
    "a cast": (truncated, (X, X), "dx[0,0]", "unreached", ["x.astype(int)", "int64 values"], []),
    "the root of 0": (
        length,
        (np.zeros(3),),
        "dx[0]",
        "nan",
        ["made in the backward pass", "The slope of np.sqrt((x**2).sum())", "is inf"],
        ["0 times infinity", "np.where(x > 0, np.sqrt"],
    ),
    "the slope of a root at 0": (
        root,
        (np.array([1.0, 0.0]),),
        "dx[1]",
        "infinite",
        ["is inf at x[1] = 0"],
        ["np.sqrt(x + 1e-12)", "np.where(x > 0, np.sqrt(np.where(x > 0, x, 1)), 0)"],
    ),
    "0 over 0": (
        ratio,
        (np.array([1.0, 0.0]), np.array([1.0, 0.0])),
        "dx[1]",
        "nan",
        ["not finite itself", "x[1] = 0, y[1] = 0"],
        ["Keep the denominator away from 0"],
    ),
    "0 times infinity": (
        likelihood,
        (np.array([0.5, 0.0]), np.array([1.0, 0.0])),
        "dp[1]",
        "zero",
        ["y[1] is 0"],
        ["likelihood is nan itself", "np.log(p) (line"],
    ),
    "a factor of 0 meets an infinity": (
        likelihood,
        (np.array([0.5, 0.0]), np.array([1.0, 0.0])),
        "dp[0]",
        "ordinary",
        ["-1"],
        ["np.log(p)", "makes -inf from p[1] = 0", "makes nan from y[1] = 0, np.log(p)[1] = -inf"],
    ),
    "a logistic function that is written out, far from 0": (
        logistic,
        (np.array([1.0, -900.0]), np.ones(2)),
        "dw[1]",
        "zero",
        ["1 / (1 + np.exp(-z))", "is saturated: at z[1] = -900"],
        ["Keep its argument near 0"],
    ),
    "a row of a recurrence that forgets": (
        recurrent,
        (np.zeros(4), _random.standard_normal((30, 3)), U, W),
        "dX[0,1]",
        "tiny",
        ["is tiny"],
        ["The gradient vanishes on the way", "What helps"],
    ),
    "the logarithm of 0": (
        likelihood,
        (np.array([0.5, 0.0]), np.ones(2)),
        "dp",
        "infinite",
        ["dp[1] is -inf", "p[1] = 0"],
        ["np.clip(p", "1 of the 2 elements"],
    ),
    "np.where guarded once": (
        guarded_once,
        (np.array([4.0, 0.0]),),
        "dx[1]",
        "zero",
        ["takes its other branch, 0, and not np.sqrt(x)[1]"],
        ["other libraries give NaN"],
    ),
    "a product over 50 layers": (
        repeated,
        (np.ones(2), np.array([3.0, 1.0])),
        "dx[0]",
        "huge",
        ["50 factors", "geometric mean is 3"],
        ["per statement, in 50 statements"],
    ),
    "a recurrence that forgets": (
        recurrent,
        (np.zeros(4), _random.standard_normal((30, 3)), U, W),
        "dh[1]",
        "tiny",
        ["is tiny"],
        ["The gradient vanishes on the way"],
    ),
    "cancellation": (opposed, (np.array([1.0, 2.0]),), "dx[0]", "zero", ["cancel", "sum to 0.5", "to -0.5"], []),
    "cancellation but for rounding": (nearly_opposed, (np.array([1.0, 2.0]),), "dx[0]", "tiny", ["cancel"], []),
    "a row never looked up": (
        looked_up,
        (_random.standard_normal((6, 3)), np.array([1, 2, 2]), np.ones(3)),
        "dE[4]",
        "zero",
        ["no path leads to looked_up", "E[ids] (line", "does not read E[4,:]"],
        [],
    ),
    "dropout": (
        dropped,
        (X, W, np.array([1.0, 0, 1, 1])),
        "dW[0,1]",
        "zero",
        ["mask[1] is 0", "multiplies H[:,1]"],
        [],
    ),
    "outside of the bounds": (clipped, (np.array([0.5, 2.0]),), "dx[1]", "zero", ["x[1] = 2 lies outside"], []),
    "not the largest": (
        largest,
        (np.array([0.5, 2.0]),),
        "dx[0]",
        "zero",
        ["x[0] = 0.5 is not the largest", "takes 2"],
        [],
    ),
    "not the largest of its row": (
        row_largest,
        (np.array([[1.0, 3.0], [5.0, 4.0]]),),
        "dx[1,1]",
        "zero",
        ["x[1,1] = 4 is not the largest", "takes 5"],
        [],
    ),
    "float32 underflow in a softmax": (
        softmax_loss,
        (np.array([0.0, 120.0], F32),),
        "dz[0]",
        "nan",
        ["np.log(p[0])", "p[0] = 0", "underflows"],
        ["logarithm of a softmax"],
    ),
    "overflow in a softmax": (
        naive_softmax,
        (np.array([0.0, 120.0], F32), np.array([1, 0], F32)),
        "dz[0]",
        "nan",
        ["np.exp(z) (line", "overflows", "float32"],
        ["Subtract the largest"],
    ),
    "underflow": (
        underflowing,
        (np.array([0.0, -800.0]), np.ones(2)),
        "dz[1]",
        "zero",
        ["underflows", "z[1] = -800"],
        [],
    ),
    "overwritten": (
        overwritten,
        (np.ones(2), np.ones(2)),
        "dx[0]",
        "zero",
        ["a[0] = y[0]", "overwrites", "before it is used"],
        [],
    ),
    "left out": (lower_part, (X[:3],), "dA[0,2]", "zero", ["no path"], []),
    "the other is larger": (two_branches, (np.zeros(2), np.ones(2)), "dx[0]", "zero", ["x[0] = 0 is not above y"], []),
    "exactly at the bottom": (flat_square, (np.array([1.0, 2.0]),), "dx[0]", "zero", ["exactly 0", "(x - 1) ** 2"], []),
    "huge": (large, (V,), "dx", "huge", ["its largest element is"], []),
    "ordinary": (layer, (X, W, OFF, V), "dW[1,0]", "ordinary", ["It is the sum of the products along 5 paths"], []),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said(name):
    f, arguments, of, kind, says, shows = CASES[name]
    answer = cr.why(f, *arguments, of=of)
    assert answer.record.kind == kind
    said = " ".join(map(str, answer.record.answer))
    for words in says:
        assert words in said
    text = " ".join(str(answer).split())
    for words in shows:
        assert words in text
    assert all(len(line) <= 80 for line in str(answer).splitlines())


@pytest.mark.parametrize("name", CASES)
def test_its_numbers_are_those_of_grad(name):
    f, arguments, of, *_ = CASES[name]
    record = cr.why(f, *arguments, of=of).record
    array, _, index = of.removeprefix("d").partition("[")
    parameters = f.__code__.co_varnames[: f.__code__.co_argcount]
    if array not in parameters:
        return
    position = parameters.index(array)
    with np.errstate(all="ignore"):
        exact = cr.grad(f, position)(*arguments)
    expected = eval(f"exact[{index}" if index else "exact", {"exact": exact})
    np.testing.assert_array_equal(np.ravel(record.value), np.ravel(expected))
    if record.positive is not None and np.ndim(record.value) == 0:
        np.testing.assert_allclose(record.positive + record.negative, record.value, rtol=1e-9, atol=1e-12)
    if record.paths == len(record.trails):
        np.testing.assert_allclose(sum(t.product for t in record.trails), record.value, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_its_other_forms(name):
    f, arguments, of, *_ = CASES[name]
    answer = cr.why(f, *arguments, of=of)
    read = json.loads(answer.to_json())
    assert read["kind"] == answer.record.kind
    assert read["answer"][0] == str(answer.record.answer[0])
    assert str(answer.record.answer[0]).split()[0] in answer._repr_html_()


# What is asked about


def test_parts_of_arrays_and_of_trees():
    def f(params, x):
        return (np.maximum(0, x @ params[0]["W"]) @ params[1]).sum()

    tree = [{"W": W}, V]
    assert cr.why(f, tree, X, of="dparams[0]['W'][1,2]").record.gradient == "dparams[0]['W'][1,2]"
    assert np.shape(cr.why(f, tree, X, of="dparams[1]").record.value) == (4,)
    assert np.shape(cr.why(layer, X, W, NO, V, of="dW[:,1]").record.value) == (3,)
    assert cr.why(layer, X, W, NO, V, of="dW[-1,-1]").record.gradient == "dW[2,3]"


def test_values_that_a_name_is_given_in_turn():
    first = cr.why(repeated, np.ones(2), np.ones(2), of="dh#1[0]").record
    assert first.element == "h#1[0]"
    assert len(first.trails[0].hops) == 50
    last = cr.why(repeated, np.ones(2), np.ones(2), of="dh[0]")
    assert last.record.element == "h#50[0]"
    assert "h is the name of 50 values in turn" in " ".join(str(last).split())


def test_a_part_of_the_result_and_a_variable():
    def f(x, y):
        z = x * y
        return z**2, z.sum()

    assert cr.why(f, V, V, of="dx[0]", result=1).record.value == V[0]
    assert cr.why(f, V, V, of="dx[0]", result="z[0]").record.value == V[0]
    assert cr.why(f, V, V, of="dx[1]", result="z[0]").record.value == 0
    drawn = cr.why(f, V, V, of="dx[0]")
    assert "random grad_output" in " ".join(str(drawn).split())
    assert "returns 2 arrays" in str(drawn)


@pytest.mark.parametrize(
    ("of", "words"),
    [("dq", "names no array"), ("dW[7,0]", "there is no [7,0]"), ("dw[0]", "Did you mean dW?"), ("dW[a]", "names no")],
)
def test_what_is_not_there(of, words):
    with pytest.raises(cr.ChainruleError) as raised:
        cr.why(layer, X, W, NO, V, of=of)
    assert words in str(raised.value)


def test_complex_numbers_are_not_taken_apart():
    def f(x):
        return np.abs(np.fft.fft(x)).sum()

    answer = cr.why(f, V, of="dx[0]")
    assert answer.record.trails == ()
    assert "Complex numbers" in str(answer)


def test_the_sums_over_paths_of_a_network():
    def f(x, U, W):
        return (np.maximum(0, np.maximum(0, x @ U) @ W)).sum()

    x = _random.standard_normal((1, 3))
    A, B = _random.standard_normal((3, 4)), _random.standard_normal((4, 5))
    record = cr.why(f, x, A, B, of="dx[0,0]").record
    assert record.paths == 4 * 5
    on, out = (x @ A)[0] > 0, (np.maximum(0, x @ A) @ B)[0] > 0
    assert record.alive == on.sum() * out.sum()
    products = A[0][:, None] * on[:, None] * B * out
    np.testing.assert_allclose(record.positive, products[products > 0].sum())
    np.testing.assert_allclose(record.negative, products[products < 0].sum())
    largest = np.sort(np.abs(products).ravel())[::-1][:3]
    np.testing.assert_allclose([abs(t.product) for t in record.trails], largest)


# The command line


def invoke(*arguments):
    testing = pytest.importorskip("typer.testing")
    cli = pytest.importorskip("chainrule.cli")
    return testing.CliRunner().invoke(cli.app, list(arguments))


SCRIPT = """\
import numpy as np
X = np.array([[1.0, 2.0], [3.0, 4.0]])
W = np.array([[0.5, -1.0], [0.25, -1.0]])
V = np.ones(2)
spare = np.ones(3)
k = np.array([0.3, 0.9])
H = np.maximum(0, X @ W)
best = np.argmax(k)
err = (H @ V).sum() + V[best]
"""


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ("dW[0,1]", "the ReLU of np.maximum(0, X @ W) (line 7) is off for every row"),
        ("dk[0]", "k is used in np.argmax(k) (line 8), through which no derivative flows"),
        ("dspare", "spare is not used for err"),
        ("dH[0,0]", "dH[0,0] = 1."),
    ],
)
def test_a_script(tmp_path, of, words):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    result = invoke("why", str(path), of, "--of", "err")
    assert result.exit_code == 0
    assert words in " ".join(result.stdout.split())
    read = json.loads(invoke("why", str(path), of, "--of", "err", "--json").stdout)
    assert read["of"] == "err"


def test_a_function_in_a_file_and_what_is_not_there():
    target = "examples/dense.py::dense_forward"
    result = invoke("why", target, "dW[0,0]", "--shapes", "x_input=2x3,W=3x4,b=4", "--of-index", "0,0")
    assert result.exit_code == 0
    assert "x_input[0,0]" in result.stdout
    assert "random numbers from a fixed seed" in result.stdout
    failed = invoke("why", target, "dQ", "--shapes", "x_input=2x3,W=3x4,b=4")
    assert failed.exit_code == 1
    assert "dQ names no array" in failed.stderr


@pytest.mark.parametrize("name", ["four_layers", "logistic_loss", "huber", "layer_norm", "embedding", "attention"])
def test_the_sums_over_paths_of_everyday_functions(name):
    f, arguments = FUNCTIONS[name]
    parameters = f.__code__.co_varnames[: len(arguments)]
    for parameter, x in zip(parameters, arguments, strict=True):
        if isinstance(x, np.ndarray) and x.dtype.kind == "f":
            record = cr.why(f, *arguments, of=f"d{parameter}[{','.join('0' * x.ndim)}]").record
            if record.kind != "unreached":
                np.testing.assert_allclose(record.positive + record.negative, record.value, rtol=1e-7, atol=1e-10)
                assert record.alive <= record.paths == round(record.paths)


def counted(x, n):
    area = n * n
    return (x / area).sum()


def differences(x, a, b):
    d = a - b
    return (x * d).sum()


def summed_up(x, k):
    c = np.cumsum(k, dtype=np.int8)
    return (x * c).sum()


def rounded_to_bytes(x, y):
    n = y.astype(np.int8)
    return (x * n).sum()


@pytest.mark.parametrize(
    ("f", "args", "words"),
    [
        (counted, (X[0, :2], np.array([30, 300], np.int16)), "area[1] would be 9e+04, but int16 holds only -32768 to"),
        (differences, (X[0, :2], np.array([2, 1], np.uint8), np.array([1, 3], np.uint8)), "so it came out as 254"),
        (summed_up, (X[0], np.full(3, 100, np.int8)), "c[1] would be 200"),
        (rounded_to_bytes, (X[0, :2], np.array([100, 300], np.int64)), "n[1] would be 300"),
        (counted, (X[0, :2], np.array([30, 300], np.int32)), ""),
        (differences, (X[0, :2], np.array([2, 3], np.uint8), np.array([1, 3], np.uint8)), ""),
    ],
)
def test_whole_numbers_that_left_their_range(f, args, words):
    said = " ".join(str(cr.why(f, *args, of="dx[1]")).split())
    assert words in said
    assert ("leaves the range of" in said) == bool(words)


def spread_of_whole_numbers(x, k):
    s = np.std(k, axis=1, ddof=1)
    return (x * s).sum()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_nan_that_whole_numbers_make_in_a_step_that_is_not_element_by_element():
    said = str(cr.why(spread_of_whole_numbers, np.ones(2), np.array([[1], [2]]), of="dx"))
    assert "not finite itself. np.std(k, axis=1, ddof=1)" in " ".join(said.split())
