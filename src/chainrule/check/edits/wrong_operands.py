"""The word for another value that stands where a backward step reads one."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.check.edits.context import ACTIVATIONS, COMPARISONS, Context

__all__ = ["other_operand"]


def other_operand(c: Context, n: int, details: dict[str, Any]) -> str:
    """The word for an edit in which one operand is another value."""
    x = c.operand(n)
    wrong = c.wiring.variables.get(c.edit.other)
    details["right"] = c.text(n) or None
    details["wrong"] = (c.name_of(wrong) if wrong is not None else "") or None
    if c.name in COMPARISONS:
        return "mask_from_wrong_array"
    if wrong is None:
        return "wrong_operand"
    skipped = _skipped(c, x.number, wrong.number)
    if skipped is not None:
        return skipped
    local = not c.carries or c.of in ACTIVATIONS or c.of == "where"
    if local and (wrong.name is None or x.name is None):
        return "wrong_local_derivative"
    if wrong.name is None or x.name is None:
        maker = c.maker(x)
        moved = maker is not None and maker.operation.name in ("transpose", "swapaxes")
        if not moved or wrong.name is None:
            return "wrong_operand"
    if _activates(c, x.number, wrong.number):
        return "uses_post_activation_wrongly"
    if _activates(c, wrong.number, x.number):
        return "uses_pre_activation_wrongly"
    if _family(c, x.number) is not None and _family(c, x.number) == _family(c, wrong.number):
        return "off_by_one_index"
    return "wrong_operand"


def _skipped(c: Context, right: int, wrong: int) -> str | None:
    """The word for a cotangent that is taken one step too early: what lies between is left out."""
    z, a = c.wiring.whose.get(right), c.wiring.whose.get(wrong)
    if z is None or a is None or not _activates(c, z, a):
        return None
    c.moved_to = c.wiring.made_by[a]
    last = c.wiring.steps[c.moved_to].operation.name
    return "missing_relu_mask" if last in ("maximum", "where", "fmax") else "missing_activation_grad"


def _activates(c: Context, z: int, a: int) -> bool:
    """Whether ``a`` is computed from ``z`` element by element, in a few steps, from nothing else of its shape."""
    number = a
    for _ in range(5):
        maker = c.wiring.made_by.get(number)
        if maker is None:
            return False
        step = c.wiring.steps[maker]
        if step.operation.kind != "elementwise" and step.operation.name not in ("where", "clip"):
            return False
        shape = np.shape(c.base.values[a])
        if any(x.number >= 0 and 0 < np.ndim(c.base.values[x.number]) < len(shape) for x in step.inputs):
            return False
        before = [x.number for x in step.inputs if x.number >= 0 and np.shape(c.base.values[x.number]) == shape]
        if z in before:
            return len(before) == 1 or step.operation.name in ("where", "maximum", "minimum")
        if len(set(before)) != 1:
            return False
        number = before[0]
    return False


def _family(c: Context, number: int) -> Any:
    maker = c.wiring.made_by.get(number)
    if maker is None or maker >= c.wiring.first or c.wiring.steps[maker].position is None:
        return None
    step = c.wiring.steps[maker]
    return step.position, step.operation.name
