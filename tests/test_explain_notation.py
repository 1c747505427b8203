"""Formulas as text, LaTeX and MathML: what is printed means what the formula means."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from chainrule.explain.columns import wide
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
from chainrule.explain.notation import latex, mathml, text
from chainrule.explain.notation.text import sides
from chainrule.explain.terminal import folded

n, j, k, c = (Index(name, 3) for name in "njkc")
A, W, b, Y, T = (
    Element("A", (n, k)),
    Element("W3", (k, j)),
    Element("b", (j,)),
    Element("Y", (n, j)),
    Element("T", (n, j)),
)
err = Element("err")


def times(*factors):
    return Multiply(factors)


def minus(x):
    return times(Number(-1), x)


def over(x):
    return Power(x, Number(-1))


POSITIVE = Compare(">", Y, Number(0))
BOTH = Apply("and", (POSITIVE, Compare("<", b, Number(1))))
FORMULAS = [
    (Number(0.2), "0.2"),
    (Number(5.0, "5.0"), "5.0"),
    (Number(np.float64(1e-12)), "1e-12"),
    (Number(np.float32(0.1)), "0.1"),
    (Number(True), "1"),
    (Number(-np.inf), "-∞"),
    (Element("err"), "err"),
    (Element("W3", (2, 1)), "W3[2,1]"),
    (Element("x", (IndexExpression("+", (n, k)),)), "x[n+k]"),
    (Element("x", (IndexExpression("-", (IndexExpression("-", ("D", 1)), n)),)), "x[D-1-n]"),
    (Element("x", (IndexExpression("-", ("D", IndexExpression("+", (n, 1)))),)), "x[D-(n+1)]"),
    (Element("x", (IndexExpression("*", (2, IndexExpression("+", (n, 1)))),)), "x[2·(n+1)]"),
    (Element("x", (IndexExpression("%", (n, 4)),)), "x[n%4]"),
    (Element("E", (IndexExpression("[]", ("ids", n)), j)), "E[ids[n],j]"),
    (Element("A", (n, Index("k'", 3))), "A[n,k′]"),
    (Add((Sum((k,), times(A, W)), b)), "Σₖ A[n,k]·W3[k,j] + b[j]"),
    (Add((b, Sum((k,), A), minus(T))), "b[j] + Σₖ A[n,k] - T[n,j]"),
    (Sum((k,), Add((A, b))), "Σₖ (A[n,k] + b[j])"),
    (Sum((n, j), Y), "Σₙⱼ Y[n,j]"),
    (Sum((c,), Y), "Σ_c Y[n,j]"),
    (Sum((n, c), Y), "Σ_{n,c} Y[n,j]"),
    (Sum((Index("k'", 3),), Y), "Σₖ′ Y[n,j]"),
    (Sum((k,), A, "max"), "maxₖ A[n,k]"),
    (Sum((k,), A, "prod"), "∏ₖ A[n,k]"),
    (Sum((k,), minus(A)), "Σₖ (-A[n,k])"),
    (times(Sum((k,), A), Y), "Y[n,j]·Σₖ A[n,k]"),
    (times(Sum((k,), A), Sum((j,), Y)), "(Σₖ A[n,k])·Σⱼ Y[n,j]"),
    (Power(Sum((k,), A), Number(2)), "(Σₖ A[n,k])²"),
    (over(Sum((k,), A)), "1/(Σₖ A[n,k])"),
    (times(over(Size(15, "Y.size")), Sum((n, j), Power(Add((Y, minus(T))), Number(2)))),
     "(1/Y.size)·Σₙⱼ (Y[n,j] - T[n,j])²"),
    (times(Number(2), Add((Y, minus(T))), over(Size(15, "Y.size"))), "2·(Y[n,j] - T[n,j])/Y.size"),
    (times(Y, over(Size(6, "N * C"))), "Y[n,j]/(N * C)"),
    (times(Y, over(Size(6, "X.shape[0] - 1"))), "Y[n,j]/(X.shape[0] - 1)"),
    (times(Y, over(Size(6, "len(X)"))), "Y[n,j]/len(X)"),
    (times(Y, over(T), over(b)), "Y[n,j]/(T[n,j]·b[j])"),
    (times(Add((Y, T)), over(b)), "(Y[n,j] + T[n,j])/b[j]"),
    (times(over(times(Y, over(T)))), "1/(Y[n,j]/T[n,j])"),
    (times(Y, Power(over(T), Number(2))), "Y[n,j]·(1/T[n,j])²"),
    (times(Number(0.5), Number(-0.31)), "0.5·(-0.31)"),
    (times(Number(-0.31), Y), "-0.31·Y[n,j]"),
    (times(Number(1), Y), "Y[n,j]"),
    (times(), "1"),
    (minus(Add((Y, T))), "-(Y[n,j] + T[n,j])"),
    (minus(times(Y, over(T))), "-Y[n,j]/T[n,j]"),
    (minus(minus(Y)), "Y[n,j]"),
    (Add((minus(Y), T)), "-Y[n,j] + T[n,j]"),
    (Add((Y, Number(-2))), "Y[n,j] - 2"),
    (Add((Y, minus(Add((T, b))))), "Y[n,j] - (T[n,j] + b[j])"),
    (Add((Y, Add((T, b)))), "Y[n,j] + T[n,j] + b[j]"),
    (times(Y, Add((T, b)), A), "Y[n,j]·(T[n,j] + b[j])·A[n,k]"),
    (Power(Y, Number(2)), "Y[n,j]²"),
    (Power(Y, Number(-2)), "1/Y[n,j]²"),
    (Power(Y, Number(0.5)), "√Y[n,j]"),
    (Power(Add((Y, Number(1e-5))), Number(0.5)), "√(Y[n,j] + 1e-5)"),
    (Power(Power(Y, Number(2)), Number(3)), "(Y[n,j]²)³"),
    (Power(Number(-2), Number(2)), "(-2)²"),
    (Power(Y, T), "Y[n,j]^(T[n,j])"),
    (Power(Y, Element("p")), "Y[n,j]^p"),
    (Power(Apply("tanh", (Y,)), Number(2)), "tanh(Y[n,j])²"),
    (over(Apply("sqrt", (Add((Y, T)),))), "1/√(Y[n,j] + T[n,j])"),
    (Apply("max", (Number(0), Y)), "max(0, Y[n,j])"),
    (Apply("abs", (minus(Y),)), "|-Y[n,j]|"),
    (over(Add((Number(1), Apply("exp", (minus(Y),))))), "1/(1 + exp(-Y[n,j]))"),
    (Compare(">=", Y, Number(0)), "[Y[n,j] ≥ 0]"),
    (Cases(Compare(">", Y, Number(0)), Y, times(Number(0.01), Y)), "{Y[n,j] if Y[n,j] > 0; 0.01·Y[n,j] otherwise}"),
    (BOTH, "[Y[n,j] > 0 ∧ b[j] < 1]"),
    (times(Apply("or", (BOTH, Apply("not", (POSITIVE,)), A)), Y),
     "[(Y[n,j] > 0 ∧ b[j] < 1) ∨ ¬(Y[n,j] > 0) ∨ A[n,k]]·Y[n,j]"),
    (Cases(BOTH, Y, T), "{Y[n,j] if Y[n,j] > 0, b[j] < 1; T[n,j] otherwise}"),
    (Cases(Apply("or", (BOTH, A)), Y, T), "{Y[n,j] if (Y[n,j] > 0 ∧ b[j] < 1) ∨ A[n,k]; T[n,j] otherwise}"),
    (Element("W3", (j, k), transposed=True), "W3ᵀ[j,k]"),
    (Power(Element("W3", (j, k), transposed=True), Number(2)), "W3ᵀ[j,k]²"),
    (times(Y, Position(IndexExpression("+", (j, 1)))), "Y[n,j]·(j+1)"),
    (Compare("<=", Position(j), Position(n)), "[j ≤ n]"),
    (Delta(j, Index("j'", 3)), "δ[j,j′]"),
    (times(Partial(err, Y), Partial(Y, W)), "∂err/∂Y[n,j]·∂Y[n,j]/∂W3[k,j]"),
    (Equation(Y, (A, Number(2))), "Y[n,j] = A[n,k] = 2"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "expected"), FORMULAS, ids=[expected for _, expected in FORMULAS])
def test_as_text(formula, expected):
    assert text(formula) == expected


@pytest.mark.parametrize("formula", [formula for formula, _ in FORMULAS], ids=[expected for _, expected in FORMULAS])
def test_mathml_is_well_formed_and_says_the_same_words(formula):
    tree = ElementTree.fromstring(mathml(formula, block=True))
    assert tree.tag == "math"
    assert tree.get("alttext") == text(formula)

    def words(written: str) -> list[str]:
        return sorted(re.findall(r"[A-Za-z]\w*", written))

    # Exponents of ten are set as powers, and words between them as text.
    if "e-" not in text(formula) and "mod" not in "".join(tree.itertext()):
        spoken = " ".join(tree.itertext())
        lowered = {ord(small): f" {letter}" for small, letter in zip("ₖₙⱼ", "knj", strict=True)}
        assert words(spoken) == words(text(formula).translate(lowered).replace("Σ_", " ").replace("ᵀ", " "))
    arities = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "msubsup": 3}
    for element in tree.iter():
        assert len(element) == arities.get(element.tag, len(element)), element.tag


@pytest.mark.parametrize("formula", [formula for formula, _ in FORMULAS], ids=[expected for _, expected in FORMULAS])
def test_latex_is_balanced(formula):
    code = latex(formula, aligned=True)
    assert code.count("{") == code.count("}")
    assert code.count(r"\left") == code.count(r"\right") + code.count(r"\left<")
    assert not re.search(r"(?<!\\)_(?!\{)", code), "an index without braces, or a name's underscore that is no letter"
    assert "Σ" not in code
    assert "∂" not in code


LONG = Element("a_rather_long_name", (n, j))


@pytest.mark.parametrize(
    ("side", "lines"),
    [
        (Add((LONG,) * 4), 2),
        (times(*(LONG,) * 6), 2),
        (times(*(LONG,) * 6, over(T)), 2),
        (Sum((n,), times(*(LONG,) * 6)), 2),
        (Add((Y, times(Y, Sum((n,), times(*(LONG,) * 8))))), 3),
        (times(Y, Add((LONG,) * 6)), 3),
        (times(Y, Sum((n,), Add((LONG,) * 6))), 3),
        (Power(Add((LONG,) * 5), Number(2)), 1),
        (Add((LONG,) * 2), 1),
    ],
)
def test_what_is_too_wide_is_broken(side, lines):
    code = latex(Equation(Y, (side,)), aligned=True)
    assert code.count("&") == (lines if lines > 1 else 0)
    assert code.count("&=") == (lines > 1)
    assert code.count("long") == latex(side).count("long")
    assert code.count("(") == code.count(")")
    assert latex(side, aligned=True).count("&") == code.count("&")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (Partial(err, Element("Z3", (n, j))), r"\frac{\partial \mathit{err}}{\partial \mathit{Z3}_{n,j}}"),
        (Sum((n, j), Power(Y, Number(2))), r"\sum_{n,j} Y_{n,j}^{2}"),
        (Element("W3", (j, k), transposed=True), r"\mathit{W3}^{\top}_{j,k}"),
        (Power(Element("W3", (j, k), transposed=True), Number(2)), r"{\mathit{W3}^{\top}_{j,k}}^{2}"),
        (Element("x_input", (n,)), r"\mathit{x\_input}_{n}"),
        (Element("b_", (n,)), r"\mathit{b\_\;}_{n}"),
        (Apply("or", (Compare("<", Y, Number(0)), Apply("not", (Element("keep", (n,)),)))),
         r"\left[ Y_{n,j} \lt 0 \lor \lnot \mathit{keep}_{n} \right]"),
        (Compare("<=", Y, Number(1e-5)), r"\left[ Y_{n,j} \le 1 \times 10^{-5} \right]"),
        (Apply("sigmoid", (Y,)), r"\operatorname{sigmoid}\left( Y_{n,j} \right)"),
        (over(Size(6, "N * C")), r"\frac{1}{\mathrm{N \cdot C}}"),
        (Equation(Y, (A, T)), "\\begin{aligned}\nY_{n,j} &= A_{n,k} \\\\\n&= T_{n,j}\n\\end{aligned}"),
        (Cases(Compare(">", Y, Number(0)), Y, Number(0)),
         r"\begin{cases} Y_{n,j} & \text{if\ }Y_{n,j} \gt 0 \\ 0 & \text{otherwise} \end{cases}"),
    ],
)  # fmt: skip
def test_as_latex(formula, expected):
    assert latex(formula, aligned=True) == expected


def test_a_wide_equation_can_be_broken_at_its_signs():
    assert sides(Equation(Y, (A, times(Number(2), b)))) == ("Y[n,j]", "A[n,k]", "2·b[j]")


def test_markup_in_a_name_is_text_in_mathml():
    tree = ElementTree.fromstring(mathml(Element('d["<b>"]', (n,))))
    assert 'd["<b>"]' in "".join(tree.itertext())


def test_a_long_sum_is_broken_before_its_signs_where_it_is_set_large():
    n = Index("n", 3, "N")
    terms = tuple(Multiply((Element(f"array{k}", (n,)), Element(f"other{k}", (n,)))) for k in range(6))
    wide = Equation(Element("result", (n,)), (Add(terms),))
    rows = mathml(wide, block=True).split("<mtr>")[1:]
    assert len(rows) == 2
    assert ["<mo>=</mo>" in row for row in rows] == [True, False]
    assert sum(row.count("<mo>+</mo>") for row in rows) == 5
    assert "<mtr>" not in mathml(wide)
    assert "<mtr>" not in mathml(Equation(wide.left, (Add(terms[:2]),)), block=True)


def test_a_formula_with_wide_words_is_broken_where_the_screen_ends():
    side = "  = (1/√d)·Σₙ A[n,i]·{1 (MASK[n,i] のとき); 0 (それ以外)}·Q[n,j] + B[n,i]"
    for width in range(32, 70):
        assert all(wide(line) <= width for line in folded(side, width)), width
