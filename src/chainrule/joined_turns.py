"""What all turns of a loop made, joined behind it: as a stack of them, whose axes are then put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.ops import OPERATIONS
from chainrule.sizes import Size

__all__ = ["joins", "steps_joining"]


def joins(name: str, params: Any, rank: int) -> tuple[int, bool] | None:
    """The axis along which an operation joins arrays of so many axes, and whether that is a new one."""
    axis = params.get("axis", 0)
    if set(params) - {"axis"} or type(axis) is not int:
        return None
    if name == "stack":
        return axis % (rank + 1), True
    if name == "concatenate" and rank:
        return axis % rank, False
    if name == "vstack" and rank:
        return 0, rank == 1
    if name == "hstack" and rank:
        return min(rank - 1, 1), False
    if name == "column_stack" and rank in (1, 2):
        return 1, rank == 1
    return None


def steps_joining(stack: int, value: Any, axis: int, new: bool, step: Any, add: Callable[[Any, str], int]) -> list[Any]:
    """The steps that make what a step joins of a stack, whose first axis is that of the turns.

    Args:
        stack: the variable of the stack.
        value: its value.
        axis: the axis along which the step joins them.
        new: whether that is a new axis.
        step: the step.
        add: makes a new variable for a value, with a name.
    """
    _, _, _, output, code, offset = step
    if new:
        moved = {"source": 0, "destination": axis}
        return [(OPERATIONS[np.moveaxis], (stack,), moved, output, code, offset)]
    steps: list[Any] = []
    source = stack
    if axis:
        source = add(np.moveaxis(value, 0, axis), "")
        moved = {"source": 0, "destination": axis}
        inner = ~offset if offset >= 0 else offset
        steps.append((OPERATIONS[np.moveaxis], (stack,), moved, source, code, inner))
    lengths = [Size(n, ("length", stack, k)) for k, n in enumerate(value.shape)][1:]
    shape = tuple(-1 if k == axis else n for k, n in enumerate(lengths))
    return [*steps, (OPERATIONS[np.reshape], (source,), {"shape": shape}, output, code, offset)]
