"""Formulas written out as on paper: every term of every sum, for each element, and the same with its numbers.

:func:`write_out` takes an equation such as ``∂L/∂X[i,k] = Σⱼ ∂L/∂Y[i,j]·W[k,j]`` and gives, element by element,

    ∂L/∂X[0,0] = ∂L/∂Y[0,0]·W[0,0] + ∂L/∂Y[0,1]·W[0,1]
               = 1·0.5 + 2·(-0.25) = 0

All four weights of a product of a 1×2 and a 2×2 matrix are four such rows.  Long sums are cut, and say how many terms
are left out; so are long lists of elements.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.explain.algebra import children
from chainrule.explain.formula import (
    Add,
    Apply,
    Cases,
    Compare,
    Delta,
    Element,
    Equation,
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
from chainrule.explain.notation import text
from chainrule.explain.why.labels import number_text

__all__ = ["Written", "WrittenOut", "write_out"]

_MOST_ROWS, _MOST_TERMS = 6, 8
_LARGEST = 4096  # elements of an array that is written out at all
_COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_WHOLE: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """One element, written out.

    Attributes:
        names: the equation with every term.
        numbers: the same sides with numbers in the place of elements, and the element's own number last; ``None``
            where a number is not known.
        left_out: how many terms are left out; ``…`` stands for them in both.
    """

    names: Equation
    numbers: Equation | None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class WrittenOut:
    """An equation for each element of its left side.

    Attributes:
        rows: the elements that are written out.
        left_out: how many elements are not.
    """

    rows: tuple[Written, ...]
    left_out: int = 0


def write_out(
    equation: Equation,
    values: Mapping[str, Any],
    gradients: Mapping[str, Any] | None = None,
    *,
    most_rows: int = _MOST_ROWS,
    most_terms: int = _MOST_TERMS,
) -> WrittenOut | None:
    """An equation written out for each element of its left side.

    Args:
        equation: between an element, or the derivative by one, and formulas; the last that is not of transposed
            matrices is written out.
        values: the arrays that it names.
        gradients: the gradients of the result, by the name of the array.
        most_rows: how many elements are written out.
        most_terms: how many terms of a sum are.

    Returns:
        The rows; nothing where the equation has no side that can be written out.
    """
    sides = [side for side in equation.right if not _transposed(side)]
    if not sides:
        return None
    free = _free(equation.left)
    total = math.prod(i.length for i in free)
    if total > _LARGEST or not total:
        return None
    writer = _Writer(values, gradients or {}, most_terms)
    places = itertools.islice(itertools.product(*(range(i.length) for i in free)), most_rows)
    rows = [
        writer.row(equation.left, sides[-1], {i.name: k for i, k in zip(free, place, strict=True)}) for place in places
    ]
    return WrittenOut(tuple(rows), total - len(rows))


def _transposed(x: Formula) -> bool:
    return (isinstance(x, Element) and x.transposed) or any(map(_transposed, children(x)))


def _free(left: Formula) -> list[Index]:
    """The indices of the left side."""
    elements = [left.by, left.of] if isinstance(left, Partial) else [left]
    found = [i for e in elements if isinstance(e, Element) for i in e.indices if isinstance(i, Index)]
    return list({i.name: i for i in found}.values())


class _UnknownNumberError(Exception):
    """A number that is not known."""


class _Writer:
    def __init__(self, values: Mapping[str, Any], gradients: Mapping[str, Any], most: int) -> None:
        self.values, self.gradients, self.most = values, gradients, most
        self.left_out = 0

    def row(self, left: Formula, right: Formula, at: Mapping[str, int]) -> Written:
        """The equation at one place."""
        self.left_out = 0
        names = Equation(self.at(left, at), (self.at(right, at),))
        left_out = self.left_out
        exact, computed = self.known(names.left, {}), self.known(right, at)
        if exact is None:
            exact = computed
        # Where both are known they are the same, or a name does not mean what it seems to.
        if exact is None or (
            computed is not None and not np.isclose(exact, computed, rtol=1e-4, atol=1e-6, equal_nan=True)
        ):
            return Written(names, None, left_out)
        try:
            given = self.substituted(names.right[0])
        except _UnknownNumberError:
            return Written(names, None, left_out)
        # A single element is its own number, and what prints as the number needs not be said twice.
        sides = (_number(exact),) if text(given) == number_text(exact) else (given, _number(exact))
        numbers = Equation(names.left, sides)
        return Written(names, numbers, left_out)

    def known(self, x: Formula, at: Mapping[str, int]) -> Any:
        """What a formula is; nothing where that is not known."""
        try:
            return self.number(x, at)
        except _UnknownNumberError:
            return None

    # ---- names
    def at(self, x: Formula, at: Mapping[str, int]) -> Formula:
        """A formula at one place, with its sums written out, and without what is 0 or 1 there by its form."""
        if isinstance(x, Sum):
            return self.summed(x, at)
        if isinstance(x, Element):
            return replace(x, indices=tuple(self.position(i, at) for i in x.indices))
        if isinstance(x, Position):
            place = self.position(x.index, at)
            return Number(place) if isinstance(place, int) else Position(place)
        if isinstance(x, Delta):
            left_place, right_place = self.position(x.left, at), self.position(x.right, at)
            if isinstance(left_place, int) and isinstance(right_place, int):
                return Number(int(left_place == right_place))
            return Delta(left_place, right_place)
        if isinstance(x, Add):
            terms = [t for t in (self.at(t, at) for t in x.terms) if not _is(t, 0)]
            return Add(tuple(terms)) if len(terms) > 1 else (terms[0] if terms else Number(0))
        if isinstance(x, Multiply):
            factors = [self.at(f, at) for f in x.factors]
            if any(_is(f, 0) for f in factors):
                return Number(0)
            rest = [f for f in factors if not _is(f, 1)]
            return Multiply(tuple(rest)) if len(rest) > 1 else (rest[0] if rest else Number(1))
        if isinstance(x, Compare):
            left, right = self.at(x.left, at), self.at(x.right, at)
            if isinstance(left, Number | Size) and isinstance(right, Number | Size) and _whole(left) and _whole(right):
                return Number(int(_COMPARED[x.operator](left.value, right.value)))
            return Compare(x.operator, left, right)
        if isinstance(x, Cases):
            condition = self.at(x.condition, at)
            if isinstance(condition, Number):
                return self.at(x.then if condition.value else x.otherwise, at)
            return Cases(condition, self.at(x.then, at), self.at(x.otherwise, at))
        return self.rebuilt(x, lambda part: self.at(part, at))

    def rebuilt(self, x: Formula, change: Callable[[Formula], Formula]) -> Formula:
        """A formula with its parts changed."""
        if isinstance(x, Power):
            return Power(change(x.base), change(x.exponent))
        if isinstance(x, Apply):
            arguments = tuple(change(a) for a in x.arguments)
            decided = all(isinstance(a, Number) and a.value in (0, 1) for a in arguments)
            if decided and x.function in ("and", "or", "not"):
                truths = [bool(a.value) for a in arguments if isinstance(a, Number)]
                return Number(int({"and": all(truths), "or": any(truths), "not": not truths[0]}[x.function]))
            return Apply(x.function, arguments)
        if isinstance(x, Partial):
            of, by = change(x.of), change(x.by)
            assert isinstance(of, Element)
            assert isinstance(by, Element)
            return Partial(of, by)
        return x

    def summed(self, x: Sum, at: Mapping[str, int]) -> Formula:
        """A sum with its terms written out, as far as there is room."""
        places = itertools.product(*(range(i.length) for i in x.over))
        terms: list[Formula] = []
        more = 0
        for place in places:
            if len(terms) > self.most and more > _LARGEST:
                break
            inner = {**at, **{i.name: k for i, k in zip(x.over, place, strict=True)}}
            term = self.at(x.body, inner)
            if x.kind == "sum" and _is(term, 0):
                continue
            if len(terms) < self.most:
                terms.append(term)
            else:
                more += 1
        if more:
            self.left_out += more
            # What is left out has a place, kept by the number that changes nothing.
            terms.append(Number(0.0 if x.kind == "sum" else 1.0, "…"))
        if x.kind in ("max", "min"):
            return Apply(x.kind, tuple(terms)) if len(terms) > 1 else terms[0]
        if x.kind == "prod":
            return Multiply(tuple(terms)) if len(terms) > 1 else terms[0]
        return Add(tuple(terms)) if len(terms) > 1 else (terms[0] if terms else Number(0))

    def position(self, x: Any, at: Mapping[str, int]) -> Any:
        """A position as a whole number, where all of it is known."""
        if isinstance(x, Index):
            return at.get(x.name, x)
        if isinstance(x, IndexExpression):
            if x.operator == "[]":
                name, *inner = x.parts
                places = [self.position(p, at) for p in inner]
                if name in self.values and all(isinstance(p, int) for p in places):
                    return int(np.asarray(self.values[name])[tuple(places)])
                return IndexExpression("[]", (name, *places))
            parts = tuple(self.position(p, at) for p in x.parts)
            if all(isinstance(p, int) for p in parts):
                return int(_WHOLE[x.operator](*parts))
            return IndexExpression(x.operator, parts)
        return x

    # ---- numbers
    def substituted(self, x: Formula) -> Formula:
        """A formula that is written out, with numbers in the place of elements."""
        if isinstance(x, Element | Partial):
            return _number(self.number(x, {}))
        if isinstance(x, Compare | Delta):
            return _number(self.number(x, {}))
        if isinstance(x, Size):
            return Number(x.value)
        if isinstance(x, Add):
            return Add(tuple(map(self.substituted, x.terms)))
        if isinstance(x, Multiply):
            return Multiply(tuple(map(self.substituted, x.factors)))
        if isinstance(x, Cases):
            return self.substituted(x.then if self.number(x.condition, {}) else x.otherwise)
        return self.rebuilt(x, self.substituted)

    def number(self, x: Formula, at: Mapping[str, int]) -> Any:
        """What a formula is at one place."""
        if isinstance(x, Number | Size):
            return x.value
        if isinstance(x, Element):
            array = self.values.get(x.name)
            if array is None:
                raise _UnknownNumberError(x.name)
            return _element(np.asarray(array).T if x.transposed else array, [self.position(i, at) for i in x.indices])
        if isinstance(x, Partial):
            if x.of == x.by:
                return 1.0
            array = self.gradients.get(x.by.name)
            if array is None or (x.of.indices and x.of.name in self.gradients):
                raise _UnknownNumberError(x.by.name)
            return _element(array, [self.position(i, at) for i in x.by.indices])
        if isinstance(x, Position):
            return _certain(self.position(x.index, at))
        if isinstance(x, Delta):
            return int(_certain(self.position(x.left, at)) == _certain(self.position(x.right, at)))
        return self.combined(x, at)

    def combined(self, x: Formula, at: Mapping[str, int]) -> Any:
        """What a formula of several parts is."""
        with np.errstate(all="ignore"):
            if isinstance(x, Compare):
                return int(_COMPARED[x.operator](self.number(x.left, at), self.number(x.right, at)))
            if isinstance(x, Cases):
                return self.number(x.then if self.number(x.condition, at) else x.otherwise, at)
            if isinstance(x, Add):
                return sum(self.number(t, at) for t in x.terms)
            if isinstance(x, Multiply):
                # A mask that is 0 decides, whatever stands beside it.
                factors = sorted(x.factors, key=lambda f: not isinstance(f, Compare | Delta))
                product: Any = 1
                for factor in factors:
                    if product == 0 and isinstance(factors[0], Compare | Delta):
                        return 0
                    product = product * self.number(factor, at)
                return product
            if isinstance(x, Power):
                return np.power(np.float64(self.number(x.base, at)), self.number(x.exponent, at))
            if isinstance(x, Sum):
                return self.reduced(x, at)
            if isinstance(x, Apply):
                numbers = [self.number(a, at) for a in x.arguments]
                if x.function in ("max", "min"):
                    return np.max(numbers) if x.function == "max" else np.min(numbers)
                function = getattr(np, x.function, None)
                if function is not None:
                    return function(*numbers)
        raise _UnknownNumberError(type(x).__name__)

    def reduced(self, x: Sum, at: Mapping[str, int]) -> Any:
        """What a sum is, term by term."""
        if math.prod(i.length for i in x.over) > _LARGEST:
            raise _UnknownNumberError("a long sum")
        places: Sequence[Any] = list(itertools.product(*(range(i.length) for i in x.over)))
        terms = [self.number(x.body, {**at, **{i.name: k for i, k in zip(x.over, p, strict=True)}}) for p in places]
        reductions: dict[str, Callable[[list[Any]], Any]] = {"sum": sum, "max": max, "min": min, "prod": math.prod}
        return reductions[x.kind](terms)


def _element(array: Any, places: Sequence[Any]) -> Any:
    array = np.asarray(array)
    if len(places) != array.ndim or not all(isinstance(p, int) for p in places):
        raise _UnknownNumberError("an element")
    if any(not -n <= p < n for p, n in zip(places, array.shape, strict=True)):
        raise _UnknownNumberError("an element")
    return array[tuple(places)]


def _certain(place: Any) -> int:
    if not isinstance(place, int):
        raise _UnknownNumberError("a position")
    return place


def _number(x: Any) -> Number:
    return Number(x, number_text(x))


def _is(x: Formula, value: int) -> bool:
    return isinstance(x, Number) and x.text != "…" and x.value == value


def _whole(x: Number | Size) -> bool:
    return isinstance(x.value, int)
