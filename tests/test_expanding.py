"""Formulas written out: every term, for every element, with numbers that are those of the matrices."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.explain.derivation import Derivation, Line, Node, Part, Route
from chainrule.explain.deriving import derive
from chainrule.explain.evaluating import evaluated
from chainrule.explain.expanding import write_out
from chainrule.explain.explanation import Explanation
from chainrule.explain.formula import (
    Add,
    Apply,
    Cases,
    Compare,
    Delta,
    Element,
    Equation,
    Index,
    IndexExpression,
    Multiply,
    Number,
    Partial,
    Position,
    Power,
    Size,
    Sum,
)
from chainrule.explain.known import values_in
from chainrule.explain.notation import text
from tests.zoo import FUNCTIONS

_random = np.random.default_rng(0)
L = Element("L")
R, J, K = Index("i", 1), Index("j", 2), Index("k", 2)
N = Index("n", 20)
W, X, DY = np.array([[0.5, -0.25], [3.0, 4.0]]), np.array([[7.0, 8.0]]), np.array([[3.0, 2.0]])


def by(name, *indices):
    return Partial(L, Element(name, indices))


def lines(found):
    return [(text(row.names), text(row.numbers)) for row in found.rows]


def test_all_four_weights_of_a_small_product():
    body = Multiply((by("Y", R, J), Element("X", (R, K))))
    found = write_out(Equation(by("W", K, J), (Sum((R,), body),)), {"X": X}, {"Y": DY, "W": X.T @ DY})
    assert found.left_out == 0
    assert lines(found) == [
        ("∂L/∂W[0,0] = ∂L/∂Y[0,0]·X[0,0]", "∂L/∂W[0,0] = 3·7 = 21"),
        ("∂L/∂W[0,1] = ∂L/∂Y[0,1]·X[0,0]", "∂L/∂W[0,1] = 2·7 = 14"),
        ("∂L/∂W[1,0] = ∂L/∂Y[0,0]·X[0,1]", "∂L/∂W[1,0] = 3·8 = 24"),
        ("∂L/∂W[1,1] = ∂L/∂Y[0,1]·X[0,1]", "∂L/∂W[1,1] = 2·8 = 16"),
    ]


def test_a_sum_of_two_terms():
    body = Multiply((by("Y", R, J), Element("W", (K, J))))
    found = write_out(Equation(by("X", R, K), (by("X", R, K), Sum((J,), body))), {"W": W}, {"Y": DY})
    assert lines(found)[0] == (
        "∂L/∂X[0,0] = ∂L/∂Y[0,0]·W[0,0] + ∂L/∂Y[0,1]·W[0,1]",
        "∂L/∂X[0,0] = 3·0.5 + 2·(-0.25) = 1",
    )


def test_long_sums_are_cut_and_say_so():
    Z = _random.standard_normal((20, 2))
    mask = Compare(">", Element("Z", (N, J)), Number(0))
    equation = Equation(by("b", J), (Sum((N,), Multiply((by("Z", N, J), mask))),))
    exact = (2 * Z * (Z > 0)).sum(axis=0)
    found = write_out(equation, {"Z": Z}, {"Z": 2 * Z}, most_terms=3)
    assert [row.left_out for row in found.rows] == [17, 17]
    assert lines(found)[0][0].endswith(" + …")
    np.testing.assert_allclose([row.numbers.right[-1].value for row in found.rows], exact)


def test_many_elements_are_cut_and_counted():
    found = write_out(Equation(by("b", N), (by("Z", N),)), {}, {"Z": np.arange(20.0)}, most_rows=4)
    assert len(found.rows) == 4
    assert found.left_out == 16
    assert lines(found)[3] == ("∂L/∂b[3] = ∂L/∂Z[3]", "∂L/∂b[3] = 3")


def test_what_is_zero_by_its_form_is_not_written():
    # A sliding window: out[j] = x[j + u] · w[u], as far as it does not reach over the end.
    u, wide = Index("u", 2), Index("j", 3)
    inside = Compare("<", Position(IndexExpression("+", (wide, u))), Number(3))
    place = IndexExpression("+", (wide, u))
    body = Cases(inside, Multiply((Element("x", (place,)), Element("w", (u,)))), Number(0))
    x, w = np.array([1.0, 2.0, 3.0]), np.array([10.0, 100.0])
    found = write_out(Equation(Element("out", (wide,)), (Sum((u,), body),)), {"x": x, "w": w})
    assert [a for a, _ in lines(found)] == [
        "out[0] = x[0]·w[0] + x[1]·w[1]",
        "out[1] = x[1]·w[0] + x[2]·w[1]",
        "out[2] = x[2]·w[0]",
    ]
    assert [row.numbers.right[-1].value for row in found.rows] == [210.0, 320.0, 30.0]


def test_kronecker_deltas_and_positions_that_are_looked_up():
    place = IndexExpression("[]", ("ids", J))
    values = {"ids": np.array([1, 0]), "E": np.array([5.0, 6.0])}
    found = write_out(Equation(Element("v", (J,)), (Element("E", (place,)),)), values)
    assert lines(found) == [("v[0] = E[1]", "v[0] = 6"), ("v[1] = E[0]", "v[1] = 5")]
    both = Sum((K,), Multiply((Delta(J, K), Element("E", (K,)))))
    assert [a for a, _ in lines(write_out(Equation(Element("v", (J,)), (both,)), values))] == [
        "v[0] = E[0]",
        "v[1] = E[1]",
    ]


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (Add((Element("a", (J,)), Number(2))), [3.0, 6.0]),
        (Power(Element("a", (J,)), Number(2)), [1.0, 16.0]),
        (Multiply((Element("a", (J,)), Power(Size(2, "len(a)"), Number(-1)))), [0.5, 2.0]),
        (Apply("sqrt", (Element("a", (J,)),)), [1.0, 2.0]),
        (Sum((K,), Element("a", (K,)), "max"), [4.0, 4.0]),
        (Sum((K,), Element("a", (K,)), "prod"), [4.0, 4.0]),
        (Cases(Compare(">", Element("a", (J,)), Number(2)), Number(7), Element("a", (J,))), [1.0, 7.0]),
    ],
)
def test_the_numbers_of_formulas(side, expected):
    found = write_out(Equation(Element("y", (J,)), (side,)), {"a": np.array([1.0, 4.0])})
    assert [row.numbers.right[-1].value for row in found.rows] == expected


def test_without_values_the_names_are_written_all_the_same():
    found = write_out(Equation(Element("y", (J,)), (Element("a", (J,)),)), {})
    assert [text(row.names) for row in found.rows] == ["y[0] = a[0]", "y[1] = a[1]"]
    assert [row.numbers for row in found.rows] == [None, None]


def test_matrices_are_not_written_out():
    transposed = Element("W", (J, K), transposed=True)
    assert write_out(Equation(Element("Y", (J, K)), (transposed,)), {}) is None


def test_an_explanation_writes_them_out_when_it_is_asked_for_everything():
    n, j, k = Index("n", 1), Index("j", 2), Index("k", 2)
    body = Multiply((Element("dY", (n, j)), Element("W", (k, j))))
    chain = Equation(Partial(Element("L"), Element("X", (n, k))), (Sum((j,), body),))
    route = Route("X", "dX", chain, lines=(Line("dX", "dX = dY @ W.T", value=DY @ W.T),))
    part = Part("Y = X @ W", 3, "Y", (1, 2), None, routes=(route,), value=X @ W, gradient=DY)
    nodes = (Node("X", "input", (1, 2), X), Node("W", "data", (2, 2), W))
    route_of_y = Route("Y", "dY", None, lines=(Line("dY", "dY = …", value=DY),))
    first = Part("L = f(Y)", 4, "L", (), None, routes=(route_of_y,))
    explanation = Explanation(Derivation("f", "L", 1.0, (first, part), nodes), language="en")
    assert "Written out" not in explanation.text()
    assert "∂L/∂X[0,1] = dY[0,0]·W[1,0] + dY[0,1]·W[1,1]" in explanation.full().text()
    assert "= 3·3 + 2·4" in explanation.full().text()
    assert "∂L/∂X[0,0]" not in explanation.markdown()
    assert r"\mathrm{dY}" in explanation.full().markdown() or "dY" in explanation.full().markdown()


@pytest.mark.parametrize("name", ["four_layers", "dense", "mean_squared", "logistic", "rms_norm", "embedding"])
def test_what_is_written_out_of_real_derivations_adds_up(name):
    f, arguments = FUNCTIONS[name]
    derivation = derive(f, arguments)
    values, gradients = values_in(derivation)
    compared = 0
    for route in (route for part in derivation.parts for route in part.routes):
        if route.chain is None or route.matrix:
            continue
        for row in write_out(route.chain, values, gradients, most_terms=64).rows:
            assert row.numbers is not None
            assert row.left_out == 0
            given, exact = row.numbers.right[0], row.numbers.right[-1].value
            np.testing.assert_allclose(evaluated(given, [], {}), exact, rtol=1e-9, atol=1e-12)
            compared += 1
    assert compared
