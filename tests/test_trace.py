"""``trace``: what a program prints, that it is the same every time, and what ``verify`` refuses."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.ir import Const, Program, Step, Var
from chainrule.names import Namespace
from chainrule.verify import verify

ROOT = Path(__file__).resolve().parent.parent
TABLE = np.arange(6.0).reshape(3, 2)


def printed(f, *args, **kwargs):
    """The text of the program, with lines counted from the line of its ``def``."""
    program = verify(cr.trace(f, *args, **kwargs))
    first = f.__code__.co_firstlineno
    text = str(program)
    for step in program.steps:
        line = step.position.line
        text = text.replace(f"  line {line}\n", f"  line +{line - first}\n")
    return text


def network(params, X, T):
    (W1, B1), (W2, B2) = params
    A1 = np.maximum(0, X.dot(W1) + B1)
    err = A1 @ W2 + B2 - T
    return (err**2).mean()


def recurrent(h, W, count):
    for _ in range(count):
        h = np.tanh(h @ W)
    return h


def in_place(x):
    out = np.zeros(3)
    for i in range(2):
        out[i] = x[i] * x[i - 1]
    out += 1.0
    out[out > 2] = 0.0
    np.add.at(out, np.array([0, 0]), x[:2])
    return out


def sizes(X):
    n = X.shape[0]
    mean = X.sum(axis=0) / n
    rows = X.reshape(len(X), -1) * (2 * n - 1)
    return (rows - mean) / np.sqrt(n) + (n + 1) ** X


def branches(x):
    if x.sum() > 0 and x[0] < 10:
        y = np.sin(x)
    else:
        y = x
    return y


def numbers(x, p, *, k=2.0):
    y = -(2.0**-x) + p["w"] * -1 - k
    z = np.minimum(y, np.inf)
    return z * np.float32(0.5), 3.0


def joins(x):
    u, s, vt = np.linalg.svd(x)
    both = np.concatenate([s, s])
    table = np.stack([s, s], axis=1)
    e = np.einsum("ij,j->i", x, s)
    low = x.astype(np.float32)
    rest = x[None, :, 1], x[..., ::-1]
    return u @ vt, both, table, e, low, rest


def plain_arrays(x):
    return x @ TABLE.T + TABLE[0, 0]


def nested(x):
    return cr.grad(lambda y: np.sum(y**3))(x)


EXPECTED = {
    "unpacked parameters": (
        network,
        ([(np.ones((2, 4)), np.zeros(4)), (np.ones((4, 1)), np.zeros(1))], np.ones((3, 2)), np.ones((3, 1))),
        """\
def network(W1: float64[2, 4], B1: float64[4], W2: float64[4, 1], B2: float64[1], X: float64[3, 2], T: float64[3, 1]):
    t1 = np.dot(X, W1)      # float64[3, 4]  line +2
    t2 = t1 + B1            # float64[3, 4]  line +2
    A1 = np.maximum(0, t2)  # float64[3, 4]  line +2
    t3 = A1 @ W2            # float64[3, 1]  line +3
    t4 = t3 + B2            # float64[3, 1]  line +3
    err = t4 - T            # float64[3, 1]  line +3
    t5 = err ** 2           # float64[3, 1]  line +4
    t6 = np.mean(t5)        # float64  line +4
    return t6""",
    ),
    "a loop": (
        recurrent,
        (np.ones(2), np.ones((2, 2)), 2),
        """\
def recurrent(h: float64[2], W: float64[2, 2]):
    t1 = h @ W        # float64[2]  line +2
    h2 = np.tanh(t1)  # float64[2]  line +2
    t2 = h2 @ W       # float64[2]  line +2
    h3 = np.tanh(t2)  # float64[2]  line +2
    return h3""",
    ),
    "writes": (
        in_place,
        (np.array([1.0, 2.0, 3.0]),),
        """\
def in_place(x: float64[3]):
    # constant: int64[2], a plain array
    out = np.zeros(3)                 # float64[3]  line +1
    t1 = x[0]                         # float64  line +3
    t2 = x[-1]                        # float64  line +3
    t3 = t1 * t2                      # float64  line +3
    out2 = out with [0] = t3          # float64[3]  line +3
    t4 = x[1]                         # float64  line +3
    t5 = x[0]                         # float64  line +3
    t6 = t4 * t5                      # float64  line +3
    out3 = out2 with [1] = t6         # float64[3]  line +3
    out4 = out3 + 1.0                 # float64[3]  line +4
    t7 = out4 > 2                     # bool[3]  line +5
    out5 = out4 with [t7] = 0.0       # float64[3]  line +5
    t8 = x[:2]                        # float64[2]  line +6
    t9 = out5 with [constant] += t8   # float64[3]  line +6
    return t9""",
    ),
    "sizes": (
        sizes,
        (np.ones((2, 3)),),
        """\
def sizes(X: float64[2, 3]):
    t1 = np.sum(X, axis=0)                      # float64[3]  line +2
    mean = t1 / X.shape[0]                      # float64[3]  line +2
    t2 = np.reshape(X, shape=(X.shape[0], -1))  # float64[2, 3]  line +3
    rows = t2 * ((2 * X.shape[0]) - 1)          # float64[2, 3]  line +3
    t3 = rows - mean                            # float64[2, 3]  line +4
    t4 = t3 / np.sqrt(X.shape[0])               # float64[2, 3]  line +4
    t5 = (X.shape[0] + 1) ** X                  # float64[2, 3]  line +4
    t6 = t4 + t5                                # float64[2, 3]  line +4
    return t6""",
    ),
    "control flow": (
        branches,
        (np.ones(2),),
        """\
def branches(x: float64[2]):
    # valid while x.sum() > 0 is True on line {+1}
    # valid while x[0] < 10 is True on line {+1}
    t1 = np.sum(x)  # float64  line +1
    t2 = t1 > 0     # bool  line +1
    t3 = x[0]       # float64  line +1
    t4 = t3 < 10    # bool  line +1
    y = np.sin(x)   # float64[2]  line +2
    return y""",
    ),
    "literals": (
        numbers,
        (np.ones(2), {"w": np.ones(2)}),
        """\
def numbers(x: float64[2], p_w: float64[2]):
    t1 = -x                      # float64[2]  line +1
    t2 = 2.0 ** t1               # float64[2]  line +1
    t3 = -t2                     # float64[2]  line +1
    t4 = p_w * -1                # float64[2]  line +1
    t5 = t3 + t4                 # float64[2]  line +1
    y = t5 - 2.0                 # float64[2]  line +1
    z = np.minimum(y, np.inf)    # float64[2]  line +2
    t6 = z * np.float32(0.5)     # float64[2]  line +3
    return t6, 3.0""",
    ),
    "several operands and outputs": (
        joins,
        (np.array([[1.0, 2.0], [0.0, 3.0]]),),
        """\
def joins(x: float64[2, 2]):
    u, s, vt = np.linalg.svd(x)       # float64[2, 2], float64[2], float64[2, 2]  line +1
    both = np.concatenate([s, s])     # float64[4]  line +2
    table = np.stack([s, s], axis=1)  # float64[2, 2]  line +3
    e = np.einsum('ij,j->i', x, s)    # float64[2]  line +4
    low = x.astype(np.float32)        # float32[2, 2]  line +5
    t1 = x[None, :, 1]                # float64[1, 2]  line +6
    t2 = x[..., ::-1]                 # float64[2, 2]  line +6
    t3 = u @ vt                       # float64[2, 2]  line +7
    return t3, both, table, e, low, t1, t2""",
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_printed(name):
    f, args, expected = EXPECTED[name]
    first = f.__code__.co_firstlineno
    text = printed(f, *args)
    expected = expected.replace("{+1}", str(first + 1))
    # The width of the comments is not the point.
    assert [line.split() for line in text.splitlines()] == [line.split() for line in expected.splitlines()]


def test_comments_stand_below_each_other():
    lines = str(cr.trace(network, *EXPECTED["unpacked parameters"][1])).splitlines()[1:-1]
    assert len({line.index("  # ") for line in lines}) == 1


def test_keyword_arguments_are_inputs():
    def f(x, *, k):
        return x * k

    assert str(cr.trace(f, np.ones(2), k=3.0)).startswith("def f(x: float64[2], k: float64):\n    t1 = x * k ")


def test_plain_arrays_are_named():
    text = printed(plain_arrays, np.ones(2))
    assert "# constant: float64[2, 3], a plain array" in text

    local = np.ones(3)

    def closure(x):
        return x * local

    assert "# local: float64[3], a plain array" in printed(closure, np.ones(3))


def test_names_that_are_taken():
    def f(np_, list, t1):
        lambda_ = np_ * list
        t2 = lambda_ + t1
        return t2 * 2

    text = printed(f, np.ones(2), 2.0, 1.0)
    assert text.splitlines()[0] == "def f(np_: float64[2], list_: float64, t1: float64):"
    assert "lambda_ = np_ * list_" in text
    assert "t2 = lambda_ + t1" in text
    assert "t1_2 = t2 * 2" in text


def test_a_function_called_twice():
    def inner(x):
        h = x + 1
        return h * 2

    def outer(x):
        h = inner(x)
        h = inner(h)
        return h

    program = cr.trace(outer, np.ones(2))
    assert len(set(program.names().values())) == 5
    assert str(program).splitlines()[-1] == f"    return {program.names()[program.outputs[0].number]}"


def test_a_lambda():
    program = cr.trace(lambda x: np.sum(x * 2), np.ones(2))
    assert str(program).splitlines()[0] == "def function(x: float64[2]):"


def test_a_method_and_an_object():
    class Layer:
        def __call__(self, x):
            y = x * 2
            return y

        def forward(self, x):
            return self(x)

    assert "    y = x * 2" in str(cr.trace(Layer().forward, np.ones(2)))
    assert "    y = x * 2" in str(cr.trace(Layer(), np.ones(2)))


def test_without_source():
    namespace = {"np": np}
    exec("def f(x):\n    y = np.exp(x)\n    z = y + np.zeros(2)\n    return z.sum()", namespace)
    text = str(cr.trace(namespace["f"], np.ones(2)))
    assert text.startswith("def f(x: float64[2]):\n")
    assert "    y = np.exp(x)" in text
    assert "    z = y + t1" in text


def test_the_steps_of_a_gradient():
    text = printed(nested, np.ones(2))
    assert "** 2" in text
    assert "identity" not in text


def test_the_record():
    program = cr.trace(network, *EXPECTED["unpacked parameters"][1])
    assert type(program) is Program
    assert [x.name for x in program.inputs] == ["W1", "B1", "W2", "B2", "X", "T"]
    first = program.steps[0]
    assert type(first) is Step
    assert first.operation.function is np.dot
    assert first.outputs[0].shape == (3, 4)
    assert first.position.segment == "X.dot(W1)"
    assert first.position.filename == __file__
    with pytest.raises(dataclasses.FrozenInstanceError):
        program.name = "other"


def test_guards_have_places():
    (first, second) = cr.trace(branches, np.ones(2)).guards
    assert first.position.segment == "x.sum() > 0"
    assert first.value is True
    assert second.position.segment == "x[0] < 10"


# ---- the same text every time
PROGRAM = """
import numpy as np, chainrule as cr
from tests.test_trace import EXPECTED
for f, args, _ in EXPECTED.values():
    print(cr.trace(f, *args))
def tree(p):
    return p["b"] * p["a"] + p["c"][0]
print(cr.trace(tree, {"b": np.ones(2), "a": np.ones(2), "c": [np.ones(2)]}))
"""


def test_the_same_under_every_hash_seed():
    texts = []
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout)
    assert texts[0].count("\ndef ") >= len(EXPECTED) - 1
    assert texts[0] == texts[1] == texts[2]


# ---- verify
@pytest.fixture
def program():
    def f(x):
        y = np.sin(x)
        z = y * 2
        return z + TABLE[0]

    return cr.trace(f, np.ones(2))


def test_a_traced_program_is_well_formed(program):
    assert verify(program) is program


def test_steps_out_of_order(program):
    first, second, third = program.steps
    with pytest.raises(cr.ChainruleError, match="uses a variable that is not made before it") as caught:
        verify(dataclasses.replace(program, steps=(second, first, third)))
    shown = str(caught.value)
    assert shown.startswith("step 0 ")
    assert "  -> z = y * 2   line " in shown
    assert "     y = np.sin(x)   line " in shown
    assert "z = y * 2" in shown.splitlines()[1]


def test_a_variable_of_nowhere(program):
    first, *rest = program.steps
    stranger = Var((2,), np.dtype(float), "stranger", 999)
    broken = dataclasses.replace(first, inputs=(stranger,))
    with pytest.raises(cr.ChainruleError, match=r"-> y = np\.sin\(stranger\)"):
        verify(dataclasses.replace(program, steps=(broken, *rest)))


def test_a_variable_made_twice(program):
    first, second, third = program.steps
    with pytest.raises(cr.ChainruleError, match=r"step 1 makes a variable a second time:\n(.|\n)*->"):
        verify(dataclasses.replace(program, steps=(first, first, second, third)))


def test_a_constant_that_is_not_listed(program):
    with pytest.raises(cr.ChainruleError, match="step 2 uses a variable that is not made before it"):
        verify(dataclasses.replace(program, constants=()))


def test_inputs_that_share_a_number(program):
    with pytest.raises(cr.ChainruleError, match="share a number"):
        verify(dataclasses.replace(program, inputs=program.inputs * 2))


def test_a_result_that_is_never_made(program):
    stranger = Var((2,), np.dtype(float), None, 999)
    with pytest.raises(cr.ChainruleError, match="returns a variable that it never makes"):
        verify(dataclasses.replace(program, outputs=(stranger,)))
    assert verify(dataclasses.replace(program, outputs=(Const(1.0),)))


# ---- names
def test_names_are_handed_out_once():
    names = Namespace()
    assert [names.claim("h") for _ in range(3)] == ["h", "h2", "h3"]
    assert names.claim("h2") == "h2_2"
    assert [names.claim("t1") for _ in range(2)] == ["t1", "t1_2"]


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("params[0][1]", "params_0_1"),
        ("p['W']", "p_W"),
        ("layer.bias", "layer_bias"),
        ("lambda", "lambda_"),
        ("sum", "sum_"),
        ("np", "np_"),
        ("2x", "value_2x"),
        ("", "value"),
        ("->", "value"),
        ("größe", "größe"),
    ],
)
def test_names_are_legal(wanted, given):
    assert Namespace().claim(wanted) == given
    assert given.isidentifier()


def test_names_that_are_taken_from_the_start():
    names = Namespace({"x", "x2"})
    assert names.claim("x") == "x3"
    assert names.claim("y") == "y"


def test_the_parts_of_an_array_that_is_taken_apart_have_the_names_that_they_are_stored_under():
    def fit(params, x):
        slope, offset, scale = params
        return np.sum((slope * x + offset) ** 2) * scale

    names = [out.name for step in cr.trace(fit, np.ones(3), np.ones(4)).steps for out in step.outputs]
    assert names[:3] == ["slope", "offset", "scale"]
