"""Derivations are executed: each formula is evaluated by brute force and compared with what the program computes.

A derivation that is pretty and wrong fails here.  What has no index form is counted, and listed by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

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
                    assert route.matrix
                    continue
                element = route.chain.left.by  # type: ignore[attr-defined]
                for side in route.chain.right:
                    found = self.array(side, letters_of(element))
                    assert close(found, self.made.gradients[element.variable]), (route.name, side)

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
    found.locals()
    found.lines()
