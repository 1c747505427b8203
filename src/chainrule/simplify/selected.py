"""Probabilities of what happened: ``c = y * p + (1 - y) * (1 - p)``, where y is 0 or 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial

from chainrule.simplify.making import Making
from chainrule.simplify.properties import complementary, is_zero_or_one
from chainrule.simplify.scalars import UNIT, Coefficient, power_of, times
from chainrule.simplify.values import Power, Ref, Value

__all__ = ["Selections"]

_MINUS = Coefficient(Fraction(-1))
_MOST_TERMS = 6


class Selections:
    """The sums of the forward pass that choose between a value and one less that."""

    def __init__(self, options: Making) -> None:
        self.options = options
        self.found = [s for v in list(options.table.values) if v.definition is not None for s in self._of(v)]

    def _of(self, chosen: Value) -> Iterator[tuple[Ref, Ref]]:
        """The product of both values, and the same as a product of what is chosen and one less that."""
        table = self.options.table
        terms = chosen.definition or ()
        for (c, first), (d, second) in (terms, terms[::-1]) if len(terms) == 2 else ():
            for rest in (v for v, p in second.factors if p == 1):
                y = complementary(rest)
                if y is None or dict(first.factors).get(y) != 1 or not is_zero_or_one(table, y):
                    continue
                one = table.product(c, [e for e in first.factors if e[0] is not y])
                other = table.product(d, [e for e in second.factors if e[0] is not rest])
                if table.add(((UNIT, table.one), (times(one[0], _MINUS), one[1]))) != other:
                    continue
                both = table.product(times(one[0], other[0]), (*one[1].factors, *other[1].factors))
                less = table.add(((UNIT, table.one), (_MINUS, chosen)))
                yield both, table.product(less[0], ((chosen, 1), *less[1].factors))

    def replace(self, value: Value) -> None:
        """``p * (1 - p)`` is ``c * (1 - c)``: whichever of the two c is, the other one is the other."""
        for both, instead in self.found if len(value.terms) <= _MOST_TERMS else ():
            below = power_of(both[0], -1)
            if below is None or both[1].kind == "one":
                continue
            less = [(f, -p) for f, p in both[1].factors]
            more = times(below, instead[0]), instead[1]
            for opened in (False, True):
                made = partial(self._replaced, value, less, more, opened)
                found = self.options.making(value, made)
                if found[1] is not value and found[0].number:
                    self.options.same(value, found, "chosen of two")

    def _replaced(self, value: Value, less: Sequence[tuple[Value, Power]], more: Ref, opened: bool) -> Ref:
        """The terms with one product for the other, which is also multiplied out."""
        table = self.options.table
        terms: list[Ref] = []
        for k, term in value.terms:
            powers = dict(term.factors)
            if not all(powers.get(f, 0) / -p >= 1 for f, p in less):
                terms.append((k, term))
                continue
            sums = [v for v, p in term.factors if p == 1 and v.kind == "sum"] if opened else []
            rest = [e for e in term.factors if e[0] not in sums]
            whole = table.product(times(k, more[0]), (*rest, *less, *more[1].factors))
            for total in sums[:1]:
                parts = [table.product(times(whole[0], c), (*whole[1].factors, *v.factors)) for c, v in total.parts]
                whole = table.add(parts)
            for total in sums[1:]:
                whole = table.product(whole[0], (*whole[1].factors, (total, 1)))
            terms.append(whole)
        found: Ref = table.add(terms)
        return found
