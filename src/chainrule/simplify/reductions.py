"""Options for sums of sums along axes: added first and summed once."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from chainrule.simplify.contractions import contract
from chainrule.simplify.making import Making
from chainrule.simplify.scalars import UNIT, Coefficient, inverse_of, times
from chainrule.simplify.symmetry import exchanged_sums, parity
from chainrule.simplify.values import Power, Ref, Value, smaller

__all__ = ["merge_reductions"]


def merge_reductions(options: Making, value: Value) -> None:
    """``a.sum(0) - b.sum(0)`` is ``(a - b).sum(0)``, for arrays of one shape; ``a.sum(0)`` may be ``a.T.sum(1)``."""
    table = options.table
    terms: tuple[Ref, ...] = value.parts
    groups: dict[Any, dict[int, Ref]] = {}
    summed = [_summed(options, value, v) for _, v in terms] if any(v.kind == "reduce" for _, v in terms) else []
    for k, found in enumerate(summed):
        if found is not None:
            (c, inner), axes = found
            groups.setdefault((axes, inner.shape), {})[k] = times(terms[k][0], c), inner
    if len(groups) > 1:
        _pairwise(options, value, groups)
        for (axes, shape), group in list(groups.items()):
            for k, (c, inner) in group.items():
                # Along another axis: the sum of what is the same with these axes exchanged.
                for sign, other, j in options.making(
                    value, lambda i=inner, a=axes: [*exchanged_sums(table, i, a, True)]
                ):
                    if j > axes[0] and ((j,), shape) in groups:
                        groups[(j,), shape].setdefault(k, (times(c, Coefficient(Fraction(sign))), other))
    _turned_sums(options, value, groups)
    _kept_sums(options, value)
    for (axes, _), group in groups.items():
        dims = next(iter(group.values()))[1].dims
        if len(group) < 2:
            continue
        scale, inner = options.making(value, lambda g=group: table.add(g.values()))
        if inner is table.one or inner.shape != tuple(d.length for d in dims) or not scale.number or not inner.floating:
            continue
        rest = [t for k, t in enumerate(terms) if k not in group]
        for c, v in ((scale, inner), _factored(options, value, (scale, inner))):
            left = tuple(d for k, d in enumerate(dims) if k not in axes)
            merged = options.making(
                value, lambda i=v, a=axes, d=left: table.make("reduce", (i.number, a), a, ((UNIT, i),), d)
            )
            options.beside(value, rest, (c, merged), "sums along an axis merged")


def _summed(options: Making, value: Value, term: Value) -> tuple[Ref, tuple[int, ...]] | None:
    """What a term is the sum of, and along which axes; factors that are constant along these are moved into it."""
    if term.kind == "reduce":
        return term.parts[0], term.details
    sums = [f for f, p in term.factors if f.kind == "reduce" and p == 1 and f.dims == term.dims]
    if term.kind != "prod" or len(sums) != 1 or term.leaves:
        return None
    inner: Value = sums[0].parts[0][1]
    axes: tuple[int, ...] = sums[0].details
    kept = [k for k in range(len(inner.dims)) if k not in axes]
    mapping = [kept.index(k) if k in kept else None for k in range(len(inner.dims))]

    def make() -> Ref:
        c, rest = options.table.product(UNIT, [e for e in term.factors if e[0] is not sums[0]])
        d, moved = options.table.view((c, rest), mapping, len(kept))
        return options.table.product(d, (*inner.factors, *moved.factors))

    found: Ref = options.making(value, make)
    return (found, axes) if found[1].dims == inner.dims else None


def _kept_sums(options: Making, value: Value) -> None:
    """``s * a.sum(1, keepdims=True) - b.sum(1, keepdims=True)`` is ``(s * a - b).sum(1, keepdims=True)``."""
    groups: dict[Any, dict[int, Ref]] = {}
    for k, (c, v) in enumerate(value.parts):
        sums = [(f, f.parts[0][1]) for f, p in v.factors if p == 1 and f.kind == "view" and f.dims == v.dims]
        sums = [(f, total) for f, total in sums if total.kind == "reduce" and f.details == _in_place(total)]
        if len(sums) != 1:
            continue
        ((view, total),) = sums
        inner: Value = total.parts[0][1]
        factors = (*inner.factors, *(e for e in v.factors if e[0] is not view))
        d, whole = options.making(value, lambda f=factors: options.table.product(UNIT, f))
        if whole.dims == inner.dims:
            groups.setdefault((total.details, inner.dims, view.details), {})[k] = times(c, d), whole
    for (axes, dims, mapping), group in groups.items():
        if len(group) < 2:
            continue
        added = options.making(value, lambda g=group: options.table.add(g.values()))
        if added[1].dims != dims or not added[0].number or not added[1].floating:
            continue
        rest = [t for k, t in enumerate(value.parts) if k not in group]
        for c, v in dict.fromkeys((added, _factored(options, value, added))):
            merged = options.total(value, v, axes)
            contract(options, merged)
            d, seen = options.making(value, lambda m=merged, a=mapping: options.table.view((UNIT, m), a, len(m.dims)))
            options.beside(value, rest, (times(c, d), seen), "sums along an axis merged")


def _in_place(total: Value) -> tuple[int | None, ...]:
    """The view of a sum in which the axes that were summed are kept, with length 1."""
    rank = len(total.parts[0][1].dims)
    kept = [k for k in range(rank) if k not in total.details]
    mapping = [kept.index(k) if k in kept else None for k in range(rank)]
    while mapping and mapping[0] is None:
        mapping.pop(0)
    return tuple(mapping)


def _pairwise(options: Making, value: Value, groups: dict[Any, dict[int, Ref]]) -> None:
    """``(w * d).sum(1) - (w * d).sum(0)`` is ``((w + w.T) * d).sum(1)`` where d changes sign with axes exchanged."""
    table = options.table
    for (axes, shape), first in groups.items():
        second = groups.get(((axes[0] + 1,), shape)) if len(axes) == 1 else None
        if second is None or set(first) & set(second):
            continue
        terms = [*first.values(), *second.values()]
        swap = list(range(len(shape)))
        swap[axes[0]], swap[axes[0] + 1] = axes[0] + 1, axes[0]
        for f, p in terms[0][1].factors:
            sign = parity(table, f, tuple(swap)) if p == 1 and f.dims == terms[0][1].dims else 0
            if not sign or any(dict(v.factors).get(f) != 1 for _, v in terms):
                continue

            def make(f: Value = f, sign: int = sign, i: int = axes[0], groups: Any = (first, second)) -> Any:
                pair = [options.divided([*g.values()], ((f, 1),)) for g in groups]
                weights = _added_turned(options, pair, i, sign, len(f.dims))
                return table.product(weights[0], ((f, 1), (weights[1], 1)))

            c, product = options.making(value, make)
            if not c.number or product.dims != terms[0][1].dims:
                continue
            merged = options.total(value, product, (axes[0] + 1,))
            contract(options, merged)
            rest = [t for k, t in enumerate(value.parts) if k not in first and k not in second]
            options.beside(value, rest, (c, merged), "sums along two axes merged")
            break


def _added_turned(options: Making, pair: list[Ref], axis: int, sign: int, rank: int) -> Ref:
    """One array with an axis and the next one exchanged, with a sign, and another one; both without other axes."""
    table = options.table
    missing = [rank - len(v.dims) for _, v in pair]
    kept = [
        k for k in range(rank) if any(k >= m and not v.dims[k - m].one for m, (_, v) in zip(missing, pair, strict=True))
    ]
    if axis not in kept or axis + 1 not in kept:
        kept = list(range(rank))
    (c, first), second = (table.view(ref, kept, rank) for ref in pair)
    swap = list(range(len(kept)))
    place = kept.index(axis)
    swap[place], swap[place + 1] = place + 1, place
    c, turned = table.view((c, first), swap, len(kept))
    parts = ((times(c, Coefficient(Fraction(sign))), turned), second)
    total: Ref = table.add(parts)
    below = inverse_of(total[0])
    if total[1].kind == "sum":
        options.recipe(total[1], "sum", UNIT, tuple((times(k, below), v) for k, v in parts), None, "shared sum")
    whole: Ref = table.view(total, [kept.index(k) if k in kept else None for k in range(rank)], len(kept))
    return whole


def _turned_sums(options: Making, value: Value, groups: dict[Any, dict[int, Ref]]) -> None:
    """``a.sum(0) - b.sum(1)`` is ``(a - b.T).sum(0)``, for matrices of which the axes have the same lengths."""
    table = options.table
    for (axes, _), down in groups.items():
        for (others, _), across in groups.items() if axes == (0,) else ():
            used = {*down, *across}
            columns = [v for _, v in across.values()]
            dims = next(iter(down.values()))[1].dims
            if others != (1,) or len(used) != len(down) + len(across) or any(len(v.dims) != 2 for v in columns):
                continue
            if len(dims) != 2 or any(v.dims[::-1] != dims for v in columns):
                continue

            def make(a: Any = down, b: Any = across) -> Ref:
                turned = [(times(c, k), w) for c, v in b.values() for k, w in (table.turned(v),)]
                return table.add((*a.values(), *turned))

            c, inner = options.making(value, make)
            if inner is table.one or inner.dims != dims or not c.number or not inner.floating:
                continue
            rest = [t for k, t in enumerate(value.parts) if k not in used]
            total = options.total(value, inner, (0,))
            options.beside(value, rest, (c, total), "sums along two axes merged")


def _factored(options: Making, value: Value, total: Ref) -> Ref:
    """A sum as the product of what all its terms have in common with the sum of the rest."""
    scale, inner = total
    terms = inner.terms
    shared: dict[Value, Power] = dict(terms[0][1].factors)
    for _, v in terms[1:]:
        own = dict(v.factors)
        shared = {f: s for f, p in shared.items() if (s := smaller(p, own.get(f, 0)))}
    if len(terms) < 2 or not shared:
        return total
    factors = tuple(shared.items())
    c, rest = options.making(value, lambda: options.divided(terms, factors))
    if not c.number or rest.kind != "sum":
        return total
    d, product = options.making(value, lambda: options.table.product(times(scale, c), (*factors, (rest, 1))))
    return (d, product) if product.dims == inner.dims else total
