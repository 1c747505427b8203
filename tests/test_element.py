"""One element through the network: each line of its story adds up, and the last is the gradient."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.explain.element import rows_of, story_of_call, story_of_followed
from chainrule.script import trace_script
from tests.test_why import CASES
from tests.zoo import FUNCTIONS

NAMES = ["four_layers", "logistic_loss", "huber", "softplus", "mean_squared", "dense", "half_squared", "logistic"]
SCRIPT = "tests/scripts/network.py"


def assert_adds_up(story):
    assert story.sums[-1].element == story.element
    np.testing.assert_array_equal(story.sums[-1].gradient, story.gradient)
    for line in story.sums:
        total = sum(term.product for term in line.terms) + line.rest
        np.testing.assert_allclose(total, line.gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_every_line_adds_up(name):
    f, arguments = FUNCTIONS[name]
    parameters = f.__code__.co_varnames[: len(arguments)]
    for parameter, x in zip(parameters, arguments, strict=True):
        if isinstance(x, np.ndarray) and x.dtype.kind == "f":
            element = f"{parameter}[{','.join('0' * x.ndim)}]" if x.ndim else parameter
            assert_adds_up(story_of_call(f, arguments, {}, element))


@pytest.mark.parametrize("name", ["a unit that is off for every row", "cancellation", "a product over 50 layers"])
def test_lines_of_gradients_that_are_out_of_the_ordinary(name):
    f, arguments, of, *_ = CASES[name]
    assert_adds_up(story_of_call(f, arguments, {}, of, most_terms=2))


def test_the_lines_of_a_network():
    story = story_of_followed(trace_script(SCRIPT, "err"), "W3[0,0]")
    assert rows_of(story) == [
        ("dY[0,0] = derr · ∂err/∂Y[0,0]", "= 1 · 4.808 = 4.808"),
        ("dA3[0,0] = dY[0,0] · W4[0,0]", "= 4.808 · 0.073 = 0.351"),
        ("dZ3[0,0] = dA3[0,0]", "= 0.351"),
        ("dW3[0,0] = dZ3[0,0] · A2[0,0]", "= 0.351 · 3.614 = 1.268"),
    ]
    assert [(s.line, s.source) for s in story.sums][1] == (48, "Y = A3.dot(W[3]) + B[3]")
    assert story.result == "err"


def test_what_a_factor_is_and_what_is_left_out():
    story = story_of_followed(trace_script(SCRIPT, "err"), "dA2[0,0]", most_terms=4)
    assert_adds_up(story)
    last = story.sums[-1]
    assert (len(last.terms), last.more) == (4, 2)
    assert str(last.terms[0].what) == "W3[0,5]"
    assert rows_of(story)[-1][0].endswith(" + … 2 more terms")
    off = next(s for s in story_of_followed(trace_script(SCRIPT, "err"), "Z3[0,1]").sums if s.element == "Z3[0,1]")
    assert str(off.terms[0].what) == "the ReLU is off"
    assert off.terms[0].product == 0


def test_an_array_is_refused():
    f, arguments = FUNCTIONS["dense"]
    with pytest.raises(cr.ChainruleError, match="name one element"):
        story_of_call(f, arguments, {}, "W")


def test_an_element_of_several_results_needs_to_be_told_which():
    explanation = cr.explain(lambda x: (x * 2, x * x), np.array([0.1, 0.2]))
    with pytest.raises(cr.ChainruleError, match=r"2 arrays.*of="):
        explanation.element("x[1]")
    one = cr.explain(lambda x: (x * 2, x * x), np.array([0.1, 0.2]), of=1)
    assert "x[1]" in str(one.element("x[1]"))
