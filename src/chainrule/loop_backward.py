"""The backward pass of a loop: a loop that runs from the last turn to the first, over what the forward one kept.

Its body is the backward pass of the forward body, simplified once.  What flows back from turn to turn is carried; the
cotangents of what is the same in all turns are added up in variables that are carried too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from chainrule.backward import Backward, number_of
from chainrule.broadcasting import is_short
from chainrule.differentiate import differentiate
from chainrule.ir import Const, Var
from chainrule.language import message
from chainrule.loop_activity import active_in
from chainrule.loop_bodies import body_tape, input_like, mark_written, record_loop, stand_in
from chainrule.loop_factors import free_factors_first
from chainrule.loop_filled import filled_once, tell_inner_loops, uncleared
from chainrule.loop_kept import kept_of
from chainrule.loop_rows import rows_taken, spread_rows
from chainrule.loop_series import Series
from chainrule.loop_sums import added_once, sums_begun
from chainrule.loops import Loop, Out, Slot, loop_in, values_in
from chainrule.ops import Operation
from chainrule.protocol import apply
from chainrule.simplify.rectified import masks_of_results
from chainrule.simplify.rewriting import simplify
from chainrule.sizes import is_fixed, is_size, plain_number
from chainrule.statements.request import is_write
from chainrule.tape import Tape
from chainrule.trace import Recorded, program_of
from chainrule.traced import Traced

__all__ = ["loop_rule"]

_NO_SECOND = message(
    "the second derivative of a loop was asked for. Instead: write the first derivative, and trace that."
)


def loop_rule(loop: Loop, operation: Operation) -> Callable[..., Any]:
    """The derivative rule of a loop."""

    def rule(g: Any, out: Any, *operands: Any) -> list[Any]:
        return _Reversed(loop, operation, g if type(g) is tuple else (g,), out, operands).run()

    return rule


class _Reversed(Series):
    """The backward pass of one loop on a tape."""

    fixed: dict[Any, Any]

    def run(self) -> list[Any]:
        loop = self.loop
        self.fixed = {}
        self.active = active_in(loop)
        self.slots = [slot for slot in loop.slots if slot.variable in self.active]
        self.filled = filled_once(loop, loop.filled)
        tell_inner_loops(loop, self.filled)
        fixed = self.fixed  # cotangents that are the same in all turns
        while True:
            self._differentiate(fixed)
            same = self._unchanged()
            if not same:
                break
            fixed.update(same)
        return self._written()

    # ---- the body

    def _finals(self) -> dict[int, Any]:
        """Per variable of the body that is left at the end, its cotangent there."""
        found: dict[int, Any] = {}
        for out, g in zip(self.loop.outs, self.g, strict=True):
            if out.kind == "final" and g is not None:
                found[out.variable] = g
        return found

    def _ends(self) -> list[tuple[tuple[str, int], int]]:
        """What has a cotangent at the end of a turn: what the next turn is given, and what is left behind the loop."""
        handed = [s for s in self.slots if s.kind == "carried" and s.following in self.active]
        ends = [(("slot", s.variable), s.following) for s in handed]
        taken = {s.following for s in handed}
        return ends + [(("final", v), v) for v in self._finals() if v in self.active and v not in taken]

    def _starts(self) -> dict[tuple[str, int], Any]:
        """The cotangents that there are before the last turn is gone through."""
        remaining = self._finals()
        return {key: remaining.pop(v) for key, v in self._ends() if v in remaining}

    def _differentiate(self, fixed: Mapping[Any, Any]) -> None:
        """Write down the backward pass of the body.

        ``fixed`` holds cotangents that need not be carried, by the variable that is left: plain numbers, or ``None``.
        """
        loop = self.loop
        body, lengths = body_tape(loop, self.operands)
        forward_steps = len(body.steps)
        # The cotangents from the turn behind, by what they belong to at the end of a turn.
        self.carried: dict[tuple[str, int], Any] = {}
        self.sums: dict[int, Any] = {}  # by slot variable, the sum so far
        self.rows: dict[int, Any] = {}  # by output, the row of the cotangent
        seeds: dict[int, Any] = {}
        self.handed: dict[int, list[Any]] = {}

        def seed(variable: int, value: Any, own: bool = False) -> None:
            seeds[variable] = seeds[variable] + value if variable in seeds else value
            if not own:
                self.handed.setdefault(variable, []).append(number_of(value))

        with body:
            for key, variable in self._ends():
                if key in fixed:
                    if fixed[key] is not None:
                        seed(variable, fixed[key])
                    continue
                self.carried[key] = input_like(body, lengths, variable)
                seed(variable, self.carried[key])
            for slot in self.slots:
                if slot.kind == "fixed":
                    self.sums[slot.variable] = input_like(body, lengths, slot.variable)
                    seed(slot.variable, self.sums[slot.variable], own=True)
            for n, (out, g) in enumerate(zip(loop.outs, self.g, strict=True)):
                variable = out.variable.following if out.kind == "whole" else out.variable
                if out.kind in ("stack", "whole") and g is not None and variable in self.active:
                    self.rows[n] = input_like(body, lengths, variable)
                    seed(variable, self.rows[n])
            links: dict[int, Any] = {}
            contributions: dict[int, list[tuple[int, Any]]] = {}

            def note(variable: int, step: int, contribution: Any, whole: Any) -> None:
                contributions.setdefault(variable, []).append((step, number_of(contribution)))
                links[variable] = number_of(whole)

            wrt = [slot.variable for slot in self.slots]
            found = differentiate(body, seeds, wrt, on_contribution=note)
            self.found: dict[Any, Any] = {v: self._whole(body, found.get(v), v) for v in wrt}
            # What nothing hands on has no cotangent but in the last turn.
            lone = [v for kind, v in self.carried if kind == "final"]
            self.found.update((("final", v), self._nothing(body, v)) for v in lone)
            stand_ins = [Traced(body, v, body.values[v], False) for v in loop.roots() if type(v) is int]
            program = program_of(Recorded(None, body, stand_ins), forward_steps, links)
        variables: dict[int, Any] = dict(program.by_number())
        gradients = tuple(variables[x.variable] for x in self.found.values())
        for v in wrt:
            links[v] = self.found[v].variable
        self.body = Backward(
            replace(program, outputs=(*program.outputs, *gradients)),
            forward_steps,
            tuple(variables[v] for v in (*wrt, *lone)),
            gradients,
            tuple(variables[x.variable] for x in (*self.carried.values(), *self.sums.values(), *self.rows.values())),
            links,
            {v: tuple(shares) for v, shares in contributions.items()},
            added_up=frozenset(x.variable for x in (*self.carried.values(), *self.sums.values())),
        )

    def _nothing(self, body: Tape, v: int) -> Any:
        """No cotangent of a variable; where its shape may be another in every turn, one number that fits all."""
        if any(s.kind == "item" for s in self.loop.slots) or not self._is_even(v):
            like = Traced(body, v, body.values[v], False)
            return apply(np.zeros_like, like[(0,) * like.value.ndim])
        return self._whole(body, None, v)

    @staticmethod
    def _whole(tape: Tape, g: Any, variable: int) -> Any:
        """A cotangent of the shape of its variable."""
        like = stand_in(tape, variable)
        if g is None:
            return apply(np.zeros_like, like)
        if type(g) is not Traced:
            return _filled(like, g)
        if np.shape(g.value) != np.shape(like.value) or is_short(tape, g, variable):
            if not np.shape(g.value) and g.variable in tape.leaves and g.variable not in tape.inputs:
                return _filled(like, np.asarray(g.value).item())
            return apply(np.broadcast_to, g, like.shape)
        return g

    def _unchanged(self) -> dict[Any, Any]:
        """The carried cotangents that every turn hands on as they are, and that are plain numbers or nothing at all."""
        finals = self._starts()
        same: dict[Any, Any] = {}
        for key, own in self.carried.items():
            kind, variable = key
            if kind == "final" or self.found[variable].variable != own.variable:
                continue
            g = finals.get(key)
            # What a turn hands on is the cotangent of what it was given; that is the same variable's, a turn earlier.
            if g is None:
                same[key] = None
            elif type(g) is not Traced and is_fixed(g):
                same[key] = g
        return same

    # ---- the loop

    def _written(self) -> list[Any]:
        loop, tape = self.loop, self.tape
        shorter = simplify(replace(self.body, program=added_once(self.body.program)))
        simplified = sums_begun(masks_of_results(shorter, of_outputs=True))
        flowing = {own.variable for own in (*self.carried.values(), *self.sums.values())}
        simplified = free_factors_first(simplified, flowing)
        gradients = dict(zip(self.found, simplified.gradients, strict=True))
        owns = [self.carried[key].variable for v in self.filled if (key := ("slot", v)) in self.carried]
        simplified = uncleared(simplified, owns)
        gradients = dict(zip(gradients, simplified.gradients, strict=True))
        simplified, filled = self.settled(simplified, gradients)
        starts, ends = self._starts(), dict(self._ends())
        slots: list[Slot] = []
        inputs: list[Any] = []

        def slot(kind: str, variable: int, sources: Sequence[Any], **details: Any) -> Slot:
            slots.append(Slot(kind, variable, len(inputs), **details))
            inputs.extend(sources)
            return slots[-1]

        outs: list[Out] = []
        owners: list[Any] = []  # per output, the operand that it is the cotangent of
        passed: dict[int, Any] = {}
        begun: list[tuple[int, Any]] = []  # cotangents of what is stacked in front of what turns leave
        for array, x in filled:
            slot("fixed", array.number, [x])
        following = {key: gradients[key[1] if key[0] == "slot" else key].number for key in self.carried}
        for key, own in self.carried.items():
            if following[key] == own.variable and type(starts.get(key)) is Traced:
                self.same[own.variable] = cache(partial(self._start, starts[key], ends[key]))
        batches, lifts = self.batches(simplified, gradients)
        for key, own in self.carried.items():
            kind, variable = key
            start = self.same[own.variable]() if own.variable in self.same else self._start(starts.get(key), ends[key])
            if following[key] == own.variable:
                # Every turn hands it on as it is.
                slot("fixed", own.variable, [start])
                passed[next(s.place for s in self.slots if s.variable == variable)] = start
                continue
            made = slot("carried", own.variable, [start], following=following[key])
            if kind == "slot":
                outs.append(Out("next", made, self.named(variable)))
                owners.append(next(s.place for s in self.slots if s.variable == variable))
        for variable, own in self.sums.items():
            if variable in batches or gradients[variable].number == own.variable:
                continue  # summed behind the loop, or read for its lengths alone
            source = next(s for s in loop.slots if s.variable == variable)
            zero = apply(np.zeros_like, self.operands[source.place])
            made = slot("carried", own.variable, [zero], following=gradients[variable].number)
            outs.append(Out("next", made, self.named(variable)))
            owners.append(source.place)
        for n, own in self.rows.items():
            g = self.g[n]
            if type(g) is not Traced or g.value.shape != self.outputs[n].value.shape:
                g = self._whole(tape, g, self.outputs[n].variable)
            self.row_cotangents[n] = g
            whole = loop.outs[n].kind == "whole"
            slot("row", own.variable, [g], first=int(whole))
            if whole and loop.outs[n].variable.variable in self.active:
                begun.append((loop.outs[n].variable.place, g))
        for s in self.slots:
            if s.kind == "item":
                outs.append(Out("split", gradients[s.variable].number, self.named(s.variable)))
                owners.append(("item", s.place))
            elif s.kind == "row" and s.variable not in batches:
                outs.append(Out("stack", gradients[s.variable].number, self.named(s.variable)))
                owners.append(("row", s.place, s.first))
        self.stack_forward(
            [*(b.needed for b in batches.values()), *(lift.needed for lift in lifts.values())], simplified
        )
        self.lift(lifts)
        needed = {v for b in batches.values() for v in b.needed if not self.is_forward(v)} - self.same.keys()
        # What turns leave of a gradient's rows already is not kept once more.
        rows_left = {out.variable: n for n, out in enumerate(outs) if out.kind == "stack"}
        behind = sorted(needed - self.cotangent_rows() - self.read_last.keys() - lifts.keys() - rows_left.keys())
        whose = {v: self.named(key) for key, b in batches.items() for v in b.parts}
        for v in behind:
            part = f"{whose[v]}_parts" if whose.get(v) else ""
            outs.append(Out("stack", v, self.primal_of(simplified.links, v) or part))
            owners.append(None)
        in_turns = self.read_in_turns(
            simplified, [*(s.following for s in slots), *(out.variable for out in outs)], lifts
        )
        for v, lift in lifts.items():
            called = self.slopes_of(v, lift, simplified)
            if called or v in in_turns:
                slot("row" if lift.varies else "fixed", v, [self.lifted[v]], called=called)
        program = simplified.program
        if batches:
            variables = program.by_number()
            left = [s.following for s in slots if s.kind == "carried"] + [out.variable for out in outs]
            program = replace(program, outputs=tuple(variables[v] for v in left if type(v) is int))
        backward = Loop(
            program, simplified.forward_steps, slots, outs, loop.turn, loop.values, loop.header,
            dict(simplified.links), backward=True, alike=self._alike(), plain=self.body, handed=self.handed,
        )  # fmt: skip
        self._keep(backward, slot)
        steps = simplified.program.steps[simplified.forward_steps :]
        mark_written(slots, steps)
        # Where every turn hands on what it is given, there is nothing to run.
        results = record_loop(backward, inputs, _NO_SECOND) if outs else ()
        found = self._contributions(results, outs, owners)
        for place, g in passed.items():
            found[place] = g
        for g_slot, place in self._constant():
            found[place] = g_slot
        for place, g in begun:
            found[place] = g[0] if found[place] is None else g[0] + found[place]
        stacks = dict(zip(behind, results[len(results) - len(behind) :], strict=True))
        if batches:
            stacks.update((v, results[n]) for v, n in rows_left.items())
        stacks.update((v, self.last_rows(b, found[b.slot.place])) for v, b in self.read_last.items())
        for variable, batch in batches.items():
            source = next(s for s in loop.slots if s.variable == variable)
            result = batch.build(lambda v: stacks[v] if v in stacks else self.stack(v))
            if source.kind == "row":
                self._add_rows(found, source.place, source.first, result)
            elif batch.place is not None:
                found[source.place] = self.placed(self.operands[source.place], result, batch.place)
            else:
                found[source.place] = result
        for b in self.unzeroed:
            found[b.slot.place] = self.zeroed(b, found[b.slot.place])
        return found

    def _constant(self) -> list[tuple[Any, int]]:
        """Cotangents that are plain numbers and go through all turns as they are, with whose they are."""
        return [(g, next(s.place for s in self.slots if s.variable == variable))
                for (kind, variable), g in self.fixed.items() if kind == "slot" and g is not None]  # fmt: skip

    def _alike(self) -> dict[int, int]:
        """What a turn of the backward loop is given, with the variables that it is the cotangent of."""
        ends = dict(self._ends())
        found = {own.variable: ends[key] for key, own in self.carried.items()}
        found.update((own.variable, v) for v, own in self.sums.items())
        return found

    def _start(self, g: Any, variable: int) -> Any:
        """The cotangent with which the last turn begins."""
        for out, x in zip(self.loop.outs, self.outputs, strict=True):
            if out.kind == "final" and out.variable == variable:
                plain = type(g) is not Traced and not np.shape(x.value)
                return g if plain else self._whole(self.tape, g, x.variable)
        # Nothing behind the loop uses it: it begins as zeros.
        x = self.loop.tape.values[variable]
        if not np.shape(x):
            return 0.0
        (left,) = self.leave([Out("final", variable)])
        return apply(np.zeros_like, left)

    def _contributions(self, results: Sequence[Any], outs: Sequence[Out], owners: Sequence[Any]) -> list[Any]:
        found: list[Any] = [None] * len(self.operands)
        count = len(self.loop.values)
        at = 0
        for out, owner in zip(outs, owners, strict=True):
            if out.kind == "split":
                found[owner[1] : owner[1] + count] = results[at : at + count]
                at += count
                continue
            result = results[at]
            at += 1
            if owner is None:
                continue
            if type(owner) is tuple:
                self._add_rows(found, owner[1], owner[2], result)
            else:
                found[owner] = result
        return found

    def _add_rows(self, found: list[Any], place: int, first: int, result: Any) -> None:
        """Add the gradient of the rows that the turns were given to that of the array."""
        operand = self.operands[place]
        if operand.value.shape != result.value.shape:
            result = spread_rows(operand, 0, *rows_taken(self.loop, operand, first), result)
        found[place] = result if found[place] is None else found[place] + result

    def _keep(self, backward: Loop, slot: Callable[..., Slot]) -> None:
        """Give the backward loop what it needs of the forward one: as it is where it is at hand, else kept."""
        loop = self.loop
        at_hand, kept = kept_of(loop, backward)
        for s in at_hand:
            count = len(loop.values) if s.kind == "item" else 1
            slot(s.kind, s.variable, self.operands[s.place : s.place + count], items=s.items, first=s.first)
        # What a turn is given and what it leaves are one list, with what the loop began with in front.
        left = [*zip(loop.outs, self.outputs, strict=True), *self.stacked]
        stacks = {o.variable: x for o, x in left if o.kind == "stack"}
        for out, x in left:
            if out.kind == "whole":
                for n, v in enumerate((out.variable.variable, out.variable.following)):
                    if v in kept:
                        slot("row", v, [x], first=n)
                        kept.discard(v)
        for v in sorted(kept & stacks.keys()):
            slot("row", v, [stacks[v]])
            kept.discard(v)
        same = sorted(v for v in kept if self._is_same(v))
        for v, held in zip(same, self.leave([Out("final", v) for v in same]) if same else (), strict=True):
            slot("fixed", v, [held])
            kept.discard(v)
        trails = {s.variable: s for s in loop.slots if s.kind == "carried" and {s.variable, s.following} <= kept}
        lists = [v for v in sorted(kept) if not any(s.following == v for s in trails.values())]
        outs = [Out("trail", trails[v]) if v in trails else Out("list", v) for v in lists]
        for v, held in zip(lists, self.leave(outs) if outs else (), strict=True):
            slot("row", v, [held])
            if v in trails:
                slot("row", trails[v].following, [held], first=1)

    def _is_same(self, v: int) -> bool:
        """Whether a variable of the forward body is the same in all turns, as it is computed of what is."""
        fixed = self.loop.fixed()
        made = {o.number: s for s in self.body.program.steps[: self.body.forward_steps] for o in s.outputs}
        pending = [v]
        while pending:
            v = pending.pop()
            if v in fixed:
                continue
            step = made.get(v)
            if step is None or is_write(step) or loop_in(step) is not None:
                return False
            literals = [x.value for x in step.inputs if isinstance(x, Const) and x.number < 0]
            if self.loop.turn in values_in((*step.params.values(), *literals)):
                return False
            pending += [x.number for x in step.inputs if isinstance(x, Var)]
        return True


def _filled(like: Any, g: Any) -> Any:
    """An array of the shape of another, filled with a number."""
    ones = apply(np.ones_like, like)
    if is_size(g) and is_fixed(g):
        g = plain_number(g)
    return ones if not is_size(g) and g == 1 else ones * g
