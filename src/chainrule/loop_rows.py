"""Arrays that hold what the turns of a loop read: ``xs`` for ``xs[t]``, ``xs[:-1]`` for ``xs[t - 1]``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from chainrule.indexing import HOLE, Index, get_item
from chainrule.ir import Const, Step, Var
from chainrule.lengths import TapeLengths
from chainrule.loop_buffers import buffers_of, counted_from
from chainrule.loop_lifts import Lifts
from chainrule.loops import Loop, Slot, mentions_sizes
from chainrule.protocol import apply
from chainrule.sizes import is_size, leaves_of, plain_number, rebuilt, where_from
from chainrule.statements.request import is_element, is_view
from chainrule.statics import shifted
from chainrule.traced import Traced

__all__ = [
    "ends_of",
    "in_place",
    "picked",
    "rows_at",
    "rows_of",
    "rows_taken",
    "same_in_all_turns",
    "spread_rows",
    "taken_by",
    "takes_all",
    "write_rows",
]

_CHEAP = frozenset("add subtract multiply divide negative square".split())
_LEAVES = ("length", "size", "value", "number", "name")


def rows_of(
    loop: Loop, operands: Sequence[Any], variable: int, left: Callable[[Slot], Any] = lambda slot: None
) -> Callable[[], Any] | None:
    """Makes the array of what a variable of the body is in all turns, where an operand of the loop holds that.

    ``left`` gives what the loop leaves of an array that it fills, if that is at hand.
    """
    own = next((s for s in loop.slots if s.variable == variable), None)
    if own is not None:
        return _rows_of_slot(loop, operands[own.place], own) if own.kind == "row" else None
    step = _making(loop, variable)
    buffers = buffers_of(loop)
    filling = next((b for b in buffers if variable == b.value), None)
    if filling is not None:
        whole, ends = left(filling.slot), ends_of(loop, filling.written)
        return None if whole is None or ends is None else lambda: picked(whole, filling.axis, *ends)
    if step is None or len(step.outputs) > 1:
        return None
    if step.operation.function is get_item and len(step.inputs) == 1:
        buffer = next((b for b in buffers if variable in b.reads), None)
        source = next((s for s in loop.slots if s.variable == step.inputs[0].number and s.kind == "fixed"), None)
        whole = operands[source.place] if source is not None else left(buffer.slot) if buffer is not None else None
        rows = None if whole is None else rows_at(loop, operands, step.params["index"], whole)
        if rows is not None:
            return rows
    return _rows_made(loop, operands, step)


def same_in_all_turns(loop: Loop, operands: Sequence[Any]) -> dict[int, Callable[[], Any]]:
    """By variable of the body that is the same in all turns, as it is given or a view of that, what makes it."""
    found: dict[int, Callable[[], Any]] = {
        s.variable: partial(operator.getitem, operands, s.place) for s in loop.slots if s.kind == "fixed"
    }
    for step in loop.program.steps[: loop.forward_steps]:
        inputs = [x.number for x in step.inputs if isinstance(x, Var)]
        plain = len(step.inputs) == 1 and not any(map(mentions_sizes, step.params.values()))
        if plain and len(step.outputs) == 1 and inputs and inputs[0] in found and (is_view(step) or is_element(step)):
            found[step.outputs[0].number] = partial(_viewed, step, found[inputs[0]])
    return found


def _viewed(step: Step, of: Callable[[], Any]) -> Any:
    if step.operation.function is get_item:
        return of()[step.params["index"].key(())]
    return apply(step.operation.function, of(), **step.params)


def _rows_made(loop: Loop, operands: Sequence[Any], step: Step) -> Callable[[], Any] | None:
    """Views of rows of an array that is given, and what is as cheap for all turns as keeping it: ``1 - a[t]``."""
    if not is_view(step) and not (_is_cheap(step) and step.outputs[0].shape):
        return None
    fixed = loop.fixed()
    found: dict[int, Callable[[], Any]] = {}
    for x in step.inputs:
        if isinstance(x, Var) and x.number not in fixed:
            rows = rows_of(loop, operands, x.number) if is_view(step) or _is_read(loop, x.number) else None
            if rows is None:
                return None
            found[x.number] = rows
    lift = Lifts(loop.program.by_number(), {}, fixed, lambda v: v in found).step(step)
    if lift is None or not lift.varies:
        return None
    own = {s.variable: operands[s.place] for s in loop.slots if s.kind == "fixed"}
    return lambda: lift.build(lambda v: found[v]() if v in found else own[v])


def _is_cheap(step: Step) -> bool:
    if step.operation.name != "power":
        return step.operation.name in _CHEAP
    last = step.inputs[-1]
    return isinstance(last, Const) and np.ndim(last.value) == 0 and plain_number(last.value) == 2


def _making(loop: Loop, variable: int) -> Step | None:
    steps = loop.program.steps[: loop.forward_steps]
    return next((s for s in steps if any(o.number == variable for o in s.outputs)), None)


def _is_read(loop: Loop, variable: int) -> bool:
    """Whether a variable is read from what the loop is given, and nothing is computed."""
    step = _making(loop, variable)
    while step is not None and is_view(step):
        variable = step.inputs[0].number
        step = _making(loop, variable)
    return step is None


def rows_at(loop: Loop, operands: Sequence[Any], index: Index, whole: Any) -> Callable[[], Any] | None:
    """Makes the array of what an index picks by the counter, in all turns."""
    taken = taken_by(loop, operands, index, whole)
    if taken is not None:
        return lambda: picked(whole, *taken)
    return _row_at(loop, operands, index, whole) or _windows_at(loop, operands, index, whole)


def _windows_at(loop: Loop, operands: Sequence[Any], index: Index, whole: Any) -> Callable[[], Any] | None:
    """Makes the array of slices that begin further on in each turn, as ``x[t : t + k]``: a view."""
    parts, rank = index.parts, len(np.shape(whole.value))
    places = [k for k, p in enumerate(parts) if type(p) is slice and mentions_sizes(p)]
    others = [p for k, p in enumerate(parts) if k not in places]
    if len(places) != 1 or any(type(p) is not slice or p != slice(None) for p in others):
        return None
    (axis,) = places
    start, stop = parts[axis].start or 0, parts[axis].stop
    if stop is None or parts[axis].step is not None:
        return None
    terms, number = _linear(start)
    counter = ("value", loop.turn)
    stride = terms.pop(counter, (None, 0))[1]
    if stride < 1 or _linear(stop)[0].get(counter, (None, 0))[1] != stride:
        return None
    width = _outside(loop, operands, _moved(stop, -1, start))
    offset = _outside(loop, operands, _total({k: t for k, t in terms.items() if t[1]}, number))
    ends = None if width is None or offset is None else ends_of(loop)
    if ends is None or ends[2] or ends[0] or int(width) < 1 or (stride > 1 and not _is_nothing(offset)):
        return None
    ends = ends_of(loop, offset) if stride == 1 else (0, ends[1] * stride, False)
    if ends is None:
        return None
    begin, end, _ = ends
    left = _settled(_moved(_moved(shifted(whole.shape[axis], 1), -1, width), -1, end))

    def windows() -> Any:
        views = np.lib.stride_tricks.sliding_window_view(whole, width, axis=axis)
        part = slice(begin or None, None if _is_nothing(left) else end, stride if stride > 1 else None)
        views = views if part == slice(None) else views[(slice(None),) * axis + (part,)]
        views = np.moveaxis(views, axis, 0) if axis else views
        return np.moveaxis(views, rank, axis + 1) if axis + 1 < rank else views

    return windows


def _is_nothing(x: Any) -> bool:
    return not is_size(x) and x == 0


def _row_at(loop: Loop, operands: Sequence[Any], index: Index, whole: Any) -> Callable[[], Any] | None:
    places = [k for k, p in enumerate(index.parts) if is_size(p)]
    if len(places) != 1 or any(
        p is HOLE or p is Ellipsis or (type(p) is slice and mentions_sizes(p)) for p in index.parts
    ):
        return None
    (place,) = places
    before = index.parts[:place]
    ends = _ends_by(loop, operands, index.parts[place], whole, axis := sum(p is not None for p in before))
    if ends is None:
        return None
    start, stop, turned = ends

    def rows() -> Any:
        x = whole[(*before, _part(whole, axis, start, stop), *index.parts[place + 1 :])]
        left = sum(type(p) is not int for p in before)
        x = np.moveaxis(x, left, 0) if left else x
        return x[::-1] if turned else x

    return rows


def taken_by(loop: Loop, operands: Sequence[Any], index: Index, whole: Any) -> tuple[int, Any, Any, bool] | None:
    """The axis of which an index picks one row by the counter, and which rows that are; see :func:`ends_of`."""
    places = [k for k, p in enumerate(index.parts) if is_size(p)]
    if len(places) != 1:
        return None
    (axis,) = places
    if any(type(p) is not slice or p != slice(None) for k, p in enumerate(index.parts) if k != axis):
        return None
    ends = _ends_by(loop, operands, index.parts[axis], whole, axis)
    return None if ends is None else (axis, *ends)


def _ends_by(loop: Loop, operands: Sequence[Any], place: Any, whole: Any, axis: int) -> tuple[Any, Any, bool] | None:
    """Where the rows begin and end that turns pick at a place of an axis."""
    terms, number = _linear(place)
    counter = terms.pop(("value", loop.turn), None)
    if counter is None or counter[1] not in (1, -1):
        return None
    offset: Any = number
    if terms:
        offset = _outside(loop, operands, _total(terms, number))
    elif counter[1] < 0 and number < 0:
        offset = shifted(whole.shape[axis], number)  # counted from the end of the array
    return None if offset is None else ends_of(loop, offset, counter[1])


def _outside(loop: Loop, operands: Sequence[Any], size: Any) -> Any:
    """A number of the body's in terms of what the loop is given; ``None`` where it is another in every turn."""
    own = {s.variable: operands[s.place] for s in loop.slots if s.kind == "fixed"}
    heads = [leaf[0] for leaf in leaves_of(size)]
    lengths = [leaf[1] for leaf in leaves_of(size) if leaf[0] in ("length", "size")]
    if "value" in heads or any(type(own.get(v)) is not Traced for v in lengths):
        return None
    return rebuilt(size, lambda _, e: (e[0], own[e[1]].variable, *e[2:]) if e[0] in ("length", "size") else e)


def _rows_of_slot(loop: Loop, x: Any, slot: Slot) -> Callable[[], Any] | None:
    """The rows that the loop itself takes, which are all but some at the ends."""
    if np.asarray(getattr(x, "value", x)).dtype.kind not in "fiu":
        return None
    ends = rows_taken(loop, x, slot.first)
    return lambda: picked(x, 0, *ends)


def rows_taken(loop: Loop, x: Any, first: int) -> tuple[Any, Any, bool]:
    """Where the rows of an array that the turns take one after the other begin and end, for all numbers of turns."""
    left = np.shape(getattr(x, "value", x))[0] - first - len(loop.values)
    start = counted_from(loop) if loop.header.counted is not None else None
    ends = None if start is None or not left else ends_of(loop, first - start)
    return ends if ends is not None else (first, -left if left else None, False)


def ends_of(loop: Loop, offset: Any = 0, sign: int = 1) -> tuple[Any, Any, bool] | None:
    """The rows that turns pick so far from the counter: where they begin and end, and whether the last comes first.

    ``None`` where it is not known, whatever the lengths, that they are one after the other.

    Args:
        loop: the loop.
        offset: what is added to the counter.
        sign: -1 where the counter is subtracted from that.
    """
    header, values = loop.header, list(loop.values)
    first = int(values[0])
    start, stop, step = header.counted if header.counted is not None else (first, shifted(header.count, first), 1)
    if type(step) is not int or step not in (1, -1) or values != list(range(first, first + step * len(values), step)):
        return None
    low, high = (_moved(offset, sign, x) for x in (start, stop))
    turned = step * sign < 0
    if turned:
        low, high = shifted(high, 1), shifted(low, 1)
    low = _settled(low)
    return None if is_size(low) or low < 0 else (low, _settled(high), turned)


def _moved(offset: Any, sign: int, x: Any) -> Any:
    """The sum of a number and another one, which may be subtracted."""
    if sign > 0 and type(offset) is int:
        return shifted(x, offset)
    terms, number = _linear(offset)
    for key, (leaf, factor) in _linear(x)[0].items():
        terms[key] = (leaf, terms.get(key, (leaf, 0))[1] + sign * factor)
    return _total({k: t for k, t in terms.items() if t[1]}, number + sign * _linear(x)[1])


def _settled(x: Any) -> Any:
    """A size in which lengths cancel as the number that it is."""
    terms, number = _linear(x)
    return x if any(factor for _, factor in terms.values()) else number


def _linear(x: Any, sign: int = 1) -> tuple[dict[Any, tuple[Any, int]], int]:
    """A whole number as a sum: sizes, by what tells them apart, with how often they are added; and a plain number."""
    if not is_size(x):
        return {}, sign * int(x)
    head, *operands = x.expression
    times = [y for y in operands if type(y) is int] if head == "mul" else []
    if len(times) == 1 and times[0]:
        terms, number = _linear(next(y for y in operands if is_size(y)), sign)
        return {key: (leaf, factor * times[0]) for key, (leaf, factor) in terms.items()}, number * times[0]
    if head not in ("add", "sub", "neg"):
        return {x.expression if head in _LEAVES else where_from(x): (x, sign)}, 0
    total: dict[Any, tuple[Any, int]] = {}
    number = 0
    signs = (-sign,) if head == "neg" else (sign, -sign if head == "sub" else sign)
    for part, own in zip(operands, signs, strict=True):
        terms, more = _linear(part, own)
        number += more
        for key, (leaf, factor) in terms.items():
            total[key] = (leaf, total.get(key, (leaf, 0))[1] + factor)
    return total, number


def _total(terms: Mapping[Any, tuple[Any, int]], number: int) -> Any:
    """A sum as a size."""
    total: Any = None
    for leaf, factor in sorted(terms.values(), key=lambda term: -term[1]):
        part = leaf if abs(factor) == 1 else abs(factor) * leaf
        total = (part if factor > 0 else -part) if total is None else total + part if factor > 0 else total - part
    return number if total is None else shifted(total, number)


def picked(x: Any, axis: int, start: Any, stop: Any, turned: bool = False) -> Any:
    """The rows of an array from one place to another, with that axis in front."""
    part = _part(x, axis, start, stop)
    if part != slice(None):
        x = x[(slice(None),) * axis + (part,)] if axis else x[part]
    x = np.moveaxis(x, axis, 0) if axis else x
    return x[::-1] if turned else x


def write_rows(x: Any, axis: int, start: Any, stop: Any, value: Any) -> None:
    """Write into the rows of an array from one place to another."""
    part = _part(x, axis, start, stop)
    x[(slice(None),) * axis + (part,) if axis else part] = value


def spread_rows(operand: Any, axis: int, start: Any, stop: Any, turned: bool, rows: Any) -> Any:
    """An array like ``operand`` with zeros but for some rows, which are given in the order of the turns."""
    whole = apply(np.zeros_like, operand)
    write_rows(whole, axis, start, stop, in_place(rows, axis, turned))
    return whole


def in_place(rows: Any, axis: int, turned: bool) -> Any:
    """Rows in the order of the turns as they stand along an axis of an array."""
    rows = rows[::-1] if turned else rows
    return np.moveaxis(rows, 0, axis) if axis else rows


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
