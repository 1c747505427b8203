"""Evaluates a Program on arrays, of the traced sizes or of others."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.dispatch import evaluator
from chainrule.errors import ShapeError
from chainrule.indexing import Index
from chainrule.ir import Const, Program, Step, Var
from chainrule.language import message
from chainrule.sizes import is_size, plain_number

__all__ = ["resolved", "run", "sizes_in", "value_in", "values_of"]


def resolved(x: Any, values: Mapping[int, Any]) -> Any:
    """A static argument with its sizes computed anew from the shapes of ``values``."""
    if is_size(x):
        head, *operands = x.expression
        if head in ("number", "name"):
            return operands[-1]
        if head == "length":
            return np.shape(values[operands[0]])[operands[1]]
        if head == "size":
            return int(np.prod(np.shape(values[operands[0]]), dtype=int))
        if head == "turn":
            return plain_number(x)
        if head == "value":
            return values.get(operands[0], plain_number(x))
        numbers = [resolved(e, values) for e in operands]
        if head == "int":
            return int(*numbers)
        if head.startswith("np."):
            return getattr(np, head.removeprefix("np."))(*numbers)
        function: Callable[..., Any] = getattr(operator, head)
        return function(*numbers)
    sizes = sizes_in(x)
    return x if sizes is None else sizes(values)


def run(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a program.

    Args:
        program: what to evaluate.
        inputs: one array or number per input of the program; the sizes may differ from the traced ones
            wherever the program's sizes say so.

    Raises:
        ShapeError: where the number of inputs is not the program's.
    """
    values = values_of(program, inputs)
    return [value_in(x, values) for x in program.outputs]


def values_of(program: Program, inputs: Sequence[Any]) -> dict[int, Any]:
    """The values of all variables and constant arrays of a program, by number; the arguments are those of :func:`run`.

    Raises:
        ShapeError: where the number of inputs is not the program's.
    """
    if len(inputs) != len(program.inputs):
        raise ShapeError(
            message(
                "the program {name} takes {wanted} arrays, and got {given}.",
                name=program.name,
                wanted=len(program.inputs),
                given=len(inputs),
            )
        )
    values: dict[int, Any] = {c.number: c.value for c in program.constants}
    values.update((x.number, value) for x, value in zip(program.inputs, inputs, strict=True))
    with np.errstate(all="ignore"):
        for function, operands, fixed, sized, outputs in _prepared(program):
            given = [
                values[number] if number >= 0 else constant if sizes is None else sizes(values)
                for number, constant, sizes in operands
            ]
            params = {**fixed, **{k: sizes(values) for k, sizes in sized}} if sized else fixed
            results = function(*given, **params)
            if type(outputs) is int:
                values[outputs] = results
            else:
                values.update(zip(outputs, results, strict=True))
    return values


def value_in(x: Var | Const, values: Mapping[int, Any]) -> Any:
    """What an operand is, given the values of the variables."""
    if isinstance(x, Var) or x.number >= 0:
        return values[x.number]
    return resolved(x.value, values) if is_size(x.value) else plain_number(x.value)


# ---- a program that is run many times
def _prepared(program: Program) -> list[Any]:
    """Per step of a program what is found out once: its function, operands, static arguments and results."""
    if not program.prepared:
        program.prepared.extend(map(_prepared_step, program.steps))
    return program.prepared


def _prepared_step(step: Step) -> tuple[Any, ...]:
    operands = [
        (x.number, None, None)
        if isinstance(x, Var) or x.number >= 0
        else (-1, plain_number(x.value), sizes_in(x.value))
        for x in step.inputs
    ]
    sized = [(k, sizes) for k, v in step.params.items() if (sizes := sizes_in(v)) is not None]
    names = {k for k, _ in sized}
    fixed = {k: v for k, v in step.params.items() if k not in names}
    numbers = tuple(out.number for out in step.outputs)
    return evaluator(step.operation), operands, fixed, sized, numbers if len(numbers) > 1 else numbers[0]


_Sizes = Callable[[Mapping[int, Any]], Any]


def sizes_in(x: Any) -> _Sizes | None:
    """What :func:`resolved` makes of a static argument, as a function of the values; ``None`` without a size in it."""
    if is_size(x):
        return _size(x)
    kind = type(x)
    items = x if isinstance(x, tuple | list) else (x.start, x.stop, x.step) if kind is slice else ()
    parts = _parts(x.parts if kind is Index else items)
    if parts is None:
        return None
    if kind is slice:
        return lambda values: slice(*[part(values) for part in parts])
    if kind is Index:
        return lambda values: Index(tuple([part(values) for part in parts]), x.single)
    return lambda values: kind(part(values) for part in parts)


def _parts(parts: Sequence[Any]) -> list[_Sizes] | None:
    """A function for each part, where there is a size in one of them."""
    found = [sizes_in(part) for part in parts]
    if all(sizes is None for sizes in found):
        return None
    return [_always(part) if sizes is None else sizes for part, sizes in zip(parts, found, strict=True)]


def _always(x: Any) -> _Sizes:
    return lambda values: x


def _size(x: Any) -> _Sizes:
    head, *operands = x.expression
    if head in ("add", "sub", "mul", "floordiv") and len(operands) == 2:
        function: Callable[..., Any] = getattr(operator, head)
        left, right = (_size(e) if is_size(e) else _always(e) for e in operands)
        return lambda values: function(left(values), right(values))
    if head == "length":
        number, axis = operands
        return lambda values: np.shape(values[number])[axis]
    if head == "value":
        number, plain = operands[0], plain_number(x)
        return lambda values: values.get(number, plain)
    return lambda values: resolved(x, values)
