"""Derivations are executed: each formula is evaluated by brute force and compared with what the program computes.

A derivation that is pretty and wrong fails here.  What has no index form is counted, and listed by name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from chainrule.explain.bodies import Body
from chainrule.explain.deriving import Deriving, deriving
from chainrule.explain.evaluating import evaluated
from chainrule.explain.formula import Apply, Element, Formula, Index
from chainrule.explain.index_forms import elementwise
from chainrule.explain.outline import listing
from chainrule.explain.scalar_derivatives import arity, partial_of, tabulated
from chainrule.explain.turn_numbers import Turn
from tests.zoo import FUNCTIONS
from tests.zoo_wild import WILD

CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    **FUNCTIONS,
    **{f"wild {name}": (f, make(5, 4, 3)) for name, (f, make) in WILD.items()},
}


def letters_of(element: Element) -> tuple[Index, ...]:
    return tuple(i for i in element.indices if isinstance(i, Index))


def close(found: Any, wanted: Any) -> bool:
    wanted = np.asarray(wanted)
    exact = wanted.dtype.itemsize > 4
    tolerance: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-10} if exact else {"rtol": 1e-4, "atol": 1e-5}
    return bool(np.allclose(found, np.reshape(wanted, np.shape(found)), equal_nan=True, **tolerance))


class Proof:
    """The formulas of one derivation, executed."""

    def __init__(self, made: Deriving) -> None:
        self.made = made
        self.record = made.derivation()

    def partial(self, of: Element, by: Element) -> Any:
        """What a named derivative stands for: an array, or the local derivative as a formula."""
        made = self.made
        if of.name == made.result.name:
            return made.gradients[by.variable]
        local = made.locals[of.name, by.name]
        places = zip((*local.result_all.indices, *local.by_all.indices), (*of.indices, *by.indices), strict=True)
        return local.whole, {i.name: place for i, place in places if isinstance(i, Index)}

    def array(self, formula: Formula, free: tuple[Index, ...]) -> Any:
        return evaluated(formula, free, self.made.named, self.partial)

    def forms(self) -> None:
        for reading in self.made.forward.readings:
            if reading.form is not None:
                found = self.array(reading.form, reading.free())
                assert close(found, self.made.values[reading.out.number]), reading.element.name

    def chains(self) -> None:
        for part in self.record.parts:
            for route in part.routes:
                if route.chain is None:
                    assert route.matrix or route.note is not None
                    continue
                element = route.chain.left.by  # type: ignore[attr-defined]
                if part.repeats > 1 or element.name not in self.made.chains:
                    continue  # of the body of a loop
                for side in route.chain.right:
                    found = self.array(side, letters_of(element))
                    assert close(found, self.made.gradients[element.variable]), (route.name, side)

    def turns(self) -> None:
        """The formulas of loops' bodies, in every turn."""
        for body in self.made.bodies:
            for turn in body.turns:
                self.turn(body, turn, {i.name: int(turn.values[n]) for n, i in body.counters.items()})

    def turn(self, body: Body, turn: Turn, fixed: dict[str, int]) -> None:
        names = body.forward.names
        if any(np.shape(turn.values[n]) != np.shape(body.values[n]) for n in names if n in turn.values):
            return
        named = {names[n]: turn.values[n] for n in names if n in turn.values} | body.forward.forms.lookups
        named |= {f"d{names[n]}_next": g for n, g in turn.handed.items() if n in names}
        named = {f"d{names[n]}": g for n, g in turn.gradients.items() if n in names} | named

        def partial(of: Element, by: Element) -> Any:
            if of.name == body.result.name:
                return turn.gradients[by.variable]
            local = body.locals[of.name, by.name]
            places = zip((*local.result_all.indices, *local.by_all.indices), (*of.indices, *by.indices), strict=True)
            return local.whole, {i.name: place for i, place in places if isinstance(i, Index)}

        for reading in body.forward.readings:
            if reading.form is not None and reading.out.number not in body.given:
                found = evaluated(reading.form, reading.free(), named, fixed=fixed)
                assert close(found, turn.values[reading.out.number]), reading.element.name
        for name, chain in body.chains.items():
            wanted = turn.gradients[chain.element.variable]
            for side in (chain.named, chain.worked):
                assert close(evaluated(side, chain.free, named, partial, fixed), wanted), name

    def locals(self) -> None:
        """Each local derivative against differences of the index form, at some of the elements."""
        random = np.random.default_rng(3)
        for reading in self.made.forward.readings:
            for (of, by), local in self.made.locals.items():
                if of != reading.element.name or reading.form is None:
                    continue
                base = np.asarray(self.made.named[by], dtype=float)
                free = (*letters_of(local.result_all), *letters_of(local.by_all))
                whole = self.array(local.whole, free)
                for _ in range(2):
                    place = tuple(int(random.integers(n)) for n in base.shape)
                    step = 1e-6
                    moved = []
                    for sign in (1, -1):
                        changed = base.copy()
                        changed[place] += sign * step
                        moved.append(evaluated(reading.form, reading.free(), {**self.made.named, by: changed}))
                    wanted = (moved[0] - moved[1]) / (2 * step)
                    kept = tuple(p for p, i in zip(place, local.by_all.indices, strict=True) if isinstance(i, Index))
                    shown = whole[(..., *kept)]
                    known = np.isfinite(wanted)
                    assert np.allclose(shown[known], wanted[known], rtol=1e-5, atol=1e-6), (of, by)

    def lines(self) -> None:
        """The lines are those of the whole, each in one place, and listed in their order."""
        shown = [line for _, lines in listing(self.record) for _, x in lines for line in x.code.splitlines()]
        wanted = [*self.made.pasted.lines()]
        opening = len(self.made.pasted.opening)
        idle = {"d" + leaf.name for leaf in self.made.material.leaves} - {
            r.gradient for p in self.record.parts for r in p.routes
        }
        wanted = [x for x in wanted if x.partition(" = ")[0] not in idle]
        code = [x.partition("  # without a name")[0] for x in wanted[opening:] if not x.startswith("# ")]
        assert shown == code
        assert list(self.record.opening) == wanted[:opening]


@cache
def deriving_of(name: str) -> Deriving:
    f, args = CASES[name]
    return deriving(f, args, shorten=False)


@cache
def proof(name: str) -> Proof:
    return Proof(deriving_of(name))


@pytest.mark.parametrize("name", CASES)
def test_formulas_executed(name):
    found = proof(name)
    assert found.made.dropped == [] == [name for body in found.made.bodies for name in body.dropped]
    found.forms()
    found.chains()
    found.turns()
    found.locals()
    found.lines()


def deep(x, W):
    z1 = x @ W
    a1 = np.tanh(z1)
    z2 = a1 @ W
    a2 = np.tanh(z2)
    z3 = a2 @ W
    a3 = np.tanh(z3)
    z4 = a3 @ W
    a4 = np.tanh(z4)
    z5 = a4 @ W
    a5 = np.tanh(z5)
    return a5.sum()


def test_layers_that_are_the_same_are_told_once():
    found = deriving(deep, (np.ones((2, 3)) / 7, np.eye(3)), shorten=False).derivation()
    assert [(part.result, part.repeats) for part in found.parts] == [("loss", 1), ("a5", 5), ("z5", 5)]


def rnn(x, h, Wx, Wh, V):
    loss = 0.0
    for t in range(len(x)):
        h = np.tanh(x[t] @ Wx + h @ Wh)
        loss = loss + ((h @ V) ** 2).mean()
    return loss


def convolution(x, w):
    out = np.zeros(len(x) - 2)
    for i in range(len(x) - 2):
        out[i] = (x[i : i + 3] * w).sum()
    return (out**2).sum()


def layers(params, x):
    for W, b in params:
        x = np.maximum(0, x @ W + b)
    return (x**2).mean()


def counters(x, w):
    loss = 0.0
    for t in range(4):
        for k in range(3):
            x = np.tanh(x * w * (t + 1)) + k * 0.1
        loss = loss + x.sum() * t
    return loss


def image(x, w):
    out = np.zeros((x.shape[0] - 1, x.shape[1] - 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = (x[i : i + 2, j : j + 2] * w).sum()
    return (out**2).sum()


def product(A, B):
    C = np.zeros((len(A), B.shape[1]))
    for i in range(len(A)):
        for j in range(B.shape[1]):
            for k in range(len(B)):
                C[i, j] += A[i, k] * B[k, j]
    return (C**2).sum()


def network_in_time(X, h, params, U):
    loss = 0.0
    for t in range(len(X)):
        x = X[t] + h @ U
        for W, b in params:
            x = np.tanh(x @ W + b)
        h = x
        loss = loss + (h**2).mean()
    return loss


_random = np.random.default_rng(5)
LOOPS = {
    "counters": (counters, [_random.standard_normal(3), _random.standard_normal(3)]),
    "image": (image, [_random.standard_normal((4, 5)), _random.standard_normal((2, 2))]),
    "product": (product, [_random.standard_normal((2, 3)), _random.standard_normal((3, 2))]),
    "network in time": (
        network_in_time,
        [
            _random.standard_normal((3, 2, 3)),
            _random.standard_normal((2, 3)),
            [(_random.standard_normal((3, 3)) / 2, _random.standard_normal(3)) for _ in range(4)],
            _random.standard_normal((3, 3)),
        ],
    ),
    "rnn": (rnn, [_random.standard_normal(s) for s in ((5, 2, 3), (2, 4), (3, 4), (4, 4), (4, 2))]),
    "convolution": (convolution, [_random.standard_normal(8), _random.standard_normal(3)]),
    "layers": (layers, [[(_random.standard_normal((4, 4)), np.zeros(4)) for _ in range(6)], np.ones((5, 4))]),
}
# How many turns what is inside of the innermost loop is told once for.
REPEATED = {"rnn": 5, "convolution": 6, "layers": 6, "counters": 12, "image": 12, "product": 12, "network in time": 12}

# What turns add to a gradient in place has no numbers of its own to compare a formula with; it is not shown then.
ADDED_UP = {"image": ["w"]}


@pytest.mark.parametrize("name", LOOPS)
def test_bodies_executed_in_every_turn(name):
    f, args = LOOPS[name]
    found = Proof(deriving(f, args, shorten=False))
    assert found.made.bodies
    assert max(part.repeats for part in found.record.parts) == REPEATED[name]
    assert [x for body in found.made.bodies for x in body.dropped] == ADDED_UP.get(name, [])
    assert all(part.index_form is not None or "for " in part.source for part in found.record.parts)
    found.forms()
    found.chains()
    found.turns()
    found.lines()


def pretty(x, y):
    return np.tanh(x * y).sum()


def test_a_formula_that_is_wrong_is_not_shown(monkeypatch):
    """Formulas are executed on the user's numbers before they are shown."""
    right = elementwise._BUILT["multiply"]
    monkeypatch.setitem(elementwise._BUILT, "multiply", lambda a, b: right(a, b, b))
    made = deriving(pretty, (np.array([0.3, 0.4]), np.array([2.0, 3.0])), shorten=False)
    assert made.dropped == ["loss"]
    assert all(part.index_form is None for part in made.derivation().parts)


FUNCTIONS_OF_NUMBERS = [(name, argument) for name in sorted(tabulated()) for argument in range(arity(name))]


@pytest.mark.parametrize(("name", "argument"), FUNCTIONS_OF_NUMBERS)
def test_table_agrees_with_rules(name, argument):
    """The derivatives of the textbooks are those of the rules."""
    if "special" in name:
        pytest.importorskip("scipy.special")
    points = [0.37, 0.62, 0.91][: arity(name)]
    arguments = [Element(f"x{k}") for k in range(len(points))]
    named = {f"x{k}": np.float64(p) for k, p in enumerate(points)}
    out = Apply(name, tuple(arguments))
    found = evaluated(partial_of(name, argument, arguments, out), (), named)
    moved = [evaluated(out, (), {**named, f"x{argument}": points[argument] + s * 1e-6}) for s in (1, -1)]
    assert np.isclose(found, (moved[0] - moved[1]) / 2e-6, atol=1e-6)


# What has no formula per element, over all of the zoo: explained by what defines it, by its body, or by its line only.
WITHOUT_FORMULA = {
    "linalg.solve": 4, "linalg.slogdet": 2, "linalg.inv": 1, "linalg.cholesky": 1, "fft.rfft": 1, "loop": 6,
    "setitem": 3, "add.at": 1, "pad": 1, "argsort": 1, "argmax": 1, "median": 1, "multiply": 1, "add": 1, "absolute": 2,
}  # fmt: skip


def test_what_has_no_formula_is_known():
    found: dict[str, int] = {}
    statements = 0
    for name in CASES:
        readings = deriving_of(name).forward.readings
        statements += len(readings)
        for reading in readings:
            if reading.form is None:
                missing = reading.step.operation.name
                found[missing] = found.get(missing, 0) + 1
    assert found == WITHOUT_FORMULA
    assert statements - sum(found.values()) > 300


@pytest.mark.parametrize("name", ["attention", "batched_attention", "contrastive", "log_softmax", "kernel"])
def test_several_indices_over_one_length_have_letters_of_their_own(name):
    f, args = CASES[name]
    made = deriving(f, args)
    record = made.derivation()
    assert not any("′" in letter for letter in made.used_letters)
    told = {letter for key in record.indices for letter in key.split(", ")}
    assert {u for u in made.used_letters if made.forward.letters.is_known(made.forward.letters.owners[u])} == told


def named_lengths(x, W):
    batch_size, n_tokens, D = x.shape
    return (x.reshape(batch_size * n_tokens, D) @ W).sum() / n_tokens


def test_letters_are_those_of_the_names_of_lengths():
    record = deriving(named_lengths, (np.ones((2, 3, 4)), np.ones((4, 5)))).derivation()
    assert {letter: str(said).partition(";")[2] for letter, said in record.indices.items()}.items() >= {
        ("b", " batch_size = 2"), ("t", " n_tokens = 3"), ("d", " D = 4"),
    }  # fmt: skip
