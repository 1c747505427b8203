"""Arrays that hold what the turns of a loop read: ``xs`` for ``xs[t]``, ``xs[:-1]`` for ``xs[t - 1]``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.indexing import get_item
from chainrule.lengths import TapeLengths
from chainrule.loop_buffers import buffers_of, counted_from, counter_place
from chainrule.loops import Loop, Slot
from chainrule.protocol import apply
from chainrule.sizes import is_size
from chainrule.statics import shifted

__all__ = ["ends_of", "picked", "rows_of", "rows_taken", "spread_rows", "takes_all", "write_rows"]


def rows_of(
    loop: Loop, operands: Sequence[Any], variable: int, left: Callable[[Slot], Any] = lambda slot: None
) -> Callable[[], Any] | None:
    """Makes the array of what a variable of the body is in all turns, where an operand of the loop holds that.

    ``left`` gives what the loop leaves of an array that it fills, if that is at hand.
    """
    own = next((s for s in loop.slots if s.variable == variable), None)
    if own is not None:
        return _rows_of_slot(loop, operands[own.place], own) if own.kind == "row" else None
    step = next((s for s in loop.program.steps if any(o.number == variable for o in s.outputs)), None)
    buffers = buffers_of(loop)
    filling = next((b for b in buffers if variable == b.value), None)
    if filling is not None:
        whole, place = left(filling.slot), (filling.axis, filling.written)
    elif step is None or step.operation.function is not get_item or len(step.inputs) != 1:
        return None
    else:
        buffer = next((b for b in buffers if variable in b.reads), None)
        source = next((s for s in loop.slots if s.variable == step.inputs[0].number and s.kind == "fixed"), None)
        whole = operands[source.place] if source is not None else left(buffer.slot) if buffer is not None else None
        found = counter_place(step.params["index"], loop.turn)
        if found is None:
            return None
        place = found
    ends = ends_of(loop, place[1])
    return None if whole is None or ends is None else lambda: picked(whole, place[0], *ends)


def _rows_of_slot(loop: Loop, x: Any, slot: Slot) -> Callable[[], Any] | None:
    """The rows that the loop itself takes, which are all but some at the ends."""
    if np.asarray(getattr(x, "value", x)).dtype.kind not in "fiu":
        return None
    start, stop = rows_taken(loop, x, slot.first)
    return lambda: picked(x, 0, start, stop)


def rows_taken(loop: Loop, x: Any, first: int) -> tuple[Any, Any]:
    """Where the rows of an array that the turns take begin and end, for all numbers of turns."""
    left = np.shape(getattr(x, "value", x))[0] - first - len(loop.values)
    start = counted_from(loop) if loop.header.counted is not None else None
    ends = None if start is None or not left else ends_of(loop, first - start)
    return ends if ends is not None else (first, -left if left else None)


def ends_of(loop: Loop, shift: int) -> tuple[Any, Any] | None:
    """Where the rows of all turns begin and end, so far from the counter, in the order of the turns."""
    header = loop.header
    if counted_from(loop) is None:
        return None
    first = int(loop.values[0])
    start, stop, _ = header.counted if header.counted is not None else (first, shifted(header.count, first), 1)
    if int(start) + shift < 0:
        return None
    return shifted(start, shift), shifted(stop, shift)


def picked(x: Any, axis: int, start: Any, stop: Any) -> Any:
    """The rows of an array from one place to another, with that axis in front."""
    part = _part(x, axis, start, stop)
    if part != slice(None):
        x = x[(slice(None),) * axis + (part,)] if axis else x[part]
    return x if not axis else np.moveaxis(x, axis, 0)


def write_rows(x: Any, axis: int, start: Any, stop: Any, value: Any) -> None:
    """Write into the rows of an array from one place to another."""
    part = _part(x, axis, start, stop)
    x[(slice(None),) * axis + (part,) if axis else part] = value


def spread_rows(operand: Any, axis: int, start: Any, stop: Any, rows: Any) -> Any:
    """An array like ``operand`` with these rows from one place to another, and zeros elsewhere."""
    whole = apply(np.zeros_like, operand)
    write_rows(whole, axis, start, stop, rows)
    return whole


def takes_all(x: Any, axis: int, start: Any, stop: Any) -> bool:
    """Whether the rows from one place to another are all that there are, whatever the lengths."""
    return _part(x, axis, start, stop) == slice(None)


def _part(x: Any, axis: int, start: Any, stop: Any) -> slice:
    first = None if not is_size(start) and int(start) == 0 else start
    if _is_length(x, axis, stop):
        return slice(first, None)
    if is_size(stop) and stop.expression[0] == "sub" and _is_length(x, axis, stop.expression[1]):
        return slice(first, -int(stop.expression[2]))
    return slice(first, stop)


def _is_length(x: Any, axis: int, size: Any) -> bool:
    """Whether a size is the length of an axis of an array, whatever the lengths."""
    if not is_size(size) or size.expression[0] != "length":
        return False
    _, variable, k = size.expression
    lengths = x.tape.always_one
    if (variable, k) == (x.variable, axis) or not isinstance(lengths, TapeLengths):
        return (variable, k) == (x.variable, axis)
    lengths(x.variable, axis)
    own, other = (lengths.symbols.of.get(v, ()) for v in (x.variable, variable))
    return axis < len(own) and k < len(other) and own[axis] == other[k]
