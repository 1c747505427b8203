"""Arrays that loops fill element by element, and windows of arrays that their turns look at.

Where each turn writes an element that no other one writes or reads, the gradient of the array is read there once, and
nothing needs to be set to zero.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from chainrule.backward import Backward
from chainrule.indexing import get_item, set_item
from chainrule.ir import Step, Var, is_zero
from chainrule.loop_buffers import counted_from
from chainrule.loops import Loop, Slot, loop_in
from chainrule.sizes import counter_in, is_size

__all__ = ["filled_once", "is_window", "tell_inner_loops", "uncleared"]


def filled_once(loop: Loop, outside: Collection[int] = ()) -> set[int]:
    """The carried variables of the body that hold an array of which each turn writes elements of its own.

    Args:
        loop: the loop.
        outside: those for which that holds in the turns of the loop around it.
    """
    found = set()
    for slot in loop.slots:
        wanted = slot.variable in outside or not (loop.wanted and loop.wanted[slot.place])
        if slot.kind == "carried" and slot.written and wanted and _fills(loop, slot, {}):
            found.add(slot.variable)
    return found


def _fills(loop: Loop, slot: Slot, counters: Mapping[int, int]) -> bool:
    """Whether the turns write elements that are told apart by all of these counters, and read none.

    ``counters`` are those of the loops around it: variables of the body, with what they count from.
    """
    start = counted_from(loop)
    if start is None:
        return False
    counters = {**counters, loop.turn: start}
    version, written = slot.variable, False
    for step in loop.program.steps[: loop.forward_steps]:
        reading = [x for x in step.inputs if isinstance(x, Var) and x.number in (slot.variable, version)]
        if not reading:
            continue
        if written or len(reading) > 1 or reading[0].number != version:
            return False
        inner = loop_in(step)
        if inner is not None:
            own = next((s for s in inner.slots if step.inputs[s.place].number == version), None)
            if own is None or own.kind != "carried":
                return False
            given = {s.variable: counters[n] for s in inner.slots if (n := step.inputs[s.place].number) in counters}
            left = [o.number for out, o in zip(inner.outs, step.outputs, strict=False)
                    if out.kind == "final" and out.variable == own.following]  # fmt: skip
            if len(given) != len(counters) or len(left) != 1 or not _fills(inner, own, given):
                return False
            version = left[0]
        elif step.operation.function is set_item and step.inputs[0] is reading[0] and _tells(step, counters):
            version = step.outputs[0].number
        else:
            return False
        written = True
    return written and version == slot.following


def _tells(step: Step, counters: Mapping[int, int]) -> bool:
    """Whether the index of a write has each of these counters in a place of its own."""
    told = set()
    for part in step.params["index"].parts:
        counter, shift = counter_in(part) if is_size(part) else (None, 0)
        if counter is not None and counter in counters and counters[counter] + shift >= 0:
            told.add(counter)
    return told == set(counters)


def tell_inner_loops(loop: Loop, filled: Collection[int]) -> None:
    """Tell the loops in the body of a loop which of its arrays are filled in that way."""
    for operation, inputs, _, _, _, _ in loop.tape.steps:
        inner = operation.function
        if isinstance(inner, Loop):
            inner.filled = {s.variable for s in inner.slots if inputs[s.place] in filled}


def uncleared(backward: Backward, gradients: Collection[int]) -> Backward:
    """A backward body in which the gradients of such arrays stay as they are where they were read.

    Args:
        backward: the body.
        gradients: the variables with the gradients of the arrays that the turn behind hands on.
    """
    program = backward.program
    replaced: dict[int, Any] = {}
    steps: list[Step] = []
    for n, step in enumerate(program.steps):
        inputs = tuple(replaced.get(x.number, x) for x in step.inputs)
        step = step if inputs == step.inputs else replace(step, inputs=inputs)
        written = n >= backward.forward_steps and step.operation.function is set_item
        if written and is_zero(step.inputs[1]) and step.inputs[0].number in gradients:
            replaced[step.outputs[0].number] = step.inputs[0]
            continue
        steps.append(step)
    outputs = tuple(replaced.get(x.number, x) for x in program.outputs)
    own = tuple(replaced.get(x.number, x) for x in backward.gradients)
    return replace(backward, program=replace(program, steps=tuple(steps), outputs=outputs), gradients=own)


def is_window(loop: Loop, v: int) -> bool:
    """Whether a variable of the body is a part of an array that is the same in all turns, of several of its rows."""
    fixed = loop.fixed()
    made = {o.number: step for step in loop.program.steps[: loop.forward_steps] for o in step.outputs}
    step = made.get(v)
    if step is None or step.operation.function is not get_item or step.inputs[0].number not in fixed:
        return False
    return any(type(p) is slice and (is_size(p.start) or is_size(p.stop)) and p.start is not None
               for p in step.params["index"].parts)  # fmt: skip
