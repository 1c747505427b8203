"""The bodies of loops as tapes on which their derivatives are written, and the loops that are made of these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import NotDifferentiableError
from chainrule.ir import Step
from chainrule.language import Message
from chainrule.lengths import TapeLengths, whole_symbols
from chainrule.loops import Loop, Slot, written_in
from chainrule.ops import Operation
from chainrule.tape import Tape, record
from chainrule.trace import Recorded, program_of
from chainrule.traced import Traced

__all__ = ["body_tape", "input_like", "mark_written", "record_loop", "stand_in"]


def body_tape(loop: Loop, operands: Sequence[Any]) -> tuple[Tape, TapeLengths]:
    """A tape with the steps of a turn, to be gone on with, and what tells its axes of length 1, whatever the sizes.

    Args:
        loop: the loop.
        operands: what it is given, as stand-ins of the tape that it stands on.
    """
    body = Tape(names=True)
    body.values, body.steps = list(loop.tape.values), list(loop.tape.steps)
    body.inputs, body.leaves = list(loop.tape.inputs), list(loop.tape.leaves)
    body.names, body.removed = dict(loop.tape.names), set(loop.tape.removed)
    body.constants = dict(loop.tape.constants)
    body.origin = (None, 0)
    for slot in loop.slots if any(type(x) is Traced and x.tape.facts for x in operands) else ():
        if slot.kind == "carried" or slot.written:
            continue
        given = operands[slot.place : slot.place + (len(loop.values) if slot.kind == "item" else 1)]
        known = [x.tape.facts.get(x.variable, frozenset()) if type(x) is Traced else frozenset() for x in given]
        facts = frozenset.intersection(*known)
        if slot.kind == "row":
            facts = _of_rows(facts, np.ndim(getattr(given[0], "value", given[0])))
        if facts:
            body.facts[slot.variable] = facts
    lengths = body.always_one = _ones_in(body, loop, operands)
    return body, lengths


def _of_rows(facts: frozenset[str], rank: int) -> frozenset[str]:
    """The facts of an array of so many axes that each of its rows has: not that all elements add to 1."""
    least = {"symmetric": 3, "binary": 1}
    return frozenset(f for f in facts - {"joint_distribution"} if rank >= least.get(f, 2))


def _ones_in(body: Tape, loop: Loop, operands: Sequence[Any]) -> TapeLengths:
    """Tells such axes: those of what the body is given, and what follows."""
    ones: set[tuple[int, int]] = set()
    for slot in loop.slots:
        x = operands[slot.place]
        always_one = x.tape.always_one if type(x) is Traced else None
        # What is handed on may be longer than what the first turn is given.
        if always_one is None or slot.kind == "carried":
            continue
        first = int(slot.kind == "row")
        rank = np.ndim(body.values[slot.variable])
        ones.update((slot.variable, k) for k in range(rank) if always_one(x.variable, k + first))
    return TapeLengths(body, whole_symbols(program_of(Recorded(None, body, [])), ones=ones))


def input_like(body: Tape, lengths: TapeLengths, variable: int) -> Any:
    """A further input of a body, as long as a variable of it: for its cotangent, or its tangent."""
    own = body.input(np.ones_like(body.values[variable])[()], active=True)
    lengths.symbols.of[own.variable] = lengths.symbols.of.get(variable, ())
    return own


def stand_in(tape: Tape, variable: int) -> Traced:
    """A stand-in for a variable, whose value is an array or a number of NumPy's."""
    value = tape.values[variable]
    return Traced(tape, variable, value if isinstance(value, np.ndarray | np.generic) else np.asarray(value)[()], False)


def mark_written(slots: Iterable[Slot], steps: Iterable[Step]) -> None:
    """Note what of that which turns are given these steps of theirs write into."""
    written = {x.number for s in steps for x in written_in(s.operation.function, s.inputs)}
    for slot in slots:
        slot.written = slot.variable in written


def record_loop(loop: Loop, operands: Sequence[Any], refusal: Message) -> tuple[Any, ...]:
    """What a loop with no derivative of its own leaves; ``refusal`` says what to do instead of asking for one."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise NotDifferentiableError(refusal)

    operation = Operation("loop", loop, "variadic", ("arrays",), (refuse,), lazy=True, spelling="loop")
    results = record(operation, tuple(operands), {}, loop)
    return results if type(results) is tuple else (results,)
