"""Options for sums: what some of their terms have in common is taken out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

from chainrule.simplify.making import Making
from chainrule.simplify.overflow import may_overflow
from chainrule.simplify.saturation import saturated
from chainrule.simplify.scalars import UNIT, Coefficient, power_of, times
from chainrule.simplify.values import Power, Ref, Value, smaller

__all__ = ["difference_of_squares", "factored"]

_MINUS = Coefficient(Fraction(-1))


def factored(options: Making, value: Value) -> None:
    """Further ways of computing a sum: common factors of some of its terms taken out."""
    terms: tuple[Ref, ...] = value.parts
    users: dict[Value, list[int]] = {}
    for k, (_, v) in enumerate(terms):
        for f, _ in v.factors:
            users.setdefault(f, []).append(k)
    groups: dict[tuple[int, ...], list[tuple[Value, Power]]] = {}
    for indices in list(users.values()):
        if len(indices) < 2:
            continue
        for group in (tuple(indices), *(combinations(indices, 2) if 2 < len(indices) <= 4 else ())):
            if group not in groups:
                groups[group] = _shared(terms, group)
    seen: set[Any] = set()
    # What takes all that is common goes first, as how much is made for one value is limited.
    known = {g: r for g, s in groups.items() if (r := _factor_group(options, value, terms, g, [tuple(s)], seen))}
    _known_groups(options, value, known)
    for group, shared in groups.items():
        _factor_group(options, value, terms, group, _subsets(shared), seen)


def _factor_group(
    options: Making,
    value: Value,
    terms: tuple[Ref, ...],
    group: tuple[int, ...],
    subsets: Sequence[Any],
    seen: set[Any],
) -> Ref | None:
    """Take factors out of some terms; what these are then, where their sum without them is there already."""
    chosen = [terms[k] for k in group]
    known: Ref | None = None
    for factors in subsets:
        key = (group, tuple((f.number, p) for f, p in factors))
        if key in seen or not factors:
            continue
        seen.add(key)
        coefficient, inner = options.making(value, lambda f=factors: options.divided(chosen, f))
        if not coefficient.number:
            continue
        if len(group) == len(terms):
            parts = (*factors, *inner.factors)
            options.recipe(value, "prod", coefficient, parts, None, "common factor")
            # Some may be held as a product, or the whole may be needed as one.
            asked = len(parts) > 1 and not options.depths.get(value.number)
            if asked or len(parts) > 2 or any(may_overflow(f) for f, _ in factors):
                whole = options.making(value, lambda c=coefficient, f=parts: options.table.product(c, f))
                options.same(value, whole, "common factor")
                below = power_of(whole[0], -1)
                if below is not None and whole[1].kind == "prod":
                    options.recipe(whole[1], "prod", below, ((value, 1),), None, "shared sum")
                saturated(options, whole[1])
            continue
        scale, part = options.making(value, lambda f=factors, v=inner: options.table.product(UNIT, (*f, (v, 1))))
        rest = [t for k, t in enumerate(terms) if k not in group]
        options.recipe(value, "sum", UNIT, (*rest, (times(coefficient, scale), part)), None, "common factor")
        if len(rest) > 1 and inner.leaves:  # the rest may have common factors too
            known = times(coefficient, scale), part
            _as_pair(options, part, factors, inner)
            whole = [*rest, known]
            options.same(value, options.making(value, lambda w=whole: options.table.add(w)), "common factor")
    return known


def _as_pair(options: Making, part: Value, factors: Sequence[tuple[Value, Power]], inner: Value) -> None:
    """A product as what is known times another value."""
    c, first = options.table.product(UNIT, factors)
    if options.is_known(first) and inner not in (first, part) and part.kind == "prod":
        options.recipe(part, "prod", c, ((first, 1), (inner, 1)), None, "shared product")


def _known_groups(options: Making, value: Value, known: dict[tuple[int, ...], Ref]) -> None:
    """``u * (a * b - c * d) + v * (a * d + b * c)``, multiplied out, where both sums are there already."""
    used: set[int] = set()
    parts: list[Ref] = []
    for group in sorted(known, key=len, reverse=True):
        if not used.intersection(group):
            used.update(group)
            parts.append(known[group])
    if len(parts) > 1:
        parts += [t for k, t in enumerate(value.parts) if k not in used]
        options.recipe(value, "sum", UNIT, parts, None, "common factor")


def difference_of_squares(options: Making, value: Value) -> None:
    """``u * a + (1 - x**2) * b`` is ``u * (a + (1 - x) * b)``, where the forward pass holds ``u = 1 + x``."""
    terms: tuple[Ref, ...] = value.parts
    factors = dict.fromkeys(f for _, v in terms for f, p in v.factors if p == 1 and f.kind == "sum")
    for f in factors:
        found = _roots(options, f)
        if found is None or not any(found[1] in dict(v.factors) for _, v in terms if f not in dict(v.factors)):
            continue
        scale, held, other = found
        replaced = [
            (times(c, scale), (*(e for e in v.factors if e[0] is not f), (held, 1), (other, 1)))
            if f in dict(v.factors)
            else (c, v.factors)
            for c, v in terms
        ]
        whole = options.making(value, lambda r=replaced: options.table.add(options.table.product(c, v) for c, v in r))
        options.same(value, whole, "difference of squares")


def _roots(options: Making, value: Value) -> tuple[Coefficient, Value, Value] | None:
    """``1 - x**2`` as a multiple of ``1 + x`` or ``1 - x``, which the forward pass holds, and the other one."""
    table = options.table
    if len(value.parts) != 2:
        return None
    for (c, square), (k, one) in (value.parts, value.parts[::-1]):
        if one is not table.one or k != times(_MINUS, c) or [p for _, p in square.factors] != [2]:
            continue
        x = square.factors[0][0]
        for total in options.sums(x, value):
            d, held = table.add(total.parts)
            terms = {v: b for b, v in held.definition or ()}
            if len(terms) != 2 or x not in terms or table.one not in terms:
                continue
            sign = terms[x].number / terms[table.one].number
            if abs(sign) == 1 and terms[table.one] == UNIT:
                e, other = options.making(
                    value, lambda x=x, s=sign: table.add(((UNIT, table.one), (Coefficient(-s), x)))
                )
                return times(k, e), held, other
    return None


def _shared(terms: Sequence[Ref], group: Sequence[int]) -> list[tuple[Value, Power]]:
    """The factors that some terms of a sum have in common."""
    shared: dict[Value, Power] = dict(terms[group[0]][1].factors)
    for k in group[1:]:
        own = dict(terms[k][1].factors)
        shared = {f: s for f, p in shared.items() if (s := smaller(p, own.get(f, 0)))}
    return [*shared.items()]


def _subsets(shared: Sequence[tuple[Value, Power]]) -> list[tuple[tuple[Value, Power], ...]]:
    """Some of the factors that terms have in common."""
    if 1 < len(shared) <= 4:
        alone = [(f,) for f in shared]
        return alone + [tuple(f for f in shared if f is not g and f != g) for g in shared]
    if len(shared) == 1:
        ((f, p),) = shared
        if p > 1 or p < -1:  # the rest may be there already: x**2 * a + x**2 * b is x * (x * a + x * b)
            unit: Power = 1 if p > 0 else -1
            return [((f, unit),), ((f, p - unit),)]
    return []
