"""Formulas multiplied out, with like terms taken together, so that equal ones are seen to be equal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from chainrule.explain.algebra import children, multiply, number, power, size_of, summed, terms_of
from chainrule.explain.differentiation import relettered
from chainrule.explain.formula import Add, Compare, Formula, Index, Multiply, Number, Partial, Power, Sum
from chainrule.explain.letters import Letters

__all__ = ["Expansion", "TooLongError", "side_by_side", "sums_in"]

_MOST_TERMS = 24
_ROUNDS = 4


class TooLongError(Exception):
    """A formula that is multiplied out has more terms than anyone would read."""


class Expansion:
    """Multiplies formulas out, in the letters of a derivation.

    Args:
        letters: gives out indices.
        scope: the letters that are in use around the formulas.
    """

    def __init__(self, letters: Letters, scope: Iterable[str]) -> None:
        self.letters = letters
        self.scope = frozenset(scope)

    def terms(self, x: Formula, whole: bool = False) -> list[Formula]:
        """The terms of a formula that is multiplied out; like ones stand side by side still.

        Args:
            x: the formula.
            whole: whether sums in which no derivative is named are multiplied out too; else they stay factors.

        Raises:
            TooLongError: where there are too many of them.
        """
        found = _multiplied(x, whole)
        for _ in range(_ROUNDS):
            again = [relettered(t, self.letters, self.scope) for t in found]
            again = [t for term in again for t in _multiplied(term, whole)]
            if again == found:
                break
            found = again
        return found

    def together(self, terms: Sequence[Formula]) -> tuple[list[Formula], list[tuple[Formula, ...]]]:
        """Like terms taken together; and those that cancel, as they were."""
        terms = sorted(terms, key=_sums)  # the direct way first
        groups: dict[Formula, list[Formula]] = {}
        totals: dict[Formula, Fraction | complex] = {}
        for term in terms:
            scale, rest = _scaled(term)
            key = _ordered(rest)
            groups.setdefault(key, []).append(term)
            totals[key] = totals.get(key, Fraction(0)) + scale
        kept: list[Formula] = []
        gone: list[tuple[Formula, ...]] = []
        for key, group in groups.items():
            if totals[key] == 0:
                gone.append(tuple(group))
            elif len(group) == 1:
                kept.append(group[0])
            else:
                kept.append(_times(totals[key], _scaled(group[0])[1]))
        return kept, gone

    def same(self, a: Formula, b: Formula) -> bool:
        """Whether two formulas are the same when they are multiplied out."""
        minus = [multiply(number(-1), t) for t in self.terms(b, whole=True)]
        return not self.together([*self.terms(a, whole=True), *minus])[0]


def _sums(x: Any) -> int:
    return int(isinstance(x, Sum)) + sum(map(_sums, children(x)))


def _multiplied(x: Formula, whole: bool) -> list[Formula]:
    if isinstance(x, Add):
        found = [t for term in x.terms for t in _multiplied(term, whole)]
    elif isinstance(x, Multiply):
        found = _products(x, whole)
    elif isinstance(x, Power):
        found = [_powered(side_by_side(_multiplied(x.base, whole)), x.exponent)]
    elif isinstance(x, Sum) and x.kind == "sum":
        found = [t for term in _multiplied(x.body, whole) for t in terms_of(_apart(x.over, term))]
    else:
        found = [x]
    if len(found) > _MOST_TERMS:
        raise TooLongError(f"multiplied out there are more than {_MOST_TERMS} terms")
    return [t for t in found if not (isinstance(t, Number) and t.value == 0)]


def _products(x: Multiply, whole: bool) -> list[Formula]:
    """The terms of a product: one sum in it after the other, the longest first, as it may take up the others."""
    sums = [k for k, f in enumerate(x.factors) if isinstance(f, Add) and (whole or _names_one(f))]
    if sums:
        k = max(sums, key=lambda k: size_of(x.factors[k]))
        rest = (*x.factors[:k], *x.factors[k + 1 :])
        terms = [multiply(term, *rest) for term in terms_of(x.factors[k])]
        if len(terms) > _MOST_TERMS:
            raise TooLongError(f"multiplied out there are more than {_MOST_TERMS} terms")
        return [t for term in terms for t in _multiplied(term, whole)]
    parts = [_multiplied(f, whole) if not isinstance(f, Add) else [f] for f in x.factors]
    if math.prod(map(len, parts)) > _MOST_TERMS:
        raise TooLongError(f"multiplied out there are more than {_MOST_TERMS} terms")
    made = [multiply(*combination) for combination in itertools.product(*parts)]
    return [t for m in made for t in (_multiplied(m, whole) if m != x and _opens(m, whole) else [m])]


def _opens(x: Formula, whole: bool) -> bool:
    return isinstance(x, Add) or (
        isinstance(x, Multiply) and any(isinstance(f, Add) and (whole or _names_one(f)) for f in x.factors)
    )


def _names_one(x: Any) -> bool:
    """Whether a derivative is named in a formula."""
    return isinstance(x, Partial) or any(map(_names_one, children(x)))


def side_by_side(terms: Sequence[Formula]) -> Formula:
    """Terms as one sum, those that cancel too."""
    if not terms:
        return number(0)
    return terms[0] if len(terms) == 1 else Add(tuple(terms))


def _powered(base: Formula, exponent: Formula) -> Formula:
    """A power of a product as a product of powers, where the exponent is whole."""
    whole = isinstance(exponent, Number) and isinstance(exponent.value, int)
    if isinstance(base, Multiply) and whole:
        return multiply(*(power(f, exponent) for f in base.factors))
    return power(base, exponent)


def _apart(over: tuple[Index, ...], term: Formula) -> Formula:
    """A sum whose factors do not depend on the same indices, as a product of sums."""
    whole = summed(over, term)
    if not (isinstance(whole, Sum) and len(whole.over) > 1):
        return whole
    inner = summed(whole.over[:1], whole.body)
    return summed(whole.over[1:], inner) if not isinstance(inner, Sum) else whole


def _scaled(term: Formula) -> tuple[Any, Formula]:
    """A term as a number and the rest."""
    scale: Any = Fraction(1)
    rest: list[Formula] = []
    for factor in term.factors if isinstance(term, Multiply) else (term,):
        value = _exact(factor)
        if value is None:
            rest.append(factor)
        else:
            scale = scale * value
    return scale, rest[0] if len(rest) == 1 else Multiply(tuple(rest))


def _exact(x: Formula) -> Any:
    """The value of a number or of one over a number; nothing for anything else."""
    if isinstance(x, Number) and type(x.value) is int:
        return Fraction(x.value)
    if isinstance(x, Number) and isinstance(x.value, float):
        return Fraction(x.value)
    if isinstance(x, Power) and isinstance(x.base, Number) and type(x.base.value) is int and x.base.value:
        exponent = x.exponent
        if isinstance(exponent, Number) and type(exponent.value) is int:
            return Fraction(x.base.value) ** exponent.value
    return None


def _times(scale: Any, rest: Formula) -> Formula:
    if isinstance(scale, Fraction) and scale.denominator != 1:
        whole = scale.denominator < 10_000
        below = power(number(scale.denominator), number(-1))
        return multiply(number(scale.numerator), below, rest) if whole else multiply(number(float(scale)), rest)
    return multiply(number(int(scale)), rest)


def _ordered(x: Any) -> Any:
    """A formula with its factors and terms in one order, to be compared with others."""
    if isinstance(x, Multiply):
        return Multiply(tuple(sorted(map(_ordered, x.factors), key=repr)))
    if isinstance(x, Add):
        return Add(tuple(sorted(map(_ordered, x.terms), key=repr)))
    if isinstance(x, Sum):
        over, body = x.over, _ordered(x.body)
        factors = body.factors if isinstance(body, Multiply) else (body,)
        inner = [f for f in factors if isinstance(f, Sum) and f.kind == x.kind == "sum"]
        if len(inner) == 1:  # sums in a sum, whatever their order
            over = (*over, *inner[0].over)
            body = _ordered(multiply(*(f for f in factors if f is not inner[0]), inner[0].body))
        return Sum(tuple(sorted(over, key=repr)), body, x.kind)
    if isinstance(x, Power):
        return Power(_ordered(x.base), _ordered(x.exponent))
    if isinstance(x, Compare) and x.operator == "==":
        left, right = sorted((_ordered(x.left), _ordered(x.right)), key=repr)
        return Compare("==", left, right)
    if isinstance(x, Number):
        return Number(x.value)
    return x


def sums_in(x: Any) -> Iterator[Formula]:
    """The sums in a formula, over an index or of a few terms, the outermost first."""
    if isinstance(x, Add) or (isinstance(x, Sum) and x.kind == "sum"):
        yield x
    for child in children(x):
        yield from sums_in(child)
