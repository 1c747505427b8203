"""Mistakes with the numbers and counts that stand in a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Variant, with_number
from chainrule.ir import Const, Step
from chainrule.sizes import is_size

__all__ = ["other_numbers"]


def other_numbers(base: Base, k: int, step: Step) -> Iterator[Variant]:
    """Numbers and counts that stand in a step, exchanged for others."""
    if step.operation.name == "divide":
        yield from _computed_count(base, k, step)
    for n, x in enumerate(step.inputs):
        if not isinstance(x, Const) or x.number >= 0 or isinstance(x.value, bool):
            continue
        if step.operation.name == "power" and n == 1:
            continue
        given: Any = base.operands(k)[n]
        if not isinstance(given, int | float | np.number):
            continue
        value = float(given)
        found = _for_counts(base, value) if is_size(x.value) and any(_sizes_in(x.value)) else _for_numbers(value)
        seen = {value}
        for word, other, cost, number in found:
            if number not in seen and np.isfinite(number):
                seen.add(number)
                yield word, n, other, cost, with_number(base, k, n, number)


def _computed_count(base: Base, k: int, step: Step) -> Iterator[Variant]:
    """A number that is computed, such as a sum of weights, in whose place a count stands."""
    x = step.inputs[1]
    if isinstance(x, Const) or np.ndim(base.operands(k)[1]) or x.number in base.wiring.flow:
        return
    for text, number in _counts(base):
        yield "other count", 1, text, 0.2, with_number(base, k, 1, number)


def _for_counts(base: Base, value: float) -> Iterator[tuple[str, Any, float, float]]:
    sign = -1.0 if value < 0 else 1.0
    down = abs(value) < 1
    yield "no count", 1, 0.0, sign
    for text, number in _counts(base):
        if number or not down:
            yield "other count", text, 0.1, sign / number if down else sign * number
    yield "number times", 0.5, 0.1, value / 2
    yield "number times", 2, 0.2, value * 2
    count = 1 / abs(value) if down else abs(value)
    if count > 1:
        yield "one less", None, 0.2, sign / (count - 1) if down else sign * (count - 1)
    yield "count twice", None, 0.1, value * abs(value)
    yield "number times", -1, 0.3, -value


def _for_numbers(value: float) -> Iterator[tuple[str, Any, float, float]]:
    sign = -1.0 if value < 0 else 1.0
    yield "no number", 1, 0.0, sign
    for factor in (2.0, 0.5, -1.0):
        yield "number times", factor, 0.3, value * factor
    for by in (1, -1):
        yield "number plus", by, 0.3, value + by


def _sizes_in(x: Any) -> Iterator[Any]:
    if not is_size(x):
        return
    head, *rest = x.expression
    if head in ("length", "size"):
        yield x
    else:
        for part in rest:
            yield from _sizes_in(part)


def _counts(base: Base) -> Iterator[tuple[str, float]]:
    """The lengths of the axes of the arguments, and the sizes of the result and of what is averaged."""
    seen: set[int] = set()
    program = base.wiring.backward.program
    arrays = [(x.name or "", x) for x in program.inputs]
    for name, x in arrays:
        for axis, n in enumerate(np.shape(base.values[x.number])):
            if n not in seen and n > 1:
                seen.add(n)
                yield f"{name}.shape[{axis}]", n
    for name, x in arrays:
        if np.ndim(base.values[x.number]) == 1 and x.dtype.kind == "f" and x not in base.wiring.backward.cotangents:
            yield f"{name}.sum()", float(np.sum(base.values[x.number]))
    for name, x in arrays:
        size = int(np.size(base.values[x.number]))
        if size not in seen and size > 1:
            seen.add(size)
            yield f"{name}.size", size
