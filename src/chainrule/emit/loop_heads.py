"""What a loop is given in each turn, and the line that it begins with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.emit.assignments import StatementPrinter
from chainrule.emit.text import ATOM, Text, formatted_path, join, tight
from chainrule.ir import Const, Var
from chainrule.loops import Items, Loop, Out, Slot
from chainrule.names import Namespace, singular
from chainrule.sizes import is_size
from chainrule.statements.request import is_view
from chainrule.statements.statement import Statement, Statements
from chainrule.statics import shifted
from chainrule.user_source import iterated

__all__ = ["BodyText", "Context", "Heads", "Titles"]

Titles = Callable[[Sequence[tuple[Statement, list[str]]], bool], list[str]]


@dataclass(frozen=True, slots=True, eq=False)
class BodyText:
    """What was written for the body of a loop.

    Attributes:
        statements: its statements.
        texts: the lines of each.
        given: the names of what a turn is given, by the variables of the body.
        printer: what wrote them.
    """

    statements: Statements
    texts: Sequence[Sequence[str]]
    given: Mapping[int, str]
    printer: StatementPrinter


@dataclass(slots=True, eq=False)
class Context:
    """What the loops of one piece of source have in common.

    Attributes:
        prefix: what stands in front of a variable's name in the name of its gradient.
        literals: how the user wrote floats.
        taken: the names that are in use around the loops.
        titled: puts backward statements under the user's statements that they belong to.
        constants: takes the plain arrays that the bodies use, with their names.
        lists: the names of lists of gradients, by the loop and the output.
        leaves: names of arrays in lists of the arguments that only loops read, which stand for all of them.
        own: arrays that the loop around adds up, and nobody else refers to.
        there: variables that need not be computed, as the user's own lines have done that.
        fixed: variables whose names must keep what they hold.
        numbers: gives the user's names for numbers that are computed from the lengths of arrays with these names.
        bodies: takes what was written for each loop, by the loop's identity.
        checked: whether turns of loops of the forward pass refuse other decisions on values.
    """

    prefix: str
    literals: Mapping[float, str]
    taken: set[str]
    titled: Titles
    constants: list[tuple[str, Const]] = field(default_factory=list)
    lists: dict[tuple[int, int], str] = field(default_factory=dict)
    leaves: frozenset[str] = frozenset()
    own: frozenset[int] = frozenset()
    there: frozenset[int] = frozenset()
    fixed: frozenset[int] = frozenset()
    numbers: Callable[[Mapping[str, Var]], Mapping[Any, str]] = field(default=lambda arrays: {})
    bodies: dict[int, BodyText] = field(default_factory=dict)
    checked: bool = False


class Heads:
    """The names of what a loop is given, and what it runs over."""

    def __init__(self, loop: Loop, statement: Statement, printer: StatementPrinter, context: Context) -> None:
        self.loop = loop
        self.step = statement.step
        self.targets = list(statement.targets)
        self.printer = printer
        self.context = context
        self.program = loop.program
        self.variables = loop.program.by_number()
        self.space = Namespace(context.taken)
        self.given: dict[int, str] = {}
        self.heads: list[tuple[str, str]] = []  # targets of the loop, with what they run over
        self.outs: list[tuple[int, Out, str]] = []  # with their targets
        self.needed: set[int] = set()
        self.before: list[str] = []
        self.after: list[str] = []

    def _operand(self, slot: Slot) -> Any:
        return self.step.inputs[slot.place]

    def _carried(self) -> None:
        loop, prefix = self.loop, self.context.prefix
        self.slots: list[tuple[Slot, str]] = []
        self.renamed: dict[str, str] = {}
        finals = {out.variable: target for _, out, target in self.outs if out.kind == "final" and target != "_"}
        nexts = {id(out.variable): (target, out) for _, out, target in self.outs if out.kind == "next"}
        ends: list[str] = []
        for slot in loop.slots:
            if slot.kind != "carried" or slot.variable not in self.needed:
                continue
            own = self._name_of(slot.variable) or "value"
            target = finals.pop(slot.following, "_")
            if loop.backward:
                target, out = nexts.get(id(slot), ("_", None))
                primal = out.primal if out is not None else ""
                own = prefix + (primal or self._belongs(slot.variable))
            # It is the cotangent of what turns are given; behind the loop, of what the first one was given.
            renamed = loop.backward and not slot.called and target not in ("_", own) and own not in self.context.taken
            name = self.space.claim(own) if renamed or target == "_" else target
            if target == "_" and self._is_over(slot, own):
                name = own
            if renamed:
                ends.append(f"{target} = {name}")
            self.given[slot.variable] = name
            self.slots.append((slot, name))
            self.renamed.setdefault(own, name)
            start = self.printer.operand(self._operand(slot))
            if slot.written and not self._is_fresh(self._operand(slot)):
                self.before.append(f"{name} = {tight(start)}.copy()")
            elif start[0] != name:
                self.before.append(f"{name} = {self._plain(start[0], slot)}")
        self.finals = finals
        self.after += ends

    def _plain(self, text: str, slot: Slot) -> str:
        """Zeros for one number are written as that."""
        x = self.variables[slot.variable]
        return "0.0" if text.startswith("np.zeros_like(") and isinstance(x, Var) and not x.shape else text

    def _name_of(self, variable: int) -> str:
        """What a variable that a turn is given is called: that it is the tangent of another one, if it is."""
        primal = None if self.loop.backward else self.loop.alike.get(variable)
        if primal is not None:
            return self.context.prefix + (self._called(primal) or "value")
        return self._called(variable)

    def _called(self, variable: int) -> str:
        x = self.variables.get(variable)
        return (x.name if x is not None else None) or ""

    def _belongs(self, variable: int) -> str:
        """What a cotangent is of."""
        for slot, following in ((s, s.following) for s in self.loop.slots if s.variable == variable):
            for primal, cotangent in self.loop.links.items():
                x = self.variables.get(primal)
                if cotangent == following and x is not None and x.name and slot.kind == "carried":
                    return str(x.name)
        for primal, cotangent in self.loop.links.items():
            x = self.variables.get(primal)
            if cotangent == variable and x is not None and x.name:
                return str(x.name)
        return "value"

    def _is_over(self, slot: Slot, name: str) -> bool:
        """Whether what turns begin with has this name and is not read behind the loop, so that they may go on in it."""
        start = self._operand(slot)
        alone = sum(own is start for own in self.step.inputs) == 1
        there = isinstance(start, Var) and self.printer.names.get(start.number) == name and not slot.written
        return there and alone and start.number not in (*self.printer.later, *self.context.fixed)

    def _is_fresh(self, x: Any) -> bool:
        """Whether an array is nobody else's: it was made for this, or is not used again."""
        if not isinstance(x, Var):
            return True
        if sum(own is x for own in self.step.inputs) > 1:
            return False  # the turns read it too
        step = self.printer.folded.get(x.number)
        if step is not None:
            return not is_view(step)
        return x.number in self.printer.lone or x.number in self.context.own

    def _is_lone_sum(self, slot: Slot) -> bool:
        """Whether what is handed on is an array of the loop's own, which is read once in a turn."""
        reads = [x.number for step in self.program.steps for x in step.inputs]
        kept = [out.variable for out in self.loop.outs if type(out.variable) is int]
        alone = reads.count(slot.variable) == 1 and slot.following not in (*reads, *kept)
        start = self._operand(slot)
        same = isinstance(start, Var) and start.shape == getattr(self.variables[slot.following], "shape", None)
        return alone and same and self._is_fresh(start)

    def _counter(self) -> None:
        header = self.loop.header
        own = {x.name for x in self.variables.values()}
        free = next((name for name in ("k", "i", "j", "n") if name not in own), "turn")
        name = header.name if header.name not in ("", "_") else free
        self.counter = self.space.claim(name) if name in self.context.taken else name
        self.given[self.loop.turn] = self.counter

    def _turn(self) -> Text:
        """The number of the turn, counted from 0, by the counter of a loop over a range."""
        start, _, stride = self.loop.header.counted or (0, 0, 1)
        text: Text = (self.counter, ATOM)
        if int(stride) < 0:
            text = join(self.printer.static(start), "-", text)
        elif is_size(start) or start:
            text = join(text, "-", self.printer.static(start))
        size = abs(stride) if type(stride) is int else stride
        return text if type(size) is int and size == 1 else join(text, "//", self.printer.static(size))

    def _row(self, first: int) -> str:
        """The place of the row that the turn at hand takes, by the counter of a loop over a range."""
        start, _, stride = self.loop.header.counted or (0, 0, 1)
        if type(stride) is int and stride == 1 and not is_size(start):
            return _counted(self.counter, first - start)
        return _counted(self._turn()[0], first)

    def _item_place(self, items: Items) -> str:
        """The place, in a list, of what the turn at hand takes, by the counter of a loop over a range."""
        kind, offset = items.anchored(self.loop.header)
        if kind == "counter":
            return _counted(self.counter, offset)
        if kind == "start":
            return _counted(self._turn()[0], offset)
        start, _, stride = self.loop.header.counted or (0, 0, 1)
        if type(stride) is int and stride == 1:
            offset += start
            return f"{offset} - {self.counter}" if offset else f"-{self.counter}"
        return join(self.printer.number(offset), "-", self._turn())[0]

    def _fixed(self) -> None:
        loop, ranged = self.loop, self.loop.header.counted is not None
        groups: dict[Any, list[Slot]] = {}
        for slot in loop.slots:
            if slot.kind == "fixed":
                self.given[slot.variable] = tight(self.printer.operand(self._operand(slot)))
            elif slot.kind == "item" and slot.items is not None:
                i = self._items(slot)
                if ranged:
                    self.given[slot.variable] = f"{i.path}[{self._item_place(i)}]{formatted_path(i.suffix)}"
                else:
                    groups.setdefault((i.path, i.first, i.step), []).append(slot)
            elif slot.kind == "row":
                name = self.printer.operand(self._operand(slot))[0]
                if ranged:
                    self.given[slot.variable] = f"{name}[{self._row(slot.first)}]"
                else:
                    groups.setdefault(("row", slot.variable), []).append(slot)
        for slots in groups.values():
            self._iterated(slots)

    def _items(self, slot: Slot) -> Items:
        """Where the items stand that turns are given; tangents in a list of their own."""
        assert slot.items is not None
        primal = None if self.loop.backward else self.loop.alike.get(slot.variable)
        return slot.items if primal is None else replace(slot.items, path=self.context.prefix + slot.items.path)

    def _local(self, x: Any, wanted: str = "") -> str:
        return self.space.claim(wanted or self._name_of(x.number) or "item")

    def _iterated(self, slots: list[Slot]) -> None:
        """What the loop runs over, item by item."""
        turns = len(self.loop.values)
        slot = slots[0]
        if slot.kind == "row":
            name = self.printer.operand(self._operand(slot))[0]
            x = self.variables[slot.variable]
            own = self._local(x, "" if self._name_of(x.number) else singular(name))
            self.given[slot.variable] = own
            left = self._rows_of(slot) - slot.first - turns
            text = f"{name}[{slot.first or ''}:{-left or ''}]" if slot.first or left else name
            self.heads.append((own, f"reversed({text})" if self.loop.backward else text))
            return
        i = self._items(slot)
        low = i.low(turns)
        text = i.path + self._part(low, low + turns, i.count, i.step == -1)
        if (i.step == 1) is self.loop.backward:
            text = f"reversed({text})"
        by_suffix = {s.items.suffix: s for s in slots if s.items is not None}
        places = [f"[{k}]" for k in range(len(i.suffixes))]
        if i.suffixes == ("",):
            self.given[slot.variable] = self._item_name(slot)
            self.heads.append((self.given[slot.variable], text))
        elif list(i.suffixes) == places and len(places) > 1:
            names = []
            for suffix in places:
                if suffix in by_suffix:
                    self.given[by_suffix[suffix].variable] = self._item_name(by_suffix[suffix])
                names.append(self.given[by_suffix[suffix].variable] if suffix in by_suffix else "_")
            self.heads.append((f"({', '.join(names)})", text))
        else:
            name = self.space.claim(singular(i.path))
            for s in slots:
                assert s.items is not None
                self.given[s.variable] = name + formatted_path(s.items.suffix)
            self.heads.append((name, text))

    def _part(self, low: int, high: int, count: int, turned: bool) -> str:
        """The part of a list that the loop takes, counted from the end where the user did so."""
        if (low, high) == (0, count):
            return ""
        start, stop = str(low or ""), "" if high == count else str(high)
        header = self.loop.header
        left = header.dropped and high == count - header.dropped and "[" not in iterated(header.position)
        if stop and (turned or left or (high == count - 1 and ":-1]" in iterated(header.position))):
            stop = str(high - count)
        return f"[{start}:{stop}]"

    def _item_name(self, slot: Slot) -> str:
        """The name of an item: the user's, which the first item of the list may have been given already."""
        name = self._name_of(slot.variable) or "item"
        return name if name in self.context.leaves else self.space.claim(name)

    def _rows_of(self, slot: Slot) -> int:
        x = self._operand(slot)
        shape = x.shape if isinstance(x, Var) else ()
        return int(shape[0]) if shape else 0

    def _header(self, body: Sequence[str]) -> str:
        header = self.loop.header
        if header.condition is not None and not self.loop.backward:
            return "while True:"
        words = set(re.findall(r"[A-Za-z_]\w*", "\n".join(line.partition("#")[0] for line in body)))
        counted = self.counter in words
        if header.counted is not None:
            start, stop, stride = header.counted
            turned = header.turned
            if turned:
                start, stop, stride = shifted(stop, 1), shifted(start, 1), 1
            args = [self.printer.static(x)[0] for x in (start, stop)]
            if stride != 1:
                args.append(self.printer.static(stride)[0])
            elif args[0] == "0":
                args.pop(0)
            text = f"range({', '.join(args)})"
            if turned is not self.loop.backward:
                text = f"reversed({text})"
            return f"for {self.counter if counted else '_'} in {text}:"
        heads = [(target, text) for target, text in self.heads if words & set(re.findall(r"[A-Za-z_]\w*", target))]
        heads = heads or self.heads[:1]
        if not heads:
            text = self._uncounted(counted)
            if self.loop.backward and counted:
                text = f"reversed({text})"
            return f"for {self.counter if counted else '_'} in {text}:"
        if len(heads) == 1:
            target, text = heads[0]
        else:
            target, text = ", ".join(t for t, _ in heads), f"zip({', '.join(x for _, x in heads)})"
        if counted:
            if self.loop.backward:
                texts = [f"reversed({self._uncounted(counted)})", *(x for _, x in heads)]
                return f"for {self.counter}, {', '.join(t for t, _ in heads)} in zip({', '.join(texts)}):"
            inner = f"({target})" if len(heads) > 1 else target
            first = int(self.loop.values[0])
            return f"for {self.counter}, {inner} in enumerate({text}{f', {first}' if first else ''}):"
        return f"for {target.removeprefix('(').removesuffix(')') if len(heads) == 1 else target} in {text}:"

    def _uncounted(self, counted: bool) -> str:
        """The numbers of the turns of a loop that takes one item after the other; the first ones may be written out."""
        count, first = self.loop.header.count, int(self.loop.values[0]) if counted else 0
        if is_size(count) or not self.heads:
            start = f"{first}, " if first else ""
            return f"range({start}{self.printer.static(shifted(count, first))[0]})"
        length = f"len({self._first_list()})"
        return f"range({first}, {first} + {length})" if first else f"range({length})"

    def _first_list(self) -> str:
        text = self.heads[0][1]
        return text.removeprefix("reversed(").removesuffix(")") if text.startswith("reversed(") else text


def _counted(text: str, offset: int) -> str:
    """A number and so many more."""
    return text + (f" + {offset}" if offset > 0 else f" - {-offset}" if offset else "")
