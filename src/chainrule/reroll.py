"""Finds the loops of a trace: turns that are the same steps become one step, with a body that is written once.

Turns are told apart by what :mod:`chainrule.turns` noted while the user's ``for`` ran.  They are the same if their
steps are, up to what each turn was given: what the turn before left, the next item of a list, its place.  Where they
differ, as under an ``if`` that took another branch, the steps stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.calls import TracedCall
from chainrule.containers import Kept, kept_series
from chainrule.decided import decided
from chainrule.indexing import Index, get_item
from chainrule.joined_turns import joins, steps_joining
from chainrule.loop_activity import activate
from chainrule.loop_backward import loop_rule
from chainrule.loop_starts import outputs_of
from chainrule.loops import Loop
from chainrule.names import plural
from chainrule.ops import OPERATIONS, Operation
from chainrule.same_turns import DifferentError, Found, Matching
from chainrule.sizes import is_size, named_number, plain_number, rebuilt
from chainrule.statics import mentioned_in, moved
from chainrule.tape import Tape
from chainrule.trace import bound_to, input_names
from chainrule.traced import Traced
from chainrule.turn_decisions import decided_alike
from chainrule.turns import Turns, count_of

__all__ = ["reroll", "rolled"]

_SMALL = 1024  # elements of an array that is compared with others


def reroll(
    tape: Tape,
    outputs: Sequence[int],
    paths: dict[int, str],
    function: Any,
    rule: Callable[[Loop, Operation], Any],
    series: Sequence[Kept] = (),
) -> None:
    """Replace the turns of loops by loops, on the tape.

    Args:
        tape: where a function was traced, with its loops.
        outputs: the variables that the function returns.
        paths: how the inputs are reached from the arguments.
        function: the traced function.
        rule: makes the derivative rule of a loop.
        series: the lists that the function's variables held in the end.
    """
    excluded: set[int] = set()
    while True:
        pass_ = _Pass(tape, outputs, paths, function, rule, excluded)
        pass_.series = series
        failed = pass_.run()
        if not failed:
            break
        excluded |= failed
    pass_.note_decisions()
    pass_.note_series(series)
    pass_.replace()


class _Pass:
    def __init__(
        self, tape: Tape, outputs: Sequence[int], paths: dict[int, str], function: Any, rule: Any, excluded: set[int]
    ) -> None:
        self.tape = tape
        self.outputs = set(outputs)
        self.paths = paths
        self.function = function
        self.rule = rule
        self.excluded = excluded
        self.records: list[Turns] = tape.loops or []
        self.children: dict[int | None, list[Turns]] = {}
        for record in self.records:
            self.children.setdefault(None if record.parent is None else record.parent[0], []).append(record)
        self.series: Sequence[Kept] = ()
        self.found: list[Found] = []
        self.covered: set[int] = set()  # what values decided in turns, as bodies say it
        self.stacks: dict[int, list[Any]] = {}  # steps that are written in place of others
        # By loop, the loops that leave a series to it with the steps that read it: its turns must have these.
        self.needs: dict[int, set[tuple[int, int]]] = {}
        self.users: dict[int, list[int]] = {}
        steps: list[Any] = tape.steps
        for k, (_, inputs, params, _, _, _) in enumerate(steps):
            for x in inputs:
                if type(x) is int:
                    self.users.setdefault(x, []).append(k)
                elif is_size(x[0]):
                    self._mention(x[0], k)
            if params:
                self._mention(tuple(params.values()), k)
        self.values = list(tape.values)
        self.same = _same_constants(tape)
        self.names: dict[int, str] = {}
        self.inputs: set[int] | None = None  # what depends on them
        self.bound: dict[int, str] | None = None  # what names the bytecode gives to what steps make

    def _mention(self, x: Any, k: int) -> None:
        for number in mentioned_in(x):
            self.users.setdefault(number, []).append(k)

    def depends(self, x: Any) -> bool:
        """Whether an operand is computed of what the function is given, and not of its lengths alone."""
        if self.inputs is None:
            self.inputs = set(self.tape.inputs)
            for step in self.tape.steps:
                if any(type(own) is int and own in self.inputs for own in step[1]):
                    self.inputs.update(outputs_of(step))
        return type(x) is int and x in self.inputs

    # ---- which loops

    def run(self) -> set[int]:
        """Look at all loops; those that must not be rolled, so that one has to begin again."""
        self._look(self.children.get(None, []))
        rolled = {f.record.number: f.bounds() for f in self.found}
        lost: set[int] = set()
        for taker, givers in self.needs.items():
            start, stop = rolled.get(taker, (0, 0))
            lost.update(giver for giver, k in givers if giver in rolled and not start <= k < stop)
        return lost

    def _look(self, records: Sequence[Turns]) -> None:
        for record in records:
            found = None if record.number in self.excluded else self._attempt(record)
            if found is None:
                self._look(self.children.get(record.number, []))
            else:
                self.found.append(found)

    def _attempt(self, record: Turns) -> Found | None:
        count = len(record.starts)
        if record.stop is None or not count or record.stop == record.starts[0]:
            return None
        for first, dropped in ((0, 0), (1, 0), (0, 1), (1, 1)):
            if count - first - dropped >= 2:
                try:
                    found = Matching(self, record, first, count - dropped).run()
                    return self._on_condition(found) if record.part.kind == "while" else found
                except DifferentError:
                    continue
        return None

    def _on_condition(self, found: Found) -> Found:
        """A "while", with what says whether it goes on: a value that is true in all turns but the last."""
        asked: dict[Any, list[set[Any]]] = {}
        for variable, value, _, _ in self.tape.guards:
            for n, made in enumerate(found.made):
                if variable in made:
                    asked.setdefault(made[variable], [set() for _ in found.made])[n].add(value)
        last = len(found.made) - 1
        places = [p for p, own in asked.items() if all(x == {n < last} for n, x in enumerate(own)) and p in found.body]
        # In the turns of another loop, how often each of them ran it would have to be kept.
        if not self.paths or len(places) != 1 or found.record.stop != found.bounds()[1]:
            raise DifferentError("turns differ")
        self.covered |= {id(g) for g in self.tape.guards if any(m.get(g[0]) == places[0] for m in found.made)}
        several = len({r.part.args[1] for r in self.records if r.part.kind == "while"}) > 1
        line = found.record.part.args[1].partition(":")[0]
        count = named_number(len(found.made), f"n_turns_{line}" if several else "n_turns")
        found.loop.header = replace(found.loop.header, condition=found.body[places[0]], count=count)
        return found

    # ---- what becomes of the tape

    def replace(self) -> None:
        """Write the loops in the place of their turns."""
        tape = self.tape
        removed: dict[int, Found] = {}
        for f in self.found:
            removed.update(dict.fromkeys(range(*f.bounds()), f))
        gone: set[int] = set()
        steps: list[Any] = []
        done: set[int] = set()
        for k, step in enumerate(tape.steps):
            found = removed.get(k)
            if found is None:
                steps += [self._unturned(s) for s in self.stacks.get(k, [step])]
                continue
            gone.update(outputs_of(step))
            if id(found) not in done:
                done.add(id(found))
                operation = Operation("loop", found.loop, "variadic", ("arrays",), (), lazy=True, spelling="loop")
                object.__setattr__(operation, "rules", (self.rule(found.loop, operation),))
                inputs = tuple(x if type(x) is int else self._unturned_literal(x) for x in found.inputs)
                steps.append((operation, inputs, {}, tuple(found.outputs), *found.record.code))
        tape.steps[:] = steps
        tape.guards[:] = [g for g in tape.guards if id(g) not in self.covered]
        made = {v for step in steps for v in outputs_of(step)}
        tape.values[:] = self.values
        tape.removed |= gone - made
        assert tape.names is not None
        tape.names.update(self.names)
        covered = {f.record.number for f in self.found}
        for record in self.records:
            if record.parent is not None and record.parent[0] in covered:
                covered.add(record.number)
        tape.unsure |= len(covered) < len(self.records)
        tape.counts += [count_of(r, tape.items) for r in self.records if r.number not in covered]
        tape.loops = []

    def note_decisions(self) -> None:
        """Give the loops what their counters decided, and those of the loops in them."""
        owners = {f.record.number: f for f in self.found}
        for record in self.records:
            around: Turns | None = record
            while around is not None and around.number not in owners:
                around = None if around.parent is None else self.records[around.parent[0]]
            if around is not None and record.decisions:
                loop = owners[around.number].loop
                listed = any(type(x) is str for x in count_of(record, self.tape.items))
                loop.decided = tuple(dict.fromkeys((*loop.decided, *decided(record, listed))))

    def note_series(self, series: Sequence[Kept]) -> None:
        """Give the loops the user's lists that hold what all their turns made."""
        for f in self.found:
            for kept in series:
                first = len(kept.variables) - len(f.made)
                if first < 0:
                    continue
                places = {made.get(v) for made, v in zip(f.made, kept.variables[first:], strict=True)}
                place = places.pop()
                if not places and place in f.body:
                    f.loop.series.append((kept, f.body[place], first))

    def inner(
        self, tape: Tape, outputs: Sequence[int], made: Sequence[Mapping[int, Any]], places: Mapping[Any, int]
    ) -> None:
        """Roll the loops of a body, which takes over what values decide alike in all turns."""
        tape.guards[:], covered = decided_alike(self.tape.guards, made, places)
        self.covered |= covered
        reroll(tape, outputs, {}, self.function, self.rule)
        self.tape.unsure |= tape.unsure
        self.tape.counts += tape.counts

    def add(self, value: Any, name: str) -> int:
        """A new variable."""
        self.values.append(value)
        if name:
            self.names[len(self.values) - 1] = name
        return len(self.values) - 1

    def name(self, variable: int) -> str | None:
        """What the user calls a variable."""
        if self.bound is None:
            self.bound = {}
            before: Any = None
            place = 0
            for operation, inputs, _, outputs, code, offset in self.tape.steps:
                here = (code, offset, inputs) if operation.function is get_item else None
                place = place + 1 if here is not None and here == before else 0
                before = here
                if type(outputs) is int and code is not None and offset >= 0:
                    found = bound_to(code, offset, place)
                    if found:
                        self.bound[outputs] = found[0]
        names = self.tape.names or {}
        return self.bound.get(variable) or names.get(variable)

    def _name_of_all(self, run: Sequence[int]) -> str:
        """What a stack of what all turns made is called: as the user's list of them, if there is one."""
        own = (kept.name for kept in self.series if kept.variables == tuple(run))
        return next(own, None) or plural(self.name(run[-1]) or "value")

    def stacked(self, k: int, run: list[int]) -> int:
        """The variable for a stack of what all turns made, in the place of a step that stacks them."""
        step: Any = self.tape.steps[k]
        operation, inputs, params, output, code, offset = step
        axis, new = joins(operation.name, params, np.ndim(self.values[run[0]])) or (0, True)
        if axis or not new:
            value = np.stack([self.values[v] for v in run])
            whole = self.add(value, self._name_of_all(run))
            self.stacks[k] = steps_joining(whole, value, axis, new, step, self.add)
            return whole
        if list(inputs) == run[::-1] and len(run) > 1:
            whole = self.add(np.stack([self.values[v] for v in run]), self._name_of_all(run))
            index = Index((slice(None, None, -1),), True)
            self.stacks[k] = [(OPERATIONS[get_item], (whole,), {"index": index}, output, code, offset)]
            return whole
        if list(inputs) == run:
            self.stacks[k] = []
            self.names[output] = self.name(output) or self._name_of_all(run)
            return int(output)
        n = next(n for n in range(len(inputs)) if list(inputs[n : n + len(run)]) == run)
        whole = self.add(np.stack([self.values[v] for v in run]), self._name_of_all(run))
        steps: list[Any] = []
        parts: list[int] = []
        for part in (inputs[:n], [whole], inputs[n + len(run) :]):
            if part and part != [whole]:
                self.values.append(np.stack([self.values[v] for v in part]))
                steps.append(
                    (operation, tuple(part), {}, len(self.values) - 1, code, ~offset if offset >= 0 else offset)
                )
                parts.append(len(self.values) - 1)
            elif part:
                parts.append(whole)
        steps.append((OPERATIONS[np.concatenate], tuple(parts), {}, output, code, offset))
        self.stacks[k] = steps
        return whole

    def _unturned_literal(self, x: Any) -> Any:
        return (self.settled(x[0], ()), x[1]) if is_size(x[0]) else x

    def settled(self, x: Any, running: Collection[int]) -> Any:
        """A static argument with the counters of loops that are written out as the numbers that they were.

        Args:
            x: the argument.
            running: the numbers of loops whose counters stay.
        """
        if is_size(x):
            return rebuilt(
                x, lambda size, e: self._counter(size, e[1]) if e[0] == "turn" and e[1] not in running else e
            )
        return moved(x, lambda e: self.settled(e, running))

    def _counter(self, size: Any, number: int) -> Any:
        record = self.records[number]
        if record.counted is not None and any(f.record is record for f in self.found):
            start, stop, step = record.counted
            if int(size) == int(start):
                return start
            if int(size) == record.values()[-1] and type(step) is int and step == 1:
                return stop - 1
        if record.counted is None and any(f.record is record for f in self.found):
            count = record.count()
            if is_size(count) and int(size) == count - 1:
                return count - 1
        return plain_number(size)

    def _unturned(self, step: Any) -> Any:
        operation, inputs, params, outputs, code, offset = step
        if not any(type(x) is not int and is_size(x[0]) for x in inputs) and not params:
            return step
        inputs = tuple(x if type(x) is int else self._unturned_literal(x) for x in inputs)
        return operation, inputs, {k: self.settled(v, ()) for k, v in params.items()}, outputs, code, offset


def _same_constants(tape: Tape) -> dict[int, int]:
    """For plain arrays that are made anew, as the last row of a matrix in each turn, the first one that is alike."""
    first: dict[Any, int] = {}
    found: dict[int, int] = {}
    for number, array in tape.constants.values():
        if array.size <= _SMALL:
            value = tape.values[number]
            found[number] = first.setdefault((value.shape, value.dtype.str, value.tobytes()), number)
    return {number: same for number, same in found.items() if number != same}


def rolled(call: TracedCall, paths: Mapping[int, str] | None = None) -> None:
    """Make the loops of a traced call steps of it.

    Args:
        call: the call.
        paths: how arrays are reached, by variable; the inputs from the arguments, if not given.
    """
    tape = call.tape
    if not tape.loops:
        return
    outputs = [x.variable for x in call.outputs if type(x) is Traced]
    if paths is None:
        paths = dict(zip(tape.inputs, input_names(call), strict=False))
    reroll(tape, outputs, dict(paths), call.function, loop_rule, list(kept_series(tape)))
    activate(tape, call.wrt)
