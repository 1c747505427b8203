"""Whether the turns of a loop are the same steps, and the body that they have in common."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from chainrule.indexing import get_item
from chainrule.joined_turns import joins
from chainrule.loop_starts import lengthened, outputs_of, with_numbers
from chainrule.loops import Header, Loop, Out, Slot, items_of, with_outputs, written_in
from chainrule.names import plural
from chainrule.positions import locate
from chainrule.sizes import is_size
from chainrule.statics import canonical, changed, instruction, shifted
from chainrule.tape import Tape
from chainrule.trace import Recorded, program_of
from chainrule.traced import Traced
from chainrule.turns import Turns
from chainrule.user_source import counter_of, item_of

__all__ = ["DifferentError", "Found", "Matching"]

_LAG = 3  # how many turns back a value may come from


class DifferentError(Exception):
    """The turns of a loop are not the same."""


Place = tuple[int, int]  # a step of a turn, and which of its outputs


@dataclass(slots=True, eq=False)
class Found:
    """A loop that was found: which turns of it, and what stands in its place."""

    record: Turns
    turns: range
    loop: Loop
    inputs: list[Any]
    outputs: list[int]
    made: list[dict[int, Place]]
    body: dict[Place, int]
    lists: dict[Place, int] = field(default_factory=dict)

    def bounds(self) -> tuple[int, int]:
        """The steps of its turns."""
        return self.record.bounds(self.turns[0])[0], self.record.bounds(self.turns[-1])[1]


class Matching:
    """The comparison of the turns ``first`` to ``last`` of a loop.

    Args:
        whole: the pass over the tape around it, :class:`chainrule.reroll._Pass`.
        record: the loop.
        first: the first turn that is looked at.
        last: the one behind the last.
    """

    def __init__(self, whole: Any, record: Turns, first: int, last: int) -> None:
        self.whole = whole
        self.record = record
        self.tape = whole.tape
        self.turns = range(first, last)
        self.bounds = [record.bounds(k) for k in self.turns]
        self.steps: list[list[Any]] = [self.tape.steps[start:stop] for start, stop in self.bounds]
        self.made: list[dict[int, Place]] = []
        self.slots: list[Slot] = []
        self.keys: dict[Any, int] = {}  # of the slots
        self.sources: list[list[Any]] = []  # per slot, what its operands are
        self.roles: dict[Any, Any] = {}
        self.rows: dict[int, int] = {}  # the slots of rows, by the step that reads them
        self.stacking: dict[tuple[int, Place], bool] = {}  # what was found out about steps behind the loop

    def run(self) -> Found:
        count = len(self.steps[-1])
        if len(self.steps[0]) < count == len(self.steps[1]):
            self.steps[0] = with_numbers(self.steps, self.record.numbers, partial(self.whole.add, name=""))
        if not count or any(len(s) != count for s in self.steps):
            raise DifferentError("turns differ")
        self._inner_loops()
        for steps in self.steps:
            self.made.append({v: (j, o) for j, s in enumerate(steps) for o, v in enumerate(outputs_of(s))})
        if self.record.counted is None:
            self._array_rows()
        operands = [list(self._operands(n)) for n in range(len(self.turns))]
        if any(len(own) != len(operands[0]) for own in operands):
            raise DifferentError("turns differ")
        depth = 1
        for column in zip(*operands, strict=True):
            if any(key != column[0][0] for key, _ in column):
                raise DifferentError("turns differ")
            if column[0][1] is not None:
                self.roles[column[0][0]], lag = self._role([x for _, x in column])
                depth = max(depth, lag)
        if len(self.turns) <= depth:
            raise DifferentError("turns differ")
        self.template = depth
        return self._build()

    def _array_rows(self) -> None:
        """The steps with which a loop reads the next row of an array that it runs over."""
        first = self.turns[0]
        for j, (operation, inputs, params, *_) in enumerate(self.steps[0]):
            if operation.function is not get_item or len(inputs) != 1:
                continue
            parts = params["index"].parts
            if len(parts) != 1 or not is_size(parts[0]) or parts[0].expression != ("turn", self.record.number):
                continue
            array = inputs[0]
            if all(s[j][0] is operation and s[j][1] == inputs and s[j][2]["index"].parts[0] == k + first and
                   is_size(s[j][2]["index"].parts[0]) for k, s in enumerate(self.steps)):  # fmt: skip
                self._outside(array)
                self.rows[j] = self._slot(("row", array, first), [array], Slot("row", -1, 0, first=first))

    def _inner_loops(self) -> None:
        """The loops that ran in each turn, which must be the same."""
        self.inner: list[list[Turns]] = []
        described = []
        for k, (start, _) in zip(self.turns, self.bounds, strict=True):
            own: list[Turns] = []
            pending = [r for r in self.whole.children.get(self.record.number, []) if r.parent and r.parent[1] == k]
            while pending:
                record = pending.pop(0)
                own.append(record)
                pending = [*self.whole.children.get(record.number, []), *pending]
            self.inner.append(own)
            described.append([self._described(r, start) for r in own])
        if any(d != described[0] for d in described):
            raise DifferentError("turns differ")

    @staticmethod
    def _described(record: Turns, start: int) -> Any:
        """What must be the same of a loop in every turn."""
        stop = None if record.stop is None else record.stop - start
        return (record.code[0], instruction(*record.code)), [s - start for s in record.starts], stop

    # ---- the operands of a turn

    def _operands(self, turn: int) -> Iterator[tuple[Any, Any]]:
        """Per operand and per length that is mentioned: its place with what must be the same, and what it is."""
        loops = {self.record.number: -1, **{r.number: n for n, r in enumerate(self.inner[turn])}}
        for j, (operation, inputs, params, outputs, code, offset) in enumerate(self.steps[turn]):
            if j in self.rows:
                continue
            mentioned: list[int] = []
            static = tuple((name, canonical(v, mentioned, loops)) for name, v in params.items()) if params else ()
            count = len(outputs) if type(outputs) is tuple else 0
            yield (j, id(operation), len(inputs), static, count, code, instruction(code, offset)), None
            for p, x in enumerate(inputs):
                if type(x) is int:
                    yield (j, p), self.whole.same.get(x, x)
                else:
                    yield (j, p), (x, (type(x[1]) is type or x[1], canonical(x[0], mentioned, loops)))
            for p, number in enumerate(mentioned):
                yield (j, "length", p), number
        for n, record in enumerate(self.inner[turn]):
            mentioned = []
            yield (n, "loop", canonical(record.counted, mentioned, loops)), None
            for p, number in enumerate(mentioned):
                yield (n, "count", p), number

    def _role(self, vs: list[Any]) -> tuple[Any, int]:
        """What an operand is, given what it was in each turn; and how many turns back it comes from."""
        if all(type(v) is tuple for v in vs):
            if any(v[1] != vs[0][1] for v in vs):
                raise DifferentError("turns differ")
            return ("literal", vs[0][0]), 0
        own = [self.made[n].get(v) if type(v) is int else None for n, v in enumerate(vs)]
        if own[0] is not None:
            if any(place != own[0] for place in own):
                raise DifferentError("turns differ")
            return ("inner", own[0]), 0
        if any(place is not None for place in own):
            raise DifferentError("turns differ")
        if all(type(v) is int and v == vs[0] for v in vs) and not any(vs[0] in made for made in self.made):
            self._outside(vs[0])
            return ("slot", self._slot(("fixed", vs[0]), [vs[0]], Slot("fixed", -1, 0))), 0
        for lag in range(1, min(_LAG, len(vs) - 1) + 1):
            places = {self.made[n - lag].get(vs[n]) if type(vs[n]) is int else None for n in range(lag, len(vs))}
            if len(places) == 1 and None not in places:
                return ("slot", self._carried(places.pop(), lag, vs[:lag])), lag
        return ("slot", self._item(vs)), 0

    def _outside(self, x: Any) -> None:
        """Refuse a variable that is not there outside of the loop that made it."""
        for f in self.whole.found:
            if any(x in made for made in f.made[:-1]):
                raise DifferentError("turns differ")

    def _slot(self, key: Any, source: list[Any], slot: Slot) -> int:
        if key not in self.keys:
            self.keys[key] = len(self.slots)
            self.slots.append(slot)
            self.sources.append(source)
        return self.keys[key]

    def _carried(self, place: Any, lag: int, starts: list[Any]) -> int:
        """The slot of what was made ``lag`` turns ago; before that, it is what it starts from."""
        for s in starts:
            if type(s) is int:
                self._outside(s)
                if any(s in made for made in self.made):
                    raise DifferentError("turns differ")
        following = place if lag == 1 else ("slot", self._carried(place, lag - 1, starts[1:]))
        frozen = tuple(s if type(s) is int else s[1] for s in starts)
        start = starts[0] if type(starts[0]) is int else starts[0][0]
        return self._slot(("carried", place, frozen), [start], Slot("carried", -1, 0, following))

    def _item(self, vs: list[Any]) -> int:
        """The slot of arrays that are one per turn."""
        if any(type(v) is not int for v in vs):
            raise DifferentError("turns differ")
        for f in self.whole.found:
            first = next((n for n, made in enumerate(f.made) if vs[0] in made), None)
            if first is not None:
                place = f.made[first][vs[0]]
                if [made.get(v) for v, made in zip(vs, f.made[first:], strict=False)] != [place] * len(vs):
                    raise DifferentError("turns differ")
                number = self._series(f, place)
                return self._slot(("row", number, first), [number], Slot("row", -1, 0, first=first))
        items = items_of([self.whole.paths.get(v, "") for v in vs], self.whole.paths.values())
        if items is None:
            raise DifferentError("turns differ")
        return self._slot(("item", tuple(vs)), list(vs), Slot("item", -1, 0, items=items))

    def _series(self, f: Found, place: Place) -> int:
        """The variable that holds what each turn of another loop made."""
        if place not in f.lists:
            numbers = [next(v for v, p in made.items() if p == place) for made in f.made]
            values = [self.whole.values[v] for v in numbers]
            if len({np.shape(v) for v in values}) != 1:
                raise DifferentError("turns differ")
            f.lists[place] = self.whole.add(np.stack(values), plural(self.whole.name(numbers[-1]) or "value"))
            f.outputs.append(f.lists[place])
            f.loop.outs.append(Out("stack", f.body[place]))
            f.loop.program = with_outputs(f.loop)
        return f.lists[place]

    # ---- the body

    def _build(self) -> Found:
        tape, whole, template = self.tape, self.whole, self.template
        body = Tape(names=True, loops=True)
        assert body.names is not None
        names = body.names

        def add(value: Any, name: str | None) -> int:
            body.values.append(value)
            if name is not None:
                names[len(body.values) - 1] = name
            return len(body.values) - 1

        inputs: list[Any] = []
        for slot, source, (value, name) in zip(self.slots, self.sources, self._examples(), strict=True):
            slot.place = len(inputs)
            inputs += source
            slot.variable = add(value, name)
            body.inputs.append(slot.variable)
        turn = add(self.record.values()[self.turns[template]], counter_of(locate(*self.record.code)) or "k")
        body.inputs.append(turn)
        body.leaves += body.inputs
        inner = self.inner[template]
        loops: dict[int, Any] = {self.record.number: ("value", turn)}
        loops.update((r.number, ("turn", n)) for n, r in enumerate(inner))
        places: dict[Place, int] = {}

        def numbers(j: int, what: str) -> Iterator[int]:
            for p in itertools.count():
                if (j, what, p) not in self.roles:
                    return
                kind, where = self.roles[j, what, p]
                yield self.slots[where].variable if kind == "slot" else places[where]

        for j, (operation, operands, params, outputs, code, offset) in enumerate(self.steps[template]):
            if j in self.rows:
                places[j, 0] = self.slots[self.rows[j]].variable
                continue
            mentioned = numbers(j, "length")
            # A loop around this one that is written out has a number in the place of its counter.
            static = {name: changed(whole.settled(v, loops), mentioned, loops) for name, v in params.items()}
            taken: list[Any] = []
            for p, x in enumerate(operands):
                kind, where = self.roles[j, p]
                if kind == "literal":
                    taken.append((changed(whole.settled(x[0], loops), mentioned, loops), x[1]))
                else:
                    taken.append(self.slots[where].variable if kind == "slot" else places[where])
            several = type(outputs) is tuple
            for o, v in enumerate(outputs if several else (outputs,)):
                places[j, o] = add(tape.values[v], whole.name(v))
            fresh: Any = tuple(places[j, o] for o in range(len(outputs))) if several else places[j, 0]
            body.steps.append((operation, tuple(taken), static, fresh, code, offset))
        for slot in self.slots:
            if slot.kind == "carried":
                where = slot.following
                slot.following = self.slots[where[1]].variable if where[0] == "slot" else places[where]
        short = self._lengthened(body, places)
        start = self.bounds[template][0]
        renamed = {r.number: n for n, r in enumerate(inner)}
        assert body.loops is not None
        for n, r in enumerate(inner):
            assert r.parent is not None
            parent = (renamed[r.parent[0]], r.parent[1]) if r.parent[0] in renamed else None
            copy = Turns(n, r.part, parent, r.code)
            copy.numbers = r.numbers
            copy.counted = changed(whole.settled(r.counted, loops), numbers(n, "count"), loops)
            copy.starts = [s - start for s in r.starts]
            copy.stop = None if r.stop is None else r.stop - start
            body.loops.append(copy)
        outs, outputs = self._outs(places)
        roots = [x for slot in self.slots if (x := slot.following) is not None] + [
            out.variable for out in outs if type(out.variable) is int
        ]
        whole.inner(body, roots, self.made, places)
        stand_ins = [Traced(body, v, body.values[v], False) for v in roots]
        program = program_of(Recorded(whole.function, body, stand_ins))
        loop = Loop(program, len(program.steps), self.slots, outs, turn, [self.record.values()[k] for k in self.turns],
                    self._header(turn), tape=body, lengthened=short)  # fmt: skip
        written = {x for s in body.steps for x in written_in(s[0].function, s[1])}
        for slot in self.slots:
            slot.written = slot.variable in written
        return Found(self.record, self.turns, loop, inputs, outputs, self.made, places)

    def _lengthened(self, body: Tape, places: dict[Place, int]) -> set[int]:
        """What is shorter in the first turn; refused where the body does not hold for that."""
        values = self.whole.values
        turns = [{places[p]: values[v] for v, p in made.items()} for made in self.made]
        starts = [values[own[0]] if type(own[0]) is int else own[0][0] for own in self.sources]
        plain = [not self.whole.depends(own[0]) for own in self.sources]
        found = lengthened(self.slots, starts, body.steps, turns, body.values, plain)
        if found is None:
            raise DifferentError("turns differ")
        return found

    def _examples(self) -> list[tuple[Any, str | None]]:
        """Per slot, what it was in the turn that is taken as the example, and its name."""
        whole, template = self.whole, self.template
        found: list[Any] = [None] * len(self.slots)
        for key, n in self.keys.items():
            if key[0] == "row":
                value = whole.values[key[1]][key[2] + template]
                own = [next(v for v, p in f.made[-1].items() if p == place)
                       for f in whole.found for place, v in f.lists.items() if v == key[1]]  # fmt: skip
                own += [self.steps[template][j][3] for j, slot in self.rows.items() if slot == n]
                found[n] = (value, next((x for v in own if (x := whole.name(v))), None))
                continue
            if key[0] == "carried":
                made = self.made[template - len(key[2])]
                v = next(v for v, p in made.items() if p == key[1])
            else:
                v = self.sources[n][0 if key[0] == "fixed" else template]
            name, items = whole.name(v), self.slots[n].items
            if items is not None and name in (None, re.sub(r"\W+", "_", whole.paths[v]).strip("_")):
                called = "" if items.suffix else item_of(locate(*self.record.code), items.path)
                name = called or items.name() or name
            found[n] = (whole.values[v], name)
        return found

    def _header(self, turn: int) -> Header:
        position = locate(*self.record.code)
        counted = self.record.counted
        first, dropped = self.turns[0], len(self.record.starts) - self.turns[-1] - 1
        if counted is not None:
            start, stop, step = counted
            counted = (shifted(start, first * step), shifted(stop, -dropped * step), step)
        turned = self.record.part.kind == "reversed"
        count = shifted(self.record.count(), -first - dropped)
        return Header(counted, turned, counter_of(position), position, count, dropped)

    def _outs(self, places: dict[Place, int]) -> tuple[list[Out], list[int]]:
        """What is used behind the loop; refused where that is what an earlier turn made."""
        whole = self.whole
        start, stop = self.bounds[0][0], self.bounds[-1][1]
        finals: dict[Place, int] = {}
        stacked: dict[int, Place] = {}  # by the step that stacks
        for n, made in enumerate(self.made):
            for v, place in made.items():
                later = [k for k in whole.users.get(v, []) if not start <= k < stop]
                other = [k for k in later if not self._stacks(k, place)]
                stacked.update((k, place) for k in later if k not in other)
                if n == len(self.made) - 1:
                    if other or v in whole.outputs:
                        finals[place] = v
                elif v in whole.outputs or not all(self._is_taken(k) for k in other):
                    raise DifferentError("turns differ")
        for place, v in finals.items():
            known = [whole.name(made_v) for made in self.made for made_v, p in made.items() if p == place]
            name = next((x for x in known if x), None)
            if name is not None:
                whole.names.setdefault(v, name)
        outs = [Out("final", places[place]) for place in finals]
        outputs = list(finals.values())
        for k, place in stacked.items():
            run = [next(v for v, p in made.items() if p == place) for made in self.made]
            for slot, source in self._begun(place):
                if [*source, *run] == list(self.tape.steps[k][1]):
                    outs.append(Out("whole", slot))
                    outputs.append(whole.stacked(k, [*source, *run]))
                    break
                if [*source, *run[:-1]] == list(self.tape.steps[k][1]):  # what the turns were given
                    outs.append(Out("stack", slot.variable))
                    outputs.append(whole.stacked(k, [*source, *run[:-1]]))
                    break
            else:
                outs.append(Out("stack", places[place]))
                outputs.append(whole.stacked(k, run))
        return outs, outputs

    def _begun(self, place: Place) -> Iterator[tuple[Slot, list[Any]]]:
        """The states that a turn hands on as what it makes there, and what they begin with."""
        for key, n in self.keys.items():
            if key[0] == "carried" and key[1] == place and len(key[2]) == 1:
                yield self.slots[n], self.sources[n]

    def _stacks(self, k: int, place: Place) -> bool:
        """Whether a step stacks what all turns made, one behind the other."""
        if (k, place) not in self.stacking:
            self.stacking[k, place] = self._stacks_all(k, place)
        return self.stacking[k, place]

    def _stacks_all(self, k: int, place: Place) -> bool:
        operation, inputs, params, *_ = self.tape.steps[k]
        run = [next(v for v, p in made.items() if p == place) for made in self.made]
        shapes = {np.shape(self.whole.values[v]) for v in run}
        kind = joins(operation.name, params, len(min(shapes)))
        if kind != (0, True):
            return kind is not None and list(inputs) == run and len(shapes) == 1
        if any(list(inputs) == [*source, *run[:-1]] for _, source in self._begun(place)):
            return True
        return list(inputs) == run[::-1] or any(
            list(inputs[n : n + len(run)]) == run for n in range(len(inputs) - len(run) + 1)
        )

    def _is_taken(self, k: int) -> bool:
        """Whether a step is part of another loop, which may take one item per turn."""
        for r in self.whole.records:
            beside = r is not self.record and r.parent == self.record.parent and r.number not in self.whole.excluded
            if beside and r.starts and r.stop is not None and r.starts[0] <= k < r.stop:
                self.whole.needs.setdefault(r.number, set()).add((self.record.number, k))
                return True
        return False
