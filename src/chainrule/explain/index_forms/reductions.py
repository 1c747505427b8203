"""Index forms of reductions: sums, means, extrema and products over axes, and their cumulative forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.explain.algebra import (
    ONE,
    add,
    cases,
    compare,
    divide,
    multiply,
    negate,
    number,
    power,
    size_factor,
    summed,
)
from chainrule.explain.formula import Apply, Formula, Index, Position, Sum
from chainrule.explain.index_forms.reading import Forms, Indices, Scope, axes_in, form, param, rank_of, shape_of
from chainrule.explain.places import position
from chainrule.ir import Const, Step
from chainrule.sizes import plain_number

__all__: list[str] = []


class _Reduced:
    """The running indices of a reduction of the first operand, and the element that they meet."""

    def __init__(self, forms: Forms, step: Step, indices: Indices, scope: Scope, axis: Any, keepdims: bool) -> None:
        self.forms = forms
        self.x = step.inputs[0]
        self.scope = scope
        rank = rank_of(self.x)
        self.axes = axes_in(axis, rank)
        rest = list(indices)
        if keepdims:
            rest = [i for k, i in enumerate(indices) if k not in self.axes]
        self.kept = rest
        self.rank = rank

    def run(self, used: Scope) -> tuple[tuple[Index, ...], tuple[Any, ...], Scope]:
        """Running indices, the place of an element and the letters in use."""
        kept, over, place = list(self.kept), [], []
        for k in range(self.rank):
            if k in self.axes:
                index = self.forms.running(self.x, k, used)
                if isinstance(index, Index):
                    over.append(index)
                    used = used | {index.name}
                place.append(index)
            else:
                place.append(kept.pop(0))
        return tuple(over), tuple(place), used

    def reduce(self, make: Callable[[Formula, Scope], Formula], kind: str = "sum") -> Formula:
        """The reduction of what is made of each element."""
        over, place, used = self.run(self.scope)
        body = make(self.forms.element(self.x, place, used), used)
        return summed(over, body, kind)

    def count(self) -> Formula:
        """How many elements go into one."""
        over, _, _ = self.run(self.scope)
        return multiply(*(size_factor(i) for i in over)) if over else ONE


def _reduced(forms: Forms, step: Step, indices: Indices, scope: Scope, keys: tuple[str, ...] = ()) -> _Reduced:
    allowed = {"axis", "keepdims", "dtype", "argument 1", *keys}
    if len(step.inputs) != 1 or not set(step.params) <= allowed:
        raise AssertionError("an argument that changes the reduction")
    return _Reduced(forms, step, indices, scope, param(step, "axis", 1), bool(step.params.get("keepdims", False)))


@form("sum")
def _sum(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return _reduced(forms, step, indices, scope).reduce(lambda x, _: x)


@form("mean")
def _mean(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    found = _reduced(forms, step, indices, scope)
    return multiply(power(found.count(), number(-1)), found.reduce(lambda x, _: x))


@form("max", "amax")
def _max(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return _reduced(forms, step, indices, scope).reduce(lambda x, _: x, "max")


@form("min", "amin")
def _min(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return _reduced(forms, step, indices, scope).reduce(lambda x, _: x, "min")


@form("prod")
def _prod(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return _reduced(forms, step, indices, scope).reduce(lambda x, _: x, "prod")


def _logical(kind: str) -> Callable[[Forms, Step, Indices, Scope], Formula]:
    def rule(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
        if getattr(step.inputs[0], "dtype", np.dtype(bool)).kind != "b":
            raise AssertionError("not of truth values")
        return _reduced(forms, step, indices, scope).reduce(lambda x, _: x, kind)

    return rule


form("any")(_logical("max"))
form("all")(_logical("min"))


def _variance(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    found = _reduced(forms, step, indices, scope, ("ddof", "correction"))
    over, place, used = found.run(scope)
    again, inner, deeper = found.run(used)
    mean = multiply(power(found.count(), number(-1)), summed(again, forms.element(found.x, inner, deeper)))
    squared = power(add(forms.element(found.x, place, used), negate(mean)), number(2))
    freedom = step.params.get("correction") or step.params.get("ddof") or 0
    count = found.count() if not freedom else add(found.count(), number(-plain_number(freedom)))
    return multiply(power(count, number(-1)), summed(over, squared))


@form("var")
def _var(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return _variance(forms, step, indices, scope)


@form("std")
def _std(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return Apply("sqrt", (_variance(forms, step, indices, scope),))


@form("linalg.norm", "linalg.vector_norm")
def _norm(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    order = param(step, "ord", 1) if step.operation.name == "linalg.norm" else step.params.get("ord", 2)
    axis = param(step, "axis", 2)
    rank = rank_of(step.inputs[0])
    vectors = rank == 1 or isinstance(axis, int) or (axis is None and order is None)
    if len(step.inputs) != 1 or order not in (None, 2, 1, "fro") or not (vectors or order == "fro"):
        raise AssertionError("another norm")
    found = _Reduced(forms, step, indices, scope, axis, bool(step.params.get("keepdims", False)))
    if order == 1:
        return found.reduce(lambda x, _: Apply("abs", (x,)))
    return Apply("sqrt", (found.reduce(lambda x, _: power(x, number(2))),))


@form("logsumexp", "special.logsumexp", "scipy.special.logsumexp")
def _logsumexp(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    found = _reduced(forms, step, indices, scope)
    return Apply("log", (found.reduce(lambda x, _: Apply("exp", (x,))),))


@form("special.softmax", "scipy.special.softmax", "special.log_softmax", "scipy.special.log_softmax")
def _softmax(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x = step.inputs[0]
    axes = axes_in(param(step, "axis", 1), rank_of(x))
    over, place, used = [], list(indices), scope
    for k in axes:
        index = forms.running(x, k, used)
        if isinstance(index, Index):
            over.append(index)
            used = used | {index.name}
        place[k] = index
    own = forms.element(x, indices, scope)
    total = summed(tuple(over), Apply("exp", (forms.element(x, tuple(place), used),)))
    if step.operation.name.endswith("log_softmax"):
        return add(own, negate(Apply("log", (total,))))
    return divide(Apply("exp", (own,)), total)


def _cumulative(forms: Forms, step: Step, indices: Indices, scope: Scope, kind: str) -> Formula:
    x = step.inputs[0]
    rank = rank_of(x)
    axis = param(step, "axis", 1)
    if axis is None and rank != 1:
        raise AssertionError("flattened first")
    (k,) = axes_in(0 if axis is None else axis, rank)
    index = forms.running(x, k, scope)
    if not isinstance(index, Index):
        return forms.element(x, indices, scope)
    used = scope | {index.name}
    place = (*indices[:k], index, *indices[k + 1 :])
    before = compare("<=", Position(index), Position(indices[k]))
    body = forms.element(x, place, used)
    if kind == "sum":
        return summed((index,), multiply(before, body))
    return Sum((index,), cases(before, body, ONE), "prod")


@form("cumsum")
def _cumsum(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return _cumulative(forms, step, indices, scope, "sum")


@form("cumprod")
def _cumprod(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    return _cumulative(forms, step, indices, scope, "prod")


@form("trace")
def _trace(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    x = step.inputs[0]
    if set(step.params) - {"dtype"} or rank_of(x) != 2:
        raise AssertionError("another diagonal")
    shape = shape_of(x)
    index = forms.running(x, 0 if shape[0] <= shape[1] else 1, scope)
    if not isinstance(index, Index):
        return forms.element(x, (0, 0), scope)
    return summed((index,), forms.element(x, (index, index), scope | {index.name}))


@form("trapezoid")
def _trapezoid(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    y, *others = step.inputs
    rank = rank_of(y)
    if rank != 1:
        raise AssertionError("along an axis")
    names = [n for n in step.operation.operands if n != "y"]
    given: dict[str, Any] = {
        n: x for n, x in zip(names, others, strict=False) if not (isinstance(x, Const) and x.value is None)
    }
    index = forms.fresh(shape_of(y)[0] - 1, scope)
    used = scope | {index.name}
    later = position("+", index, 1)
    pair = add(forms.element(y, (later,), used), forms.element(y, (index,), used))
    width: Formula = number(plain_number(step.params["dx"])) if "dx" in step.params else ONE
    if "dx" in given:
        width = forms.element(given["dx"], (), used)
    if "x" in given:
        x = given["x"]
        width = add(forms.element(x, (later,), used), negate(forms.element(x, (index,), used)))
    return summed((index,), divide(multiply(width, pair), number(2)))
