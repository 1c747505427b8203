"""Formulas evaluated by brute force: every index takes every value that it can take, all at once.

This is what derivations are proved with: what a formula says is computed and compared with what the program computed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.explain.formula import (
    Add,
    Apply,
    Cases,
    Compare,
    Delta,
    Element,
    Formula,
    Index,
    IndexExpression,
    Multiply,
    Number,
    Partial,
    Position,
    Power,
    Size,
    Sum,
)

__all__ = ["evaluated"]

_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    ">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "==": lambda a, b: _equal(a, b),
    "!=": lambda a, b: np.logical_not(_equal(a, b)),
}  # fmt: skip


def _equal(a: Any, b: Any) -> Any:
    """Whether numbers are equal; up to rounding, because a formula adds up in another order than the program."""
    return np.isclose(a, b, rtol=1e-11, atol=0)


_NAMED: dict[str, Callable[..., Any]] = {
    "max": np.maximum,
    "min": np.minimum,
    "abs": np.abs,
    "and": lambda *xs: np.logical_and.reduce(np.broadcast_arrays(*xs)),
    "or": lambda *xs: np.logical_or.reduce(np.broadcast_arrays(*xs)),
    "not": np.logical_not,
    "clip": np.clip,
}
_MOST = 50_000_000  # numbers in an intermediate array


def evaluated(
    formula: Formula,
    free: Sequence[Index],
    values: Mapping[str, Any],
    partials: Callable[[Element, Element], tuple[Formula, Mapping[str, Any]] | Any] | None = None,
    fixed: Mapping[str, int] | None = None,
) -> Any:
    """The array that a formula describes, with an axis for each of its free indices.

    Args:
        formula: what to evaluate.
        free: the indices that the axes of the result stand for.
        values: the arrays that are named, and those in which positions are looked up.
        partials: gives for a named derivative the array of derivatives by the elements of its lower variable, or a
            formula that takes its place.
        fixed: values of indices that nothing runs over: that of a loop.

    Raises:
        ChainruleError: where something has no value.
    """
    evaluation = _Evaluation(values, partials)
    axes: dict[str, Any] = dict(fixed or {})
    for k, index in enumerate(free):
        axes[index.name] = evaluation.axis(len(free) - 1 - k, index.length)
    evaluation.depth = len(free)
    with np.errstate(all="ignore"):
        result = np.asarray(evaluation.formula(formula, axes))
    shape = tuple(i.length for i in free)
    # The axes that sums ran over are left with a length of 1 each, in front.
    result = result.reshape(result.shape[result.ndim - len(shape) :]) if result.ndim > len(shape) else result
    return np.broadcast_to(result, shape)


class _Evaluation:
    """One run.  Axis k of the free indices is the k-th from the right; those of sums come further left."""

    def __init__(self, values: Mapping[str, Any], partials: Any) -> None:
        self.values = values
        self.partials = partials
        self.depth = 0

    def axis(self, k: int, length: int) -> Any:
        return np.arange(length).reshape((length,) + (1,) * k)

    def position(self, x: Any, axes: Mapping[str, Any]) -> Any:
        if isinstance(x, Index):
            if x.name not in axes:
                raise ChainruleError(f"the index {x.name} is used where nothing runs over it.")
            return axes[x.name]
        if isinstance(x, IndexExpression):
            if x.operator == "[]":
                name, *places = x.parts
                return self.looked_up(self.value(name), [self.position(p, axes) for p in places])
            a, b = (self.position(p, axes) for p in x.parts)
            return {"+": np.add, "-": np.subtract, "*": np.multiply, "//": np.floor_divide, "%": np.remainder}[
                x.operator
            ](a, b)
        return x

    def value(self, name: str) -> Any:
        if name not in self.values:
            raise ChainruleError(f"the formula names {name}, of which there is no value.")
        return np.asarray(self.values[name])

    def looked_up(self, array: Any, places: Sequence[Any]) -> Any:
        """The elements at these places; NaN where there is none, which a condition has to hide."""
        if len(places) != array.ndim:
            raise ChainruleError(f"an array with {array.ndim} axes has {len(places)} indices.")
        if not places:
            return array[()]
        if array.size == 0:
            nothing = np.nan if array.dtype.kind in "fc" else 0
            return np.full(np.broadcast_shapes(*map(np.shape, places)), nothing)
        outside: Any = False
        inside = []
        for place, length in zip(places, array.shape, strict=True):
            place = np.asarray(place)
            if place.size and (place.min() < 0 or place.max() >= length):
                outside = outside | (place < 0) | (place >= length)
            inside.append(np.clip(place, 0, length - 1))
        found = array[tuple(inside)]
        return found if outside is False else np.where(outside, np.nan if found.dtype.kind in "fc" else 0, found)

    def formula(self, x: Formula, axes: Mapping[str, Any]) -> Any:
        if isinstance(x, Number | Size):
            return x.value
        if isinstance(x, Element):
            array = self.value(x.name)
            array = array.T if x.transposed else array
            return self.looked_up(array, [self.position(i, axes) for i in x.indices])
        if isinstance(x, Position):
            return self.position(x.index, axes)
        if isinstance(x, Delta):
            return np.equal(self.position(x.left, axes), self.position(x.right, axes))
        if isinstance(x, Compare):
            return _COMPARED[x.operator](self.formula(x.left, axes), self.formula(x.right, axes))
        if isinstance(x, Cases):
            condition = np.asarray(self.formula(x.condition, axes)).astype(bool)
            return np.where(condition, self.formula(x.then, axes), self.formula(x.otherwise, axes))
        if isinstance(x, Add):
            total = self.formula(x.terms[0], axes) * 1
            for term in x.terms[1:]:
                total = total + self.formula(term, axes) * 1
            return total
        if isinstance(x, Multiply):
            return self.product(x, axes)
        if isinstance(x, Power):
            base, exponent = self.formula(x.base, axes), self.formula(x.exponent, axes)
            if isinstance(exponent, int) and exponent < 0:
                return 1.0 / np.power(np.asarray(base) * 1.0, -exponent)
            return np.power(np.asarray(base) * 1.0, exponent)
        if isinstance(x, Apply):
            return function_named(x.function)(*(self.formula(a, axes) for a in x.arguments))
        if isinstance(x, Sum):
            return self.reduction(x, axes)
        if isinstance(x, Partial):
            return self.partial(x, axes)
        raise ChainruleError(f"{type(x).__name__} cannot be evaluated.")

    def product(self, x: Multiply, axes: Mapping[str, Any]) -> Any:
        """A product in which masks decide, whatever stands beside them."""
        masks: list[Any] = []
        others: list[Any] = []
        for factor in x.factors:
            mask = isinstance(factor, Compare | Delta) or (
                isinstance(factor, Apply) and factor.function in ("and", "or", "not")
            )
            (masks if mask else others).append(self.formula(factor, axes))
        result: Any = 1
        for other in others:
            result = result * (other * 1)
        if masks:
            held = masks[0]
            for mask in masks[1:]:
                held = np.logical_and(held, mask)
            result = np.where(held, result, 0)
        return result

    def reduction(self, x: Sum, axes: Mapping[str, Any]) -> Any:
        inner = dict(axes)
        places = []
        start = self.depth
        for index in x.over:
            places.append(self.depth)
            inner[index.name] = self.axis(self.depth, index.length)
            self.depth += 1
        body = np.asarray(self.formula(x.body, inner))
        self.depth = start
        if body.size > _MOST:
            raise ChainruleError(f"a sum over {body.size} numbers is too long to be written out.")
        if body.dtype == bool:
            body = body * 1
        for place, index in zip(places, x.over, strict=True):
            k = body.ndim - 1 - place
            if k < 0 or (body.shape[k] == 1 and index.length != 1):
                repeated = {"sum": body * index.length, "prod": body**index.length}
                body = repeated.get(x.kind, body)
        live = tuple(body.ndim - 1 - p for p in places if body.ndim - 1 - p >= 0)
        function: Any = {"sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod}[x.kind]
        result = function(body, axis=live, keepdims=True) if live else body
        while result.ndim > start and result.shape[0] == 1:
            result = result[0]
        return result

    def partial(self, x: Partial, axes: Mapping[str, Any]) -> Any:
        if self.partials is None:
            raise ChainruleError("a named derivative has no value here.")
        found = self.partials(x.of, x.by)
        if isinstance(found, tuple):
            formula, given = found
            inner = {name: self.position(place, axes) for name, place in given.items()}
            return self.formula(formula, {**axes, **inner})
        places = [self.position(i, axes) for i in (*x.of.indices, *x.by.indices)]
        array = np.asarray(found)
        return self.looked_up(array, places[len(places) - array.ndim :])


def function_named(name: str) -> Callable[..., Any]:
    """The function of a formula.

    Raises:
        ChainruleError: where there is none of that name.
    """
    if name in _NAMED:
        return _NAMED[name]
    if "special." in name and "scipy.special" in sys.modules:
        found = getattr(importlib.import_module("scipy.special"), name.rpartition(".")[2], None)
    else:
        found = getattr(np, name, None)
    if found is None:
        raise ChainruleError(f"the formula applies {name}, which is no function that chainrule knows.")
    function: Callable[..., Any] = found
    return function
