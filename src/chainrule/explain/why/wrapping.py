"""Whole numbers that left the range of their dtype and came out as others, before they became floats."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.dispatch import evaluator
from chainrule.explain.why.labels import element_text, first_index, number_text
from chainrule.explain.why.reasons import statement_of
from chainrule.explain.why.scene import Scene
from chainrule.ir import Step
from chainrule.language import Message, message
from chainrule.run import resolved

__all__ = ["wrapped_numbers"]

# What these do with floats differs from what they do with whole numbers.
_OTHERWISE = frozenset("floor_divide remainder mod fmod divmod right_shift invert".split())


def wrapped_numbers(scene: Scene) -> Message | None:
    """The first step on the way to the result whose whole numbers left the range of their dtype, if one did."""
    needed = scene.ancestors(scene.result)
    for step in scene.program.steps:
        (out, *others) = step.outputs
        if others or out.number not in needed or step.operation.name in _OTHERWISE:
            continue
        found = np.asarray(scene.values[out.number])
        if found.dtype.kind not in "iu":
            continue
        exact = _without_range(scene, step)
        if exact is None or np.shape(exact) != found.shape:
            continue
        # What leaves the range comes out as a number that is a multiple of the whole range away.
        away = np.abs(exact - found.astype(np.float64)) > 0.5 * 2.0 ** (8 * found.dtype.itemsize)
        if away.any():
            return _said(scene, step, exact, first_index(away))
    return None


def _without_range(scene: Scene, step: Step) -> Any:
    """What a step gives with floats for whole numbers; nothing where it has another meaning for these, or none."""
    operands = [np.asarray(scene.operand(x)) for x in step.inputs]
    if any(x.dtype.kind not in "iubf" for x in operands) or not any(x.dtype.kind in "iuf" for x in operands):
        return None
    floats = [x.astype(np.float64) if x.dtype.kind in "iu" else x for x in operands]
    if step.operation.name == "astype":
        return floats[0]
    params = {k: resolved(v, scene.values) for k, v in step.params.items() if k != "dtype"}
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(evaluator(step.operation)(*floats, **params))
    except (TypeError, ValueError, IndexError, ArithmeticError):
        return None
    return found if found.dtype.kind == "f" else None


def _said(scene: Scene, step: Step, exact: Any, index: tuple[int, ...]) -> Message:
    out = step.outputs[0].number
    value = np.asarray(scene.values[out])
    limits = np.iinfo(value.dtype)
    return message(
        "{statement} leaves the range of {kind}: {element} would be {exact}, but {kind} holds only {least} to "
        "{largest}, so it came out as {value}. Convert to float before that.",
        statement=statement_of(step),
        kind=value.dtype,
        element=element_text(scene.labels[out], index),
        exact=number_text(np.asarray(exact)[index]),
        least=str(limits.min),
        largest=str(limits.max),
        value=str(value[index]),
    )
