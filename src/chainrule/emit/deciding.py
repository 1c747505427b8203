"""Values that decided what was traced: lines that refuse arguments for which they would have decided otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.ir import Guard, Program, Var

__all__ = ["decision_checks", "decisions", "decisive"]

_MOST = 200  # decisions; of more, it is only said above the code


def decisive(program: Program, forward_steps: int) -> tuple[Var, ...]:
    """The variables of the forward pass whose values decided what was traced."""
    found = (guards[0].variable for guards in decisions(program, forward_steps).values())
    return tuple(x for x in found if isinstance(x, Var))


def decisions(program: Program, forward_steps: int) -> dict[int, list[Guard]]:
    """The decisions that are checked where the forward pass runs, by the variable whose value they are about."""
    made = {x.number for x in program.inputs}
    made.update(out.number for step in program.steps[:forward_steps] for out in step.outputs)
    found = {
        (g.variable.number, g.value): g
        for g in program.guards
        if not g.lengths and type(g.value) in (bool, int) and g.variable.number in made and g.position is not None
    }
    by_variable: dict[int, list[Guard]] = {}
    for (number, _), guard in found.items() if len(found) <= _MOST else ():
        by_variable.setdefault(number, []).append(guard)
    return by_variable


def decision_checks(guards: Sequence[Guard], lines: Sequence[str], name: str, *, lone: bool) -> list[str]:
    """The lines that compute what decided, and behind them those that refuse another decision.

    Args:
        guards: the decisions.
        lines: what computes the value.
        name: the variable that holds it.
        lone: whether nothing else reads it, so that it needs no name.
    """
    text = lines[0].removeprefix(f"{name} = ") if len(lines) == 1 and lone and len(guards) == 1 else ""
    if text in ("", *lines):
        text, kept = name, list(lines)
    else:
        kept = []
    for g in guards:
        if type(g.value) is bool:
            kept.append(f"if {'not ' * g.value}{text}:")
        else:
            kept.append(f"if {text} != {g.value}:")
        kept.append(f'    raise ValueError("{_said(g)}")')
    return kept


def _said(g: Guard) -> str:
    assert g.position is not None
    segment, line = g.position.segment, g.position.line
    plain = segment and len(segment) < 50 and segment.isprintable() and not set(segment) & set('\\"')
    if not plain:
        return f"written for another decision on line {line}"
    if type(g.value) is bool:
        return f"written for `{segment}` on line {line}" + ("" if g.value else " being false")
    return f"written for `{segment}` on line {line} being {g.value}"
