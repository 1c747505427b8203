"""The numbers of the turns of a loop, and of the gradients that flow back through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.ir import Step, Var
from chainrule.loops import Loop, loop_in
from chainrule.run import resolved, values_of
from chainrule.sizes import plain_number

__all__ = ["Turn", "backward_of", "spaces_of", "turns_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """The numbers of one turn.

    Attributes:
        values: of the body's variables.
        gradients: of the same, where there are any: the whole of what flows back to them in this turn.
        handed: what later turns and what is behind the loop hand back for some of them.
    """

    values: Mapping[int, Any]
    gradients: Mapping[int, Any]
    handed: Mapping[int, Any]


def backward_of(forward: Step, steps: Sequence[Step]) -> Step | None:
    """The backward pass of a loop among these steps, if there is one."""
    loop = loop_in(forward)
    for step in steps:
        other = loop_in(step)
        if loop is not None and other is not None and other.backward and other.header is loop.header:
            return step
    return None


def turns_of(
    forward: Step, backward: Step | None, values: Mapping[int, Any], gradients: Mapping[int, Any]
) -> list[Turn]:
    """The numbers of all turns of a loop, in the order in which it runs.

    The backward pass of one turn, as the rules wrote it, is run turn by turn: what a turn hands back is what the turn
    before it starts from.

    Args:
        forward: the loop.
        backward: its backward pass; nothing where no gradient flows through it.
        values: the values of the program that both are in.
        gradients: the gradients of these.

    A loop in the body of another one has turns for each turn of that: these are those of the turn that ``values`` and
    ``gradients`` are of.
    """
    loop = loop_in(forward)
    assert loop is not None
    spaces = spaces_of(forward, values)
    reversed_ = None if backward is None else loop_in(backward)
    if reversed_ is None or reversed_.plain is None:
        return [Turn(spaces[k], {}, {}) for k in sorted(spaces)]
    finals, rows = _arriving(forward, loop, gradients)
    following = {slot.following: slot.variable for slot in loop.slots if slot.kind == "carried"}
    found: list[Turn] = []
    for k in sorted(spaces, reverse=True):
        behind = found[-1].gradients if found else {}
        arriving: dict[int, Any] = {}
        for cotangent, v in reversed_.alike.items():
            if v not in reversed_.handed:
                arriving[cotangent] = np.zeros_like(spaces[k].get(v, 0.0))  # a sum over turns, of which this is a share
            elif found and v in following and following[v] in behind:
                arriving[cotangent] = behind[following[v]]
            else:
                arriving[cotangent] = np.zeros_like(spaces[k][v]) if found or v not in finals else finals[v]
        for v, (array, first) in rows.items():
            arriving.update((r, array[first + k]) for r in reversed_.handed.get(v, []) if r not in reversed_.alike)
        found.append(_turn(spaces[k], reversed_, arriving))
    return found[::-1]


def spaces_of(step: Step, values: Mapping[int, Any]) -> dict[int, Mapping[int, Any]]:
    """What the variables of a loop's body hold in each turn, where these are the values of the program around it."""
    loop = loop_in(step)
    assert loop is not None
    arrays = [
        values[x.number] if isinstance(x, Var) or x.number >= 0 else resolved(x.value, values) for x in step.inputs
    ]
    found: dict[int, Mapping[int, Any]] = {}
    loop.watched(arrays, lambda k, space: found.__setitem__(k, dict(space)))
    return found


def _arriving(
    forward: Step, loop: Loop, gradients: Mapping[int, Any]
) -> tuple[dict[int, Any], dict[int, tuple[Any, int]]]:
    """The gradients of what a loop leaves, by the body's variable: at the end, and row by row from a first row on."""
    finals: dict[int, Any] = {}
    rows: dict[int, tuple[Any, int]] = {}
    outputs = list(forward.outputs)
    for out in loop.outs:
        own = [outputs.pop(0) for _ in range(len(loop.values) if out.kind == "split" else 1)]
        g = gradients.get(own[0].number) if own else None
        if g is None:
            continue
        if out.kind == "final":
            finals[out.variable] = g
        elif out.kind == "stack":
            rows[out.variable] = (g, 0)
        elif out.kind == "whole":
            rows[out.variable.following] = (g, 1)
    return finals, rows


def _turn(space: Mapping[int, Any], backward: Loop, arriving: Mapping[int, Any]) -> Turn:
    plain = backward.plain
    program = plain.program
    held = {**space, **arriving}
    inputs = [held.get(x.number) for x in program.inputs]
    if any(x is None for x in inputs):
        return Turn(space, {}, {})
    found = values_of(program, inputs)
    shapes = {n: np.shape(space[n]) for n in program.by_number() if n in space}
    gradients = {}
    for v, g in plain.links.items():
        if v in shapes:
            value = found.get(g) if type(g) is int else plain_number(g)
            if value is not None and len(np.shape(value)) <= len(shapes[v]):
                gradients[v] = np.broadcast_to(value, shapes[v])
    handed = {v: sum(_held(g, found) for g in parts) for v, parts in backward.handed.items()}
    return Turn(space, gradients, handed)


def _held(g: Any, found: Mapping[int, Any]) -> Any:
    return found[g] if type(g) is int else plain_number(g)
