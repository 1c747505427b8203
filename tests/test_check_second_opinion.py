"""What check says where the wrong gradient is chainrule's own: a rule is given that is wrong on purpose."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import extend
from chainrule.testing import GradientError, check_gradients


def cubed(x):
    """Opaque to the tracer, so that its rule alone says what the derivative is."""
    return np.asarray(np.asarray(x).tolist()) ** 3


def saturated(x):
    """The same; its rule is right."""
    return np.tanh(np.asarray(np.asarray(x).tolist()))


extend.elementwise(cubed, lambda out, x: 2 * x**2)
extend.elementwise(saturated, lambda out, x: 1 - out**2)


@extend.custom_vjp
def rounded(x):
    return np.round(x)


rounded.defvjp(lambda x: (np.round(x), None), lambda _, g: (g,))


def loss(W, x):
    return np.sum(cubed(x @ W))


def layer(W, x):
    return saturated(x @ W)


def quantised(W, x):
    return np.sum(rounded(x @ W) ** 2)


RANDOM = np.random.default_rng(3)
ARGS = {"W": RANDOM.standard_normal((3, 2)), "x": RANDOM.standard_normal((4, 3))}


def test_the_rule_is_wrong_indeed():
    with pytest.raises(GradientError):
        check_gradients(loss, list(ARGS.values()))


def test_a_right_candidate_is_not_called_wrong_by_a_wrong_rule():
    report = cr.check(lambda W, x: {"W": x.T @ (3 * (x @ W) ** 2)}, loss, ARGS)
    assert not report.judged
    assert "mistake in chainrule" in " ".join(str(report).split())
    with pytest.raises(cr.NotJudgedError):
        report.raise_if_wrong()


@pytest.mark.parametrize(
    ("forward", "candidate"),
    [
        (layer, lambda W, x, g: {"W": x.T @ g}),
        (layer, lambda W, x, g: {"W": 2 * x.T @ (g * (1 - np.tanh(x @ W) ** 2))}),
        # A derivative that somebody defined is what they want, whatever differences say.
        (quantised, lambda W, x: {"W": np.zeros_like(W)}),
    ],
)
def test_a_wrong_candidate_stays_wrong(forward, candidate):
    report = cr.check(candidate, forward, ARGS)
    assert report.judged
    assert not report.ok
