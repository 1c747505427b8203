"""Sums that backward loops begin with what is added to them later: ``dW`` is added up in one array, turn by turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.indexing import add_item
from chainrule.ir import Program, Step, Var
from chainrule.loops import Loop, Slot, loop_in
from chainrule.ops import OPERATIONS

__all__ = ["added_once", "steps_needed", "sums_begun"]


def sums_begun(backward: Backward) -> Backward:
    """The same backward pass with loops that begin their sums with what would be added to them behind."""
    while (found := _once(backward)) is not None:
        backward = found
    return backward


def _once(backward: Backward) -> Backward | None:
    steps = backward.program.steps
    made = {o.number: k for k, step in enumerate(steps) for o in step.outputs}
    reads: dict[int, int] = {}
    for x in (*(x for step in steps for x in step.inputs), *backward.program.outputs):
        reads[x.number] = reads.get(x.number, 0) + 1
    for k, step in enumerate(steps[backward.forward_steps :], backward.forward_steps):
        if step.operation.name != "add" or step.params or len(step.inputs) != 2:
            continue
        for first, total in (step.inputs, step.inputs[::-1]):
            at = made.get(total.number, -1)
            loop = loop_in(steps[at]) if at >= backward.forward_steps else None
            if loop is None or not loop.backward or reads[total.number] != 1 or not isinstance(first, Var):
                continue
            slot = _sum_of(loop, [o.number for o in steps[at].outputs].index(total.number))
            out = step.outputs[0]
            same = (first.shape, first.dtype) == (total.shape, total.dtype) == (out.shape, out.dtype)  # type: ignore[union-attr]
            if slot is None or not same or 1 in out.shape or not _is_zero(steps, made, steps[at].inputs[slot.place]):
                continue
            before = steps_needed(steps, made, [first.number])
            if at in before:
                continue
            return _moved(backward, k, at, before, slot, first, total.number)
    return None


def _moved(backward: Backward, k: int, at: int, before: set[int], slot: Slot, first: Var, total: int) -> Backward:
    steps = backward.program.steps
    looped = steps[at]
    inputs = tuple(first if n == slot.place else x for n, x in enumerate(looped.inputs))
    outputs = tuple(steps[k].outputs[0] if o.number == total else o for o in looped.outputs)
    changed = replace(looped, inputs=inputs, outputs=outputs)
    order = [
        *range(at),
        *sorted(n for n in before if n > at),
        at,
        *(n for n in range(at + 1, len(steps)) if n not in before),
    ]
    written = tuple(changed if n == at else steps[n] for n in order if n != k)
    links = {primal: g for primal, g in backward.links.items() if g != total}
    return replace(backward, program=replace(backward.program, steps=written), links=links)


def steps_needed(steps: Sequence[Step], made: Mapping[int, int], variables: Iterable[int]) -> set[int]:
    """The places of the steps that variables are computed by; ``made`` says by which step each one is."""
    found: set[int] = set()
    pending = list(variables)
    while pending:
        k = made.get(pending.pop())
        if k is not None and k not in found:
            found.add(k)
            pending += [x.number for x in steps[k].inputs]
    return found


def _is_zero(steps: Any, made: dict[int, int], x: Any) -> bool:
    k = made.get(x.number)
    return k is not None and steps[k].operation.name == "zeros_like"


def _sum_of(loop: Loop, output: int) -> Slot | None:
    """The slot of a sum that is an output of a loop, if it is one."""
    out = loop.left()[output]
    if out.kind != "next":
        return None
    slot: Slot = out.variable
    steps = loop.program.steps
    reads = [x.number for step in steps for x in step.inputs]
    followings = [s.following for s in loop.slots if s.kind == "carried"]
    alone = reads.count(slot.variable) == 1 and followings.count(slot.variable) == 0
    return slot if alone and followings.count(slot.following) == 1 and _adds(loop, slot) else None


def _adds(loop: Loop, slot: Slot) -> bool:
    """Whether a turn does nothing with what is handed on but add to it."""
    made: dict[int, Step] = {o.number: step for step in loop.program.steps for o in step.outputs}
    reads = [x.number for step in loop.program.steps for x in step.inputs]
    v = slot.following
    while v != slot.variable:
        step = made.get(v)
        if step is None or (v != slot.following and reads.count(v) != 1):
            return False
        inner = loop_in(step)
        if inner is not None:
            own = _sum_of(inner, [o.number for o in step.outputs].index(v))
            if own is None:
                return False
            v = step.inputs[own.place].number
        elif step.operation.name == "add" and len(step.inputs) == 2:
            depending = [x for x in step.inputs if _reaches(made, x.number, slot.variable)]
            if len(depending) != 1:
                return False
            v = depending[0].number
        elif step.operation.name == "subtract" or step.operation.function is add_item:
            v = step.inputs[0].number
        else:
            return False
    return True


def _reaches(made: dict[int, Step], v: int, goal: int) -> bool:
    pending, seen = [v], set()
    while pending:
        v = pending.pop()
        if v == goal:
            return True
        if v not in seen and v in made:
            seen.add(v)
            pending += [x.number for x in made[v].inputs]
    return False


def added_once(program: Program) -> Program:
    """A body that adds to a row of an array once, where it adds to it twice in succession."""
    reads: dict[int, int] = {}
    for x in (*(x for step in program.steps for x in step.inputs), *program.outputs):
        reads[x.number] = reads.get(x.number, 0) + 1
    steps: list[Step] = []
    added: dict[int, Step] = {}  # by what they make, those that add to rows
    number = 1 + max(program.by_number())
    for step in program.steps:
        if not _adds_to_rows(step):
            steps.append(step)
            continue
        base, second = step.inputs
        before = added.get(base.number)
        if before is not None and reads[base.number] == 1 and before.params == step.params:
            array, first = before.inputs
            if isinstance(second, Var) and _alike(first, second):
                total = replace(second, number=number, name=None)
                number += 1
                steps.remove(before)
                steps.append(Step(OPERATIONS[np.add], (first, second), {}, (total,), step.position))
                step = replace(step, inputs=(array, total))
        steps.append(step)
        added[step.outputs[0].number] = step
    return replace(program, steps=tuple(steps))


def _adds_to_rows(step: Step) -> bool:
    return step.operation.function is add_item and len(step.inputs) == 2


def _alike(x: Any, y: Var) -> bool:
    return isinstance(x, Var) and (x.shape, x.dtype) == (y.shape, y.dtype)
