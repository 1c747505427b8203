"""The lines of backward code, each beside the array whose gradient it leads to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.explain.collecting import Collecting
from chainrule.explain.derivation import Line
from chainrule.explain.same_lengths import united
from chainrule.ir import Var
from chainrule.statements.statement import Statement

__all__ = ["code_lines"]


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
    owners = _owners(made, [s for s, _ in chosen])
    found: dict[int, list[Line]] = {}
    for (statement, texts), owner in zip(chosen, owners, strict=True):
        out = statement.step.outputs[0]
        element = made.element(owner) if owner in made.active else None
        found.setdefault(owner, []).append(
            Line(
                ", ".join(statement.targets),
                made.spelled("\n".join(texts)),
                collecting.shapes(statement),
                collecting.reasons(statement, element),
                made.backward_values.get(out.number),
                sum(map(len, found.values())),
            )
        )
    made.used_letters |= collecting.used
    by_name = {made.prefix + leaf.name: leaf.variable.number for leaf in map(made.material.leaf_of, made.chosen)}
    variables, ambiguous = {x.number: x for x in made.chosen}, writing.request.symbols.is_ambiguous
    rest = [*made.pasted.settled, *(f"{name} = {text}" for name, text in made.pasted.named)]
    for text in rest:
        target = text.partition(" = ")[0]
        # What is a gradient of no single array is one of a list of arrays that a loop has gone through.
        listed = owners[-1] if owners else -1
        owner = by_name.get(target.rstrip("_"), by_name.get(target, listed))
        x = variables.get(owner)
        axes = [k for k in range(len(x.shape)) if ambiguous(x, k)] if x is not None else []
        why = collecting.stretched(x, axes, text) if x is not None and axes else ()
        value = made.gradients.get(owner)
        line = Line(target, made.spelled(text), reasons=why, value=value, place=sum(map(len, found.values())))
        found.setdefault(owner, []).append(line)
    return found


def _owners(made: Any, statements: Sequence[Statement]) -> list[int]:
    """For each line the array whose gradient it computes, or helps to compute."""
    primals: dict[int, list[int]] = {}
    for primal, g in made.backward.links.items():
        if type(g) is int and primal in made.active:
            primals.setdefault(g, []).append(primal)
    for x, g in zip(made.backward.wrt, made.backward.gradients, strict=True):
        if isinstance(g, Var) and x.number in made.active:
            primals.setdefault(g.number, []).append(x.number)
    routed = {n for n in made.active if n in made.consumers}
    owners: list[int | None] = []
    for s in statements:
        own: int | None = None
        for out, target in zip(s.step.outputs, s.targets, strict=False):
            candidates = [p for p in primals.get(out.number, []) if p in routed]
            named = [p for p in candidates if made.prefix + made.forward.names[p] == target]
            own = own if own is not None else next(iter(named or candidates), None)
        owners.append(own)
    # What has no name of its own belongs to the line that is shown first of those that read it: steps go backward.
    places = {reading.out.number: k for k, reading in enumerate(made.forward.readings)}
    for k in range(len(statements) - 1, -1, -1):
        if owners[k] is None:
            outputs = {out.number for out in statements[k].step.outputs}
            readers = [
                owner
                for later, owner in zip(statements[k + 1 :], owners[k + 1 :], strict=True)
                if owner is not None and outputs & {x.number for step in later.steps for x in step.inputs}
            ]
            if readers:
                owners[k] = max(readers, key=lambda n: places[made.consumers[n][0].out.number])
    fallback = [n for x in made.chosen if (n := x.number) in routed]
    return [o if o is not None else (fallback[-1] if fallback else -1) for o in owners]
