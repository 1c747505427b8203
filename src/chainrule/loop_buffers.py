"""Arrays that a loop fills row by row: ``h[t] = np.tanh(h[t - 1] @ W)``.

Where a row is read after it was written for the last time, it can be read from the array as the loop leaves it, so that
nothing needs to be kept.  The same holds for the gradient of such an array, which the backward loop fills from its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chainrule.indexing import Index, add_item, get_item, set_item
from chainrule.ir import Program, Step, Var, is_zero
from chainrule.loops import Loop, Slot
from chainrule.ops import OPERATIONS
from chainrule.sizes import counter_in, is_size

__all__ = ["Buffer", "buffers_of", "counted_from", "counter_place", "read_behind", "without_zeros"]

_WHOLE = (None, None, None)


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """An array that each turn writes one row of, and reads earlier rows of.

    Attributes:
        slot: what the loop is given it as.
        axis: the axis along which the turns go.
        written: how far the row that is written is from the counter.
        reads: by variable of the body that is a row of it, how far that is from the counter.
        value: the variable that is written, if all of a row is that.
        write: the step that writes.
    """

    slot: Slot
    axis: int
    written: int
    reads: Mapping[int, int]
    value: int | None
    write: Step


def counter_place(index: Index, turn: int) -> tuple[int, int] | None:
    """The axis of which a row is picked by the counter, and how far that is from the counter."""
    places = [k for k, p in enumerate(index.parts) if is_size(p)]
    if len(places) != 1:
        return None
    rest = [p for k, p in enumerate(index.parts) if k != places[0]]
    if any(type(p) is not slice or (p.start, p.stop, p.step) != _WHOLE for p in rest):
        return None
    counter, shift = counter_in(index.parts[places[0]])
    return (places[0], shift) if counter == turn else None


def counted_from(loop: Loop) -> int | None:
    """Where a counter starts that goes up by one each turn, if that is a plain number that is not negative."""
    header, values = loop.header, list(loop.values)
    start, _, step = header.counted if header.counted is not None else (int(values[0]), None, 1)
    if header.turned or is_size(start) or is_size(step) or step != 1 or start < 0:
        return None
    return int(start) if values == list(range(values[0], values[0] + len(values))) else None


def buffers_of(loop: Loop) -> list[Buffer]:
    """The arrays that a loop fills row by row."""
    start = counted_from(loop)
    if start is None:
        return []
    found = (_buffer(loop, slot, start) for slot in loop.slots if slot.kind == "carried" and slot.written)
    return [b for b in found if b is not None]


def _buffer(loop: Loop, slot: Slot, start: int) -> Buffer | None:
    version, written = slot.variable, None
    write: Step | None = None
    reads: dict[int, int] = {}
    axis: int | None = None
    for step in loop.program.steps:
        if not any(x.number in (slot.variable, version) for x in step.inputs):
            continue
        place = counter_place(step.params["index"], loop.turn) if "index" in step.params else None
        if place is None or step.inputs[0].number != version or axis not in (None, place[0]):
            return None
        axis = place[0]
        if step.operation.function is get_item:
            reads[step.outputs[0].number] = place[1]
        elif step.operation.function is set_item and written is None and len(step.inputs) == 2:
            if any(r >= place[1] for r in reads.values()):
                return None  # a row that is written afterwards
            version, written, write = step.outputs[0].number, place[1], step
        else:
            return None
    if written is None or write is None or axis is None or version != slot.following:
        return None
    if any(r > written for r in reads.values()) or start + min((written, *reads.values())) < 0:
        return None
    return Buffer(slot, axis, written, reads, _whole_row(loop, write, axis), write)


def _whole_row(loop: Loop, write: Step, axis: int) -> int | None:
    """The variable that is all of the row that a step writes, unless it is handed on besides."""
    value, array = write.inputs[1], write.inputs[0]
    if not isinstance(value, Var) or not isinstance(array, Var) or value.dtype != array.dtype:
        return None
    row = tuple(n for k, n in enumerate(array.shape) if k != axis)
    known = {o.number for step in loop.program.steps for o in step.outputs}
    handed = any(s.following == value.number for s in loop.slots)
    return value.number if value.shape == row and value.number in known and not handed else None


def read_behind(program: Program, forward_steps: int, buffer: Buffer) -> tuple[Program, Var] | None:
    """A backward body whose rows of a buffer are read from the array that the loop left, which is a further input."""
    used = {x.number for step in program.steps[forward_steps:] for x in step.inputs}
    used |= {x.number for step in program.steps[:forward_steps] for x in step.inputs}
    rows = buffer.reads.keys() & used
    if not rows and buffer.value not in used:
        return None
    known = program.by_number()
    before = known[buffer.slot.variable]
    assert isinstance(before, Var)
    whole = replace(before, number=1 + max(known))

    def changed(step: Step) -> Step:
        number = step.outputs[0].number
        if number in rows:
            return replace(step, inputs=(whole, *step.inputs[1:]))
        if number == buffer.value and len(step.outputs) == 1:
            # What is written into a row can be read there.
            return Step(
                OPERATIONS[get_item], (whole,), {"index": buffer.write.params["index"]}, step.outputs, step.position
            )
        return step

    steps = (*map(changed, program.steps[:forward_steps]), *program.steps[forward_steps:])
    return replace(program, inputs=(*program.inputs, whole), steps=steps), whole


def without_zeros(
    program: Program, forward_steps: int, ends: tuple[int, int], buffer: Buffer, turn: int
) -> tuple[Program, int, int | None] | None:
    """A backward body that does not set the row to zero whose gradient it has read, as no other turn reads it.

    Args:
        program: the body.
        forward_steps: how many of its steps are of the forward pass.
        ends: the variables that hold the gradient of the buffer before and after a turn.
        buffer: the buffer.
        turn: the variable that counts.

    Returns:
        The body, the variable that holds the gradient after a turn, and that of the row which is read for the last
        time.
    """
    version, row, zeroed = ends[0], None, None
    replaced: dict[int, Any] = {}
    versions = {version}
    steps: list[Step] = []
    for n, step in enumerate(program.steps):
        inputs = tuple(replaced.get(x.number, x) for x in step.inputs)
        step = step if inputs == step.inputs else replace(step, inputs=inputs)
        if n >= forward_steps and any(x.number in versions for x in step.inputs):
            place = counter_place(step.params["index"], turn) if "index" in step.params else None
            if place is None or place[0] != buffer.axis or step.inputs[0].number != version:
                return None
            function, shift = step.operation.function, place[1]
            if function is get_item and shift == buffer.written and zeroed is None:
                row = step.outputs[0].number
            elif function is set_item and shift == buffer.written and is_zero(step.inputs[1]) and zeroed is None:
                zeroed = step.outputs[0].number
                replaced[zeroed] = step.inputs[0]
                continue
            elif function is add_item and (shift < buffer.written or (row is None and shift == buffer.written)):
                version = step.outputs[0].number
                versions.add(version)
            else:
                return None
        steps.append(step)
    if zeroed is None or ends[1] not in (version, zeroed):
        return None
    outputs = tuple(replaced.get(x.number, x) for x in program.outputs)
    return replace(program, steps=tuple(steps), outputs=outputs), version, row
