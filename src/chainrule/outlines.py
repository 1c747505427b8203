"""What a trace is, as something that can be compared: what values decided, and the steps up to their lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.ir import Const, Program, Var
from chainrule.loops import Header, Items, loop_in
from chainrule.statics import canonical

__all__ = ["decided_by_lengths", "decides_further", "outline"]


def decided_by_lengths(program: Program) -> dict[str, Sequence[Any]]:
    """What lengths decided, by where in the source."""
    return {str(g.position): g.lengths for g in program.guards if g.lengths}


def outline(program: Program, paths: Sequence[str]) -> tuple[Any, Any]:
    """What values decided; and the steps that the outputs depend on, as something that can be compared."""
    guards = [g for g in program.guards if g.position is not None and not g.lengths]
    decided = [(str(g.position), canonical(g.value, [], {})) for g in guards]
    decided += [(str(position), "while") for position in _asked(program)]
    # By their paths: in front of an array may be a list, whose items are more or fewer.
    inputs = {x.number: ("input", path) for x, path in zip(program.inputs, paths, strict=False)}
    return decided, _steps(program, list(program.outputs), inputs)


def _asked(program: Program) -> list[Any]:
    """Where values say whether loops go on."""
    loops = [loop for step in program.steps if (loop := loop_in(step)) is not None]
    return [s.position for loop in loops for s in loop.program.steps for o in s.outputs
            if o.number == loop.header.condition]  # fmt: skip


def decides_further(own: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether a trace decides all that another one does alike, and more or less of it."""
    before, after = _by_position(own), _by_position(other)
    if before == after or before.keys() != after.keys():
        return False
    return all(a == b for own_, other_ in zip(before.values(), (after[p] for p in before), strict=True)
               for a, b in zip(own_, other_, strict=False))  # fmt: skip


def _by_position(decided: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for position, value in decided:
        found.setdefault(position, []).append(value)
    return found


def _steps(program: Program, outputs: Sequence[Var | Const], inputs: Mapping[int, Any]) -> Any:
    live: set[int] = {x.number for x in outputs}
    chosen = []
    for step in reversed(program.steps):
        if any(out.number in live for out in step.outputs):
            chosen.append(step)
            live.update(x.number for x in step.inputs)
    numbers: dict[int, Any] = dict(inputs)
    found: list[Any] = []

    def static(x: Any, loops: Mapping[int, int] | None = None) -> Any:
        mentioned: list[int] = []
        text = canonical(x, mentioned, loops or {})
        return text, [numbers.get(n, n) for n in mentioned]

    def operand(x: Var | Const) -> Any:
        if isinstance(x, Const) and x.number < 0:
            return static(x.value)
        if isinstance(x, Const):
            return "array", np.shape(x.value), np.asarray(x.value).tobytes()
        return numbers[x.number]

    for k, step in enumerate(reversed(chosen)):
        loop = loop_in(step)
        name = step.operation.name if loop is None else _loop(loop, static)
        operands = [operand(x) for x in step.inputs]
        if loop is not None:  # the items of lists are as many as the turns
            operands = [operands[s.place] for s in loop.slots if s.kind != "item"]
        params = {key: static(v) for key, v in step.params.items()}
        found.append((name, operands, params, step.position))
        numbers.update({out.number: (k, o) for o, out in enumerate(step.outputs)})
    return found, [operand(x) for x in outputs]


def _loop(loop: Any, static: Callable[..., Any]) -> Any:
    """A loop without how many turns it has where that follows the lengths."""
    numbers = {v: k for k, v in enumerate([s.variable for s in loop.slots])}
    slots = [(s.kind, s.first, s.items and _placed(s.items, loop.header)) for s in loop.slots]
    places = {id(slot): k for k, slot in enumerate(loop.slots)}
    outs = [(o.kind, places.get(id(o.variable))) for o in loop.outs]  # the variables are outputs of the body
    counted = None if loop.header.counted is None else static(loop.header.counted)
    decided = [(str(g.position), canonical(g.value, [], {})) for g in loop.program.guards]
    first = int(loop.values[0]) if counted is None else 0
    return slots, outs, counted, loop.header.turned, first, _body(loop), numbers, decided


def _placed(items: Items, header: Header) -> Any:
    return items.path, items.suffix, items.step, items.anchored(header)


def _body(loop: Any) -> Any:
    return _steps(loop.program, [*loop.program.outputs], {x.number: k for k, x in enumerate(loop.program.inputs)})
