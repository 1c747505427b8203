"""The lines of backward code, each beside the array whose gradient it leads to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.explain.collecting import Collecting
from chainrule.explain.derivation import Line
from chainrule.explain.same_lengths import united
from chainrule.ir import Var
from chainrule.language import Message, listed, message
from chainrule.loops import loop_in
from chainrule.statements.statement import Statement

__all__ = ["code_lines", "owners_of"]


def code_lines(made: Any) -> dict[int, list[Line]]:
    """The lines of the backward pass, by the number of the array whose gradient they lead to."""
    writing = made.pasted.writing
    chosen = [
        (s, texts)
        for s, texts in zip(writing.statements.statements, writing.texts, strict=True)
        if not s.forward or writing.request.late
    ]
    symbols = united(writing.request.symbols.of, made.backward.program.steps)
    collecting = Collecting(
        writing.printer,
        writing.statements.folded,
        made.forward.letters,
        symbols,
        made.record.program.steps[: made.record.forward_steps],
    )
    cotangents = [(v, g) for v, g in made.backward.links.items() if type(g) is int]
    cotangents += [
        (x.number, g.number)
        for x, g in zip(made.backward.wrt, made.backward.gradients, strict=True)
        if isinstance(g, Var)
    ]
    routed = [x.number for x in made.chosen if x.number in made.active and x.number in made.consumers]
    owners = owners_of(made, [s for s, _ in chosen], cotangents, routed[-1] if routed else -1)
    found: dict[int, list[Line]] = {}
    for place, ((statement, texts), owner) in enumerate(zip(chosen, owners, strict=True)):
        element = made.element(owner) if owner in made.active else None
        numbers = _numbers(made, statement)
        leads = made.prefix + made.forward.names[owner] if owner in made.active else ""
        found.setdefault(owner, []).append(
            Line(
                ", ".join(statement.targets),
                made.spelled("\n".join(texts)),
                collecting.shapes(statement),
                collecting.reasons(statement, element),
                dict(numbers).get(leads, numbers[-1][1]) if numbers else None,
                place,
                tuple(numbers),
                _run_again(statement) or _kept_once(made, statement, owner),
            )
        )
    made.used_letters |= collecting.used
    by_name = {made.prefix + leaf.name: leaf.variable.number for leaf in map(made.material.leaf_of, made.chosen)}
    variables, ambiguous = {x.number: x for x in made.chosen}, writing.request.symbols.is_ambiguous
    rest = [*made.pasted.settled, *(f"{name} = {text}" for name, text in made.pasted.named)]
    for place, text in enumerate(rest, len(chosen)):
        target = text.partition(" = ")[0]
        # What is a gradient of no single array is one of a list of arrays that a loop has gone through.
        last = owners[-1] if owners else -1
        owner = by_name.get(target.rstrip("_"), by_name.get(target, last))
        x = variables.get(owner)
        axes = [k for k in range(len(x.shape)) if ambiguous(x, k)] if x is not None else []
        why = collecting.stretched(x, axes, text) if x is not None and axes else ()
        value = made.gradients.get(owner)
        line = Line(target, made.spelled(text), reasons=why, value=value, place=place)
        found.setdefault(owner, []).append(line)
    return found


def _numbers(made: Any, statement: Statement) -> list[tuple[str, Any]]:
    """What a statement computes and the user's own lines have not left under the same name."""
    there = made.pasted.writing.request.given
    return [
        (target, made.backward_values[out.number])
        for out, target in zip(statement.step.outputs, statement.targets, strict=False)
        if target != "_" and out.number not in there and out.number in made.backward_values
    ]


def _run_again(statement: Statement) -> Message | None:
    """Why a loop of the user's is run once more."""
    loop = loop_in(statement.step)
    if loop is None or not statement.forward:
        return None
    slots = {slot.following: slot.variable for slot in loop.slots}
    variables = loop.program.by_number()
    names: dict[str, None] = {}
    for out in loop.outs:
        if out.kind in ("final", "next"):
            continue
        number = out.variable if isinstance(out.variable, int) else out.variable.following
        for x in (variables.get(number), variables.get(slots.get(number, number))):
            name = getattr(x, "name", None)
            if name:
                names[name] = None
                break
    if not names:
        return None
    return message(
        "The value of every turn is needed ({names}), so the loop is run again and each value is kept.",
        names=listed(names),
    )


def _kept_once(made: Any, statement: Statement, owner: int) -> Message | None:
    """That a gradient is the same along some axes, and is computed without them."""
    out, whole = statement.step.outputs[-1], made.gradients.get(owner)
    if len(statement.targets) != 1 or whole is None or made.backward.links.get(owner) != out.number:
        return None
    value = made.backward_values.get(out.number)
    own, shape = np.shape(value), np.shape(whole)
    if own == shape or len(own) > len(shape):
        return None
    padded = (1,) * (len(shape) - len(own)) + own
    axes = [k for k, (a, b) in enumerate(zip(padded, shape, strict=True)) if a != b]
    if any(padded[k] != 1 for k in axes) or not np.allclose(np.broadcast_to(value, shape), whole, equal_nan=True):
        return None
    name, gradient = made.forward.names[owner], made.prefix + made.forward.names[owner]
    if len(axes) == len(shape):
        return message("All elements of {name} have the same gradient, so one number is kept.", name=name)
    if axes == [0] and len(shape) == 2:
        return message(
            "All rows of {name} have the same gradient, so {gradient} is kept as one row: {kept} instead of {whole}. "
            "Broadcasting repeats it.",
            name=name, gradient=gradient, kept=_shape(own), whole=_shape(shape),
        )  # fmt: skip
    return message(
        "The gradient is the same all along some axes of {name} ({axes}), so {gradient} is kept without repeating it: "
        "{kept} instead of {whole}. Broadcasting repeats it.",
        name=name, axes=", ".join(f"axis={k}" for k in axes), gradient=gradient, kept=_shape(own),
        whole=_shape(shape),
    )  # fmt: skip


def _shape(shape: tuple[int, ...]) -> str:
    return str(shape).replace(" ", "")


def owners_of(
    scene: Any, statements: Sequence[Statement], cotangents: Iterable[tuple[int, int]], otherwise: int = -1
) -> list[int]:
    """For each line the array whose gradient it computes, or helps to compute.

    Args:
        scene: the statements whose gradients they are.
        statements: the lines.
        cotangents: pairs of an array and what the code has as its gradient.
        otherwise: the array of those that lead to no gradient.
    """
    primals: dict[int, list[int]] = {}
    for primal, g in cotangents:
        if primal in scene.active:
            primals.setdefault(g, []).append(primal)
    routed = {n for n in scene.active if n in scene.consumers}
    owners: list[int | None] = []
    for s in statements:
        own: int | None = None
        for out, target in zip(s.step.outputs, s.targets, strict=False):
            candidates = [p for p in primals.get(out.number, []) if p in routed]
            named = [p for p in candidates if scene.prefix + scene.forward.names[p] == target]
            own = own if own is not None else next(iter(named or candidates), None)
        owners.append(own)
    # What has no name of its own belongs to the line that is shown first of those that read it: steps go backward.
    places = {reading.out.number: k for k, reading in enumerate(scene.forward.readings)}
    readers: dict[int, list[int]] = {}
    for k in range(len(statements) - 1, -1, -1):
        if owners[k] is None:
            later = sorted({n for out in statements[k].step.outputs for n in readers.get(out.number, ())})
            owned = [owner for n in later if (owner := owners[n]) is not None]
            if owned:
                owners[k] = max(owned, key=lambda n: places[scene.consumers[n][0].out.number])
        for number in {x.number for step in statements[k].steps for x in step.inputs}:
            readers.setdefault(number, []).append(k)
    return [o if o is not None else otherwise for o in owners]
