"""Which axes of a program's variables have the same length, from the operations that join them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.indexing import HOLE, add_item, get_item, set_item
from chainrule.ir import Program, Step, Var, shape_of
from chainrule.lengths import ONE, Symbol, symbols_of
from chainrule.rules.helpers import normalise_axes
from chainrule.simplify.scalars import Lengths
from chainrule.sizes import is_size

__all__ = ["join_lengths"]

_SAME = (np.cumsum, np.flip, np.tril, np.triu, add_item, set_item, np.roll)
_SHAPED = frozenset("broadcast_to reshape zeros ones empty full".split())
_LIKE = frozenset("zeros_like ones_like empty_like full_like copy".split())
_REDUCTIONS = frozenset((np.sum, np.mean, np.max, np.min, np.amax, np.amin, np.prod, np.var, np.std, np.any, np.all))


def join_lengths(
    program: Program, links: Mapping[int, Any], lengths: Lengths, same: Mapping[int, int] | None = None
) -> None:
    """Give every axis of every variable its place, and join those that must be equally long.

    Args:
        program: the steps.
        links: the cotangents of variables.
        lengths: where the axes are joined.
        same: for inputs that are cotangents, the output that each is as large as.
    """
    shapes: dict[int, tuple[int, ...]] = {}
    for x in program.inputs:
        lengths.axes(x.number, x.shape)
    for c in program.constants:
        lengths.axes(c.number, np.shape(c.value))
    for step in program.steps:
        for out in step.outputs:
            lengths.axes(out.number, out.shape)
            shapes[out.number] = out.shape
        if len(step.outputs) == 1:
            _join_shape(step, lengths)
            _join(step, lengths)
    by_symbol: dict[Symbol, int] = {}
    for number, symbols in symbols_of(program, same).items():
        for axis, symbol in zip(lengths.axes(number, shapes.get(number, ())), symbols, strict=False):
            if symbol == ONE:
                lengths.set_one(axis)
            else:
                lengths.join(axis, by_symbol.setdefault(symbol, axis))
    for number, facts in program.facts.items():
        if "symmetric" in facts and lengths.known(number):
            lengths.join(*lengths.axes(number, ())[-2:])
    for primal, cotangent in links.items():
        # A cotangent is as long as its variable wherever it is not left to broadcasting.
        if type(cotangent) is int and primal in shapes and shapes[primal] == shapes.get(cotangent):
            own, other = lengths.axes(primal, ()), lengths.axes(cotangent, ())
            for a, b, length in zip(own, other, shapes[primal], strict=True):
                if length != 1:
                    lengths.join(a, b)


def _join_shape(step: Step, lengths: Lengths) -> None:
    """``np.broadcast_to(x, (n, d))``: the axes are as long as the arrays whose lengths are given."""
    (out,) = step.outputs
    shape = step.params.get("shape", step.params.get("argument 0"))
    given = shape if isinstance(shape, tuple) else (shape,)
    if step.operation.name not in _SHAPED or len(given) != len(out.shape):
        return
    for axis, n in zip(lengths.axes(out.number, out.shape), given, strict=True):
        if is_size(n) and n.expression[0] == "length" and lengths.known(n.expression[1]):
            lengths.join(axis, lengths.axes(n.expression[1], ())[n.expression[2]])


def _join(step: Step, lengths: Lengths) -> None:
    (out,) = step.outputs
    function: Any = step.operation.function
    own = lengths.axes(out.number, out.shape)
    arrays = [x for x in step.inputs if isinstance(x, Var) or x.number >= 0]
    axes = [lengths.axes(x.number, shape_of(x)) for x in arrays]
    if (isinstance(function, np.ufunc) and function.signature is None) or function in (np.where, np.clip):
        _elementwise(own, out.shape, axes, [shape_of(x) for x in arrays], lengths)
    elif function is np.broadcast_to:
        # What is of length 1 in the example may be stretched for other lengths.
        long = [k for k, n in enumerate(shape_of(arrays[0])) if n != 1] if arrays else []
        for k in long:
            lengths.join(own[k - len(axes[0])], axes[0][k])
    elif function in _REDUCTIONS and arrays:
        reduced = normalise_axes(step.params.get("axis"), len(axes[0]))
        if step.params.get("keepdims"):
            for k, (a, b) in enumerate(zip(own, axes[0], strict=True)):
                if k in reduced:
                    lengths.set_one(a)
                else:
                    lengths.join(a, b)
        else:
            for a, b in zip(own, [x for k, x in enumerate(axes[0]) if k not in reduced], strict=True):
                lengths.join(a, b)
    elif step.operation.name == "arange" and list(step.params) == ["argument 0"]:
        lengths.join_size(own[0], step.params["argument 0"])
    elif step.operation.name in ("eye", "identity") and list(step.params) in (["argument 0"], ["argument 0", "dtype"]):
        lengths.join(own[0], own[1])
        if is_size(step.params["argument 0"]):
            lengths.join_length(own[0], step.params["argument 0"])
    elif (
        function in _SAME
        or step.operation.name in _LIKE
        or (own and len(axes) == 1 and len(own) == len(axes[0]) and step.operation.name == "astype")
    ):
        for a, b in zip(own, axes[0], strict=False):
            lengths.join(a, b)
    elif function in (np.matmul, np.dot) and len(axes) == 2 and all(1 <= len(a) <= 2 for a in axes):
        left, right = axes
        lengths.join(left[-1], right[0] if len(right) == 1 else right[-2])
        for new, old in zip(own, (*left[:-1], *(right[1:] if len(right) == 2 else ())), strict=True):
            lengths.join(new, old)
    elif function is np.matmul and len(axes) == 2 and len(axes[0]) == len(axes[1]) == len(own):
        left, right = axes
        lengths.join(left[-1], right[-2])
        lengths.join(own[-2], left[-2])
        lengths.join(own[-1], right[-1])
        for k in range(len(own) - 2):
            if shape_of(arrays[0])[k] == shape_of(arrays[1])[k]:
                lengths.join(own[k], left[k])
                lengths.join(own[k], right[k])
    elif function is np.vecdot and set(step.params) <= {"axis"} and len(axes[0]) == len(axes[1]) == len(own) + 1:
        summed = int(step.params.get("axis", -1)) % len(axes[0])
        shapes = [shape_of(x) for x in arrays]
        lengths.join(axes[0][summed], axes[1][summed])
        left_over = [[a for k, a in enumerate(x) if k != summed] for x in axes]
        left_shapes = [[n for k, n in enumerate(x) if k != summed] for x in shapes]
        _elementwise(own, out.shape, left_over, left_shapes, lengths)
    elif function is np.take_along_axis and len(axes) == 2 and len(own) == len(axes[1]):
        for a, b in zip(own, axes[1], strict=True):
            lengths.join(a, b)
            if lengths.find(b) == 0:
                lengths.set_one(a)
    elif function in (np.diagonal, np.diag) and not step.params and len(axes) == 1 and len(axes[0]) == 2:
        lengths.join_diagonal(own[0], *axes[0])
    elif function is np.einsum and "." not in step.params["subscripts"]:
        left, result = step.params["subscripts"].split("->")
        letters: dict[str, int] = dict(zip(result, own, strict=True))
        for term, taken in zip(left.split(","), axes, strict=True):
            for letter, axis in zip(term, taken, strict=True):
                lengths.join(axis, letters.setdefault(letter, axis))
    elif function is np.outer and [len(a) for a in axes] == [1, 1]:
        lengths.join(own[0], axes[0][0])
        lengths.join(own[1], axes[1][0])
    elif function is get_item and not step.params["index"].basic:
        _picked(step, own, arrays, axes, lengths)
    else:
        _moved(step, own, axes, lengths)


def _picked(step: Step, own: Any, arrays: Any, axes: Any, lengths: Lengths) -> None:
    """``P[rows, y]``: the index arrays are equally long.

    Where the rows are ``np.arange`` of the traced number of rows, one label per row is meant.
    """
    index = step.params["index"]
    if any(p is not HOLE for p in index.parts) or len(own) < 1:
        return
    if any(len(a) != 1 for a in axes[1:]):
        _picked_in_rows(own, axes, lengths)
        return
    if any(shape_of(x) != shape_of(arrays[1]) for x in arrays[1:]):
        return
    for a in axes[1:]:
        lengths.join(own[0], a[0])
        if len(axes) > 2 and lengths.counts(a[0]):
            lengths.join(axes[0][axes[1:].index(a)], a[0])
    for new, old in zip(own[1:], axes[0][len(axes) - 1 :], strict=True):
        lengths.join(new, old)


def _picked_in_rows(own: Any, axes: Any, lengths: Lengths) -> None:
    """``P[np.arange(n)[:, None], np.arange(t), y]``: one label for each place, and a place along each axis."""
    rank = max(len(a) for a in axes[1:])
    if len(axes) != len(axes[0]) + 1 or rank != len(own):
        return
    for source, places in zip(axes[0], axes[1:], strict=True):
        along = [a for a in places if lengths.find(a) != 0]
        if len(along) == 1 and lengths.counts(along[0]):
            lengths.join(source, along[0])
    for places in axes[1:]:
        for new, a in zip(own[rank - len(places) :], places, strict=True):
            if lengths.find(a) != 0:
                lengths.join(new, a)


def _elementwise(own: Any, shape: Any, axes: Any, shapes: Any, lengths: Lengths) -> None:
    for k in range(1, len(own) + 1):
        having = [(a[-k], s[-k]) for a, s in zip(axes, shapes, strict=True) if len(a) >= k]
        if shape[-k] != 1:
            for axis, length in having:
                if length != 1:
                    lengths.join(own[-k], axis)
        elif having and all(lengths.find(axis) == lengths.find(having[0][0]) for axis, _ in having):
            lengths.join(own[-k], having[0][0])
        else:
            others = {lengths.find(axis) for axis, _ in having} - {0}
            if len(others) == 1:
                lengths.join(own[-k], others.pop())


def _moved(step: Step, own: Any, axes: Any, lengths: Lengths) -> None:
    function, params = step.operation.function, step.params
    rank = len(axes[0]) if axes else 0
    mapping: list[Any] | None = None
    if function is np.transpose:
        order = params.get("axes")
        mapping = list(range(rank))[::-1] if order is None else [int(a) % rank for a in order]
    elif function is np.swapaxes:
        mapping = list(range(rank))
        a, b = params["axis1"], params["axis2"]
        mapping[a], mapping[b] = mapping[b], mapping[a]
    elif function is np.expand_dims:
        axis = params.get("axis")
        count = len(own)
        inserted = {a % count for a in (axis if isinstance(axis, tuple) else (axis,))}
        rest = iter(range(rank))
        mapping = [None if k in inserted else next(rest) for k in range(count)]
    elif function is get_item and step.params["index"].basic:
        mapping = []
        position = 0
        for part in step.params["index"].spelled_out(rank):
            if part is None:
                mapping.append(None)
            elif type(part) is slice:
                whole = (part.start, part.stop, part.step) == (None, None, None)
                mapping.append(position if whole else "new")
                position += 1
            else:
                position += 1
    if mapping is None or len(mapping) != len(own):
        return
    for axis, source in zip(own, mapping, strict=True):
        if source is None:
            lengths.set_one(axis)
        elif source != "new":
            lengths.join(axis, axes[0][source])
