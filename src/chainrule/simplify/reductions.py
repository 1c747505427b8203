"""Options for sums of sums along axes: added first and summed once."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from chainrule.simplify.making import Making
from chainrule.simplify.scalars import UNIT, Coefficient, times
from chainrule.simplify.symmetry import exchanged_sums
from chainrule.simplify.values import Power, Ref, Value, smaller

__all__ = ["merge_reductions"]


def merge_reductions(options: Making, value: Value) -> None:
    """``a.sum(0) - b.sum(0)`` is ``(a - b).sum(0)``, for arrays of one shape; ``a.sum(0)`` may be ``a.T.sum(1)``."""
    table = options.table
    terms: tuple[Ref, ...] = value.parts
    groups: dict[Any, dict[int, Ref]] = {}
    for k, (c, v) in enumerate(terms):
        if v.kind == "reduce":
            groups.setdefault((v.details, v.parts[0][1].shape), {})[k] = c, v.parts[0][1]
    if len(groups) > 1:
        for (axes, shape), group in list(groups.items()):
            for k, (c, inner) in group.items():
                # Along another axis: the sum of what is the same with these axes exchanged.
                for sign, other, j in options.making(
                    value, lambda i=inner, a=axes: [*exchanged_sums(table, i, a, True)]
                ):
                    if j > axes[0] and ((j,), shape) in groups:
                        groups[(j,), shape].setdefault(k, (times(c, Coefficient(Fraction(sign))), other))
    _turned_sums(options, value, groups)
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
            if rest:
                options.recipe(value, "sum", UNIT, (*rest, (c, merged)), None, "sums along an axis merged")
            else:
                options.same(value, (c, merged), "sums along an axis merged")


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
            if rest:
                options.recipe(value, "sum", UNIT, (*rest, (c, total)), None, "sums along two axes merged")
            else:
                options.same(value, (c, total), "sums along two axes merged")


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
