"""From the chain rule to a line of code that is shorter: every equation holds, and a wrong one is not shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.explain import shortening
from chainrule.explain.algebra import add, children, multiply, number
from chainrule.explain.coded import Coded
from chainrule.explain.derivation import Shortening
from chainrule.explain.deriving import Deriving, deriving
from chainrule.explain.evaluating import evaluated
from chainrule.explain.formula import Element, Equation, Index
from chainrule.explain.notation import text
from chainrule.explain.terminal import derivation_lines, plain
from chainrule.explain.turn_code import TurnCoded
from tests.zoo import FUNCTIONS


def rms_norm(x, gain):
    mean_square = (x**2).mean(axis=-1, keepdims=True)
    return gain * x / np.sqrt(mean_square + 1e-6)


def unit_rows(x):
    norm = np.sqrt((x**2).sum(axis=1, keepdims=True))
    return x / norm


def softmax(z):
    top = z.max(axis=1, keepdims=True)
    e = np.exp(z - top)
    p = e / e.sum(axis=1, keepdims=True)
    return p


def soft_targets(z, t):
    top = z.max(axis=1, keepdims=True)
    e = np.exp(z - top)
    p = e / e.sum(axis=1, keepdims=True)
    loss = -(t * np.log(p)).sum() / len(z)
    return loss


def centred_twice(x, w):
    a = x - x.mean(axis=0)
    b = a - a.mean(axis=0)
    return (b * w).sum()


ROWS = np.array([[0.13, -0.13, 0.64], [0.1, -0.54, 0.36], [1.3, 0.95, -0.7], [-1.27, -0.62, 0.04]])
GAIN = np.array([0.5, -1.5, 2.0])
OWN: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "rms_norm": (rms_norm, (ROWS, GAIN)),
    "unit_rows": (unit_rows, (ROWS,)),
    "softmax": (softmax, (ROWS,)),
    "soft_targets": (soft_targets, (ROWS, np.abs(ROWS) / np.abs(ROWS).sum(axis=1, keepdims=True))),
    "centred_twice": (centred_twice, (ROWS, ROWS**2)),
}
ZOO = ("layer_norm", "batch_norm", "cross_entropy_labels", "logistic_loss", "entropy", "kernel")
CASES = OWN | {name: FUNCTIONS[name] for name in ZOO}


@cache
def made(name: str) -> tuple[Deriving, dict[str, tuple[Shortening, ...]]]:
    f, args = CASES[name]
    found = deriving(f, args)
    record = found.derivation()
    routes = [r for part in record.parts for r in part.routes if r.shortening]
    return found, {r.name: r.shortening for r in routes}


def facts_of(name: str, array: str) -> list[str]:
    return [text(fact) for step in made(name)[1][array] for _, fact in step.facts]


@pytest.mark.parametrize("name", CASES)
def test_every_equation_on_the_way_holds(name):
    found, shortenings = made(name)
    assert shortenings, name
    assert not found.dropped
    coded = Coded(found, found.backward.program)
    for steps in shortenings.values():
        for step in steps:
            element = step.equation.left.by  # type: ignore[attr-defined]
            free = tuple(i for i in element.indices if isinstance(i, Index))
            for draw in coded.draws:
                for side in step.equation.right:
                    value = evaluated(side, free, draw.named, lambda of, by, draw=draw: draw.gradients[by.variable])
                    wanted = draw.gradients[element.variable].reshape(np.shape(value))
                    assert np.allclose(value, wanted, rtol=1e-9, atol=1e-11), text(step.equation)


@pytest.mark.parametrize("name", CASES)
def test_an_equation_that_does_not_hold_is_not_shown(name):
    found, shortenings = made(name)
    coded = Coded(found, found.backward.program)
    for array, steps in shortenings.items():
        n = next(n for n, called in found.forward.names.items() if called == array and n in found.active)
        free = found.chains[array].free
        for step in steps:
            assert coded.holds(step, free, n)
            (side,) = step.equation.right
            wrong = replace(step, equation=Equation(step.equation.left, (multiply(number(2), side),)))
            assert not coded.holds(wrong, free, n)
            for k, (label, fact) in enumerate(step.facts):
                sides = (*fact.right[:-1], add(fact.right[-1], number(1)))
                others = (*step.facts[:k], (label, Equation(fact.left, sides)), *step.facts[k + 1 :])
                assert not coded.holds(replace(step, facts=others), free, n), text(fact)


def test_a_step_that_is_wrong_drops_the_whole_way(monkeypatch):
    whole = shortening.add
    monkeypatch.setattr(
        shortening, "add", lambda *terms: whole(*terms, number(1)) if len(terms) == 3 else whole(*terms)
    )
    found = deriving(*FUNCTIONS["layer_norm"])
    record = found.derivation()
    assert found.dropped == ["X"]
    assert not any(r.shortening for part in record.parts for r in part.routes if r.name == "X")


def test_centred_values_add_up_to_zero_and_it_is_said_why():
    facts = facts_of("layer_norm", "X")
    assert facts[:3] == [
        "Σⱼ centred[n,j] = -I·mean[n,0] + Σⱼ X[n,j] = 0",
        "centred[n,i] = X[n,i] - mean[n,0]",
        "mean[n,0] = (1/I)·Σᵢ X[n,i]",
    ]
    assert "ratio[n,i] = centred[n,i]/std[n,0]" in facts


def test_the_path_through_the_maximum_of_a_softmax_is_said_to_cancel():
    (zero, *_, named) = facts_of("soft_targets", "z")
    assert "[z[n,i] = top[n,0]]" in zero
    assert zero.endswith("= 0")
    assert named == "p[n,i] = e[n,i]/(Σⱼ e[n,j])"


def test_names_that_only_the_code_has_are_defined_where_they_are_first_used():
    found, shortenings = made("layer_norm")
    last = shortenings["X"][-1]
    used = {e.name for e in _elements(last.equation.right[0])}
    given = {fact.left.name for _, fact in last.facts}  # type: ignore[attr-defined]
    assert used <= given | set(found.forward.names.values())
    said = plain(derivation_lines(found.derivation()))
    assert said.index("product[n,i] =") < said.index("product = ")


def normalised_recurrence(x, h, W, U):
    for t in range(len(x)):
        a = x[t] @ W + h @ U
        m = a.mean(axis=1, keepdims=True)
        s = np.sqrt(((a - m) ** 2).mean(axis=1, keepdims=True) + 1e-5)
        h = np.tanh((a - m) / s)
    loss = (h**2).sum()
    return loss


def gates(x, h, c, W, U):
    H = len(h)
    for t in range(len(x)):
        z = x[t] @ W + h @ U
        i = 1 / (1 + np.exp(-z[:H]))
        f = 1 / (1 + np.exp(-z[H : 2 * H]))
        g = np.tanh(z[2 * H :])
        c = f * c + i * g
        h = np.tanh(c)
    loss = (h**2).sum()
    return loss


def softmax_recurrence(x, h, W, U):
    for t in range(len(x)):
        z = x[t] @ W + h @ U
        e = np.exp(z - z.max())
        h = e / e.sum()
    loss = (h**2).sum()
    return loss


def arrays(*shapes: tuple[int, ...]) -> tuple[Any, ...]:
    random = np.random.default_rng(3)
    return tuple(random.standard_normal(shape).round(2) for shape in shapes)


IN_LOOPS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    "normalised": (normalised_recurrence, arrays((3, 2, 3), (2, 4), (3, 4), (4, 4)), "a"),
    "gates": (gates, arrays((4, 3), (2,), (2,), (3, 6), (2, 6)), "z"),
    "softmax": (softmax_recurrence, arrays((3, 4), (3,), (4, 3), (3, 3)), "z"),
}


@pytest.mark.parametrize("name", IN_LOOPS)
def test_in_a_turn_of_a_loop_the_way_leads_to_the_line_of_the_turn(name):
    f, args, array = IN_LOOPS[name]
    found = deriving(f, args)
    record = found.derivation()
    assert not found.dropped
    (body,) = found.bodies
    coded = TurnCoded(body, Coded(found, found.backward.program))
    assert len(coded.draws) == 4  # the first turn and the last, of the example and of other numbers
    routes = {r.name: r for part in record.parts for r in part.routes if any(line.inner for line in r.lines)}
    assert any(line.target == f"d{array}" for line in routes[array].lines)
    (last, *_) = reversed(routes[array].shortening)
    assert str(last.label) == "As in the code"
    n = next(n for n, called in body.forward.names.items() if called == array and n in body.active)
    for step in routes[array].shortening:
        assert coded.holds(step, body.chains[array].free, n)
        wrong = replace(step, equation=Equation(step.equation.left, (multiply(number(2), *step.equation.right),)))
        assert not coded.holds(wrong, body.chains[array].free, n)


def _elements(x: Any) -> list[Element]:
    return [x] if isinstance(x, Element) else [e for c in children(x) for e in _elements(c)]


def _logistic(x):
    return 1 / (1 + np.exp(-x))


def _squared(x):
    return (x * x).sum()


def _helped(x, w):
    z = x @ w
    p = _logistic(z + w)
    return (p**2).sum()


def _rebound(x, w):
    x = _logistic(x @ w)
    return (x**2).sum()


def _returned(x, w):
    x = _squared(x * w)
    return x


@pytest.mark.parametrize(
    ("function", "lines"),
    [
        (_helped, ["dz = 2 * p**2 * (1 - p)", "dx = dz @ w.T", "dw = dz + x.T @ dz"]),
        (_rebound, ["dx = d_x_given_w @ w.T", "dw = x_given.T @ d_x_given_w"]),
        (_returned, ["dx = w * dproduct", "dw = x_given * dproduct"]),
    ],
)
def test_what_a_helper_calls_by_the_name_of_an_argument_is_another_thing(function, lines):
    code = cr.explain(function, np.ones((2, 2)), np.ones((2, 2)) / 3).derivation.code
    assert [line for line in lines if line not in code.splitlines()] == [], code
    assert "dx_" not in code
