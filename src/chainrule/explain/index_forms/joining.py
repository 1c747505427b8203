"""Index forms of functions that put arrays side by side: the position says which one an element comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.explain.algebra import ZERO, add, cases, compare, multiply, number, power
from chainrule.explain.formula import Apply, Formula, Position
from chainrule.explain.index_forms.reading import Forms, Indices, Scope, axes_in, form, param, rank_of, shape_of
from chainrule.explain.places import position
from chainrule.ir import Const, Step, Var
from chainrule.sizes import plain_number

__all__: list[str] = []


def _beside(
    forms: Forms, arrays: Sequence[Var | Const], axis: int, indices: Indices, scope: Scope, ends: Sequence[int]
) -> Formula:
    """The element of arrays that are joined along an axis, the k-th from ``ends[k - 1]`` to ``ends[k]``."""
    place = indices[axis]
    starts = [0, *ends[:-1]]
    if isinstance(place, int):
        k = next(k for k, end in enumerate(ends) if place < end)
        return forms.element(arrays[k], (*indices[:axis], place - starts[k], *indices[axis + 1 :]), scope)
    result: Formula | None = None
    for x, start, end in reversed(list(zip(arrays, starts, ends, strict=True))):
        own = forms.element(x, (*indices[:axis], position("-", place, start), *indices[axis + 1 :]), scope)
        result = own if result is None else cases(compare("<", Position(place), number(end)), own, result)
    assert result is not None
    return result


@form("concatenate")
def _concatenate(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    arrays = step.inputs
    axis = param(step, "axis", 1, 0)
    if axis is None:
        raise AssertionError("flattened first")
    (k,) = axes_in(axis, rank_of(arrays[0]))
    return _beside(forms, arrays, k, indices, scope, _ends(arrays, k))


def _ends(arrays: Sequence[Var | Const], axis: int) -> list[int]:
    return [int(n) for n in np.cumsum([shape_of(x)[axis] for x in arrays])]


@form("hstack")
def _hstack(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    rank = max(1, rank_of(step.inputs[0]))
    if any(rank_of(x) == 0 for x in step.inputs):
        raise AssertionError("of numbers")
    axis = 0 if rank == 1 else 1
    return _beside(forms, step.inputs, axis, indices, scope, _ends(step.inputs, axis))


@form("vstack")
def _vstack(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    if all(rank_of(x) == 1 for x in step.inputs):
        return _stacked(forms, step.inputs, 0, indices, scope)
    if any(rank_of(x) < 2 for x in step.inputs):
        raise AssertionError("of other ranks")
    return _beside(forms, step.inputs, 0, indices, scope, _ends(step.inputs, 0))


@form("column_stack")
def _column_stack(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    if all(rank_of(x) == 1 for x in step.inputs):
        return _stacked(forms, step.inputs, 1, indices, scope)
    if any(rank_of(x) < 2 for x in step.inputs):
        raise AssertionError("of other ranks")
    return _beside(forms, step.inputs, 1, indices, scope, _ends(step.inputs, 1))


@form("stack")
def _stack(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    (k,) = axes_in(param(step, "axis", 1, 0), len(indices))
    return _stacked(forms, step.inputs, k, indices, scope)


def _stacked(forms: Forms, arrays: Sequence[Var | Const], axis: int, indices: Indices, scope: Scope) -> Formula:
    place = indices[axis]
    rest = (*indices[:axis], *indices[axis + 1 :])
    if isinstance(place, int):
        return forms.element(arrays[place], rest, scope)
    result = forms.element(arrays[-1], rest, scope)
    for k in range(len(arrays) - 2, -1, -1):
        result = cases(compare("==", Position(place), number(k)), forms.element(arrays[k], rest, scope), result)
    return result


@form("pad")
def _pad(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x = step.inputs[0]
    shape = shape_of(x)
    if param(step, "mode", 2, "constant") != "constant" or len(step.inputs) > 1 or "constant_values" in step.params:
        raise AssertionError("padded with other numbers than 0")
    widths = np.broadcast_to(_plain(param(step, "pad_width", 1)), (len(shape), 2))
    conditions: list[Formula] = []
    place: list[Any] = []
    for i, n, (before, after) in zip(indices, shape, widths.tolist(), strict=True):
        own = position("-", i, before)
        number_of = number(i) if isinstance(i, int) else Position(i)
        if before:
            conditions.append(compare(">=", number_of, number(before)))
        if after:
            conditions.append(compare("<", number_of, number(before + n)))
        place.append(own)
    own_element = forms.element(x, tuple(place), scope)
    if not conditions:
        return own_element
    condition = conditions[0] if len(conditions) == 1 else Apply("and", tuple(conditions))
    return cases(condition, own_element, ZERO)


def _plain(x: Any) -> Any:
    return type(x)(_plain(e) for e in x) if isinstance(x, tuple | list) else plain_number(x)


@form("polyval")
def _polyval(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    p, x = step.inputs
    degree = shape_of(p)[0] - 1
    if rank_of(p) != 1:
        raise AssertionError("several polynomials")
    own = forms.broadcast(x, step.outputs[0].shape, indices, scope)
    terms = [multiply(forms.element(p, (k,), scope), power(own, number(degree - k))) for k in range(degree + 1)]
    return add(*terms)
