"""Index forms of reading and writing at an index: integers, slices, arrays of positions, masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.explain.algebra import cases, compare, number
from chainrule.explain.formula import Apply, Element, Formula, IndexExpression, Position
from chainrule.explain.formula import Index as Letter
from chainrule.explain.index_forms.reading import (
    Forms,
    Indices,
    Scope,
    array_of,
    axes_in,
    form,
    param,
    rank_of,
    shape_of,
)
from chainrule.explain.places import position
from chainrule.indexing import HOLE, Index
from chainrule.ir import Const, Step, Var
from chainrule.sizes import plain_number

__all__: list[str] = []


def _is_mask(x: Var | Const) -> bool:
    dtype = x.dtype if isinstance(x, Var) else np.asarray(x.value).dtype
    return bool(dtype.kind == "b")


class _Selection:
    """An index written out axis by axis.

    Attributes:
        axes: per axis of the array a slice, a whole number, or a place in ``positions``.
        positions: per array of positions what it gives for an index of the result, as functions.
    """

    def __init__(self, forms: Forms, step: Step, x: Var | Const, arrays: list[Var | Const], scope: Scope) -> None:
        self.forms = forms
        self.scope = scope
        self.shape = shape_of(x)
        index: Index = step.params["index"]
        self.parts: list[tuple[str, Any]] = []
        remaining = list(arrays)
        consumed = 0
        for part in index.parts:
            if part is HOLE:
                array = remaining.pop(0)
                consumed += rank_of(array) if _is_mask(array) else 1
            elif part is not None and part is not Ellipsis:
                consumed += 1
        remaining = list(arrays)
        missing = len(self.shape) - consumed
        parts = list(index.parts)
        if Ellipsis not in parts:
            parts.append(Ellipsis)
        for part in parts:
            if part is Ellipsis:
                self.parts += [("slice", slice(None))] * missing
            elif part is None:
                self.parts.append(("new", None))
            elif part is HOLE:
                array = remaining.pop(0)
                if _is_mask(array):
                    self.parts += [("mask", (array, axis)) for axis in range(rank_of(array))]
                else:
                    self.parts.append(("array", array))
            elif type(part) is slice:
                self.parts.append(("slice", part))
            else:
                self.parts.append(("number", forms.place(part)))
        self.advanced = [k for k, (kind, _) in enumerate(self.parts) if kind in ("array", "mask")]
        if any(kind == "number" for kind, _ in self.parts) and self.advanced:
            # Whole numbers are arrays of positions without axes then.
            self.advanced = [k for k, (kind, _) in enumerate(self.parts) if kind in ("array", "mask", "number")]
        shapes = [self._shape(*self.parts[k]) for k in self.advanced]
        self.block = np.broadcast_shapes(*shapes) if shapes else ()

    def _shape(self, kind: str, value: Any) -> tuple[int, ...]:
        if kind == "number":
            return ()
        if kind == "mask":
            return (int(np.count_nonzero(array_of(self.forms, value[0]))),)
        return shape_of(value)

    def place(self, indices: Indices) -> Indices:
        """Where in the array the element at these indices of the selection stands."""
        rest = list(indices)
        together = not self.advanced or self.advanced == list(range(self.advanced[0], self.advanced[-1] + 1))
        block: list[Any] = []
        if self.advanced and not together:
            block = [rest.pop(0) for _ in self.block]
        result: list[Any] = []
        axis = 0
        for k, (kind, value) in enumerate(self.parts):
            if kind == "new":
                rest.pop(0)
                continue
            if k in self.advanced and together and k == self.advanced[0]:
                block = [rest.pop(0) for _ in self.block]
            length = self.shape[axis]
            if kind == "slice":
                start, _, by = self._ends(value, length)
                result.append(
                    position("+", position("*", rest.pop(0), by), start)
                    if by > 0
                    else position("-", start, position("*", rest.pop(0), -by))
                )
            elif kind == "number":
                result.append(value % length if isinstance(value, int) else value)
            else:
                result.append(self._looked_up(kind, value, block, length))
            axis += 1
        return tuple(result)

    def _ends(self, part: slice, length: int) -> tuple[Any, Any, int]:
        turning = [e for e in (part.start, part.stop) if e is not None and not isinstance(self.forms.place(e), int)]
        if turning and part.step is not None:
            raise AssertionError("a step, and ends that turns decide")
        if turning:
            start = 0 if part.start is None else self.forms.place(part.start)
            return start, length if part.stop is None else self.forms.place(part.stop), 1
        ends = slice(*(None if e is None else int(plain_number(e)) for e in (part.start, part.stop, part.step)))
        return ends.indices(length)

    def _looked_up(self, kind: str, value: Any, block: list[Any], length: int) -> Any:
        forms = self.forms
        if kind == "mask":
            array, axis = value
            element = forms.element(array, tuple(Letter("·", n) for n in shape_of(array)), self.scope)
            if not isinstance(element, Element):
                raise AssertionError("a mask without a name")
            name = f"nonzero({element.name})" + (f"[{axis}]" if rank_of(array) > 1 else "")
            forms.lookups[name] = np.nonzero(array_of(forms, array))[axis]
            return IndexExpression("[]", (name, block[-1]))
        place = forms.stretched(value, self.block, tuple(block))
        found = forms.as_position(value, place, self.scope)
        numbers = np.asarray(array_of(forms, value))
        return position("%", found, length) if numbers.size and numbers.min() < 0 else found

    def inverse(self, indices: Indices) -> tuple[list[Formula], Indices] | None:
        """For an index without arrays: when an element is of the selection, and where in it."""
        conditions: list[Formula] = []
        result: list[Any] = []
        axis = 0
        for kind, value in self.parts:
            if kind == "new":
                result.append(0)
                continue
            i, length = indices[axis], self.shape[axis]
            if kind == "number":
                wanted = value % length if isinstance(value, int) else value
                conditions.append(compare("==", _as_number(i), _as_number(wanted)))
            elif kind == "slice":
                start, stop, by = self._ends(value, length)
                if by < 0:
                    return None
                if start != 0:
                    conditions.append(compare(">=", _as_number(i), _as_number(start)))
                if stop != length:
                    conditions.append(compare("<", _as_number(i), _as_number(stop)))
                offset = position("-", i, start)
                if by > 1:
                    conditions.append(compare("==", _as_number(position("%", offset, by)), number(0)))
                result.append(position("//", offset, by))
            else:
                return None
            axis += 1
        return conditions, tuple(result)


def _as_number(place: Any) -> Formula:
    return number(place) if isinstance(place, int) else Position(place)


@form("getitem")
def _get_item(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x, *arrays = step.inputs
    selection = _Selection(forms, step, x, arrays, scope)
    return forms.element(x, selection.place(indices), scope)


@form("setitem")
def _set_item(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x, value, *arrays = step.inputs
    kept = forms.element(x, indices, scope)
    if len(arrays) == 1 and _is_mask(arrays[0]) and shape_of(arrays[0]) == shape_of(x) and rank_of(value) == 0:
        return cases(forms.element(arrays[0], indices, scope), forms.element(value, (), scope), kept)
    found = _Selection(forms, step, x, arrays, scope).inverse(indices)
    if found is None:
        raise AssertionError("written at positions from an array")
    conditions, place = found
    shape = shape_of(value)
    extra = len(place) - len(shape)
    if extra < 0:
        raise AssertionError("more axes than there is room for")
    # A value of length 1 is written to all places.
    index: Index = step.params["index"]
    lengths = np.empty(shape_of(x), np.bool_)[index.key(())].shape
    own = tuple(0 if n == 1 != lengths[extra + k] else place[extra + k] for k, n in enumerate(shape))
    new = forms.element(value, own, scope)
    if not conditions:
        return new
    condition = conditions[0] if len(conditions) == 1 else Apply("and", tuple(conditions))
    return cases(condition, new, kept)


@form("take")
def _take(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x, *others = step.inputs
    axis = param(step, "axis", 2)
    if not others or (axis is None and rank_of(x) != 1) or step.params.get("mode", "raise") != "raise":
        raise AssertionError("flattened first")
    (k,) = axes_in(0 if axis is None else axis, rank_of(x))
    positions = others[0]
    count = rank_of(positions)
    if isinstance(positions, Const) and positions.number < 0 and np.ndim(positions.value):
        raise AssertionError("positions without a name")
    found = forms.as_position(positions, indices[k : k + count], scope)
    if np.min(array_of(forms, positions)) < 0:
        found = position("%", found, shape_of(x)[k])
    return forms.element(x, (*indices[:k], found, *indices[k + count :]), scope)


@form("sort")
def _sort(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x = step.inputs[0]
    if rank_of(x) != 1 or set(step.params) - {"axis"}:
        raise AssertionError("along an axis")
    element = forms.element(x, indices, scope)
    if not isinstance(element, Element):
        raise AssertionError("something without a name")
    name = f"argsort({element.name})"
    forms.lookups[name] = np.argsort(array_of(forms, x), kind="stable")
    return forms.element(x, (IndexExpression("[]", (name, *indices)),), scope)
