"""Formulas differentiated with respect to one element of an array: sums, products and chains, with Kronecker deltas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chainrule.explain.algebra import (
    ZERO,
    add,
    cases,
    children,
    compare,
    delta,
    free_letters,
    is_number,
    mapped,
    multiply,
    negate,
    number,
    power,
    substituted,
    summed,
)
from chainrule.explain.deltas import collapsed, expanded, split_term
from chainrule.explain.formula import (
    Add,
    Apply,
    Cases,
    Compare,
    Element,
    Formula,
    Index,
    Multiply,
    Position,
    Power,
    Sum,
)
from chainrule.explain.letters import Letters
from chainrule.explain.scalar_derivatives import partial_of

__all__ = ["all_letters", "bound_apart", "derivative", "mentions", "relettered"]

_LOGICAL = frozenset(("and", "or", "not"))


def mentions(x: Any, name: str) -> bool:
    """Whether a formula reads elements of an array."""
    return x.name == name if isinstance(x, Element) else any(mentions(child, name) for child in children(x))


def all_letters(x: Any) -> frozenset[str]:
    """The names of all indices in a formula, those that it sums over included."""
    own = frozenset(i.name for i in x.over) if isinstance(x, Sum) else frozenset()
    return free_letters(x).union(own, *map(all_letters, children(x)))


def derivative(x: Formula, by: Element, known: Mapping[Formula, Formula] | None = None) -> Formula:
    """The derivative of a formula by an element whose indices are other letters than those of the formula.

    Args:
        x: the formula.
        by: the element.
        known: formulas that have a name of their own, under which they may be written.
    """
    return collapsed(_Differentiation(by, known or {}).of(x))


class _Differentiation:
    def __init__(self, by: Element, known: Mapping[Formula, Formula]) -> None:
        self.by = by
        self.known = known

    def of(self, x: Formula) -> Formula:
        if isinstance(x, Element):
            if x.name != self.by.name:
                return ZERO
            return multiply(*(delta(i, j) for i, j in zip(x.indices, self.by.indices, strict=True)))
        if isinstance(x, Compare) or not mentions(x, self.by.name):
            return ZERO
        if isinstance(x, Add):
            return add(*(self.of(t) for t in x.terms))
        if isinstance(x, Multiply):
            return self._product(x)
        if isinstance(x, Power):
            return self._power(x)
        if isinstance(x, Apply):
            return self._function(x)
        if isinstance(x, Cases):
            return self._cases(x)
        if isinstance(x, Sum):
            return self._reduction(x)
        return ZERO

    def _product(self, x: Multiply) -> Formula:
        return add(
            *(
                multiply(self.of(f), *x.factors[:k], *x.factors[k + 1 :])
                for k, f in enumerate(x.factors)
                if mentions(f, self.by.name)
            )
        )

    def _power(self, x: Power) -> Formula:
        whole = self.known.get(x)
        terms = []
        if mentions(x.base, self.by.name):
            if is_number(x.exponent, -1) and whole is not None:
                terms.append(negate(multiply(power(whole, number(2)), self.of(x.base))))
            else:
                lower = power(x.base, add(x.exponent, number(-1)))
                terms.append(multiply(x.exponent, lower, self.of(x.base)))
        if mentions(x.exponent, self.by.name):
            terms.append(multiply(whole or x, Apply("log", (x.base,)), self.of(x.exponent)))
        return add(*terms)

    def _function(self, x: Apply) -> Formula:
        if x.function in _LOGICAL:
            return ZERO
        out = self.known.get(x, x)
        return add(
            *(
                multiply(partial_of(x.function, k, x.arguments, out), self.of(a))
                for k, a in enumerate(x.arguments)
                if mentions(a, self.by.name)
            )
        )

    def _cases(self, x: Cases) -> Formula:
        """Deltas go in front of the cases, so that sums over them collapse."""
        found: dict[Any, list[list[Formula]]] = {}
        for place, side in enumerate((x.then, x.otherwise)):
            for term in expanded(self.of(side)):
                deltas, rest = split_term(term)
                found.setdefault(deltas, [[], []])[place].append(rest)
        return add(
            *(
                multiply(*deltas, cases(x.condition, add(*then), add(*otherwise)))
                for deltas, (then, otherwise) in found.items()
            )
        )

    def _reduction(self, x: Sum) -> Formula:
        inner = self.of(x.body)
        if x.kind == "sum":
            return summed(x.over, inner)
        again = _renamed(x.over, all_letters(x))
        over = tuple(again[i.name] for i in x.over)
        body = substituted(x.body, again)
        if x.kind == "prod":
            same: list[Formula] = [compare("==", Position(again[i.name]), Position(i)) for i in x.over]
            own = same[0] if len(same) == 1 else Apply("and", tuple(same))
            return summed(x.over, multiply(inner, Sum(over, cases(own, number(1), body), "prod")))
        extremum = self.known.get(x) or Sum(over, body, x.kind)
        ties = summed(over, compare("==", body, self.known.get(x) or x))
        return summed(x.over, multiply(compare("==", x.body, extremum), inner, power(ties, number(-1))))


def bound_apart(x: Formula, names: frozenset[str]) -> Formula:
    """A formula whose sums run over other letters than these."""
    if isinstance(x, Sum):
        used = names | all_letters(x)
        given = _renamed([i for i in x.over if i.name in names], used)
        over = tuple(given.get(i.name, i) for i in x.over)
        return summed(over, bound_apart(_exchanged(x.body, given), names), x.kind)
    result: Formula = mapped(x, lambda child: bound_apart(child, names))
    return result


def _renamed(over: Sequence[Index], used: frozenset[str]) -> dict[str, Index]:
    """Other letters for indices, all different."""
    found: dict[str, Index] = {}
    for index in over:
        name = index.name
        while name in used:
            name += "′"
        used = used | {name}
        found[index.name] = replace(index, name=name)
    return found


def relettered(x: Formula, letters: Letters, scope: frozenset[str]) -> Formula:
    """A formula whose sums run over the first letters of their lengths that are not in use around them."""
    if isinstance(x, Sum):
        given: dict[str, Any] = {}
        over = []
        used = scope | (free_letters(x.body) - {i.name for i in x.over})
        for index in x.over:
            symbol = letters.owners.get(index.name) or letters.owners.get(index.name.rstrip("′"))
            new: Index = index if symbol is None else letters.index(symbol, index.length, used)
            used = used | {new.name}
            over.append(new)
            if new != index:
                given[index.name] = new
        # All at once: letters may be exchanged.
        body = _exchanged(x.body, given)
        return summed(tuple(over), relettered(body, letters, scope | {i.name for i in over}), x.kind)
    result: Formula = mapped(x, lambda child: relettered(child, letters, scope))
    return result


def _exchanged(x: Formula, given: Mapping[str, Any]) -> Formula:
    return substituted(x, given) if given else x
