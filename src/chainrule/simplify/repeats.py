"""Without repeated and dead backward steps: what needs no algebra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.calls import identity
from chainrule.indexing import add_item, get_item, is_apart, set_item
from chainrule.ir import Const, Step, Var, is_zero
from chainrule.ops import OPERATIONS, Operation
from chainrule.simplify.accumulated import reversed_axes
from chainrule.simplify.free_steps import WRITTEN
from chainrule.sizes import is_size
from chainrule.statics import mentioned_in, renumbered

__all__ = ["frozen", "without_repeats"]

_UNREPEATABLE = frozenset((np.empty_like,))
_MOST_BETWEEN = 8  # additions between setting a part to zero and adding to it


def frozen(p: Any) -> Any:
    """A static argument as something that can be compared; sizes by where they come from."""
    if is_size(p):
        return ("size", *(frozen(e) for e in p.expression))
    if isinstance(p, tuple | list):
        return (type(p).__name__, *(frozen(e) for e in p))
    if isinstance(p, slice):
        return ("slice", frozen(p.start), frozen(p.stop), frozen(p.step))
    if isinstance(p, float):
        return ("float", p.hex())  # tells -0.0 from 0.0, and nan is itself
    try:
        hash(p)
    except TypeError:
        return ("object", id(p))
    return (type(p).__name__, p)


def without_repeats(backward: Backward) -> Backward:
    """The record without backward steps that are done already, in the forward or backward pass, and dead ones."""
    program = backward.program
    replaced: dict[int, Var] = {}
    moved: dict[int, int] = {}  # the same, by number
    known: dict[Any, tuple[Var, ...]] = {}
    steps: list[Step] = []
    made_by: dict[int, Step] = {}  # the backward steps
    counted: set[int] = set()  # arrays of the numbers from 0 on
    turned: dict[int, tuple[Var, frozenset[int]]] = {}  # what is turned around along which axes
    numbers = count(max(program.by_number(), default=0) + 1)

    def operand(x: Var | Const) -> Var | Const:
        if isinstance(x, Var):
            return replaced.get(x.number, x)
        return Const(renumbered(x.value, moved)) if moved and is_size(x.value) else x

    for k, step in enumerate(program.steps):
        inputs = tuple(operand(x) for x in step.inputs)
        if moved:
            params = {name: renumbered(p, moved) for name, p in step.params.items()}
            step = Step(step.operation, inputs, params, step.outputs, step.position)
        key = _key(step.operation, inputs, step.params)
        axes = reversed_axes(step)
        if step.operation.name == "arange" and list(step.params) == ["argument 0"]:
            counted.update(out.number for out in step.outputs)
        if k >= backward.forward_steps:
            earlier = known.get(key)
            if earlier is not None:
                replaced.update((out.number, old) for out, old in zip(step.outputs, earlier, strict=True))
                moved.update((out.number, old.number) for out, old in zip(step.outputs, earlier, strict=True))
                continue
            if step.operation.function is identity and isinstance(inputs[0], Var):
                replaced[step.outputs[0].number] = inputs[0]
                moved[step.outputs[0].number] = inputs[0].number
                continue
            restored = _turned_back(step, inputs, axes, turned) or _put_back(step, inputs, made_by, counted, numbers)
            if restored is not None:
                *others, step = restored
                steps += others
                made_by.update((other.outputs[0].number, other) for other in others)
                if step.operation.function is identity and isinstance(step.inputs[0], Var):
                    replaced[step.outputs[0].number] = step.inputs[0]
                    moved[step.outputs[0].number] = step.inputs[0].number
                    continue
                inputs = step.inputs
            inputs = _beside_writes(step, inputs, made_by)
            step = Step(step.operation, inputs, step.params, step.outputs, step.position)
            made_by[step.outputs[0].number] = step
        if axes is not None and isinstance(inputs[0], Var):
            base, before = turned.get(inputs[0].number, (inputs[0], frozenset[int]()))
            turned[step.outputs[0].number] = base, axes ^ before
        # The user's np.zeros_like is for them to write into.
        written = k < backward.forward_steps and step.operation.name in WRITTEN
        if step.operation.function not in _UNREPEATABLE and not written:
            known.setdefault(key, step.outputs)
        steps.append(step)
    outputs = tuple(operand(x) for x in program.outputs)
    needed = {x.number for x in outputs}
    kept: list[Step] = []
    for k in range(len(steps) - 1, -1, -1):
        step = steps[k]
        if k < backward.forward_steps or any(out.number in needed for out in step.outputs):
            needed.update(x.number for x in step.inputs)
            for p in (*step.params.values(), *(x.value for x in step.inputs if isinstance(x, Const) and x.number < 0)):
                needed.update(mentioned_in(p))
            kept.append(step)
    kept.reverse()
    made = {out.number for step in kept for out in step.outputs} | {x.number for x in program.inputs}
    made |= {c.number for c in program.constants}

    def linked(g: Any) -> Any:
        g = replaced[g].number if type(g) is int and g in replaced else g
        return None if type(g) is int and g not in made else g

    links = {v: new for v, g in backward.links.items() if (new := linked(g)) is not None}
    contributions = {
        v: tuple((s, new) for s, g in shares if (new := linked(g)) is not None)
        for v, shares in backward.contributions.items()
    }
    whole = replace(program, steps=tuple(kept), outputs=outputs)
    return Backward(
        whole,
        backward.forward_steps,
        backward.wrt,
        tuple(operand(x) for x in backward.gradients),
        backward.cotangents,
        links,
        {v: shares for v, shares in contributions.items() if shares},
        backward.likes,
        backward.structure,
        backward.added_up,
    )


def _turned_back(
    step: Step,
    inputs: tuple[Var | Const, ...],
    axes: frozenset[int] | None,
    turned: Mapping[int, tuple[Var, frozenset[int]]],
) -> list[Step] | None:
    """What is turned around twice along the same axes is what it was."""
    if not axes or not isinstance(inputs[0], Var) or inputs[0].number not in turned:
        return None
    base, before = turned[inputs[0].number]
    if axes != before or base.dtype != step.outputs[0].dtype:
        return None
    return [Step(OPERATIONS[identity], (base,), {}, step.outputs, step.position)]


def _put_back(
    step: Step, inputs: tuple[Var | Const, ...], made_by: dict[int, Step], counted: set[int], numbers: Iterator[int]
) -> list[Step] | None:
    """What is added to a part that was set to zero: to the array as it was, where it is that part, else written there.

    ``y[1:] += v`` reads, adds and writes: the cotangent of y goes through the write, where it is zero, and the reading.
    What was added elsewhere meanwhile is added to the array as it was. The last step made is the one that is meant.
    """
    if step.operation.function is not add_item or not isinstance(inputs[0], Var):
        return None
    between: list[Step] = []
    cleared = made_by.get(inputs[0].number)
    while cleared is not None and cleared.operation.function is add_item and len(between) < _MOST_BETWEEN:
        between.append(cleared)
        base = cleared.inputs[0]
        cleared = made_by.get(base.number) if isinstance(base, Var) else None
    if cleared is None or cleared.operation.function is not set_item:
        return None
    whole, nothing, *places = cleared.inputs
    index = step.params["index"]
    same = cleared.params["index"] == index and tuple(places) == inputs[2:]
    if not same or not is_zero(nothing) or not isinstance(whole, Var):
        return None
    if not (index.basic or _names_each_once(places, counted)):
        return None
    amount = inputs[1]
    part = made_by.get(amount.number) if isinstance(amount, Var) else None
    known = part is not None and part.operation.function is get_item and part.params["index"] == index
    if part is None or not known or part.inputs != (whole, *places):
        if between or whole.dtype != step.outputs[0].dtype:
            return None
        return [Step(OPERATIONS[set_item], (whole, amount, *places), step.params, step.outputs, step.position)]
    made: list[Step] = []
    for added in reversed(between):
        (old,) = added.outputs
        out = Var(old.shape, old.dtype, old.name, next(numbers))
        made.append(Step(added.operation, (whole, *added.inputs[1:]), added.params, (out,), added.position))
        whole = out
    made.append(Step(OPERATIONS[identity], (whole,), {}, step.outputs, step.position))
    return made


def _beside_writes(step: Step, inputs: tuple[Var | Const, ...], made_by: dict[int, Step]) -> tuple[Var | Const, ...]:
    """The operands of a step that reads a part of an array, which is there before something else is written beside."""
    while step.operation.function is get_item and isinstance(inputs[0], Var):
        written = made_by.get(inputs[0].number)
        if written is None or written.operation.function not in (set_item, add_item):
            break
        base = written.inputs[0]
        if not isinstance(base, Var) or base.dtype != inputs[0].dtype or (base.name is None and inputs[0].name):
            break  # the name would go with what is written
        if not is_apart(step.params["index"], written.params["index"], len(base.shape)):
            break
        inputs = (base, *inputs[1:])
    return inputs


def _names_each_once(places: Sequence[Var | Const], counted: set[int]) -> bool:
    """Whether no element is named twice by arrays of indices: one of them counts, or a mask stands alone."""
    if len(places) == 1:
        return isinstance(places[0], Var) and (places[0].dtype.kind == "b" or places[0].number in counted)
    flat = all(isinstance(x, Var) and len(x.shape) <= 1 for x in places)
    return flat and any(x.number in counted for x in places)


def _key(operation: Operation, inputs: tuple[Var | Const, ...], params: Any) -> Any:
    operands = tuple(x.number if isinstance(x, Var) or x.number >= 0 else ("literal", frozen(x.value)) for x in inputs)
    return operation, operands, tuple((k, frozen(v)) for k, v in params.items())
