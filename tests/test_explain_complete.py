"""That a derivation shows all that its reader needs to follow the numbers, and before it is needed."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.explain.formula import Index, IndexExpression
from chainrule.explain.places import position
from tests.golden.derivations.examples import EXAMPLES


@pytest.mark.parametrize("name", ["affine", "attention", "layer_norm"])
@pytest.mark.parametrize("rendering", ["text", "markdown", "html"])
def test_what_is_handed_in_is_defined_above_the_first_step(name, rendering):
    function, args = EXAMPLES[name]
    found = cr.explain(function, *args)
    said = getattr(found.in_language("en"), rendering)().replace("\\", "")
    assert said.index("stands for a loss") < said.index("In index notation")
    assert found.derivation.parts[0].arriving[0][0] == "grad_output"


def test_numbers_that_are_handed_in_are_not_called_made_up():
    function, args = EXAMPLES["affine"]
    assert "made up" in cr.explain(function, *args).in_language("en").text()
    given = cr.explain(function, *args, grad_output=np.ones((3, 2))).in_language("en").text()
    assert "made up" not in given
    assert "Arriving grad_output" in given


def test_code_that_several_gradients_share_shows_the_numbers_of_each():
    function, args = EXAMPLES["sliding"]
    found = cr.explain(function, *args)
    shown = {
        name: value
        for part in found.derivation.parts
        for route in part.routes
        for line in route.lines
        for name, value in line.numbers()
    }
    for name in ("dsignal", "dkernel"):
        assert np.allclose(shown[name], found.derivation.gradients[name])
    assert np.allclose(shown["dkernel"], [2.67, 0.98, -2.92])


def test_a_loop_that_is_run_again_says_why_and_shows_what_it_keeps():
    function, (x, Wx, Wh, h) = EXAMPLES["recurrence"]
    found = cr.explain(function, x, Wx, Wh, h)
    (line,) = [
        line for p in found.derivation.parts for r in p.routes for line in r.lines if "h2 = h_given" in line.code
    ]
    kept = [h]
    for row in x:
        kept.append(np.tanh(row @ Wx + kept[-1] @ Wh))
    assert line.note is not None
    assert [name for name, _ in line.numbers()] == ["hs"]
    assert np.allclose(line.numbers()[0][1], kept)
    definitions = [str(note) for note in found.derivation.definitions]
    assert any("h_given" in note for note in definitions)
    assert [str(said).partition(" in the code")[0] for said in line.names] == ["h in the formulas is h_given"]


def _difference_first(rows, target):
    mean = rows.mean(axis=0)
    return np.sum((mean - target) ** 2)


def test_a_gradient_that_is_kept_without_repeating_it_says_so():
    text = cr.explain(_difference_first, np.ones((3, 2)), np.zeros(2)).in_language("en").text(200)
    assert "kept as one row: (2,) instead of (3,2)" in text
    assert text.index("difference = ") < text.index("-2 * difference")


@pytest.mark.parametrize(
    ("function", "kinked"),
    [
        (lambda x: np.maximum(0, x).sum() / len(x), True),
        (lambda x: 3 * np.abs(x).sum() + np.sum(x**2), True),
        (lambda x: -np.abs(x).mean(), True),
        (lambda x: np.sum(np.maximum(0, x) ** 2), False),
        (lambda x: np.sum(x**2), False),
    ],
)
def test_kinks_are_told_through_sums_and_constant_factors(function, kinked):
    text = cr.explain(function, np.array([0.5, -1.5, 2.0])).in_language("en").text()
    assert ("there is a kink" in text) == kinked


def _masked_twice(x, w):
    z = x * w
    a = np.maximum(0, z)
    return (a**2).sum()


def test_a_gradient_in_whose_place_the_code_uses_another_says_so():
    text = cr.explain(_masked_twice, np.array([1.0, -2.0]), np.array([0.5, 1.5])).in_language("en").text(200)
    assert "dz has the same numbers as da, which the code uses in its place." in text


def test_digits_of_a_flat_position_are_folded():
    i, r = Index("i", 3, "I"), Index("r", 2, "R")
    flat = position("+", position("*", i, 2), r)
    assert (position("//", flat, 2), position("%", flat, 2)) == (i, r)
    wide = position("+", position("*", i, 2), Index("k", 3, "K"))
    assert position("//", wide, 2) == IndexExpression("//", (wide, 2))


def test_what_is_added_and_taken_away_goes():
    i, k = Index("i", 4, "I"), Index("k", 3, "K")
    moved = position("-", position("+", i, 1), k)
    assert position("-", position("+", i, 1), moved) == k
    assert position("-", moved, position("-", i, 2)) == position("-", 3, k)
    assert position("+", i, position("-", k, i)) == k
    assert position("-", position("-", i, k), position("-", i, k)) == 0
    beyond = position("+", i, k)
    assert position("-", moved, beyond) == position("-", position("-", 1, k), k)
    assert position("-", position("-", i, k), beyond) == IndexExpression("-", (position("-", i, k), beyond))


def _convolved(x, w):
    y = np.convolve(x, w, mode="same")
    return (y**2).sum()


def test_no_condition_is_asked_that_every_value_of_an_index_meets():
    text = cr.explain(_convolved, np.arange(5.0), np.ones(3), wrt=["x"]).in_language("en").text(200)
    assert "∂y[k]/∂x[i] = w[k+1-i]·[k+1-i ≥ 0]·[k+1-i < J]\n" in text
