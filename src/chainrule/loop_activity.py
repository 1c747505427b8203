"""Which operands of loops, and which variables of their bodies, have a cotangent that is wanted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chainrule.differentiate import is_differentiable
from chainrule.loops import Loop, Out, Slot
from chainrule.tape import Tape

__all__ = ["activate", "active_in"]


def activate(tape: Tape, wrt: Sequence[int]) -> None:
    """Note for each loop on a tape which of its operands have a cotangent that is wanted."""
    depends = set(wrt)
    for operation, inputs, _, outputs, _, _ in tape.steps:
        own = [type(x) is int and x in depends for x in inputs]
        loop = operation.function
        if isinstance(loop, Loop):
            loop.wanted = own
            active = active_in(loop)
            for out, v in zip(loop.outs, outputs, strict=True):
                if _depends(out, active) and is_differentiable(tape.values[v]):
                    depends.add(v)
        elif operation.kind != "constant" and any(own):
            for v in outputs if type(outputs) is tuple else (outputs,):
                if is_differentiable(tape.values[v]):
                    depends.add(v)


def active_in(loop: Loop) -> set[int]:
    """The variables of a body that depend on what is wanted, in any turn."""
    values = loop.tape.values
    wanted = {
        slot.variable
        for slot in loop.slots
        if any(loop.wanted[slot.place : slot.place + (len(loop.values) if slot.kind == "item" else 1)])
        and is_differentiable(values[slot.variable])
    }
    while True:
        found = set(wanted)
        _spread(loop.tape, found)
        more = {s.variable for s in loop.slots if s.kind == "carried" and s.following in found} - wanted
        more = {v for v in more if is_differentiable(values[v])}
        if not more:
            return found
        wanted |= more


def _depends(out: Out, active: Collection[int]) -> bool:
    """Whether what a loop leaves depends on what is wanted: a variable in all turns, or all that was handed on."""
    if isinstance(out.variable, Slot):
        return out.variable.variable in active or out.variable.following in active
    return out.variable in active


def _spread(tape: Tape, depends: set[int]) -> None:
    """Add the variables of a tape that depend on these."""
    for operation, inputs, _, outputs, _, _ in tape.steps:
        own = [type(x) is int and x in depends for x in inputs]
        if operation.kind == "constant" or not any(own):
            continue
        numbers = outputs if type(outputs) is tuple else (outputs,)
        active: set[int] | None = None
        if isinstance(operation.function, Loop):
            operation.function.wanted = own
            active = active_in(operation.function)
            numbers = tuple(v for o, v in zip(operation.function.outs, numbers, strict=True) if _depends(o, active))
        depends.update(v for v in numbers if is_differentiable(tape.values[v]))
