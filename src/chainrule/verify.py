"""Whether a program is well formed: run on the output of each pass in tests and when debugging."""

from __future__ import annotations

from chainrule.errors import ChainruleError
from chainrule.ir import Program, Var, call_text

__all__ = ["MalformedError", "verify"]


class MalformedError(ChainruleError):
    """A program that is not well formed, which is a fault of the pass that made it."""


def verify(program: Program) -> Program:
    """Return the program if each variable is made once and used only afterwards.

    Raises:
        MalformedError: otherwise, with the offending step and its neighbours.
    """
    known = {x.number for x in program.inputs} | {c.number for c in program.constants}
    if len(known) != len(program.inputs) + len(program.constants):
        raise MalformedError("two inputs or constants of the program share a number")
    for k, step in enumerate(program.steps):
        for x in step.inputs:
            if (isinstance(x, Var) or x.number >= 0) and x.number not in known:
                raise MalformedError(f"step {k} uses a variable that is not made before it:\n{_neighbours(program, k)}")
        for out in step.outputs:
            if out.number in known:
                raise MalformedError(f"step {k} makes a variable a second time:\n{_neighbours(program, k)}")
            known.add(out.number)
    for x in program.outputs:
        if (isinstance(x, Var) or x.number >= 0) and x.number not in known:
            raise MalformedError("the program returns a variable that it never makes")
    return program


def _neighbours(program: Program, k: int) -> str:
    names = program.names()
    lines = []
    for n in range(max(0, k - 3), min(len(program.steps), k + 4)):
        step = program.steps[n]
        outputs = ", ".join(names.get(o.number, "?") for o in step.outputs)
        operands = {x.number: x.name or "?" for x in step.inputs if x.number >= 0} | dict(names)
        place = "" if step.position is None else f"   line {step.position.line}: {step.position.text}"
        lines.append(f"  {'->' if n == k else '  '} {outputs} = {call_text(step, operands)}{place}")
    return "\n".join(lines)
