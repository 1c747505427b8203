"""What flows back through a turn of a backward loop: to what is kept of all turns, and on to the turn before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.ir import Const, Step, Var, shape_of
from chainrule.loops import Header, Loop, Slot, mentioned, mentions_sizes
from chainrule.ops import OPERATIONS
from chainrule.sizes import is_size
from chainrule.statics import shifted

__all__ = ["SUMS", "Flow", "Link", "adds"]

SUMS = ("add", "subtract")
_LINEAR = (*SUMS, "multiply", "divide", "negative")


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A step on the way from what flows back to what is kept: that, and another operand on a side of it."""

    step: Step
    side: int
    other: Var | Const | None


class Flow:
    """What flows back through the turns of one backward loop of a program."""

    def __init__(self, backward: Backward, step: Step, loop: Loop) -> None:
        self.backward = backward
        self.step = step
        self.loop = loop
        self.slots = {s.variable: s for s in loop.slots}
        self.own = loop.program.steps[loop.forward_steps :]
        self.made = {o.number: s for s in self.own for o in s.outputs}

    def chain(self, start: int, end: int) -> list[Link] | None:
        """The steps from what flows back to what is kept, if they are sums and products with what does not flow."""
        flowing = {start}
        for reading in self.own:
            if any(x.number in flowing for x in reading.inputs):
                flowing.update(o.number for o in reading.outputs)
        found: list[Link] = []
        v = end
        while v != start:
            step = self.made.get(v)
            if step is None or step.operation.name not in _LINEAR or step.params or len(step.outputs) != 1:
                return None
            sides = [k for k, x in enumerate(step.inputs) if x.number in flowing]
            if len(sides) != 1 or (step.operation.name == "divide" and sides[0] == 1):
                return None
            (side,) = sides
            own = step.inputs[side]
            other = step.inputs[1 - side] if len(step.inputs) == 2 else None
            if shape_of(own) != step.outputs[0].shape or not self._is_given(other):
                return None
            found.append(Link(step, side, other))
            v = own.number
        found.reverse()
        return found

    def _is_given(self, x: Var | Const | None) -> bool:
        """Whether an operand is one that a turn is given, or a plain number."""
        if x is None:
            return True
        if isinstance(x, Const):
            return x.number < 0 and not np.ndim(x.value) and not mentions_sizes(x.value)
        return x.number in self.slots and self.slots[x.number].kind in ("row", "fixed")

    def rest(self, kept: int, state: Slot, chain: Sequence[Link]) -> list[Step] | None:
        """The steps from what is kept to what the turn before is handed, which must come from it, not go around it."""
        found: dict[int, Step] = {}
        pending = [state.following]
        while pending:
            v = pending.pop()
            if v == kept or v in found:
                continue
            step = self.made.get(v)
            if step is None:
                if v == state.variable:
                    return None
                continue
            found.update((o.number, step) for o in step.outputs)
            pending += [x.number for x in step.inputs]
        if (not found and state.following != kept) or any(link.step in found.values() for link in chain):
            return None
        chosen = {id(s) for s in found.values()}
        rest = [s for s in self.own if id(s) in chosen]
        gone = {state.variable, *(o.number for s in self.own if id(s) not in chosen for o in s.outputs)} - {kept}
        return None if any(gone & mentioned(s) for s in rest) else rest

    def header(self, rest: Sequence[Step]) -> tuple[Header, int] | None:
        """How the loop counts, one turn less; and how far the row of the turn at hand is from its counter."""
        header, values = self.loop.header, list(self.loop.values)
        start, stop, stride = header.counted or (0, header.count, 1)
        simple = header.counted is not None and not header.turned and type(start) is int and start >= 0
        if simple and type(stride) is int and stride == 1 and values == list(range(start, start + len(values))):
            return replace(header, counted=(start + 1, stop, 1)), -start
        forward = {o.number: s for s in self.loop.program.steps[: self.loop.forward_steps] for o in s.outputs}
        pending = [x.number for s in rest for x in s.inputs]
        needed = list(rest)
        while pending:
            step = forward.get(pending.pop())
            if step is not None and step not in needed:
                needed.append(step)
                pending += [x.number for x in step.inputs]
        if any(self.loop.turn in mentioned(s) | {x.number for x in s.inputs} for s in needed) or header.dropped:
            return None
        if header.counted is None:
            count = header.count
        elif type(stride) is int and stride in (1, -1) and type(stop if stride < 0 else start) is int:
            count = shifted(start, -stop) if stride < 0 else shifted(stop, -start)
        else:
            return None
        if int(count) != len(values) or not is_size(count):
            return None
        return Header((1, count, 1), False, "", header.position, count), 0

    def homogeneous(self, chain: Sequence[Link]) -> list[tuple[Step, Any]]:
        """The steps that what flows back goes through, without what is added there: each with its other operand."""
        found: list[tuple[Step, Any]] = []
        for link in chain:
            name = link.step.operation.name
            if name in ("multiply", "divide", "negative"):
                found.append((link.step, link.other))
            elif name == "subtract" and link.side:
                found.append((replace(link.step, operation=OPERATIONS[np.negative]), None))
        return found


def adds(chain: Sequence[Link]) -> bool:
    """Whether something is added on a way."""
    return any(link.step.operation.name in SUMS for link in chain)
