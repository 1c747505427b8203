"""What the backward steps of a program cost: array operations, arithmetic, bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.calls import identity
from chainrule.indexing import add_item, set_item
from chainrule.ir import Step, shape_of
from chainrule.simplify.free_steps import is_free, is_fresh

__all__ = ["cost_of", "operations_of"]


def operations_of(step: Step, writable: bool = False) -> int:
    """How many array operations a step executes; ``writable`` where the array that it writes into may be changed."""
    function: Any = step.operation.function
    if not any(shape_of(x) for x in (*step.inputs, *step.outputs)) or function is identity:
        return 0
    if is_free(step):
        return 0
    if function in (add_item, set_item):
        return 1 if writable else 2
    if function is np.einsum:
        return max(1, len(step.inputs) - 1)
    if step.operation.name == "astype" and step.inputs[0].dtype == step.outputs[0].dtype:  # type: ignore[union-attr]
        return 0
    return 1


def _subtracted(backward: Backward) -> set[int]:
    """The negatives that are only added at an index: they are written as subtractions."""
    found: set[int] = set()
    others = {x.number for x in backward.program.outputs}
    for step in backward.program.steps[backward.forward_steps :]:
        if step.operation.function is np.negative:
            found.add(step.outputs[0].number)
        for k, x in enumerate(step.inputs):
            if k != 1 or step.operation.function is not add_item:
                others.add(x.number)
    return found - others


def cost_of(backward: Backward) -> tuple[int, float, int]:
    """Array operations, arithmetic and bytes of the backward steps, to be compared in this order."""
    steps = backward.program.steps
    last: dict[int, int] = {}
    for k, step in enumerate(steps):
        for x in step.inputs:
            last[x.number] = k
    for x in backward.program.outputs:
        last[x.number] = len(steps)
    subtracted = _subtracted(backward)
    fresh: set[int] = set()
    operations, arithmetic, size = 0, 0.0, 0
    for k, step in enumerate(steps):
        if k < backward.forward_steps:
            continue
        base = step.inputs[0].number if step.inputs else -1
        count = operations_of(step, base in fresh and last[base] == k)
        if step.outputs[0].number in subtracted:
            count = 0
        function = step.operation.function
        if count or is_fresh(step):
            fresh.update(out.number for out in step.outputs)
        operations += count
        if count:
            sizes = [math.prod(shape_of(x)) for x in step.inputs]
            made = sum(math.prod(out.shape) for out in step.outputs)
            if function is np.matmul:
                arithmetic += 2 * math.sqrt(float(sizes[0]) * sizes[1] * made)
            else:
                arithmetic += max(made, max(sizes, default=0))
            size += made + sum(sizes)
    return operations, arithmetic, size
