"""The body of a loop, explained once for all turns: what a turn is given, what it computes, what it hands back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.explain.agreeing import agrees
from chainrule.explain.algebra import add, terms_of
from chainrule.explain.derivation import Part, Route
from chainrule.explain.formula import Element, Formula, Index, Sum
from chainrule.explain.forward import Forward, Reading
from chainrule.explain.same_lengths import united
from chainrule.explain.scene import Scene
from chainrule.explain.turn_lines import TurnText
from chainrule.explain.turn_numbers import Turn, backward_of, turns_of
from chainrule.indexing import Index as ItemIndex
from chainrule.indexing import get_item, set_item
from chainrule.ir import Const, Program, Step, Var
from chainrule.language import Message, message
from chainrule.lengths import Symbol, whole_symbols
from chainrule.loops import Slot, loop_in
from chainrule.names import Namespace
from chainrule.sizes import is_size, leaves_of
from chainrule.user_source import place_of

__all__ = ["Body"]


class Body(Scene):
    """The statements of the body of a loop.

    Args:
        outer: the scene that the loop stands in.
        step: the loop.
        backward: its backward pass, if there is one.
        turns: the numbers of its turns; of a loop in the body of another one, those in the last turn of that.
        text: its backward pass as it is written, if there is one.
        more: further turns, that formulas must be right in, too.

    Attributes:
        turn: the index over the turns.
        given: the names of what a turn is given: of what is read at its place in an array, too.
    """

    fewest = 3

    def __init__(
        self,
        outer: Scene,
        step: Step,
        backward: Step | None,
        turns: Sequence[Turn],
        text: TurnText | None = None,
        more: Sequence[Turn] = (),
    ) -> None:
        loop = loop_in(step)
        assert loop is not None
        self.outer = outer
        self.loop = loop
        self.step = step
        self.backward_step = backward
        self._backward = None if backward is None else loop_in(backward)
        self.text = text
        self.turns = turns
        self.repeats = len(turns) * outer.repeats
        self.checked = [turns[0], turns[-1], *more]
        last = turns[-1]
        self.values, self.gradients = last.values, last.gradients
        # The body's variables have numbers of their own.
        self.result, self.prefix, self.lines = replace(outer.result, variable=-1), outer.prefix, {}
        steps = loop.program.steps[: loop.forward_steps]
        self.slots = {slot.variable: slot for slot in loop.slots}
        self.following = {slot.following: slot for slot in loop.slots if slot.kind == "carried"}
        variables = loop.program.by_number()
        carried = [(variables.get(s.following), variables.get(s.variable)) for s in loop.slots if s.kind == "carried"]
        pairs = [(x, y) for x, y in carried if isinstance(x, Var) and isinstance(y, Var)]
        symbols = united(self._symbols(loop.program, {}), steps, pairs)
        letters = outer.forward.letters
        given = self.given = self._given(steps)
        preferred = self._written(steps)
        mixed = [out for step in steps for out in step.outputs if out.name == outer.result.name]
        counter = loop.header.name if loop.header.name.isalpha() else "t"
        preferred.update((out.number, f"{out.name}_{counter}") for out in mixed)
        self.turn = Index(self._letter(counter), len(turns), "")
        self.counters = self._counters()
        self.forward = Forward(
            steps,
            given,
            preferred,
            self._needed(),
            symbols,
            (),
            {},
            self.values,
            outer.forward.number_text,
            (),
            letters,
            self.counters,
        )
        self.active = {n for n in self.gradients if n in self.forward.names}
        self.forward.renamed.update((self.forward.names[x.number], outer.result.name) for x in mixed)
        names = self.forward.names
        self.named = {name: self.values[n] for n, name in names.items() if n in self.values}
        self.start()
        self.used_letters = outer.used_letters
        self.used_letters.add(self.turn.name)
        if text is not None:
            others = united(self._symbols(text.loop.program, text.loop.alike), text.loop.program.steps, pairs)
            text.read(self, {**others, **symbols})
            self.lines = text.lines(self)

    def _letter(self, wanted: str) -> str:
        letters = self.outer.forward.letters
        own = wanted if len(wanted) == 1 and wanted.isalpha() else "t"
        outer, turns = self.outer, set()
        while isinstance(outer, Body):
            turns.add(outer.turn.name)
            outer = outer.outer
        free = (name for name in (own, *"tsr") if name not in letters.owners and name not in turns)
        return next(free, own + "′" * (1 + len(turns)))

    def _needed(self) -> set[int]:
        """What a turn must compute for the user: what the next turn takes, and what is used behind the loop."""
        found = {v for v in self.following if type(v) is int}
        outputs = list(self.step.outputs)
        for out in self.loop.outs:
            own = [outputs.pop(0) for _ in range(len(self.turns) if out.kind == "split" else 1)]
            if type(out.variable) is int and any(x.number in self.outer.forward.wanted for x in own):
                found.add(out.variable)
        return found

    # ---- counters

    def _counters(self) -> dict[int, Index]:
        """The indices of the turns of this loop and of those around it, by the variables that hold their counts."""
        found = {self.loop.turn: self.turn}
        for slot in self.loop.slots:
            index = self._counted(slot)
            if index is not None:
                found[slot.variable] = index
        return found

    def _counted(self, slot: Slot) -> Index | None:
        """The index of a loop around this one that a slot hands in, if it does."""
        outer = self.outer.counters if isinstance(self.outer, Body) else {}
        return outer.get(self.step.inputs[slot.place].number) if slot.kind == "fixed" else None

    def _moves(self, step: Step) -> bool:
        """Whether counters decide the place that a step reads or writes."""
        index = step.params["index"]
        sizes = [p for p in getattr(index, "parts", ()) if is_size(p)]
        slices = [p for p in getattr(index, "parts", ()) if type(p) is slice]
        sizes += [e for p in slices for e in (p.start, p.stop, p.step) if is_size(e)]
        return any(leaf[0] == "value" for size in sizes for leaf in leaves_of(size))

    # ---- names and lengths

    def _symbols(self, program: Program, alike: Mapping[int, int]) -> dict[int, tuple[Symbol, ...]]:
        """The symbols of a body's variables; of what comes from outside and is the same there, those of outside."""
        loop = self.loop
        own = whole_symbols(program, alike).of
        outside = self.outer.forward.letters.symbols
        exchanged: dict[Symbol, Symbol] = {}
        for slot in loop.slots:
            source = self.step.inputs[slot.place]
            shapes = {np.shape(t.values[slot.variable]) for t in self.turns}
            symbols = outside.get(source.number, ())
            if slot.kind == "row":
                symbols = symbols[1:]
            same = len(shapes) == 1 and len(symbols) == len(next(iter(shapes)))
            if same and slot.kind in ("fixed", "carried", "row"):
                exchanged.update({("length", slot.variable, k): s for k, s in enumerate(symbols)})
        return {
            v: tuple(exchanged.get(s, s if s[0] == "number" else ("body", id(loop), s)) for s in symbols)
            for v, symbols in own.items()
        }

    def _given(self, steps: Sequence[Step]) -> dict[int, str]:
        """The names of what a turn is given."""
        space = Namespace()
        found: dict[int, str] = {}
        made = {out.name for step in steps for out in step.outputs if out.name is not None}
        for x in self.loop.program.inputs:
            slot = self.slots.get(x.number)
            if slot is None or self._counted(slot) is not None:
                continue
            found[x.number] = space.claim(self._name_of(slot, x, made))
        for c in self.loop.program.constants:
            if np.ndim(c.value):
                found[c.number] = space.claim(c.name or "constant")
        for step in steps:
            named = step.outputs[0].name is not None  # a statement of its own
            if step.operation.function is get_item and not named and self._moves(step):
                (base, *others) = step.inputs
                if not others and base.number in found:
                    found[step.outputs[0].number] = self._text(step, found[base.number])
        return found

    def _name_of(self, slot: Slot, x: Var, made: set[str]) -> str:
        if slot.kind == "fixed":
            outer = self.outer.forward.names.get(self.step.inputs[slot.place].number)
            return outer or x.name or "array"
        if slot.kind == "item":
            return x.name or (slot.items.name() if slot.items is not None else None) or "item"
        if slot.kind == "carried" and x.name is not None and x.name in made:
            return f"{x.name}_prev"
        return x.name or "row"

    def _text(self, step: Step, base: str) -> str:
        """An element or row that a turn reads, as it is written: ``x[t]``."""
        segment = "" if step.position is None else step.position.segment
        if segment and segment.endswith("]"):
            return segment
        index: ItemIndex = step.params["index"]
        counter = self.loop.header.name or "t"
        return f"{base}[{index.text(()) if index.basic else counter}]"

    def _written(self, steps: Sequence[Step]) -> dict[int, str]:
        """For values that are written into an array at the place of the turn, that place as their name."""
        found: dict[int, str] = {}
        for step in steps:
            if step.operation.function is set_item and self._moves(step):
                value = step.inputs[1]
                name = step.outputs[0].name or self.forward_name(step.inputs[0])
                if isinstance(value, Var) and value.name is None and name:
                    found[value.number] = self._place_in(step, name)
        for number in [n for n, text in self.given.items() if text in found.values()]:
            # What is there before is written over.
            base, _, rest = self.given[number].partition("[")
            self.given[number] = f"{base}_prev[{rest}"
        return found

    def _place_in(self, step: Step, name: str) -> str:
        """The place of an array that a turn writes, as it is written: ``C[i, j]``."""
        text = "" if step.position is None else place_of(step.position).text
        written = re.match(rf"({re.escape(name)}\[[^=]*\])\s*(?:[-+*/@]|\*\*|//)?=(?!=)", text)
        return written[1] if written else f"{name}[{self.loop.header.name or 't'}]"

    def forward_name(self, x: Var | Const) -> str:
        """What the user calls an array of the body."""
        return x.name or ""

    # ---- what differs from statements outside

    def executed(self, side: Formula, free: Sequence[Index], wanted: str, number: int) -> bool:
        """Whether a formula is right in the first turn and in the last; of a loop in a loop, in those of both."""
        return all(self._right(side, free, wanted, number, turn) for turn in self.checked)

    def _right(self, side: Formula, free: Sequence[Index], wanted: str, number: int, turn: Turn) -> bool:
        names = self.forward.names
        held = turn.values if wanted == "value" else turn.gradients
        shape = tuple(i.length for i in free)
        if number not in held or np.size(held[number]) != int(np.prod(shape)):
            return True  # a turn of another shape
        if any(np.shape(v) != np.shape(self.values[n]) for n, v in turn.values.items() if n in names):
            return True
        return agrees(side, free, self.named_in(turn), held[number], turn.gradients, self.counts_in(turn))

    def named_in(self, turn: Turn) -> dict[str, Any]:
        """The arrays that formulas name, as they are in a turn."""
        names = self.forward.names
        named = {name: turn.values[n] for n, name in names.items() if n in turn.values}
        named |= {f"{self.prefix}{names[n]}_next": g for n, g in turn.handed.items() if n in names}
        return named | self.forward.forms.lookups

    def counts_in(self, turn: Turn) -> dict[str, int]:
        """What the indices that count turns are in a turn."""
        return {i.name: int(turn.values[n]) for n, i in self.counters.items()}

    def handed_in(self, number: int, element: Element) -> Formula | None:
        if number not in self.turns[-1].handed or not self.consumers.get(number):
            return None
        return Element(f"{self.prefix}{self.forward.names[number]}_next", element.indices)

    def gathered(self, number: int, side: Formula) -> Formula:
        """What is the same in all turns gets a share from each of them."""
        slot = self.slots.get(number)
        if slot is None or slot.kind != "fixed":
            return side
        from_turns = [self._over_turns(term) for term in terms_of(side)]
        return self.outer.gathered(self.step.inputs[slot.place].number, add(*from_turns))

    def _over_turns(self, term: Formula) -> Formula:
        if isinstance(term, Sum) and term.kind == "sum":
            return Sum((self.turn, *term.over), term.body)
        return Sum((self.turn,), term)

    def body(self, step: Step) -> Body:
        """A loop in this body, with its numbers in the last turn; its formulas must hold in the first turn, too."""
        plain = None if self._backward is None else self._backward.plain
        backward = None if plain is None else backward_of(step, plain.program.steps)
        first, last = (turns_of(step, backward, t.values, t.gradients) for t in (self.turns[0], self.turns[-1]))
        text = None if self.text is None else self.text.within(step)
        return Body(self, step, backward, last, text, (first[0], first[-1]))

    def formed(self) -> dict[str, str]:
        return {} if self.text is None else self.named_gradients(self.text.arriving)

    def route(self, number: int) -> Route:
        """How the gradient of an array is found; what becomes of it in other turns is said beside its lines, too."""
        found = super().route(number)
        return replace(found, note=found.note or self._in_other_turns(number))

    def without_lines(self, number: int) -> Message | None:
        made = number not in self.slots and self.forward.names[number] not in self.given.values()
        left_out = made and self.text is not None and number not in self.text.loop.links
        return super().without_lines(number) if left_out else None

    def _in_other_turns(self, number: int) -> Message | None:
        """What other turns have to do with a gradient."""
        slot = self.slots.get(number)
        gradient = self.prefix + self.forward.names[number]
        if slot is not None and slot.kind == "carried":
            return message(
                "{gradient} is carried: the turn before takes it as the gradient of what it left.", gradient=gradient
            )
        if slot is not None and slot.kind == "fixed":
            return message(
                "{name} is the same in all {count} turns, so each of them adds its share to {gradient}.",
                name=self.forward.names[number],
                count=self._turns_of(number),
                gradient=gradient,
            )
        return None

    def _turns_of(self, number: int) -> int:
        """In how many turns, of this loop and of those around it, an array is the same."""
        slot = self.slots.get(number)
        if slot is None or slot.kind != "fixed":
            return 1
        around = self.outer._turns_of(self.step.inputs[slot.place].number) if isinstance(self.outer, Body) else 1
        return len(self.turns) * around

    def note(self, reading: Reading) -> Message | None:
        found = super().note(reading)
        if found is not None:
            return found
        carried = [s for s in self.slots.values() if s.kind == "carried" and s.variable in reading.reads]
        for slot in carried:
            name = self.forward.names[slot.variable]
            if name.endswith("_prev"):
                return message(
                    "{previous} is the {name} that the turn before left. The formulas hold for any turn of the loop, "
                    "and the numbers are those of the last one.",
                    previous=name,
                    name=name.removesuffix("_prev"),
                )
        return message("The formulas hold for any turn of the loop, and the numbers are those of the last one.")

    def part(self, reading: Reading) -> Part:
        """What is said about a statement; of a loop in the body only that it is one, for its lines are its body's."""
        found = super().part(reading)
        return found if loop_in(reading.step) is None else replace(found, routes=())

    def parts(self) -> list[Part]:
        """One part per statement of the body, in backward order."""
        readings = [r for r in self.forward.readings if r.out.number not in self.given]
        return self.told(readings)
