"""Options for sums of sums along axes: added first and summed once."""

from __future__ import annotations

from typing import Any

from chainrule.simplify.making import Making
from chainrule.simplify.scalars import UNIT
from chainrule.simplify.values import Ref, Value

__all__ = ["merge_reductions"]


def merge_reductions(options: Making, value: Value) -> None:
    """``a.sum(0) - b.sum(0)`` is ``(a - b).sum(0)``, for arrays of one shape."""
    table = options.table
    terms: tuple[Ref, ...] = value.parts
    groups: dict[Any, list[int]] = {}
    for k, (_, v) in enumerate(terms):
        if v.kind == "reduce":
            groups.setdefault((v.details, v.parts[0][1].dims), []).append(k)
    for (axes, dims), group in groups.items():
        if len(group) < 2:
            continue
        scale, inner = options.making(
            value, lambda g=group: table.add((terms[k][0], terms[k][1].parts[0][1]) for k in g)
        )
        if inner is table.one or inner.dims != dims or not scale.number or not inner.floating:
            continue
        left = tuple(d for k, d in enumerate(dims) if k not in axes)
        merged = options.making(
            value, lambda i=inner, a=axes, d=left: table.make("reduce", (i.number, a), a, ((UNIT, i),), d)
        )
        rest = [t for k, t in enumerate(terms) if k not in group]
        if rest:
            options.recipe(value, "sum", UNIT, (*rest, (scale, merged)), None, "sums along an axis merged")
        else:
            options.same(value, (scale, merged), "sums along an axis merged")
