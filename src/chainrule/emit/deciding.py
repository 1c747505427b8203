"""Values that decided what was traced: lines that refuse arguments for which they would have decided otherwise."""

from __future__ import annotations

from chainrule.emit.writing import INDENT, Writing
from chainrule.ir import Guard, Program, Var

__all__ = ["decision_checks", "decisive"]

_MOST = 8  # decisions; of more, it is only said above the code


def decisive(program: Program, forward_steps: int) -> tuple[Var, ...]:
    """The variables of the forward pass whose values decided what was traced."""
    return tuple({g.variable.number: g.variable for g in _decisions(program, forward_steps)
                  if isinstance(g.variable, Var)}.values())  # fmt: skip


def _decisions(program: Program, forward_steps: int) -> list[Guard]:
    made = {x.number for x in program.inputs}
    made.update(out.number for step in program.steps[:forward_steps] for out in step.outputs)
    found = {
        (g.variable.number, g.value): g
        for g in program.guards
        if not g.lengths and type(g.value) in (bool, int) and g.variable.number in made and g.position is not None
    }
    return list(found.values()) if len(found) <= _MOST else []


def decision_checks(writing: Writing) -> list[str]:
    """The lines behind the forward pass that refuse other decisions."""
    lines: list[str] = []
    for g in _decisions(writing.request.program, writing.request.forward_steps):
        text = writing.operand(g.variable)
        if type(g.value) is bool:
            lines.append(f"if {'not ' * g.value}{text}:")
        else:
            lines.append(f"if {text} != {g.value}:")
        lines.append(f'{INDENT}raise ValueError("{_said(g)}")')
    return lines


def _said(g: Guard) -> str:
    assert g.position is not None
    segment, line = g.position.segment, g.position.line
    plain = segment and len(segment) < 50 and segment.isprintable() and not set(segment) & set('\\"')
    if not plain:
        return f"written for another decision on line {line}"
    if type(g.value) is bool:
        return f"written for `{segment}` on line {line}" + ("" if g.value else " being false")
    return f"written for `{segment}` on line {line} being {g.value}"
