"""Masks of rectified values are taken from the result where what was rectified has no name: ``A > 0``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chainrule.backward import Backward
from chainrule.indexing import add_item, set_item
from chainrule.ir import Step, Var, is_zero

__all__ = ["masks_of_results"]

_WRITING = frozenset((set_item, add_item))


def masks_of_results(backward: Backward, *, of_outputs: bool = False) -> Backward:
    """The same record, with ``z > 0`` as ``np.maximum(z, 0) > 0`` where the user gave no name to ``z``.

    Both are the same, also for NaN, and the result is what a person has at hand: it is read by the backward pass
    anyway, and nothing is written into it.

    Args:
        backward: the record.
        of_outputs: whether the outputs of the forward pass are at hand anyway, as what a turn hands on is.
    """
    program = backward.program
    steps = list(program.steps)
    written = {s.inputs[0].number for s in steps if s.operation.function in _WRITING}
    read = {x.number for s in steps[backward.forward_steps :] for x in s.inputs if isinstance(x, Var)} - written
    if of_outputs:
        read |= {x.number for x in program.outputs} - written
    results: dict[int, Var] = {}
    for step in steps[: backward.forward_steps]:
        rectified = _of_zero(step) if step.operation.function is np.maximum else None
        if rectified is None:
            continue
        (result,) = step.outputs
        unnamed = rectified.name is None and rectified.dtype == result.dtype
        if unnamed and result.number in read:
            results.setdefault(rectified.number, result)
    for k in range(backward.forward_steps, len(steps)):
        step = steps[k]
        if step.operation.function is np.greater and is_zero(step.inputs[1]) and isinstance(step.inputs[0], Var):
            known = results.get(step.inputs[0].number)
            if known is not None and known.shape == step.inputs[0].shape:
                steps[k] = replace(step, inputs=(known, step.inputs[1]))
    return replace(backward, program=replace(program, steps=tuple(steps))) if results else backward


def _of_zero(step: Step) -> Var | None:
    """What a step rectifies; ``None`` where it is compared with something else than a literal 0."""
    others = [x for x in step.inputs if not is_zero(x)]
    return others[0] if len(others) == 1 and isinstance(others[0], Var) else None
