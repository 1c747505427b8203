"""Questions about operands and steps that decide how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.emit.values import is_plain_number
from chainrule.indexing import Index, get_item
from chainrule.ir import Const, Step, Var, shape_of
from chainrule.ops import OPERATIONS, Operation, signature

__all__ = [
    "USUAL",
    "are_matrices",
    "floating_choice",
    "is_literal",
    "is_plain_transpose",
    "leading_operands",
    "once",
    "outer_operands",
    "spelled_out",
]


def is_literal(x: Var | Const) -> bool:
    """Whether an operand is a number that is written where it is used."""
    return isinstance(x, Const) and (x.number < 0 or is_plain_number(x))


def are_matrices(step: Step) -> bool:
    """Whether all operands are vectors or matrices."""
    return all(isinstance(x, Var) and 0 < len(x.shape) <= 2 for x in step.inputs)


def once(x: Var | Const) -> bool:
    """Whether an index names no element twice."""
    dtype: Any = x.dtype if isinstance(x, Var) else np.asarray(x.value).dtype
    shape = shape_of(x)
    return not shape or dtype.kind == "b"


def is_plain_transpose(step: Step) -> bool:
    """Whether a step turns around the order of all axes, as ``x.T`` does."""
    values = list(step.params.values())
    if step.operation.name == "transpose":
        return not values or values == [None]
    if step.operation.name not in ("swapaxes", "matrix_transpose", "linalg.matrix_transpose"):
        return False
    return len(shape_of(step.inputs[0])) == 2 and (not values or sorted(int(v) % 2 for v in values) == [0, 1])


def spelled_out(index: Index, x: Var | Const) -> Index:
    """``x[..., None]`` of a vector as people write it: ``x[:, None]``."""
    rank = len(shape_of(x))
    if rank > 3 or Ellipsis not in index.parts or not index.basic:
        return index
    parts = tuple(index.spelled_out(rank))
    return Index(parts, len(parts) == 1)


USUAL = {"np.absolute": "np.abs", "np.conjugate": "np.conj"}


def leading_operands(operation: Operation) -> int:
    """How many array arguments can be given by position: those that are the first parameters, in their order."""
    names = operation.operands
    if operation.kind != "structural":
        return len(names)
    whole = next((known for known in OPERATIONS.values() if known.name == operation.name), operation)
    try:
        parameters = list(signature(whole.function).parameters)
    except (TypeError, ValueError):
        return len(names)
    count = 0
    while count < len(names) and parameters[count : count + 1] == [names[count]]:
        count += 1
    return count


def outer_operands(left: Any, right: Any, folded: Mapping[int, Step]) -> list[Var | Const]:
    """``a`` and ``b`` where the factors of a product are written ``a[:, None]`` and ``b[None, :]``; else nothing."""
    found: list[Var | Const] = []
    for x, parts in ((left, (slice(None), None)), (right, (None, slice(None)))):
        step = folded.get(x.number) if isinstance(x, Var) else None
        if step is None or len(step.inputs) != 1 or len(shape_of(step.inputs[0])) != 1 or len(shape_of(x)) != 2:
            return []
        axes = step.params.get("axis", step.params.get("argument 1"))
        if step.operation.function is get_item:
            same = spelled_out(step.params["index"], step.inputs[0]).parts == parts
        else:
            same = step.operation.name == "expand_dims" and axes in (parts.index(None), parts.index(None) - 2)
        if not same:
            return []
        found.append(step.inputs[0])
    return found


def floating_choice(step: Step) -> Step:
    """A choice between whole numbers as one between floats: NumPy would make integers of it."""
    condition, *chosen = step.inputs
    whole = [x for x in chosen if isinstance(x, Const) and x.number < 0 and type(x.value) is int]
    if len(whole) != 2 or step.outputs[0].dtype.char != "d":
        return step
    return replace(step, inputs=(condition, *(Const(float(x.value)) for x in whole)))
