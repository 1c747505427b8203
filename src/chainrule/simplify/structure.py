"""Factors that a matrix product hands out, terms of a sum seen through a view, sums that are a single term, lengths.

A table of values is asked here; it is :class:`chainrule.simplify.normal_form.Table`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from chainrule.simplify.scalars import UNIT, ZERO, Coefficient, inverse_of, times
from chainrule.simplify.values import Power, Recipe, Ref, Value, spans

__all__ = [
    "MOST_ATOMS", "base_terms", "is_long", "long_vanishes", "opened_to_one", "over_denominator", "pulled",
    "rows_vanish", "sum_in_one", "sum_of_sum",
]  # fmt: skip

_LARGEST = 32  # factors in all terms of what further arithmetic looks into
_LARGEST_WHOLE = 24  # the same for a whole cotangent, where looking into it ends more naturally
_SOME_STEPS, _MANY_STEPS = 100, 400  # in programs of more, two thirds and a third of that
MOST_ATOMS = 8  # of a scalar factor


def pulled(table: Any, left: Value, right: Value) -> Ref | None:
    """A matrix product without the factors that are constant along the axis of its sum: ``u * (x @ y)``."""
    sides = [left, right]
    if any(len(v.dims) not in (1, 2) for v in sides):
        return None
    outside: list[tuple[Value, Power]] = []
    inside: list[Value] = []
    for k, v in enumerate(sides):
        axis = -1 if k == 0 or len(v.dims) == 1 else -2
        kept = [(f, p) for f, p in v.factors if spans(f, axis, v.dims[axis])]
        out = [(f, p) for f, p in v.factors if not spans(f, axis, v.dims[axis])]
        if not kept or (out and len(v.dims) == 1):
            return None
        c, inner = table.product(UNIT, kept)
        if c != UNIT or not inner.floating:
            return None
        if out and len(inner.dims) == 2 and not spans(inner, -3 - axis, v.dims[-3 - axis]):
            c, inner = table.view((UNIT, inner), [2 + axis], 2)
        if c != UNIT or len(inner.dims) != (2 if len(v.dims) == 2 and inner.shape == v.shape else 1):
            return None
        inside.append(inner)
        other = sides[1 - k]
        for f, p in out:
            if k == 0 and len(other.dims) == 1:
                c, f = table.view((UNIT, f), [len(f.dims) - 2], len(f.dims))
                if c != UNIT:
                    return None
            outside.append((f, p))
    if not outside:
        return None
    a, b = inside
    rows, columns = a.dims[:-1], b.dims[1:]
    found = table.matmul((UNIT, a), (UNIT, b), (*rows, *columns))
    if len(left.dims) == 2 and len(right.dims) == 2 and rows and not columns:
        found = table.view(found, [0, None], 1)
    result: Ref = table.multiply(found, table.product(UNIT, outside))
    return result


def base_terms(table: Any, base: Value, inner: Value) -> list[Ref]:
    """The terms of a forward sum, seen through the view in which it appears."""
    assert base.definition is not None
    if inner.kind != "view":
        return list(base.definition)
    return [table.view(t, inner.details, len(base.dims)) for t in base.definition]


def rows_vanish(table: Any, inner: Value, axes: Sequence[int]) -> Ref | None:
    """The sum over the rows of ``a @ b``, or over its columns, where that of ``a`` or ``b`` is zero."""
    axis = axes[0]
    if len(inner.dims) != 2 or table.forward or list(axes) not in ([-1], [-2]):
        return None
    if inner.kind == "view" and inner.details == (1, 0):
        inner, axis = inner.parts[0][1], -3 - axis
    if inner.kind != "matmul":
        return None
    side = inner.parts[1 if axis == -1 else 0][1]
    along = [(f, p) for f, p in side.factors if len(side.dims) == 2 and spans(f, axis, side.dims[axis])]
    if len(along) != 1 or along[0][1] != 1 or len(along[0][0].dims) != 2:
        return None
    return None if table.vanishing(along[0][0], [axis], side.dims) is None else (ZERO, table.one)


def long_vanishes(table: Any, inner: Value, axes: Sequence[int]) -> Ref | None:
    """The sum of a product with a long sum, which further arithmetic does not look into, where its terms cancel."""
    if inner.kind != "prod" or table.forward or table.looking:
        return None
    sums = [(f, f.parts[0][1] if f.kind == "cut" else f) for f, p in inner.factors if p == 1]
    long = [(f, whole) for f, whole in sums if whole.kind == "sum"]
    if len(long) != 1:
        return None
    ((factor, whole),) = long
    key = (inner.number, tuple(axes))
    if key not in table.means:
        c, rest = table.product(UNIT, [e for e in inner.factors if e[0] is not factor])
        table.looking = True
        terms = [table.multiply((c, rest), t) for t in whole.terms]
        found = table.add(table.reduce(t, axes, inner.dims) for t in terms)
        table.looking = False
        table.means[key] = None if found[0].number else (ZERO, table.one)
    known: Ref | None = table.means[key]
    return known


def sum_of_sum(table: Any, inner: Value, axes: Sequence[int]) -> Ref | None:
    """A sum of a sum: in the other order, where the inner one is known then (all probabilities add up to n)."""
    if inner.kind != "reduce" or table.forward:
        return None
    base: Value = inner.parts[0][1]
    rank = len(base.dims)
    kept = [k for k in range(rank) if k not in inner.details]
    first = [kept[len(kept) + a] - rank for a in axes]
    known = len(table.values)
    c, v = table.reduce((UNIT, base), first, base.dims)
    if any(f.number >= known and f.kind in ("reduce", "view") for f, _ in v.factors) or v.kind == "sum":
        return None
    rest = [a - rank for a in inner.details]
    found = table.reduce((c, v), rest, base.dims)
    result: Ref = table.view(found, [None if k in [kept[len(kept) + a] for a in axes] else k for k in kept], rank)
    return result


def opened_to_one(terms: Sequence[Ref]) -> Ref | None:
    """A sum in which a sum of the forward pass is written out, where that leaves a single term."""
    for k, (c, value) in enumerate(terms):
        definition = value.definition
        if definition is None or len(terms) + len(definition) > 6 or len(definition) < len(terms):
            continue
        others = [t for n, t in enumerate(terms) if n != k]
        totals: dict[Any, Fraction] = {}
        for d, v in (*others, *((times(c, d), v) for d, v in definition)):
            totals[v, d.atoms] = totals.get((v, d.atoms), Fraction(0)) + d.number
        left = [(Coefficient(n, atoms), v) for (v, atoms), n in totals.items() if n]
        if len(left) == 1:
            return left[0]
    return None


def over_denominator(table: Any, terms: Sequence[Ref]) -> Ref | None:
    """The terms over a common denominator that is a sum, where that leaves a single term, or a multiple of it."""
    if len(terms) > 4:
        return None
    bases = dict.fromkeys(v for _, value in terms for v, p in value.factors if p == -1)
    for base in bases:
        # Of the forward pass, or made by a rule, as 1 + x is by that of log1p.
        definition = base.definition or (base.parts if base.kind == "sum" else None)
        if definition is None:
            continue
        opened: list[Ref] = []
        for c, value in terms:
            if any(v is base for v, _ in value.factors):
                opened.append(table.product(c, (*value.factors, (base, 1))))
            else:
                opened += [table.product(times(c, k), (*value.factors, *v.factors)) for k, v in definition]
        totals: dict[Any, Fraction] = {}
        for c, v in opened:
            totals[v, c.atoms] = totals.get((v, c.atoms), Fraction(0)) + c.number
        left = [(Coefficient(n, atoms), v) for (v, atoms), n in totals.items() if n]
        if len(left) == 1:
            ((c, v),) = left
            found: Ref = table.product(c, (*v.factors, (base, -1)))
            return found
        multiple = _multiple_of(table, left, definition)
        if multiple is not None:
            return multiple
    return None


def _multiple_of(table: Any, terms: Sequence[Ref], whole: Sequence[Ref]) -> Ref | None:
    """What a sum is multiplied by to give these terms, if it is a product: ``t**2 - t`` is ``-t * (1 - t)``."""
    if len(terms) != len(whole):
        return None
    wanted = {(v, c) for c, v in terms}
    (d, w), *_ = whole
    below = inverse_of(d)
    for c, v in terms:
        scale, factor = table.product(times(c, below), (*v.factors, *((f, -p) for f, p in w.factors)))
        made = (table.product(times(scale, e), (*factor.factors, *u.factors)) for e, u in whole)
        if {(u, e) for e, u in made} == wanted:
            return scale, factor
    return None


def sum_in_one(table: Any, inner: Value, positions: Sequence[int]) -> Ref | None:
    """The sum of what was summed along other axes before, of which the axes may have been kept: along all at once."""
    reduced = inner.parts[0][1] if inner.kind == "view" else inner
    if reduced.kind != "reduce":
        return None
    seen = inner.details if inner.kind == "view" else tuple(range(len(inner.dims)))
    base: Value = reduced.parts[0][1]
    kept = [k for k in range(len(base.dims)) if k not in reduced.details]
    summed = [seen[k] for k in positions]
    if None in summed or len(set(seen) - {None}) != len(kept):
        return None
    axes = tuple(sorted({*reduced.details, *(kept[a] for a in summed)}))
    left = [k for k in kept if k not in axes]
    made = table.make("reduce", (base.number, axes), axes, ((UNIT, base),), tuple(base.dims[k] for k in left))
    own = tuple(sorted(summed))
    if not any(r.kind == "reduce" and r.parts[0][1] is reduced for r in made.recipes):
        made.recipes.append(Recipe("reduce", UNIT, ((UNIT, reduced),), (own, None), "sum of a sum"))
    mapping = [None if k in positions else None if a is None else left.index(kept[a]) for k, a in enumerate(seen)]
    result: Ref = table.view(table.ref(UNIT, made), mapping, len(left))
    return result


def is_long(table: Any, ref: Ref, whole: bool) -> bool:
    """Whether a polynomial is so long that what is made of it should not look into it.

    Without an end, each step of a long program would multiply out all that came before it.
    """
    coefficient, value = ref
    if len(coefficient.atoms) > MOST_ATOMS:
        return True
    if value.kind not in ("prod", "sum"):
        return False
    limit = _LARGEST_WHOLE if whole else _LARGEST
    limit = limit * (3 - (table.steps > _SOME_STEPS) - (table.steps > _MANY_STEPS)) // 3
    return bool(sum(len(v.factors) for _, v in value.terms) > limit)
