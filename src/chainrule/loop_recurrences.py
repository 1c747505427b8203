"""Recurrences of cotangents in an array of their own: ``dhs[t - 1] += dhs[t] @ W.T``.

What a state of a recurrence gets from behind the loop, in each turn, is there for all turns before the backward loop
runs.  Where that loop keeps the cotangents of all states, each turn adds its share to the row of the turn before: there
is no first turn that adds to zeros, none after the last state, and no list to be stacked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.indexing import Index, add_item, get_item
from chainrule.ir import Const, Program, Step, Var, shape_of
from chainrule.loop_flow import SUMS, Flow, Link, adds
from chainrule.loop_sums import sums_begun
from chainrule.loops import Header, Loop, Out, Slot, loop_in, mentioned, mentions_sizes, with_outputs
from chainrule.ops import OPERATIONS
from chainrule.rules.helpers import normalise_axes
from chainrule.sizes import Size
from chainrule.statics import shifted

__all__ = ["loops_finished"]

_FEWEST = 3  # turns for which what is the same in all of them is multiplied before


def loops_finished(backward: Backward, in_place: bool) -> Backward:
    """The same backward pass with sums begun by its loops, and recurrences that add to rows in place, if wanted."""
    backward = sums_begun(backward)
    for step in backward.program.steps[backward.forward_steps :] if in_place else ():
        loop = loop_in(step)
        if loop is not None and loop.backward and not any(s.kind == "item" for s in loop.slots):
            found = _Recurrence(backward, step, loop).written()
            backward = found or backward
    return backward


class _Recurrence(Flow):
    """One backward loop of a program, and the steps in front of it and behind it that are written for it."""

    def __init__(self, backward: Backward, step: Step, loop: Loop) -> None:
        super().__init__(backward, step, loop)
        self.next = 1 + max((*backward.program.by_number(), *loop.program.by_number()))
        self.before: list[Step] = []
        self.behind: list[Step] = []
        self.lifted: set[int] = set()  # products that are there for all turns

    def written(self) -> Backward | None:
        """The backward pass with the loop in its other form, if it has one."""
        loop = self.loop
        carried = [s for s in loop.slots if s.kind == "carried"]
        kinds = [out.kind for out in loop.outs]
        if len(carried) != 1 or carried[0].written or len(loop.values) < 2 or kinds.count("next") > 1:
            return None
        if not set(kinds) <= {"next", "stack"}:
            return None
        for out, x in zip(loop.outs, self.step.outputs, strict=True):
            kept = loop.program.by_number().get(out.variable) if out.kind == "stack" else None
            if isinstance(kept, Var) and kept.shape and kept.dtype.kind == "f":
                self.before, self.behind, self.lifted = [], [], set()
                found = self._with_rows_of(kept, out, x, carried[0])
                if found is not None:
                    return found
        return None

    def _with_rows_of(self, kept: Var, out: Out, stacked: Var, state: Slot) -> Backward | None:
        """The backward pass in which what is kept of all turns is the array that turns add to."""
        chain = self.chain(state.variable, kept.number)
        rest = self.rest(kept.number, state, chain) if chain and adds(chain) else None
        header = None if rest is None else self.header(rest)
        start = None if header is None or chain is None else self._total(chain, kept, stacked)
        if chain is None or rest is None or header is None or start is None:
            return None
        start = self._with_last(start, chain, state)
        nexts = [x for o, x in zip(self.loop.outs, self.step.outputs, strict=True) if o.kind == "next"]
        last = None if start is None else self._first_given(nexts, rest, kept.number, state, stacked)
        if start is None or last is None or not self._others(kept, stacked):
            return None
        looped = self._looped(start, chain, rest, state, Out("next", None, out.primal), kept, header, stacked)
        program = self.backward.program
        place = program.steps.index(self.step)
        steps = (*program.steps[:place], *self.before, looped, *last, *self.behind, *program.steps[place + 1 :])
        links = self.backward.links
        if nexts and not last:
            links = {v: g for v, g in links.items() if g != nexts[0].number}
        return replace(self.backward, program=replace(program, steps=steps), links=links)

    def _others(self, kept: Var, stacked: Var) -> bool:
        """Compute behind the loop what else is kept of all turns, if that is the one times what turns are given."""
        for out, x in zip(self.loop.outs, self.step.outputs, strict=True):
            if out.kind != "stack" or out.variable == kept.number:
                continue
            v, last = out.variable, list[tuple[Step, dict[str, Any]]]()
            while (found := self._along_axes(v)) is not None:
                last.append(found)
                v = found[0].inputs[0].number
            chain = self.chain(kept.number, v)
            if chain is None or adds(chain) or not (chain or last):
                return False
            total = stacked
            steps = [*((step, {}, other) for step, other in self.homogeneous(chain)),
                     *((step, params, None) for step, params in reversed(last))]  # fmt: skip
            for n, (step, params, other) in enumerate(steps, 1):
                whole = None if other is None else self._rows(other, kept, self.behind)
                if other is not None and whole is None:
                    return False
                inputs = (total,) if whole is None else (total, whole)
                total = x if n == len(steps) else self._new((len(self.loop.values), *step.outputs[0].shape), x)
                self.behind.append(replace(step, inputs=inputs, params=params, outputs=(total,)))
        return True

    def _along_axes(self, v: int) -> tuple[Step, dict[str, Any]] | None:
        """The step that sums over axes, or puts one in, if that makes a variable; and what it is told for all turns."""
        step = self.made.get(v)
        if step is None or step.operation.name not in ("sum", "expand_dims") or len(step.inputs) != 1:
            return None
        axis = step.params.get("axis")
        if not set(step.params) <= {"axis", "keepdims"} or mentions_sizes(axis):
            return None
        rank = len(shape_of(step.inputs[0] if step.operation.name == "sum" else step.outputs[0]))
        axes = tuple(a + 1 for a in normalise_axes(axis, rank))
        return (step, {**step.params, "axis": axes if len(axes) > 1 else axes[0]}) if axes else None

    # ---- before the loop

    def _new(self, shape: tuple[int, ...], like: Var) -> Var:
        self.next += 1
        return Var(shape, like.dtype, None, self.next - 1)

    def _apply(self, name: Any, inputs: Sequence[Var | Const], like: Var) -> Var:
        """The result of an elementwise step in front of the loop."""
        out = self._new(np.broadcast_shapes(*map(shape_of, inputs)), like)
        self.before.append(Step(OPERATIONS[name], tuple(inputs), {}, (out,), self.step.position))
        return out

    def _picked(self, x: Any, part: Any, like: Var, steps: list[Step]) -> Var:
        """Rows of an array, or one of them."""
        out = self._new(np.empty(x.shape)[part].shape, replace(like, dtype=x.dtype))
        index = Index((part,), True)
        steps.append(Step(OPERATIONS[get_item], (x,), {"index": index}, (out,), self.step.position))
        return out

    def _rows(self, x: Var | Const, kept: Var, steps: list[Step]) -> Any:
        """What an operand of a turn is in all turns; ``None`` where that cannot be said."""
        if isinstance(x, Const):
            return x
        slot = self.slots[x.number]
        whole = self.step.inputs[slot.place]
        if slot.kind == "fixed":
            return whole
        left = shape_of(whole)[0] - slot.first - len(self.loop.values)
        if left or len(x.shape) != len(kept.shape) or not isinstance(whole, Var) or whole.dtype.kind not in "fb":
            return None
        return self._picked(whole, slice(slot.first, None), kept, steps) if slot.first else whole

    def _total(self, chain: Sequence[Link], kept: Var, stacked: Var) -> Var | None:
        """What the rows begin with: what they get from behind the loop, through the steps of a turn."""
        total: Any = None
        for link in chain:
            name = link.step.operation.function
            other: Any = None if link.other is None else self._rows(link.other, kept, self.before)
            if link.other is not None and other is None:
                return None
            if total is not None:
                operands = [total] if other is None else [other, total] if link.side else [total, other]
                total = self._apply(name, operands, kept)
            elif link.step.operation.name in SUMS:
                total = self._apply(np.negative, [other], kept) if name is np.subtract and not link.side else other
        alike = isinstance(total, Var) and (total.shape, total.dtype) == (stacked.shape, stacked.dtype)
        return total if alike else None

    def _with_last(self, total: Var, chain: Sequence[Link], state: Slot) -> Var | None:
        """The rows with what the last turn gets from behind the loop besides."""
        start = self.step.inputs[state.place]
        steps = self.backward.program.steps
        made = next((s for s in steps if any(o.number == start.number for o in s.outputs)), None)
        if made is not None and made.operation.name == "zeros_like":
            return total
        if not isinstance(start, Var) or start.shape != total.shape[1:] or start.dtype != total.dtype:
            return None
        own: Any = start
        for step, other in self.homogeneous(chain):
            x: Any = other
            if isinstance(other, Var):
                slot = self.slots[other.number]
                x = self.step.inputs[slot.place]
                x = self._picked(x, -1, total, self.before) if slot.kind == "row" else x
            own = self._apply(step.operation.function, [own] if other is None else [own, x], total)
        out = self._new(total.shape, total)
        self.before.append(
            Step(OPERATIONS[add_item], (total, own), {"index": Index((-1,), True)}, (out,), self.step.position)
        )
        return out

    # ---- behind the loop

    def _first_given(
        self, nexts: Sequence[Var], rest: Sequence[Step], kept: int, state: Slot, stacked: Var
    ) -> list[Step] | None:
        """The steps to the cotangent of what the first turn was given, if that is used."""
        program = self.backward.program
        read = {x.number for s in program.steps for x in s.inputs} | {x.number for x in program.outputs}
        if not nexts or nexts[0].number not in read:
            return []
        steps: list[Step] = []
        own: dict[int, Any] = {}
        position = self.step.position

        def row(x: Any, first: int, like: Var, out: Var | None = None) -> Var:
            out = self._new(like.shape, like) if out is None else out
            steps.append(Step(OPERATIONS[get_item], (x,), {"index": Index((first,), True)}, (out,), position))
            return out

        variables = self.loop.program.by_number()
        kept_row: Any = variables[kept]
        own[kept] = row(stacked, 0, kept_row, nexts[0] if state.following == kept else None)
        for step in rest:
            if any(map(mentions_sizes, step.params.values())) or len(step.outputs) != 1:
                return None
            inputs: list[Any] = []
            for x in step.inputs:
                if isinstance(x, Const) or x.number in own:
                    if isinstance(x, Const) and mentions_sizes(x.value):
                        return None
                    inputs.append(own.get(x.number, x))
                    continue
                slot = self.slots.get(x.number)
                if slot is None or slot.kind not in ("row", "fixed"):
                    return None
                whole = self.step.inputs[slot.place]
                if slot.kind == "row" and shape_of(whole)[1:] != x.shape:
                    return None  # a list of arrays
                own[x.number] = row(whole, slot.first, x) if slot.kind == "row" else whole
                inputs.append(own[x.number])
            (out,) = step.outputs
            named = nexts[0] if out.number == state.following else self._new(out.shape, out)
            own[out.number] = named
            steps.append(replace(step, inputs=tuple(inputs), outputs=(named,)))
        return steps

    # ---- the loop

    def _factors_first(
        self, chain: Sequence[Link], rest: Sequence[Step], kept: Var
    ) -> tuple[list[tuple[Step, Any]], list[Step]]:
        """The steps that what flows back goes through in the end, factors of it multiplied for all turns before."""
        own, rest = self.homogeneous(chain), list(rest)
        factors = [(step, other) for step, other in own if step.operation.function is np.multiply and other is not None]
        kinds = [self.slots[x.number].kind for _, x in factors if isinstance(x, Var)]
        if "row" not in kinds or len(self.loop.values) < _FEWEST:
            return own, rest
        left = list(rest)
        while left and left[-1].operation.function is np.multiply and left[-1].outputs[0].shape == kept.shape:
            sides = [k for k, x in enumerate(left[-1].inputs) if self._is_fixed(x)]
            if len(sides) != 1 or shape_of(left[-1].inputs[1 - sides[0]]) != kept.shape:
                break
            step = left.pop()
            factors.insert(0, (step, step.inputs[sides[0]]))
        if len(factors) < 2:
            return own, rest
        total: Any = None
        for _, x in factors:
            whole = self._rows(x, kept, self.before)
            total = whole if total is None else self._apply(np.multiply, [total, whole], kept)
        self.lifted.add(total.number)
        others = [(step, other) for step, other in own if all(step is not s for s, _ in factors)]
        return [(factors[-1][0], total), *others], left

    def _is_fixed(self, x: Var | Const) -> bool:
        slot = self.slots.get(x.number)
        return slot is not None and slot.kind == "fixed" and isinstance(x, Var) and x.dtype.kind == "f"

    def _looped(
        self,
        start: Var,
        chain: Sequence[Link],
        rest: Sequence[Step],
        state: Slot,
        out: Out,
        kept: Var,
        counting: tuple[Header, int],
        stacked: Var,
    ) -> Step:
        loop, (header, shift) = self.loop, counting
        assert header.counted is not None
        values = range(int(header.counted[0]), int(header.counted[0]) + len(loop.values) - 1)
        counter = Size(values[-1], ("value", loop.turn))
        here, earlier = (Index((shifted(counter, by),), True) for by in (shift, shift - 1))
        rows = self._new(start.shape, kept)
        slots: list[Slot] = []
        inputs: list[Var | Const] = []

        def slot(kind: str, variable: int, x: Var | Const, **details: Any) -> Slot:
            slots.append(Slot(kind, variable, len(inputs), **details))
            inputs.append(x)
            return slots[-1]

        own = slot("carried", rows.number, start, written=True, called="rows")
        for s in loop.slots:
            if s.kind != "carried":
                first = s.first + 1 if s.kind == "row" else s.first
                slot(s.kind, s.variable, self.step.inputs[s.place], first=first, called=s.called)
        position = rest[-1].position if rest else chain[-1].step.position
        read = Step(OPERATIONS[get_item], (rows,), {"index": here}, (kept,), position)
        added: list[Var] = []
        earlier_rows: dict[int, Var] = {}
        factors, rest = self._factors_first(chain, rest, kept)
        flowing = rest[-1].outputs[0] if rest else kept
        steps: list[Step] = [read, *rest]
        for step, other in factors:
            if other is not None and other.number in self.lifted:
                added.append(self._new(kept.shape, kept))
                slot("row", added[-1].number, other)
                flowing, before = self._new(kept.shape, kept), flowing
                steps.append(replace(step, inputs=(before, added[-1]), outputs=(flowing,)))
                continue
            x = other
            if isinstance(other, Var) and self.slots[other.number].kind == "row":
                source = self.slots[other.number]
                if other.number not in earlier_rows:
                    earlier_rows[other.number] = replace(other, number=self._new((), other).number)
                    added.append(earlier_rows[other.number])
                    slot("row", added[-1].number, self.step.inputs[source.place], first=source.first,
                         called=source.called)  # fmt: skip
                x = earlier_rows[other.number]
            made = self._new(kept.shape, kept)
            steps.append(replace(step, inputs=(flowing,) if other is None else (flowing, x), outputs=(made,)))
            flowing = made
        whole = self._new(start.shape, kept)
        steps.append(Step(OPERATIONS[add_item], (rows, flowing), {"index": earlier}, (whole,), position))
        own.following = whole.number
        program = loop.program
        forward = program.steps[: loop.forward_steps]
        # What is kept, and what is handed on, are rows of one array: they have no names of their own.
        gone = {state.variable, state.following, *(o.number for s in self.own if s not in rest for o in s.outputs)}
        body = Program(
            program.name, (*program.inputs, rows, *added), (*forward, *steps), (), program.constants, program.guards
        )
        links = {v: g for v, g in loop.links.items() if g not in gone}
        made_loop = replace(
            loop, program=body, slots=slots, outs=[Out("next", own, out.primal)], values=values, header=header,
            links=links, alike={v: w for v, w in loop.alike.items() if v != state.variable}, plain=None, handed={},
        )  # fmt: skip
        needed = {x.number for s in made_loop.needed() for x in s.inputs}
        needed |= set().union(*(mentioned(s) for s in made_loop.needed()))
        used = [s for s in slots if s.kind == "carried" or s.variable in needed]
        inputs = [inputs[s.place] for s in used]
        for n, s in enumerate(used):
            s.place = n
        made_loop.slots = used
        made_loop.called = {
            self.step.inputs[s.place].number: s.called for s in loop.slots if s.called and s.kind == "row"
        }
        made_loop.program = with_outputs(made_loop)
        operation = replace(self.step.operation, function=made_loop)
        return replace(self.step, operation=operation, inputs=tuple(inputs), outputs=(stacked,))
