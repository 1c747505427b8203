"""Derivations are executed: each formula is evaluated by brute force and compared with what the program computes.

A derivation that is pretty and wrong fails here.  What has no index form is counted, and listed by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.explain.bodies import Body, Turn
from chainrule.explain.deriving import Deriving, deriving
from chainrule.explain.evaluating import evaluated
from chainrule.explain.formula import Element, Formula, Index
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
                self.turn(body, turn, {body.turn.name: int(turn.values[body.loop.turn])})

    def turn(self, body: Body, turn: Turn, fixed: dict[str, int]) -> None:
        names = body.forward.names
        if any(np.shape(turn.values[n]) != np.shape(body.values[n]) for n in names if n in turn.values):
            return
        named = {names[n]: turn.values[n] for n in names if n in turn.values} | body.forward.forms.lookups
        named |= {f"d{names[n]}_next": g for n, g in turn.handed.items() if n in names}
        named |= {f"d{names[n]}": g for n, g in turn.gradients.items() if n in names}

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
            wanted = turn.gradients[chain.element.variable] - turn.sums.get(chain.element.variable, 0.0)
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
                    assert np.allclose(shown, wanted, rtol=1e-5, atol=1e-6), (of, by)

    def lines(self) -> None:
        """The lines are those of the whole, each in one place."""
        shown = [line for p in self.record.parts for r in p.routes for x in r.lines for line in x.code.splitlines()]
        wanted = [*self.made.pasted.lines()]
        opening = len(self.made.pasted.opening)
        idle = {"d" + leaf.name for leaf in self.made.material.leaves} - {
            r.gradient for p in self.record.parts for r in p.routes
        }
        wanted = [x for x in wanted if x.partition(" = ")[0] not in idle]
        code = [x.partition("  # without a name")[0] for x in wanted[opening:] if not x.startswith("# ")]
        assert sorted(shown) == sorted(code)


def proof(name: str, shorten: bool = False) -> Proof:
    f, args = CASES[name]
    return Proof(deriving(f, args, shorten=shorten))


@pytest.mark.parametrize("name", CASES)
def test_formulas_executed(name):
    found = proof(name)
    found.forms()
    found.chains()
    found.turns()
    found.locals()
    found.lines()
