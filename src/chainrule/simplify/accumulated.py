"""Arrays that are turned around, and sums of what is accumulated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.indexing import get_item
from chainrule.ir import Step, Var
from chainrule.simplify.normal_form import Table
from chainrule.simplify.scalars import UNIT
from chainrule.simplify.values import Ref, Value, function_of

__all__ = ["known_accumulated", "reversed_axes"]

_MOST_FACTORS = 5


def reversed_axes(step: Step) -> frozenset[int] | None:
    """The axes along which a step turns an array around, and does nothing else: ``x[::-1]``, ``np.flip(x, 0)``."""
    rank = len(step.inputs[0].shape) if step.inputs and isinstance(step.inputs[0], Var) else 0
    if step.operation.function is np.flip:
        axis = step.params.get("axis")
        axes = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        return frozenset(a % rank for a in axes) if rank and all(type(a) is int for a in axes) else None
    if step.operation.function is not get_item or len(step.inputs) != 1 or len(step.outputs[0].shape) != rank:
        return None
    parts = step.params["index"].parts
    if not all(type(p) is slice and p.start is p.stop is None and p.step in (None, 1, -1) for p in parts):
        return None
    return frozenset(k for k, p in enumerate(parts) if p.step == -1)


def known_accumulated(table: Table, inner: Value, axes: tuple[int, ...]) -> Ref | None:
    """``(e * cumsum(g)).sum()`` as ``(c * g).sum()``, where c is there: e accumulated from its end.

    So the gradient of what is subtracted for safety is found to be zero in ``log(cumsum(exp(s - s.max())))``, where c
    is divided by.
    """
    if axes != (0,) or len(inner.dims) != 1 or inner.kind != "prod" or len(inner.factors) > _MOST_FACTORS:
        return None
    for f, p in inner.factors:
        if p != 1 or f.dims != inner.dims:
            continue
        c, rest = table.product(UNIT, [e for e in inner.factors if e[0] is not f])
        turned = _turned(f)
        ahead = _accumulated(f) if turned is None else None
        behind = None if turned is None else _accumulated(turned)
        g = ahead if behind is None else _turned(behind)
        if g is None:
            continue
        known = next(_accumulations(table, rest, ahead is None), None)
        if known is not None:
            total = table.reduce(table.product(c, [(known, 1), *g.factors]), [-1], inner.dims)
            return table.view(total, [], 1) if total[1].dims else total
    return None


def _accumulations(table: Table, x: Value, forward: bool) -> Iterator[Value]:
    """Where an array is accumulated, from its start or from its end."""
    for value in table.values:
        turned = None if forward else _turned(value)
        own = _accumulated(value if turned is None else turned) if forward or turned is not None else None
        if own is not None and (own is x if forward else _turned(own) is x):
            yield value


def _accumulated(value: Value) -> Value | None:
    """What a vector is the cumulative sum of."""
    if function_of(value) is not np.cumsum or len(value.dims) != 1 or type(value.parts[0]) is not tuple:
        return None
    c, inner = value.parts[0]
    return inner if c is UNIT and len(inner.dims) == 1 and inner.floating else None


def _turned(value: Value) -> Value | None:
    """What a vector is turned around of."""
    if function_of(value) not in (np.flip, get_item) or len(value.dims) != 1 or len(value.parts) != 1:
        return None
    if type(value.parts[0]) is not tuple or reversed_axes(value.details[1]) != frozenset((0,)):
        return None
    c, inner = value.parts[0]
    return inner if c is UNIT else None
