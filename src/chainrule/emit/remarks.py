"""What is said above written code: what it is valid for, and which loops are written out."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from chainrule.emit.material import Material
from chainrule.emit.text import comment
from chainrule.facts import remarks_of_facts
from chainrule.ir import Guard, Step
from chainrule.loops import Loop, loop_in
from chainrule.positions import Position
from chainrule.user_source import loop_of, node_of

__all__ = ["remarks", "turns_written_out"]


def turns_written_out(steps: Sequence[Step]) -> dict[tuple[str, int], int]:
    """How many turns of loops are written out, by the file and line of the loop."""
    turns: dict[tuple[str, int], int] = {}
    counts: dict[Any, int] = {}
    bodies = [s.position for step in steps if (loop := loop_in(step)) is not None for s in loop.program.steps]
    rolled = {(p.filename, loop_of(p)) for p in bodies if p is not None}
    for step in steps:
        if step.position is not None:
            key = (step.position, step.operation)
            counts[key] = counts.get(key, 0) + 1
            line = loop_of(step.position)
            place = (step.position.filename, line)
            # A turn in front of a loop, as the first one of it, is no reason to say so.
            if line is not None and (counts[key] > 1 or place not in rolled):
                turns[place[0], line] = max(turns.get((place[0], line), 0), counts[key])
    return turns


def remarks(material: Material, steps: Sequence[Step], guards: Sequence[Guard], loops: Sequence[Loop]) -> list[str]:
    """What is to be said above the code: what it is valid for; of loops, too, whose turns are not written."""
    found = [f"valid for {name}={value!r}" for name, value in material.settings.items()]
    reached = {leaf.variable.number: leaf.source for leaf in material.leaves}
    found += remarks_of_facts(material.program, reached, material.assume)
    found += [material.remark] if material.remark else []
    found += [text for fixed in material.fixed if (text := fixed.remark())]
    decisions: dict[Any, list[Any]] = {}
    for guard in guards:
        decisions.setdefault(guard.position, []).append(guard.value)
    found += [f"valid while {_decided(position, values)}" for position, values in decisions.items()]
    found += [f"valid while {text}" for loop in loops for text in loop.decided]
    found += [f"valid while {_decided(g.position, [g.value], True)}" for loop in loops for g in loop.decisions()]
    found += [
        f"the loop on line {line} is written out, {count} turn{'s' * (count > 1)}"
        for (_, line), count in turns_written_out(steps).items()
    ]
    return [line for text in dict.fromkeys(found) for line in comment(text)]


def _decided(position: Position | None, values: Sequence[Any], turns: bool = False) -> str:
    """What values decided at a place: ```x.sum() > 0` on line 12``; with how often, where that was in a loop."""
    text = position.segment if position is not None else ""
    if position is None or not text:
        return f"a value is {', '.join(map(repr, values))}"
    said = f"`{text}` on line {position.line}"
    if turns and type(values[0]) is bool:
        return f"{said} is {'true' if values[0] else 'false'} in every turn"
    node = node_of(position)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max", "sorted"):
        return f"{said} chooses the same as in the example"
    runs = [(value, len(list(same))) for value, same in groupby(values)]
    if all(value is True or value is False for value in values):
        words = [("true" if value else "false") + (f" {count} times" if count > 1 else "") for value, count in runs]
        return said if values == [True] else f"{said} is {', then '.join(words)}"
    same = len({repr(v) for v in values}) == 1
    return f"{said} is {values[0]!r}" if same else f"{said} is {', '.join(map(repr, values))} in turn"
