"""Kronecker deltas: sums over an index that a delta fixes have one term, and are written as that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.explain.algebra import (
    add,
    compare,
    delta,
    has_delta,
    mapped,
    multiply,
    number,
    size_factor,
    substituted,
    summed,
    terms_of,
)
from chainrule.explain.formula import Add, Delta, Formula, Index, IndexExpression, Multiply, Number, Position, Sum
from chainrule.explain.places import interval, letters_in, position

__all__ = ["collapsed", "expanded", "factors_of", "fixed", "split_term"]


def factors_of(x: Formula) -> tuple[Formula, ...]:
    """The factors of a product; a formula that is none is one factor."""
    return x.factors if isinstance(x, Multiply) else (x,)


def expanded(x: Formula) -> tuple[Formula, ...]:
    """The terms of a formula with products multiplied out where a sum in them holds a delta."""
    if isinstance(x, Add):
        return tuple(t for term in x.terms for t in expanded(term))
    if isinstance(x, Multiply):
        for k, factor in enumerate(x.factors):
            if isinstance(factor, Add) and has_delta(factor):
                rest = (*x.factors[:k], *x.factors[k + 1 :])
                return tuple(t for term in factor.terms for t in expanded(multiply(term, *rest)))
    return () if isinstance(x, Number) and x.value == 0 else (x,)


def split_term(x: Formula) -> tuple[tuple[Delta, ...], Formula]:
    """The deltas of a term, and the rest of it."""
    deltas = tuple(f for f in factors_of(x) if isinstance(f, Delta))
    return deltas, multiply(*(f for f in factors_of(x) if not isinstance(f, Delta)))


def _solved(place: Any, other: Any, name: str) -> Any:
    """What an index must be for a position to be another one; nothing where that cannot be said."""
    if isinstance(place, Index):
        return other if place.name == name else None
    if not isinstance(place, IndexExpression) or place.operator not in ("+", "-"):
        return None
    left, right = place.parts
    in_left, in_right = name in letters_in(left), name in letters_in(right)
    if in_left == in_right:
        return None
    if place.operator == "+":
        return (
            _solved(left, position("-", other, right), name)
            if in_left
            else _solved(right, position("-", other, left), name)
        )
    return (
        _solved(left, position("+", other, right), name)
        if in_left
        else _solved(right, position("-", left, other), name)
    )


def fixed(found: Delta, index: Index) -> tuple[Any, tuple[Formula, ...]] | None:
    """What a delta says that an index is, and the conditions under which it is one of its values."""
    for here, there in ((found.left, found.right), (found.right, found.left)):
        if index.name in letters_in(here) and index.name not in letters_in(there):
            place = _solved(here, there, index.name)
            if place is not None:
                return place, _conditions(place, index)
    return None


def _conditions(place: Any, index: Index) -> tuple[Formula, ...]:
    known = interval(place)
    if known is None:
        return ()  # a position that was looked up is one of the array's
    as_number = number(place) if isinstance(place, int) else Position(place)
    lower = () if known[0] >= 0 else (compare(">=", as_number, number(0)),)
    upper = () if known[1] < index.length else (compare("<", as_number, size_factor(index)),)
    return (*lower, *upper)


def _put_together(deltas: Sequence[Formula]) -> list[Formula]:
    """Deltas of the digits of one position as deltas of the position."""
    found: list[Formula] = []
    pending = list(deltas)
    while pending:
        d = pending.pop(0)
        for k, other in enumerate(pending):
            joined = _joined(d, other) if isinstance(d, Delta) and isinstance(other, Delta) else None
            if joined is not None:
                pending = [joined, *pending[:k], *pending[k + 1 :]]
                break
        else:
            found.append(d)
    return found


def _solvable(deltas: Sequence[Formula], remaining: Sequence[Index]) -> bool:
    return any(fixed(d, i) is not None for d in deltas if isinstance(d, Delta) for i in remaining)


def _taken_apart(d: Delta) -> tuple[Formula, ...] | None:
    """``δ[i·J + j, k]`` as ``δ[i, k // J]·δ[j, k % J]``."""
    for here, there in ((d.left, d.right), (d.right, d.left)):
        if isinstance(here, IndexExpression) and here.operator == "+":
            high, low = here.parts
            if isinstance(high, IndexExpression) and high.operator == "*" and isinstance(high.parts[1], int):
                base = high.parts[1]
                span = interval(low)
                if span is not None and span[0] >= 0 and span[1] < base:
                    return (
                        delta(high.parts[0], position("//", there, base)),
                        delta(low, position("%", there, base)),
                    )
    return None


def _joined(a: Delta, b: Delta) -> Formula | None:
    """``δ[m // J, i]·δ[m % J, j]`` as ``δ[m, i·J + j]``."""
    for first, second in ((a, b), (b, a)):
        for low, j in ((first.left, first.right), (first.right, first.left)):
            if not (isinstance(low, IndexExpression) and low.operator == "%" and isinstance(low.parts[1], int)):
                continue
            whole, base = low.parts
            high = position("//", whole, base)
            span = interval(j)
            if isinstance(high, int) or span is None or span[0] < 0 or span[1] >= base:
                continue
            for other, i in ((second.left, second.right), (second.right, second.left)):
                if other == high:
                    return delta(whole, position("+", position("*", i, base), j))
    return None


def _one_term(term: Formula, over: tuple[Index, ...]) -> Formula:
    """The sum of a term, with the indices that its deltas fix put in their places."""
    remaining = list(over)
    deltas, rest = split_term(term)
    current = _put_together(deltas)
    while True:
        if not _solvable(current, remaining):
            # Digits of a flat position may be what is known.
            for k, d in enumerate(current):
                parts = _taken_apart(d) if isinstance(d, Delta) else None
                if parts is not None and _solvable(parts, remaining):
                    current[k : k + 1] = list(parts)
                    break
            else:
                break
        found = [
            (k, i, s)
            for k, d in enumerate(current)
            if isinstance(d, Delta)
            for i in remaining
            if (s := fixed(d, i)) is not None
        ]
        k, index, (place, conditions) = min(found, key=lambda x: (len(x[2][1]), _weight(x[2][0])))
        given = {index.name: place}
        remaining.remove(index)
        others = [substituted(f, given) for f in (*current[:k], *current[k + 1 :])]
        rest = multiply(substituted(rest, given), *conditions, *(f for f in others if not isinstance(f, Delta)))
        current = [f for f in others if isinstance(f, Delta)]
    return summed(tuple(remaining), multiply(*current, rest))


def _weight(place: Any) -> int:
    return 0 if isinstance(place, Index | int) else 1


def collapsed(x: Formula) -> Formula:
    """A formula whose sums have lost the indices that deltas fix."""
    if not has_delta(x):
        return x
    if isinstance(x, Sum):
        body = collapsed(x.body)
        if x.kind != "sum":
            return Sum(x.over, body, x.kind)
        over = x.over
        plain: list[Formula] = []
        found: list[Formula] = []
        for term in expanded(body):
            (found if has_delta(term) else plain).append(term)
        parts = [_one_term(term, over) for term in found]
        if plain:
            parts.append(summed(over, add(*plain)))
        return add(*(t for p in parts for t in terms_of(p)))
    result: Formula = mapped(x, collapsed)
    return result
