"""Options for what is added at the places of sliding windows: a convolution, and only the windows that matter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.indexing import get_item
from chainrule.ir import Step, Var
from chainrule.ops import OPERATIONS
from chainrule.simplify.functions import ScatterAt, scatter
from chainrule.simplify.making import Making
from chainrule.simplify.scalars import UNIT, times
from chainrule.simplify.values import Power, Ref, Value, function_of, spans

__all__ = ["window_options"]

_UNNAMED = -(1 << 40)  # numbers of what is no variable, below those of all that is
CONVOLVED = "sum over windows"
SOME = "added to some windows"


def window_options(options: Making, value: Value) -> None:
    """Further ways of adding to the places of sliding windows of an array, one place after the other."""
    at = options.table.scatters.get(value)
    if at is None or len(at.arrays) != 1 or len(value.dims) != 1:
        return
    windows, amount = _flattened((UNIT, at.arrays[0][1])), _flattened(value.parts[1])
    if windows is None or amount is None or windows[1].shape != amount[1].shape:
        return
    _convolved(options, value, windows[1], amount)
    _chosen(options, value, at, windows[1], amount)


def _flattened(ref: Ref) -> Ref | None:
    """What a flat array is made of, where it is all elements of another array."""
    c, flat = ref
    if function_of(flat) not in (np.ravel, np.reshape) or type(flat.parts[0]) is not tuple or len(flat.dims) != 1:
        return None
    d, inner = flat.parts[0]
    return (c, inner) if d == UNIT else None


def _convolved(options: Making, value: Value, windows: Value, amount: Ref) -> None:
    """``g[i] * w[k]`` added to element ``i + k`` is ``np.convolve(g, w)``."""
    scale, inner = amount
    made = windows.parts[0][1] if function_of(windows) is np.lib.stride_tricks.sliding_window_view else None
    counted = made is not None and made.kind == "op" and made.details[0].name == "arange" and len(made.dims) == 1
    if not counted or len(inner.dims) != 2 or made is None or made.shape != value.shape:
        return
    sides: tuple[list[tuple[Value, Power]], ...] = ([], [])
    for f, p in inner.factors:
        along = [k for k in (0, 1) if spans(f, k - 2, inner.dims[k])]
        if len(along) != 1:
            return
        sides[along[0]].append((f, p))
    if not all(sides):
        return

    def make() -> tuple[Ref, Ref]:
        found = [options.table.product(UNIT, side) for side in sides]
        first, second = (
            options.table.view(ref, [len(ref[1].dims) - 2 + k], len(ref[1].dims)) for k, ref in enumerate(found)
        )
        return first, second

    (c, g), (d, w) = options.making(value, make)
    if not g.floating or not w.floating or (g.shape[0], w.shape[0]) != inner.shape:
        return
    operation = OPERATIONS[np.convolve]
    step = Step(operation, (), {}, (Var(value.shape, options.reader.dtype, None, 0),), None)
    key = (id(operation), 0, (), ((g.number, UNIT), (w.number, UNIT)))
    parts = ((UNIT, g), (UNIT, w))
    result = options.making(
        value, lambda: options.table.make("op", key, (operation, step, 0, (0, 1)), parts, value.dims)
    )
    options.same(value, (times(scale, times(c, d)), result), CONVOLVED)


def _chosen(options: Making, value: Value, at: ScatterAt, windows: Value, amount: Ref) -> None:
    """Where nothing is added but to a part of the windows, only the places of that part are looked up."""
    inside = options.table.scatters.get(amount[1])
    if inside is None or inside.arrays or not inside.step.params["index"].basic:
        return
    table = options.table
    own: Ref = amount[1].parts[1]

    def make() -> Ref:
        picked = _applied(options, get_item, inside.step.params, inside.params, windows, own[1], False)
        places = _applied(options, np.ravel, {}, (), picked, None, False)
        flat = _applied(options, np.ravel, {}, (), own[1], None, True)
        return scatter(table, (own[0], flat), ScatterAt(at.step, at.params, at.zeros, ((UNIT, places),)))

    if own[1].dims and own[1].shape == inside.step.inputs[1].shape and own[1].floating:
        c, made = options.making(value, make)
        options.same(value, (c, made), SOME)


def _applied(
    options: Making, function: Any, params: Any, key: Any, inner: Value, like: Value | None, floating: bool
) -> Value:
    """A function that rearranges an array, with the axes of another or flat."""
    lengths = options.reader.lengths
    operation = OPERATIONS[function]
    if like is not None:
        dims = like.dims
    else:
        number = _UNNAMED - inner.number
        lengths.axes(number, (math.prod(inner.shape),))
        dims = lengths.dims(number)
    dtype = options.reader.dtype if floating else np.dtype(np.intp)
    step = Step(operation, (), dict(params), (Var(tuple(d.length for d in dims), dtype, None, 0),), None)
    made = ("windows", id(operation), key, inner.number)
    return options.table.make("op", made, (operation, step, 0, (0,)), ((UNIT, inner),), dims, floating)
