"""Steps become statements as a person writes them: few, in the user's names, in the user's order.

A step is one operation; a statement is a line of code.  What the user left unnamed and what is used once is folded
into the statement that uses it; what needs a name has one, resolved here once for every rendering.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.ir import Step
from chainrule.statements.folding import Folding
from chainrule.statements.memory import Memory
from chainrule.statements.naming import Naming
from chainrule.statements.order import Order
from chainrule.statements.request import Request, sizes_of
from chainrule.user_source import Place

__all__ = ["Statement", "Statements", "statements_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One line of code.

    Attributes:
        step: the step whose result the statement names.
        steps: that step and those folded into it, in the order in which they ran.
        targets: the name of each of its results; ``_`` for one that is not used.
        place: the user's statement that it comes from or belongs to.
        forward: whether it is part of the user's own computation.
        in_place: for a write into an array, whether the array itself is written.
        copied: whether a part of an array is copied, because the array is written over.
    """

    step: Step
    steps: tuple[Step, ...]
    targets: tuple[str, ...]
    place: Place | None
    forward: bool
    in_place: bool = False
    copied: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Statements:
    """The statements of a program.

    Attributes:
        statements: in order.
        names: the name of each variable that has one, by its number.
        folded: the step of each variable that is written where it is used.
        stand_ins: for each axis ``(variable, axis)`` and size ``(variable, None)`` that is mentioned, where to read it:
            pairs of a variable and an axis, or ``None`` for its size, to be multiplied.
    """

    statements: tuple[Statement, ...]
    names: dict[int, str]
    folded: Mapping[int, Step]
    stand_ins: Mapping[tuple[int, int | None], tuple[tuple[int, int | None], ...]]

    def read_behind(self, place: int) -> frozenset[int]:
        """The variables that statements behind one read, also for their lengths."""
        steps = [t for s in self.statements[place + 1 :] for t in s.steps]
        found = {x.number for t in steps for x in t.inputs}
        for key in (key for t in steps for key in sizes_of(t)):
            found.update(number for number, _ in self.stand_ins.get(key, ()))
        return frozenset(found)

    def reads(self) -> set[int]:
        """The variables that are read, by statements or in them."""
        steps = [*(t for s in self.statements for t in s.steps), *self.folded.values()]
        return {x.number for t in steps for x in t.inputs}


def statements_of(request: Request) -> Statements:
    """The statements that compute the roots of a request."""
    forced, copied = set(request.forced), set[int]()
    while True:
        folding = Folding(request, forced)
        order = Order(folding)
        memory = Memory(folding, order, copied)
        if not memory.first - folding.forced:
            break
        forced, copied = folding.forced | memory.first, memory.copied
    names = Naming(folding, order, memory).names
    statements = []
    for k in order.lines:
        step = folding.steps[k]
        statements.append(
            Statement(
                step,
                (*(folding.steps[n] for n in folding.inner(k)), step),
                tuple(names.get(out.number, "_") for out in step.outputs),
                folding.place_of(order.owners.get(k, k)),
                k < request.forward_steps,
                k in memory.written,
                any(out.number in copied for out in step.outputs),
            )
        )
    return Statements(tuple(statements), names, folding.folded, folding.stand_ins)
