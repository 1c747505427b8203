"""Wrong operands: another value of the same shape stands where a backward step reads one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Edit, with_variable

__all__ = ["other_operands", "shaped_values"]

_MOST = 32  # other values that are tried for one operand


def shaped_values(base: Base) -> dict[tuple[int, ...], list[int]]:
    """The variables of each shape, forward ones and cotangents, without those that are equal to an earlier one."""
    found: dict[tuple[int, ...], list[int]] = {}
    wiring = base.wiring
    looping = bool(wiring.groups())
    numbers = [x.number for x in wiring.backward.program.inputs]
    numbers += [x.number for x in wiring.backward.program.constants]
    numbers += [out.number for step in wiring.steps for out in step.outputs]
    for number in numbers:
        value = base.values[number]
        if np.ndim(value) == 0 and not (looping and _is_element(base, number)):
            continue
        same = found.setdefault(np.shape(value), [])
        if not any(_equal(base.values[n], value) for n in same[-40:]):
            same.append(number)
    return found


def _is_element(base: Base, number: int) -> bool:
    """Whether a number is an element that a loop reads or computes."""
    maker = base.wiring.made_by.get(number)
    return maker is not None and np.asarray(base.values[number]).dtype.kind == "f" and maker < base.wiring.first


def _equal(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b)) and np.asarray(a).dtype == np.asarray(b).dtype


def other_operands(base: Base, k: int, shaped: dict[tuple[int, ...], list[int]]) -> Iterator[Edit]:
    """The edits in which one operand of a step is another value that fits there."""
    wiring = base.wiring
    step = wiring.steps[k]
    if len(step.outputs) != 1 or step.operation.name in ("broadcast_to", "zeros_like", "equal", "expand_dims"):
        return
    made = {out.number for out in step.outputs}
    given = base.operands(k)
    for n, x in enumerate(step.inputs):
        if x.number < 0 or (np.ndim(given[n]) == 0 and not _is_element(base, x.number)):
            continue
        shape = np.shape(given[n])
        options = list(shaped.get(shape, ()))
        if step.operation.name in ("matmul", "dot") and len(shape) == 2:
            options += [m for other, same in shaped.items() if other != shape and _fits(other, shape, n) for m in same]
        options = [m for m in options if m != x.number and m not in made]
        options = [m for m in options if not _equal(base.values[m], given[n])]
        options = [m for m in options if wiring.made_by.get(m, -1) < k or m in wiring.whose or m not in wiring.flow]
        if any(wiring.made_by.get(m, -1) > k for m in options):
            later = wiring.after(k)
            options = [m for m in options if m not in later]
        options = sorted(options, key=lambda m: not _named(base, m))[:_MOST]
        for m in options:
            forward = wiring.made_by.get(m, -1) < wiring.first
            cost = 0.2 if forward and _named(base, m) else 0.35 if m in wiring.whose else 0.8
            if not _named(base, x.number) and x.number not in wiring.whose and not _is_moved(base, x.number):
                cost += 0.3
            yield Edit({k: with_variable(base, k, n, m)}, "other operand", k, n, m, cost)


def _fits(other: tuple[int, ...], shape: tuple[int, ...], n: int) -> bool:
    """Whether a matrix of another shape can be contracted where one of this shape is."""
    return len(other) == 2 and (other[1] == shape[1] if n == 0 else other[0] == shape[0])


def _is_moved(base: Base, number: int) -> bool:
    """Whether a value is a transpose of another."""
    maker = base.wiring.made_by.get(number)
    return maker is not None and base.wiring.steps[maker].operation.name in ("transpose", "swapaxes", "reshape")


def _named(base: Base, number: int) -> bool:
    x = base.wiring.variables.get(number)
    return x is not None and bool(x.name)
