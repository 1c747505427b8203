"""In the other languages nothing but code, names and the field's terms is left in English."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import chainrule as cr
from chainrule.check.rendering import blocks_of, text_of
from chainrule.errors import ChainruleError
from chainrule.explain.explaining import explain_function, explain_script
from chainrule.language import in_language
from tests.museum.rooms import WRONG
from tests.museum.scoring import judged
from tests.test_why import CASES as QUESTIONS
from tests.zoo import FUNCTIONS
from tests.zoo_wild import WILD

LANGUAGES = ("ja", "zh")
EXPLAINED = {**FUNCTIONS, **{f"wild {name}": (f, make(5, 4, 3)) for name, (f, make) in WILD.items()}}
# Three words in a row, with nothing between them but blanks: code has signs, and the words of its own language.
_RUN = re.compile(r"[A-Za-z]{2,}(?:['.,]? +(?!(?:for|in|if|else|import|return)\b)[A-Za-z]{2,}){2,}")

_RAISED = re.compile(r"\w+Error: [^\n]*")  # what the candidate raised


def english(text: str, *known: str) -> set[str]:
    """The runs of words in a text; not in those that are the user's own."""
    for own in sorted({line.strip() for x in known for line in x.splitlines() if line.strip()}, key=len, reverse=True):
        text = text.replace(own, "")
    return set(_RUN.findall(text))


def test_runs_of_words_are_found():
    assert english("結果: it returns positions") == {"it returns positions"}
    assert english("行 return sum(row for row in rows) x = y if z else w") == set()
    assert english("x # the sum of rows", "x # the sum of rows") == set()


@pytest.mark.parametrize("name", list(EXPLAINED)[::8])
def test_derivations(name):
    f, arguments = EXPLAINED[name]
    found = cr.explain(f, *arguments)
    sources = [part.source for part in found.derivation.parts]
    for language in LANGUAGES:
        spoken = found.in_language(language)
        assert english(spoken.text(1000), *sources, found.derivation.code) == set()
        if len(found.derivation.parts) < 4:
            assert english(spoken.full().markdown(), *sources, found.derivation.code) == set()


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers(name):
    f, arguments, of, *_ = QUESTIONS[name]
    answer = cr.why(f, *arguments, of=of)
    for language in LANGUAGES:
        with in_language(language):
            assert english(answer.text(1000)) == set()


@pytest.mark.parametrize("name", [n for n in WRONG if not n.startswith("recurrence")][::50])
def test_verdicts(name):
    report = judged(WRONG[name])
    for language in LANGUAGES:
        with in_language(language):
            said = text_of(blocks_of(report), 1000)
        assert english(_RAISED.sub("", said)) == set()


def square(x):
    y = x**2
    return y.sum()


def doubled(x):
    return x * 2


def refusals(script):
    """What explain and why refuse, each as the call that does."""
    path = str(script)
    return [
        (cr.why, (square, np.ones(2)), {"of": "dz"}),
        (cr.why, (square, np.ones(2)), {"of": "dx[5]"}),
        (cr.why, (square, np.ones(2)), {"of": "dx[a]"}),
        (cr.why, (np.argmax, np.ones(2)), {"of": "dx"}),
        (cr.explain, (doubled, np.ones((2, 3))), {"grad_output": np.ones(5)}),
        (cr.explain, (np.modf, np.ones(2)), {"grad_output": np.ones(2)}),
        (cr.explain(square, np.ones(2)).element, ("dx",), {}),
        (cr.explain(square, np.ones(2)).save, ("page.doc",), {}),
        (explain_script, (path, None, None), {}),
        (explain_script, (path, "nothing", None), {}),
        (explain_script, (path, "W", None), {}),
        (explain_script, (path, "rows", None), {}),
        (explain_script, (path, "loss", ["labels"]), {}),
        (explain_function, (f"{path}::missing", {}, {}, None), {}),
        (explain_function, (f"{path}::scaled", {}, {}, None), {}),
        (explain_function, (f"{path}::scaled", {"z": (2,)}, {}, None), {}),
    ]


def test_refusals(tmp_path):
    script = tmp_path / "s.py"
    script.write_text(
        "import numpy as np\n"
        "labels = [1, 2]\n"
        "W = np.ones(2)\n"
        "rows = W * 2\n"
        "loss = rows.sum()\n"
        "def scaled(x, y):\n"
        "    return (x * y).sum()\n"
    )
    for function, args, options in refusals(script):
        with pytest.raises(ChainruleError) as refused:
            function(*args, **options)
        for language in LANGUAGES:
            with in_language(language):
                said = str(refused.value)
            assert said != str(refused.value), said
            assert english(said) == set()


def scaled(x, w):
    return x * w


X = {"x": np.ones(3), "w": np.full(3, 2.0)}


class Unbuilt:
    """A layer that needs what nobody knows."""

    def __init__(self, mood):
        self.mood = mood

    def forward(self, x, w):
        return x * w

    def backward(self, g):
        return g, g


# What check refuses, each as the arguments of the call that does.
UNREADABLE = {
    "no candidate": (3.0, scaled, X),
    "unclear gradients": ([np.sin, np.cos, np.tan], scaled, X),
    "no gradient": (lambda g, x, w: (g, g), scaled, X, "nothing"),
    "unclear parameters": (lambda one, two, three, four: one, scaled, X),
    "half a class": (type("Half", (), {"forward": lambda self, x: x}), scaled, X),
    "a constructor": (Unbuilt, scaled, X),
    "other arguments": (lambda g, x, w: (g, g), scaled, {"x": np.ones(3), "k": np.ones(3)}),
    "too many arguments": (lambda g, x, w: (g, g), scaled, [np.ones(3)] * 3),
    "a failing example": (lambda g, x, w: (g, g), scaled, {"x": np.ones(3), "w": np.ones(2)}),
}

# What check cannot judge, and says so in its report.
UNJUDGED = {
    "too few": (lambda g, x, w: (g, g, g), scaled, X),
    "another key": (lambda g, x, w: {"p": g}, scaled, X),
    "a text": (lambda g, x, w: "no", scaled, X),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_check_refuses(name):
    candidate, forward, args, *wrt = UNREADABLE[name]
    with pytest.raises(ChainruleError) as refused:
        cr.check(candidate, forward, args, *wrt)
    for language in LANGUAGES:
        with in_language(language):
            said = str(refused.value)
        assert said != str(refused.value), said
        assert english(_RAISED.sub("", said)) == set()


@pytest.mark.parametrize("name", UNJUDGED)
def test_what_check_cannot_judge(name):
    report = cr.check(*UNJUDGED[name])
    assert not report.ok
    for language in LANGUAGES:
        with in_language(language):
            said = text_of(blocks_of(report), 1000)
        assert english(_RAISED.sub("", said)) == set()


# What the engine cannot follow, one function for each reason; ``PLAIN`` was made outside of them.
PLAIN = np.zeros(3)
ROWS = np.arange(6.0).reshape(2, 3)
MANY = np.ones(2000)


def fills_an_integer_array(x):
    filled = np.zeros(3, dtype=int)
    filled[0] = x[0]
    return filled.sum()


def changes_what_it_used(x):
    y = (MANY * x[0]).sum()
    MANY[0] += 1
    return y


def writes_the_shape(x):
    x.shape = (3, 1)
    return x.sum()


UNFOLLOWED = {
    "integer array": fills_an_integer_array,
    "plain array changed": changes_what_it_used,
    "shape written": writes_the_shape,
    "index": lambda x: x[x],
    "field": lambda x: x["a"].sum(),
    "no rule": lambda x: np.apply_over_axes(np.sum, x, 0),
    "axis": lambda x: np.sum(ROWS, axis=x),
    "out": lambda x: np.exp(x, out=PLAIN).sum(),
    "key": lambda x: {x[0]: 1},
    "list": lambda x: sum(x.tolist()),
    "attribute": lambda x: x.ctypes,
    "cast": lambda x: x.astype(object).sum(),
    "bits": lambda x: x.view(np.int64).sum(),
    "memory": lambda x: x.resize(4),
    "objects": lambda x: (np.array([1, 2, object()], dtype=object) * x).sum(),
    "method of a plain array": lambda x: PLAIN.fill(x[0]),
    "text": lambda x: float(str(x[0])),
    "windows": lambda x: np.lib.stride_tricks.as_strided(x, (9,), (8,)).sum(),
    "a ufunc of Python": lambda x: np.frompyfunc(lambda a: a, 1, 1)(x).sum(),
    "axes of a ufunc": lambda x: np.matmul(x[None], x[:, None], axes=[(0, 1), (0, 1), (0, 1)]).sum(),
    "shapes": lambda x: (x @ ROWS).sum(),
    "one shape": lambda x: np.reshape(x, (2, 2)).sum(),
    "a rule that says no": lambda x: np.histogram(x, bins="auto")[0].sum(),
    "nothing": lambda x: None,
    "several": lambda x: (x.sum(), x.sum()),
    "an array": lambda x: x * 2,
    "complex": lambda x: (x * 1j).sum(),
    "whole numbers": lambda x: (x > 0).sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", UNFOLLOWED)
def test_what_cannot_be_followed(name):
    with pytest.raises(ChainruleError) as refused:
        cr.grad(UNFOLLOWED[name])(np.arange(1.0, 4.0))
    said = {}
    for language in ("en", "fr", *LANGUAGES):
        with in_language(language):
            said[language] = str(refused.value).partition("\n  NumPy")[0]
    assert len(set(said.values())) == 4
    for language in LANGUAGES:
        assert english(said[language], inspect.getsource(UNFOLLOWED[name])) == set()
