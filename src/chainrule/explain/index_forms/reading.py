"""What a step says about one element of its result, in terms of elements of what it reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.explain.algebra import add, divide, multiply, negate, number, power, size_factor
from chainrule.explain.formula import (
    Add,
    Element,
    Formula,
    Index,
    IndexExpression,
    Multiply,
    Number,
    Position,
    Size,
)
from chainrule.explain.letters import Letters
from chainrule.explain.places import position
from chainrule.ir import Const, Step, Var
from chainrule.ir import shape_of as lengths_of
from chainrule.lengths import ONE
from chainrule.loops import loop_in
from chainrule.sizes import is_size, leaves_of, plain_number

__all__ = [
    "Forms",
    "NoIndexFormError",
    "Rule",
    "array_of",
    "axes_in",
    "form",
    "known_forms",
    "param",
    "rank_of",
    "shape_of",
]

Indices = tuple[Any, ...]
Scope = frozenset[str]
Rule = Callable[["Forms", Step, Indices, Scope], Formula]
_TABLE: dict[str, Rule] = {}


# Arithmetic with counters: of whole numbers, and of any.
_WHOLE = {"value": "", "add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%"}
_ARITHMETIC: dict[str, Callable[..., Formula]] = {
    "add": add, "sub": lambda a, b: add(a, negate(b)), "mul": multiply, "truediv": divide, "pow": power,
    "neg": negate, "pos": lambda a: a,
}  # fmt: skip


class NoIndexFormError(Exception):
    """A step says nothing about one element: it has no index form.

    Attributes:
        step: the step.
    """

    def __init__(self, step: Step) -> None:
        super().__init__(step.operation.name)
        self.step = step


def form(*names: str) -> Callable[[Rule], Rule]:
    """Give operations, by their names in the table, their index form."""

    def register(rule: Rule) -> Rule:
        _TABLE.update(dict.fromkeys(names, rule))
        return rule

    return register


def known_forms() -> frozenset[str]:
    """The names of the operations that have an index form of their own."""
    return frozenset(_TABLE)


def param(step: Step, name: str, place: int, default: Any = None) -> Any:
    """A static argument by its name, or by its place in the call."""
    return step.params.get(name, step.params.get(f"argument {place}", default))


def shape_of(x: Var | Const) -> tuple[int, ...]:
    """The shape of an operand, as plain numbers."""
    return tuple(int(plain_number(n)) for n in lengths_of(x))


def rank_of(x: Var | Const) -> int:
    """How many axes an operand has."""
    return len(shape_of(x))


def axes_in(axis: Any, rank: int) -> tuple[int, ...]:
    """The axes that ``axis=`` names, counted from the front; all of them for ``None``."""
    if axis is None:
        return tuple(range(rank))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    return tuple(int(plain_number(a)) % rank for a in given)


def array_of(forms: Forms, x: Var | Const) -> Any:
    """The value of an operand in the example."""
    return forms.values[x.number] if isinstance(x, Var) or x.number >= 0 else plain_number(x.value)


class Forms:
    """Reads statements of a program in index notation.

    Args:
        steps: the steps of the user's.
        names: the variables and arrays that are named: statements end at these.
        letters: gives out indices.
        values: the arrays of the example, by the number of their variable.
        size_text: how a number that was computed from lengths is written.
        number_text: how the user wrote a number.

    Attributes:
        lookups: arrays of positions that formulas name and nobody computed by that name.
        counters: in the body of a loop, the indices that count its turns and those of the loops around it, by the
            numbers of the variables that hold the counts.
        counter: the number of the variable that counts there.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        names: Mapping[int, str],
        letters: Letters,
        values: Mapping[int, Any],
        size_text: Callable[[Any], str],
        number_text: Callable[[Any], str],
    ) -> None:
        self.steps = {out.number: step for step in steps for out in step.outputs}
        self.names = names
        self.letters = letters
        self.values = values
        self.size_text = size_text
        self.number_text = number_text
        self.lookups: dict[str, Any] = {}
        self.counters: Mapping[int, Index] = {}

    def element(self, x: Var | Const, indices: Indices, scope: Scope) -> Formula:
        """One element of an operand: named, or what computes it."""
        if isinstance(x, Const) and x.number < 0:
            return self.constant(x.value)
        if x.number in self.names:
            return Element(self.names[x.number], indices, x.number)
        if isinstance(x, Const):
            value = np.asarray(x.value)
            if value.ndim == 0:
                return self.constant(value.item())
            raise AssertionError("an array without a name")
        return self.read(self.steps[x.number], indices, scope)

    def constant(self, value: Any) -> Formula:
        """A number of the user's source, or one computed from lengths."""
        if is_size(value) and any(map(self._counts, leaves_of(value))):
            return self._counted(value)
        if is_size(value) and value.expression[0] == "np.sqrt":
            return power(self.constant(value.expression[1]), number(0.5))
        if is_size(value) and value.expression[0] == "neg":
            return negate(self.constant(value.expression[1]))
        if is_size(value) and value.expression[0] in ("mul", "truediv") and any(map(_is_plain, value.expression[1:])):
            parts = (number(plain_number(x)) if _is_plain(x) else self.constant(x) for x in value.expression[1:])
            return _ARITHMETIC[value.expression[0]](*parts)
        if is_size(value):
            text = self.size_text(value)
            plain = plain_number(value)
            return Size(plain, text) if text else self._unnamed(value)
        if np.ndim(value):
            flat = np.asarray(value)
            if flat.size == 1:
                return number(flat.ravel()[0])
            raise AssertionError("an array as a literal")
        return number(value, self.number_text(value))

    def _unnamed(self, value: Any) -> Formula:
        """The number of elements of an array without a name: the product of its lengths, where these have letters."""
        head, *operands = value.expression
        symbols = self.letters.symbols.get(operands[0], ()) if head == "size" else ()
        lengths = [self.letters.lengths.get(s) for s in symbols if s != ONE]
        if None in lengths or not lengths or math.prod(filter(None, lengths)) != plain_number(value):
            return number(plain_number(value))
        own = [s for s in symbols if s != ONE]
        return multiply(*(size_factor(self.letters.index(s, n or 0, ())) for s, n in zip(own, lengths, strict=True)))

    def _counted(self, value: Any) -> Formula:
        """A number that the turn of a loop decides."""
        if not is_size(value) or not any(map(self._counts, leaves_of(value))):
            return self.constant(value)
        head, *operands = value.expression
        if head in _WHOLE and not any(isinstance(plain_number(x), float) for x in operands):
            return Position(self.place(value))
        return _ARITHMETIC[head](*map(self._counted, operands))

    def read(self, step: Step, indices: Indices, scope: Scope) -> Formula:
        """One element of what a step computes.

        Raises:
            NoIndexFormError: where that is said of whole arrays only.
        """
        rule = _TABLE.get(step.operation.name)
        complex_valued = any(isinstance(x, Var) and x.dtype.kind == "c" for x in (*step.inputs, *step.outputs))
        if loop_in(step) is not None or len(step.outputs) != 1 or complex_valued:
            raise NoIndexFormError(step)
        if rule is None:
            rule = _TABLE["elementwise"] if step.operation.kind == "elementwise" else None
            function = step.operation.function
            if rule is None and isinstance(function, np.ufunc) and function.signature is None:
                rule = _TABLE["elementwise"]
        if rule is None or (step.operation.name not in ("getitem", "setitem") and self._turning(step.params.values())):
            raise NoIndexFormError(step)
        try:
            return rule(self, step, indices, scope)
        except (AssertionError, IndexError, KeyError, ValueError, TypeError) as error:
            raise NoIndexFormError(step) from error

    # ---- what rules use

    def broadcast(self, x: Var | Const, out_shape: Sequence[int], indices: Indices, scope: Scope) -> Formula:
        """The element of an operand that meets an element of a result that it is broadcast to."""
        shape = shape_of(x)
        if not shape:
            return self.element(x, (), scope)
        return self.element(x, self.stretched(x, out_shape, indices), scope)

    def stretched(self, x: Var | Const, out_shape: Sequence[int], indices: Indices) -> Indices:
        """The indices of an operand under broadcasting: 0 along axes of length 1, none for axes that it lacks."""
        shape = shape_of(x)
        symbols = self.letters.symbols.get(x.number, ())
        missing = len(out_shape) - len(shape)
        result = []
        for k, length in enumerate(shape):
            one = len(symbols) == len(shape) and symbols[k] == ONE
            short = length == 1 and (one or int(plain_number(out_shape[missing + k])) != 1)
            result.append(0 if short else indices[missing + k])
        return tuple(result)

    def running(self, x: Var | Const, axis: int, scope: Collection[str]) -> Index | int:
        """An index over an axis of an operand, for a sum; 0 for an axis of length 1 by construction."""
        shape = shape_of(x)
        symbols = self.letters.symbols.get(x.number, ())
        symbol = symbols[axis] if len(symbols) == len(shape) else ("length", x.number, axis)
        if symbol == ONE:
            return 0
        return self.letters.index(symbol, shape[axis], scope)

    def fresh(self, length: int, scope: Collection[str]) -> Index:
        """An index over a length that no axis has."""
        return self.letters.index(self.letters.anonymous(), length, scope)

    def place(self, x: Any) -> Any:
        """A position in an index: a whole number, or one that the turn of a loop decides."""
        if not any(map(self._counts, leaves_of(x))):
            return int(plain_number(x))
        head, *operands = x.expression
        if head == "value":
            return self.counters[operands[0]]
        return position(_WHOLE[head], *map(self.place, operands))

    def _counts(self, leaf: Any) -> bool:
        """Whether a leaf of a size is the counter of a loop."""
        return leaf[0] == "value" and leaf[1] in self.counters

    def _turning(self, x: Any) -> bool:
        """Whether the counter of the loop decides a static argument."""
        if is_size(x):
            return any(map(self._counts, leaves_of(x)))
        return not isinstance(x, str) and isinstance(x, Iterable) and any(map(self._turning, x))

    def as_position(self, x: Var | Const, indices: Indices, scope: Scope) -> Any:
        """An element of an array of whole numbers, as a position."""
        return _position_from(self.element(x, indices, scope))


def _is_plain(x: Any) -> bool:
    """Whether a number has nothing to do with lengths."""
    return not is_size(x) or x.expression[0] == "number"


def _position_from(x: Formula) -> Any:
    if isinstance(x, Position):
        return x.index
    if isinstance(x, Number | Size):
        return int(x.value)
    if isinstance(x, Element):
        return IndexExpression("[]", (x.name, *x.indices))
    if isinstance(x, Add):
        result = _position_from(x.terms[0])
        for term in x.terms[1:]:
            negative = (
                isinstance(term, Multiply) and isinstance(term.factors[0], Number) and term.factors[0].value == -1
            )
            if negative:
                rest = term.factors[1:]  # type: ignore[attr-defined]
                result = position("-", result, _position_from(rest[0] if len(rest) == 1 else Multiply(rest)))
            elif isinstance(term, Number) and term.value < 0:
                result = position("-", result, -int(term.value))
            else:
                result = position("+", result, _position_from(term))
        return result
    if isinstance(x, Multiply):
        result = _position_from(x.factors[0])
        for factor in x.factors[1:]:
            result = position("*", result, _position_from(factor))
        return result
    raise AssertionError("no position")
