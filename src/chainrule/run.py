"""Evaluates a Program on arrays, of the traced sizes or of others."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.dispatch import evaluator
from chainrule.errors import ShapeError
from chainrule.indexing import Index
from chainrule.ir import Const, Program, Var
from chainrule.sizes import is_size, plain_number

__all__ = ["resolved", "run", "values_of"]


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
    if isinstance(x, tuple | list):
        return type(x)(resolved(e, values) for e in x)
    if type(x) is slice:
        return slice(*(resolved(e, values) for e in (x.start, x.stop, x.step)))
    if type(x) is Index:
        return Index(tuple(resolved(p, values) for p in x.parts), x.single)
    return x


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
    return [_operand(x, values) for x in program.outputs]


def values_of(program: Program, inputs: Sequence[Any]) -> dict[int, Any]:
    """The values of all variables and constant arrays of a program, by number; the arguments are those of :func:`run`.

    Raises:
        ShapeError: where the number of inputs is not the program's.
    """
    if len(inputs) != len(program.inputs):
        raise ShapeError(f"the program {program.name} takes {len(program.inputs)} arrays, and got {len(inputs)}.")
    values: dict[int, Any] = {c.number: c.value for c in program.constants}
    values.update((x.number, value) for x, value in zip(program.inputs, inputs, strict=True))
    with np.errstate(all="ignore"):
        for step in program.steps:
            params = {k: resolved(v, values) for k, v in step.params.items()}
            results = evaluator(step.operation)(*(_operand(x, values) for x in step.inputs), **params)
            for out, result in zip(step.outputs, results if len(step.outputs) > 1 else (results,), strict=True):
                values[out.number] = result
    return values


def _operand(x: Var | Const, values: Mapping[int, Any]) -> Any:
    if isinstance(x, Var) or x.number >= 0:
        return values[x.number]
    return resolved(x.value, values) if is_size(x.value) else plain_number(x.value)
