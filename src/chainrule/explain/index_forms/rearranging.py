"""Index forms of functions that move elements: the position that each element of the result comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.explain.algebra import ZERO, add, compare, multiply, negate, number
from chainrule.explain.formula import Formula, Position
from chainrule.explain.index_forms.reading import Forms, Indices, Scope, axes_in, form, param, rank_of, shape_of
from chainrule.explain.places import position
from chainrule.ir import Step
from chainrule.sizes import plain_number

__all__ = ["regrouped"]


def regrouped(indices: Sequence[Any], after: Sequence[int], before: Sequence[int]) -> Indices:
    """The position in an array of one shape of the element at a position of the same array in another shape."""
    result: list[Any] = [0] * len(before)
    i = j = 0
    while i < len(after) or j < len(before):
        left: list[int] = []
        right: list[int] = []
        a = b = 1
        while not (left or right) or a != b:
            if (a <= b and i < len(after)) or j >= len(before):
                a *= after[i]
                left.append(i)
                i += 1
            else:
                b *= before[j]
                right.append(j)
                j += 1
        _regroup(result, indices, after, before, [k for k in left if after[k] > 1], [k for k in right if before[k] > 1])
    return tuple(result)


def _regroup(
    result: list[Any],
    indices: Sequence[Any],
    after: Sequence[int],
    before: Sequence[int],
    left: Sequence[int],
    right: Sequence[int],
) -> None:
    flat: Any = 0
    for k in left:
        flat = position("+", position("*", flat, after[k]), indices[k])
    stride = 1
    for k in reversed(right):
        quotient = position("//", flat, stride)
        result[k] = quotient if k == right[0] else position("%", quotient, before[k])
        stride *= before[k]


@form("reshape", "ravel")
def _reshape(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    if param(step, "order", 2 if step.operation.name == "reshape" else 1, "C") != "C":
        raise AssertionError("in another order")
    x = step.inputs[0]
    after, before = tuple(map(int, map(plain_number, step.outputs[0].shape))), shape_of(x)
    if 0 in before:
        raise AssertionError("empty")
    return forms.element(x, regrouped(indices, after, before), scope)


def _from(forms: Forms, step: Step, indices: Indices, scope: Scope, order: Sequence[int]) -> Formula:
    """The element of an array whose axes came in another order: ``order[k]`` is where the result's axis k was."""
    place: list[Any] = [0] * len(order)
    for index, axis in zip(indices, order, strict=True):
        place[axis] = index
    return forms.element(step.inputs[0], tuple(place), scope)


@form("transpose", "permute_dims")
def _transpose(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    rank = rank_of(step.inputs[0])
    axes = param(step, "axes", 1)
    return _from(forms, step, indices, scope, range(rank)[::-1] if axes is None else axes_in(axes, rank))


@form("matrix_transpose", "linalg.matrix_transpose")
def _matrix_transpose(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    rank = rank_of(step.inputs[0])
    return _from(forms, step, indices, scope, [*range(rank - 2), rank - 1, rank - 2])


@form("swapaxes")
def _swapaxes(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    rank = rank_of(step.inputs[0])
    a, b = axes_in((param(step, "axis1", 1), param(step, "axis2", 2)), rank)
    order = list(range(rank))
    order[a], order[b] = b, a
    return _from(forms, step, indices, scope, order)


@form("moveaxis")
def _moveaxis(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    rank = rank_of(step.inputs[0])
    numbered = np.moveaxis(np.empty(range(1, rank + 1)), param(step, "source", 1), param(step, "destination", 2))
    return _from(forms, step, indices, scope, [n - 1 for n in numbered.shape])


@form("squeeze")
def _squeeze(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    shape = shape_of(step.inputs[0])
    axis = param(step, "axis", 1)
    gone = [k for k, n in enumerate(shape) if n == 1] if axis is None else axes_in(axis, len(shape))
    rest = list(indices)
    return forms.element(step.inputs[0], tuple(0 if k in gone else rest.pop(0) for k in range(len(shape))), scope)


@form("expand_dims")
def _expand_dims(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    new = axes_in(param(step, "axis", 1), len(indices))
    return forms.element(step.inputs[0], tuple(i for k, i in enumerate(indices) if k not in new), scope)


@form("broadcast_to")
def _broadcast_to(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return forms.broadcast(step.inputs[0], step.outputs[0].shape, indices, scope)


@form("flip", "fliplr", "flipud")
def _flip(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x = step.inputs[0]
    shape = shape_of(x)
    axis = {"fliplr": 1, "flipud": 0}.get(step.operation.name, param(step, "axis", 1))
    turned = axes_in(axis, len(shape))
    place = tuple(position("-", shape[k] - 1, i) if k in turned else i for k, i in enumerate(indices))
    return forms.element(x, place, scope)


@form("roll")
def _roll(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x = step.inputs[0]
    shape = shape_of(x)
    shift, axis = param(step, "shift", 1), param(step, "axis", 2)
    if axis is None and len(shape) != 1:
        raise AssertionError("flattened first")
    axes = axes_in(0 if axis is None else axis, len(shape))
    shifts = shift if isinstance(shift, tuple | list) else (shift,) * len(axes)
    place = list(indices)
    for k, s in zip(axes, shifts, strict=True):
        place[k] = position("%", position("+", place[k], int(plain_number(-s)) % shape[k]), shape[k])
    return forms.element(x, tuple(place), scope)


@form("repeat")
def _repeat(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x, *others = step.inputs
    repeats = param(step, "repeats", 1)
    if repeats is None and others:
        value = getattr(others[0], "value", None)
        repeats = value if isinstance(value, int) else None
    axis = param(step, "axis", 2)
    if not isinstance(repeats, int) or (axis is None and rank_of(x) != 1):
        raise AssertionError("not as often everywhere")
    (k,) = axes_in(0 if axis is None else axis, rank_of(x))
    place = list(indices)
    place[k] = position("//", place[k], int(plain_number(repeats)))
    return forms.element(x, tuple(place), scope)


@form("tile")
def _tile(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x = step.inputs[0]
    shape = shape_of(x)
    extra = len(indices) - len(shape)
    place = tuple(
        i if int(plain_number(step.outputs[0].shape[extra + k])) == n else position("%", i, n)
        for k, (i, n) in enumerate(zip(indices[extra:], shape, strict=True))
    )
    return forms.element(x, place, scope)


@form("diagonal", "diag")
def _diagonal(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x = step.inputs[0]
    rank = rank_of(x)
    k = int(plain_number(param(step, "k" if step.operation.name == "diag" else "offset", 1, 0)))
    if rank == 1:
        i, j = indices
        own = j if k < 0 else i
        return (
            multiply(
                compare("==", Position(j), Position(position("+", i, k) if k >= 0 else position("-", i, -k))),
                forms.element(x, (own,), scope),
            )
            if k
            else multiply(compare("==", Position(i), Position(j)), forms.element(x, (i,), scope))
        )
    axes = axes_in((param(step, "axis1", 2, 0), param(step, "axis2", 3, 1)), rank)
    rest, last = list(indices[:-1]), indices[-1]
    place: list[Any] = []
    for axis in range(rank):
        if axis == axes[0]:
            place.append(position("+", last, max(-k, 0)))
        elif axis == axes[1]:
            place.append(position("+", last, max(k, 0)))
        else:
            place.append(rest.pop(0))
    return forms.element(x, tuple(place), scope)


@form("tril", "triu")
def _triangle(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    k = int(plain_number(param(step, "k", 1, 0)))
    i, j = indices[-2:]
    limit = position("+", i, k) if k >= 0 else position("-", i, -k)
    operator = "<=" if step.operation.name == "tril" else ">="
    x = step.inputs[0]
    if rank_of(x) == 1:
        raise AssertionError("of a vector")
    return multiply(compare(operator, Position(j), Position(limit)), forms.element(x, indices, scope))


@form("lib.stride_tricks.sliding_window_view", "sliding_window_view")
def _windows(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x = step.inputs[0]
    rank = rank_of(x)
    axis = param(step, "axis", 2)
    axes = axes_in(axis, rank)
    place, offsets = list(indices[:rank]), indices[rank:]
    for k, offset in zip(axes, offsets, strict=True):
        place[k] = position("+", place[k], offset)
    return forms.element(x, tuple(place), scope)


@form("diff")
def _diff(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    if len(step.inputs) != 1 or param(step, "n", 1, 1) != 1:
        raise AssertionError("more than once, or with ends")
    x = step.inputs[0]
    (k,) = axes_in(param(step, "axis", 2, -1), rank_of(x))
    later = (*indices[:k], position("+", indices[k], 1), *indices[k + 1 :])
    return add(forms.element(x, later, scope), negate(forms.element(x, indices, scope)))


# ---- made from nothing


@form("zeros", "zeros_like")
def _zeros(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return ZERO


@form("ones", "ones_like")
def _ones(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return number(1)


@form("full", "full_like")
def _full(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    value = step.inputs[-1] if step.operation.name == "full" or len(step.inputs) > 1 else None
    if value is None:
        return forms.constant(param(step, "fill_value", 1))
    return forms.broadcast(value, step.outputs[0].shape, indices, scope)


@form("arange")
def _arange(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    values = np.asarray(forms.values[step.outputs[0].number])
    if values.dtype.kind not in "iu" or len(values) < 1:
        raise AssertionError("not of whole numbers")
    start = int(values[0])
    by = int(values[1] - values[0]) if len(values) > 1 else 1
    place = position("+", position("*", indices[0], by), start)
    return number(place) if isinstance(place, int) else Position(place)


@form("eye", "identity_matrix")
def _eye(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    k = int(plain_number(param(step, "k", 2, 0)))
    i, j = indices
    return compare("==", Position(j), Position(position("+", i, k) if k >= 0 else position("-", i, -k)))
