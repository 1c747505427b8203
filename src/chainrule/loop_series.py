"""What the turns of a loop leave for the backward pass: values of all turns, stacked, and arrays that they fill."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property, partial
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.indexing import Index
from chainrule.ir import Step, Var
from chainrule.loop_batches import Batch, Place, batches_of, cone
from chainrule.loop_buffers import Buffer, buffers_of, read_behind, without_zeros
from chainrule.loop_filled import is_window
from chainrule.loop_lifts import Lift, Lifts, hoisted
from chainrule.loop_rows import (
    ends_of,
    in_place,
    picked,
    rows_at,
    rows_of,
    same_in_all_turns,
    spread_rows,
    taken_by,
    takes_all,
    write_rows,
)
from chainrule.loops import COTANGENT, Loop, Out, Slot, mentioned, values_in
from chainrule.names import plural
from chainrule.ops import Operation
from chainrule.simplify.cost import operations_of
from chainrule.tape import Tape
from chainrule.traced import Traced
from chainrule.wording import Describer

__all__ = ["Series"]


class Series:
    """A loop on a tape, and what it leaves of its turns.

    Attributes:
        loop: the loop.
        left: the same, with what it leaves for its backward pass.
        outputs: what it left.
        g: their cotangents.
        operands: what it was given.
        stacked: what it leaves of all turns, for sums behind the backward loop.
        body: the backward pass of a turn.
        carried: the cotangents from the turn behind, by what they belong to at the end of a turn.
        sums: by slot variable, the variable that holds the sum so far.
        rows: by output, the variable that is a row of its cotangent.
        row_cotangents: by output, the cotangent of all rows.
        read_last: rows of the gradients of buffers, by the variable that reads them for the last time.
        unzeroed: the buffers in whose gradients the rows are left as they are.
        lifted: variables of the backward body that are computed for all turns before it runs, with what they are.
    """

    body: Backward
    carried: dict[tuple[str, int], Any]
    sums: dict[int, Any]
    rows: dict[int, Any]
    active: set[int]

    def __init__(self, loop: Loop, operation: Operation, g: tuple[Any, ...], out: Any, operands: Sequence[Any]) -> None:
        self.loop = loop
        self.left = loop
        self.operation = operation
        self.outputs = out if type(out) is tuple else (out,)
        self.g = g
        self.stacked: list[tuple[Out, Any]] = []
        self.operands = operands
        self.tape: Tape = self.outputs[0].tape
        self.row_cotangents: dict[int, Any] = {}
        self.read_last: dict[int, Buffer] = {}
        self.unzeroed: list[Buffer] = []
        self.lifted: dict[int, Any] = {}

    def named(self, variable: int) -> str:
        x = self.loop.program.by_number().get(variable)
        return (x.name if x is not None else None) or ""

    # ---- sums behind the loop

    def is_forward(self, v: int) -> bool:
        return v in {o.number for s in self.body.program.steps[: self.body.forward_steps] for o in s.outputs} or any(
            s.variable == v for s in self.loop.slots
        )

    def cotangent_rows(self) -> set[int]:
        """The variables of the backward body that are rows of a cotangent."""
        return {own.variable for own in self.rows.values()}

    def primal_of(self, links: Mapping[int, Any], g: int) -> str:
        """What the variable is called that a variable of the body is the cotangent of, for a list of all turns'."""
        primals = [v for v, own in links.items() if own == g]
        name = next((name for v in primals if (name := self.named(v))), "")
        if not name and primals:
            steps = self.body.program.steps[: self.body.forward_steps]
            describer = Describer(steps)
            last = {own: v for v, own in sorted(links.items()) if not self.named(v)}
            made = {v: describer.invented(v, lambda x: x.name or "") for v in last.values() if v in describer.made}
            name = made.get(last[g], "")
            if name and list(made.values()).count(name) > 1:
                name = describer.qualified(name, last[g])
        return plural(name) if name else ""

    def batches(self, simplified: Backward, gradients: Mapping[Any, Any]) -> tuple[dict[int, Batch], dict[int, Lift]]:
        """The sums that are taken behind the loop, and what is computed for all turns before it."""
        loop = self.loop
        turns = len(loop.values)
        if any(s.kind == "item" for s in loop.slots):
            return {}, {}  # of lists of arrays, each may be of another shape
        sums = {v: (own.variable, g) for v, own in self.sums.items() if (g := gradients[v].number) != own.variable}
        rows = {s.variable: gradients[s.variable].number for s in self.active_slots() if s.kind == "row"}
        others = [g.number for key, g in gradients.items() if key not in sums and key not in rows]
        done: dict[int, Lift] = {}
        never = turns * (len(simplified.program.steps) + 1)

        made = {o.number: s for s in simplified.program.steps[simplified.forward_steps :] for o in s.outputs if o.shape}

        def looks(v: int) -> bool:
            """Whether it is made of a part of an array that overlaps those of other turns, so that a stack is long."""
            return is_window(loop, v) or any(is_window(loop, x.number) for s in cone(made, [v]) for x in s.inputs)

        @cache
        def stacked(v: int) -> int:
            if (
                v in done
                or v in self.cotangent_rows()
                or v in self.read_last
                or v in self._whole_series()
                or self._at_hand(v) is not None
            ):
                return 0
            if v in self.sums or any(own.variable == v for own in self.sums.values()) or looks(v):
                return never
            if any(s.variable == v and s.kind != "carried" for s in loop.slots):
                return never
            even = self._is_even(v) if self.is_forward(v) else self._is_even_cotangent(v, simplified.links)
            return 1 if even else never

        fixed = self.same.keys()
        found = batches_of(simplified, sums, rows, others, loop, stacked, (), self.row_taken, fixed)
        there = {v for b in found.values() for v in b.needed if self.is_forward(v)}
        staying = [gradients[key].number for key in gradients if key not in found]
        roots = [*staying, *(v for b in found.values() for v in b.needed)]
        done.update(self._hoisted(simplified, roots, lambda v: 0 if v in fixed or v in there else stacked(v), never))
        if done:
            stacked.cache_clear()
            found = batches_of(simplified, sums, rows, others, loop, stacked, done, self.row_taken, fixed)
        return found, done

    def _hoisted(
        self, simplified: Backward, roots: Sequence[int], stacked: Callable[[int], int], never: int
    ) -> dict[int, Lift]:
        """What the turns need that does not depend on what they hand back, where that is cheaper for all at once."""
        steps = simplified.program.steps[simplified.forward_steps :]
        made = {o.number: s for s in steps for o in s.outputs}
        fixed = self.same.keys()
        varying = {own.variable for own in (*self.carried.values(), *self.sums.values())} - self.same.keys()
        for s in steps:
            if any(x.number in varying for x in s.inputs):
                varying.update(o.number for o in s.outputs)
        free = {v: s for v, s in made.items() if v not in varying}
        lifts = Lifts(
            simplified.program.by_number(),
            free,
            fixed,
            lambda v: v not in made and stacked(v) < never and v >= 0,
            self._windows,
        )
        read = {x.number for s in steps if any(o.number in varying for o in s.outputs) for x in s.inputs}
        wanted = [v for v, s in free.items() if (v in read or v in roots) and s.outputs[0].shape]

        def inside(given: Collection[int]) -> int:
            return sum(map(operations_of, cone({v: s for v, s in made.items() if v not in given}, roots)))

        found = hoisted(lifts, wanted, len(self.loop.values), inside, stacked)
        for v in roots:
            # What is a view of an array is not kept for what is done behind the loop.
            lift = lifts.of(v) if v in free else None
            if lift is not None and lift.varies and not lift.operations() and not any(map(stacked, lift.needed)):
                found[v] = lift
        return found

    def _windows(self, step: Step) -> Callable[[], Any] | None:
        """Makes what a step picks by the counter of what is the same in all turns."""
        source = self.same.get(step.inputs[0].number)
        whole = None if source is None else source()
        return rows_at(self.loop, self.operands, step.params["index"], whole) if type(whole) is Traced else None

    def lift(self, chosen: Mapping[int, Lift]) -> None:
        """Compute what is computed for all turns before the backward loop."""
        for v, lift in chosen.items():
            self.lifted[v] = lift.build(self.stack)

    def read_in_turns(self, simplified: Backward, roots: Sequence[Any], lifts: Collection[int]) -> set[int]:
        """What is computed for all turns before the backward loop and is read by its turns, or left by them."""
        made = {o.number: s for s in simplified.program.steps for o in s.outputs}
        found, pending = set[int](), [v for v in roots if type(v) is int]
        while pending:
            v = pending.pop()
            if v not in found:
                found.add(v)
                step = None if v in lifts else made.get(v)
                pending += [] if step is None else [x.number for x in step.inputs]
                pending += [] if step is None else mentioned(step)
        return found & {*lifts}

    def slopes_of(self, v: int, lift: Lift, simplified: Backward) -> str:
        """A name for what cotangents are multiplied by, after the forward variable that it is computed of."""
        if lift.varies and v in simplified.links.values():
            name = self.primal_of(simplified.links, v)
            return COTANGENT + name if name else ""
        products = {"matmul", "dot", "tensordot", "einsum", "add.at"} & {s.operation.name for s in lift.steps}
        if not lift.varies or lift.needed & self.cotangent_rows() or products:
            return ""
        name = next((x for n in sorted(lift.needed, reverse=True) if (x := self.named(n))), "")
        return plural(f"{name}_slope" if name else "slope")

    def active_slots(self) -> list[Slot]:
        """What the loop is given that has a cotangent."""
        return [slot for slot in self.loop.slots if slot.variable in self.active]

    def row_taken(self, variable: int, index: Index) -> Place | None:
        """Which rows of an operand, by its slot's variable, turns pick one each of."""
        source = next(s for s in self.loop.slots if s.variable == variable)
        return taken_by(self.loop, self.operands, index, self.operands[source.place])

    def placed(self, operand: Any, rows: Any, place: Place) -> Any:
        """The gradient of an array of which each turn reads one row."""
        axis, start, stop, turned = place
        if takes_all(operand, axis, start, stop):
            return in_place(rows, axis, turned)
        return spread_rows(operand, axis, start, stop, turned, rows)

    def _at_hand(self, v: int) -> Callable[[], Any] | None:
        return rows_of(self.loop, self.operands, v, self._left_of)

    def _is_even(self, v: int) -> bool:
        """Whether a variable of the forward body has the same shape in all turns, also that with which they began."""
        slot = next((s for s in self.loop.slots if s.kind == "carried" and v in (s.variable, s.following)), None)
        own = {v} if slot is None else {v, slot.variable, slot.following}
        written = any(s.written and v in (s.variable, s.following) for s in self.loop.slots)
        return not written and len(set().union(*(self.shapes.get(x, ()) for x in own))) == 1

    def _is_even_cotangent(self, v: int, links: Mapping[int, Any]) -> bool:
        """The same of a variable of the backward body; where turns differ, that is known of cotangents alone."""
        if all(len(own) == 1 for own in self.shapes.values()):
            return True
        primals = [x for x, g in links.items() if g == v]
        return bool(primals) and all(self._is_even(x) for x in primals)

    @cached_property
    def same(self) -> dict[int, Callable[[], Any]]:
        """The variables of the body that are the same in all turns, with what makes them outside."""
        found = same_in_all_turns(self.loop, self.operands)
        for step in self.loop.program.steps[: self.loop.forward_steps]:
            counts = step.operation.name == "arange" and self.loop.turn not in values_in(tuple(step.params.values()))
            if counts and self._is_even(v := step.outputs[0].number):
                found[v] = cache(partial(self._last, v))
        return found

    def _last(self, v: int) -> Any:
        """A variable of the forward body as the last turn leaves it."""
        (left,) = self.leave([Out("final", v)])
        return left

    @cached_property
    def shapes(self) -> dict[int, set[tuple[int, ...]]]:
        """The shapes that each variable of the forward body has in the turns."""
        found: dict[int, set[tuple[int, ...]]] = {}

        def watch(_: int, space: Mapping[int, Any]) -> None:
            for v, x in space.items():
                found.setdefault(v, set()).add(np.shape(x))

        self.loop.watched([x.value if type(x) is Traced else x for x in self.operands], watch)
        return found

    def _whole_series(self) -> dict[int, Any]:
        """By variable of the forward body, what the forward loop leaves of all turns."""
        found: dict[int, Any] = {}
        for out, x in (*zip(self.loop.outs, self.outputs, strict=True), *self.stacked):
            if out.kind == "stack":
                found[out.variable] = lambda x=x: x
            elif out.kind == "whole":
                found[out.variable.variable] = lambda x=x: x[:-1]
                found.setdefault(out.variable.following, lambda x=x: x[1:])
        return found

    def stack(self, v: int) -> Any:
        """What there is of a variable in all turns, as one array."""
        for n, own in self.rows.items():
            if own.variable == v:
                g = self.row_cotangents[n]
                return g[1:] if self.loop.outs[n].kind == "whole" else g
        if v in self.same:
            return self.same[v]()
        if v in self.lifted:
            return self.lifted[v]
        rows = self._at_hand(v)
        return rows() if rows is not None else self._whole_series()[v]()

    def stack_forward(self, needed_of: Collection[frozenset[int]], simplified: Backward) -> None:
        """Let the forward loop leave what is computed for all turns of what it makes."""
        read = {x.number for s in simplified.program.steps[simplified.forward_steps :] for x in s.inputs}
        needed = sorted({v for needed in needed_of for v in needed if self.is_forward(v) and v not in self.same})
        outs: list[Out] = []
        for v in needed:
            if v in self._whole_series() or self._at_hand(v) is not None:
                continue
            slot = next((s for s in self.loop.slots if s.kind == "carried" and v in (s.variable, s.following)), None)
            # What the loop began with stands in front where it is needed, too.
            if slot is None or not ({slot.variable} & {*needed, *read}):
                outs.append(Out("stack", v))
            elif not any(out.variable is slot for out in outs):
                outs.append(Out("whole", slot))
        if outs:
            self.stacked = list(zip(outs, self.leave(outs), strict=True))

    # ---- arrays that are filled row by row

    def _left_of(self, slot: Slot) -> Any:
        """What the forward loop leaves of an array that it is given, if that is at hand."""
        for out, x in zip(self.loop.outs, self.outputs, strict=True):
            if (out.kind == "final" and out.variable == slot.following) or (
                out.kind == "next" and out.variable is slot
            ):
                return x
        return None

    def settled(self, simplified: Any, gradients: dict[Any, Any]) -> tuple[Any, list[tuple[Var, Any]]]:
        """A backward body that reads arrays as the loop left them, and leaves gradients of rows as they are."""
        filled: list[tuple[Var, Any]] = []
        for buffer in buffers_of(self.loop):
            left = self._left_of(buffer.slot)
            found = None if left is None else read_behind(simplified.program, simplified.forward_steps, buffer)
            if found is not None:
                program, whole = found
                filled.append((whole, left))
                simplified = replace(simplified, program=program)
            own = self.carried.get(("slot", buffer.slot.variable))
            g = gradients.get(buffer.slot.variable)
            if own is None or g is None or ends_of(self.loop, buffer.written) is None:
                continue
            ends = (own.variable, g.number)
            kept = without_zeros(simplified.program, simplified.forward_steps, ends, buffer, self.loop.turn)
            if kept is not None:
                program, last, row = kept
                simplified = replace(simplified, program=program)
                gradients[buffer.slot.variable] = program.by_number()[last]
                self.unzeroed.append(buffer)
                if row is not None:
                    self.read_last[row] = buffer
        return simplified, filled

    def last_rows(self, buffer: Buffer, g: Any) -> Any:
        """The rows of a gradient that the turns read for the last time."""
        ends = ends_of(self.loop, buffer.written)
        assert ends is not None
        return picked(g, buffer.axis, *ends)

    def zeroed(self, buffer: Buffer, g: Any) -> Any:
        """The gradient of what an array held before the loop: zero in the rows that were written over."""
        ends = ends_of(self.loop, buffer.written)
        assert ends is not None
        whole = Traced(self.tape, g.variable, g.value, g.active)
        write_rows(whole, buffer.axis, *ends[:2], 0.0)
        return whole

    def leave(self, kept: Sequence[Out]) -> list[Any]:
        """Let the forward loop leave the values of variables of its body in all turns."""
        tape = self.tape
        number = next(n for n, step in enumerate(tape.steps) if step[0] is self.operation)
        _, inputs, params, outputs, code, offset = tape.steps[number]
        program = self.body.program
        steps = program.steps[: self.body.forward_steps]
        body = replace(program, steps=steps, outputs=(), guards=self.loop.program.guards)
        whole = replace(self.left, program=body, forward_steps=len(steps))
        whole.outs = [*self.left.outs, *kept]
        variables = whole.program.by_number()
        whole.program = replace(whole.program, outputs=tuple(variables[v] for v in whole.roots() if type(v) is int))
        lists = replace(whole, outs=list(kept))
        values = lists(*[x.value if type(x) is Traced else x for x in self.operands])
        numbers = range(len(tape.values), len(tape.values) + len(kept))
        tape.values += [values] if len(kept) == 1 else values
        taken = {tape.names.get(x.variable) for x in self.outputs} if tape.names is not None else set()
        describer = Describer(steps)
        for out, number_of in zip(kept, numbers, strict=True):
            name = variables[out.variable if type(out.variable) is int else out.variable.variable].name
            if name is None and out.variable in describer.made:
                name = describer.invented(out.variable, lambda x: x.name or "")
                if tape.names is not None and plural(name) in tape.names.values():
                    name = describer.qualified(name, out.variable)
            if name and tape.names is not None:
                called = name if out.kind == "final" else plural(name)
                # With what the loop began with in front.
                longer = out.kind in ("whole", "trail") and called in taken
                tape.names[number_of] = f"all_{called}" if longer else called
        operation = self.operation = replace(self.operation, function=whole)
        self.left = whole
        tape.steps[number] = (operation, inputs, params, (*outputs, *numbers), code, offset)
        return [Traced(tape, n, tape.values[n], False) for n in numbers]
