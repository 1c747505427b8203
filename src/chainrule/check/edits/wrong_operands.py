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
    maker = c.maker(x)
    forward = c.wiring.made_by.get(x.number, c.wiring.first) < c.wiring.first
    parts = [y.number for y in maker.inputs] if maker is not None and maker.operation.name == "multiply" else []
    if forward and wrong.number in parts:
        return "missing_scale"  # one factor of what belongs there
    skipped = _skipped(c, x.number, wrong.number)
    if skipped is not None:
        return skipped
    if x.name is not None and _is_derivative(c, wrong.number):
        return "aliased_cache"
    local = not c.carries or c.of in ACTIVATIONS or c.of == "where"
    if local and (wrong.name is None or x.name is None):
        return "wrong_local_derivative"
    if wrong.name is None or x.name is None:
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


def _is_derivative(c: Context, number: int) -> bool:
    """Whether a value is a local derivative, as a mask: what an activation that is edited in place can become."""
    return c.wiring.made_by.get(number, -1) >= c.wiring.first and number not in c.wiring.flow


def _skipped(c: Context, right: int, wrong: int) -> str | None:
    """The word for a cotangent that is taken one step too early: what lies between is left out."""
    links = c.wiring.backward.links
    # Several values may have one cotangent, as `out` and `out - y` do.
    pairs = [(z, a) for z, g in links.items() if g == right for a, h in links.items() if h == wrong]
    path = min((p for z, a in pairs if (p := _path(c, z, a))), key=len, default=None)
    if path is None:
        return None
    names = {k: c.wiring.steps[k].operation.name for k in path}
    bending = [k for k in path if names[k] not in _LINEAR]
    if bending:
        c.moved_to = path[0]
        relu = names[path[0]] in ("maximum", "where", "fmax")
        return "missing_relu_mask" if relu else "missing_activation_grad"
    scaling = [k for k in path if names[k] in ("multiply", "divide")]
    if not scaling:
        return None
    c.moved_to = scaling[0]
    return "missing_scale"


_LINEAR = frozenset("multiply divide add subtract negative positive copy identity".split())


def _activates(c: Context, z: int, a: int) -> bool:
    """Whether ``a`` is an activation of ``z``: computed element by element, in a few steps, that bend."""
    return any(c.wiring.steps[k].operation.name not in _LINEAR for k in _path(c, z, a))


def _path(c: Context, z: int, a: int) -> list[int]:
    """The steps by which ``a`` is computed from ``z`` element by element, the last one first; none where it is not."""
    number = a
    found: list[int] = []
    for _ in range(6):
        maker = c.wiring.made_by.get(number)
        if maker is None:
            return []
        step = c.wiring.steps[maker]
        if step.operation.kind != "elementwise" and step.operation.name not in ("where", "clip"):
            return []
        found.append(maker)
        shape = np.shape(c.base.values[a])
        before = [x.number for x in step.inputs if x.number >= 0 and np.shape(c.base.values[x.number]) == shape]
        smaller = [x for x in step.inputs if x.number >= 0 and 0 < np.ndim(c.base.values[x.number]) < len(shape)]
        if smaller:
            return []
        if z in before:
            alone = len(before) == 1 or step.operation.name in ("where", "maximum", "minimum")
            return found if alone else []
        if len(set(before)) != 1:
            return []
        number = before[0]
    return []


def _family(c: Context, number: int) -> Any:
    maker = c.wiring.made_by.get(number)
    if maker is None or maker >= c.wiring.first or c.wiring.steps[maker].position is None:
        return None
    step = c.wiring.steps[maker]
    return step.position, step.operation.name
