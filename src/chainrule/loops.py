"""A loop as one step: a body that is run turn by turn, what it is given in each turn and what it leaves."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.dispatch import evaluator
from chainrule.indexing import add_item, set_item
from chainrule.ir import Const, Guard, Program, Step, Var
from chainrule.names import singular
from chainrule.run import sizes_in
from chainrule.sizes import is_size, plain_number

__all__ = [
    "COTANGENT",
    "COUNTS",
    "Header",
    "Items",
    "Loop",
    "Out",
    "Slot",
    "counting_in",
    "items_of",
    "lengths_in",
    "loop_in",
    "mentioned",
    "mentions_sizes",
    "series",
    "values_in",
    "with_outputs",
    "written_in",
]


COTANGENT = "∂"  # in the name of what is called, for what stands in front of the names of gradients
COUNTS = re.compile(r"n_turns(_\d+)?")  # names for how many turns a "while" had


@dataclass(frozen=True, slots=True)
class Items:
    """Where in the arguments the item of a turn stands.

    Attributes:
        path: the list, as it is reached from the argument: ``"layers"``.
        suffix: how the array is reached from an item of the list: ``"[0]"``.
        first: the place of the first turn's item.
        step: how far the next turn's is.
        count: how many items the list has.
        suffixes: how all arrays are reached from an item.
    """

    path: str
    suffix: str
    first: int
    step: int
    count: int
    suffixes: tuple[str, ...] = ()

    def low(self, turns: int) -> int:
        """The first place in the list that a loop of so many turns takes."""
        return self.first if self.step == 1 else self.first - turns + 1

    def anchored(self, header: Header) -> tuple[str, int]:
        """What of its place must be the same for other lengths: where the place is counted from, and how far on it is.

        The first item is counted from the counter of the loop, from the start of the list or from its end.
        """
        start, _, stride = header.counted or (0, 0, 0)
        if self.step * int(stride) == 1:
            return "counter", self.first - int(start)
        if self.step == 1 or is_size(start):
            return "start", self.first
        return "end", self.first - self.count

    def name(self) -> str | None:
        """What one would call an item: ``W`` in ``layers[0]["W"]``, and in ``Ws[0]``."""
        key = re.search(r"([A-Za-z_]\w*)\W*$", self.suffix)
        if key:
            return key[1]
        own = re.search(r"([A-Za-z_]\w*)\W*$", self.path)
        return singular(own[1]) if own and not self.suffix and re.search(r"[^s]s$", own[1]) else None


@dataclass(slots=True, eq=False)
class Slot:
    """What a body is given in a turn.

    Attributes:
        kind: ``"carried"``: what the turn before left; ``"fixed"``: the same in all turns; ``"item"``: one of several
            arrays; ``"row"``: one of the rows of an array or of a kept series.
        variable: the variable of the body's that it is.
        place: the place of its first operand among those of the loop.
        following: for a carried one, the variable that the next turn is given.
        items: for an item, where it stands in the arguments.
        first: for a row, the one of the first turn.
        written: whether the body writes into it.
        called: a name for all rows of what is computed before the loop, or of an array to whose rows turns add.
    """

    kind: str
    variable: int
    place: int
    following: Any = None
    items: Items | None = None
    first: int = 0
    written: bool = False
    called: str = ""


@dataclass(slots=True, eq=False)
class Out:
    """What a loop leaves.

    Attributes:
        kind: ``"final"``: a variable as the last turn left it; ``"next"``: what a further turn would be given;
            ``"stack"``: those of all turns as one array; ``"list"``: as a list; ``"whole"`` and
            ``"trail"``: the same behind what a carried one began with; ``"split"``: each as an output.
        variable: the variable of the body's, or the slot of a ``"next"``, ``"whole"`` or ``"trail"``.
        primal: for a backward loop, what the user calls the variable that it is the cotangent of.
    """

    kind: str
    variable: Any
    primal: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """How the user's loop counts.

    Attributes:
        counted: start, stop and step of its counter; ``None`` where it only takes one item after the other.
        turned: whether it was written ``reversed(range(...))``.
        name: what the user calls the counter.
        position: where the loop stands.
        count: how many turns it has where it does not count: the length of an array, or a number.
        dropped: how many turns at the end are no part of it.
        condition: for a "while", the variable of the body that says whether there is another turn.
    """

    counted: tuple[Any, Any, Any] | None
    turned: bool
    name: str
    position: Any
    count: Any
    dropped: int = 0
    condition: int | None = None


@dataclass(eq=False)
class Loop:
    """The function of a step that is a loop.

    Attributes:
        program: the body.
        forward_steps: how many of its steps are the user's own.
        slots: what it is given, in the order of the operands.
        outs: what it leaves, in the order of the outputs; a ``"split"`` is as many outputs as there are turns.
        turn: the variable of the body's that counts.
        values: what it is in each turn.
        header: how the user's loop counts.
        links: for the variables of the body their cotangents.
        backward: whether it is the backward pass of another loop, and runs from its last turn to the first.
        alike: for what a backward loop is given, the variables of the same shapes that it is the cotangent of; for
            tangents that a loop is given, those that they are the tangents of.
        wanted: for a loop of the forward pass, the operands whose cotangents are wanted.
        tape: for a loop of the forward pass, the body as it was recorded.
        decided: what the counter decides otherwise for other lengths, as texts.
        plain: for a backward loop, the backward pass of one turn as the rules wrote it.
        handed: for a backward loop, per variable of the body what later turns and what is behind the loop hand back
            for it: variables of the body that hold that, or numbers.
        series: lists of the user's that hold what all turns made, with the variable of the body and the place of the
            first turn's.
        tangents_of: for a loop that hands on tangents beside the values of another one, that loop.
        filled: variables of the body that hold an array of which all turns, also of the loops around it, write elements
            of their own.
        lengthened: variables of the body that are shorter in the first turn, and are broadcast where they are kept.
        called: names for operands, by number, that turns were given rows of.
    """

    program: Program
    forward_steps: int
    slots: list[Slot]
    outs: list[Out]
    turn: int
    values: Sequence[int]
    header: Header
    links: dict[int, Any] = field(default_factory=dict)
    backward: bool = False
    alike: dict[int, int] = field(default_factory=dict)
    wanted: list[bool] = field(default_factory=list)
    tape: Any = None
    decided: Sequence[str] = ()
    plain: Any = None
    handed: dict[int, list[Any]] = field(default_factory=dict)
    series: list[tuple[Any, int, int]] = field(default_factory=list)
    tangents_of: Any = None
    filled: Collection[int] = ()
    lengthened: Set[int] = frozenset()
    called: Mapping[int, str] = field(default_factory=dict)
    __name__ = "loop"

    def given(self) -> set[int]:
        """The variables of the body that need not be computed in a turn."""
        return {slot.variable for slot in self.slots} | {self.turn}

    def fixed(self) -> set[int]:
        """The variables of the body that it is given and that are the same in all turns."""
        return {slot.variable for slot in self.slots if slot.kind == "fixed"}

    def decisions(self) -> list[Guard]:
        """What values decide in its turns, and in those of the loops in it."""
        inner = [loop for step in self.program.steps if (loop := loop_in(step)) is not None]
        return [*self.program.guards, *(g for loop in inner for g in loop.decisions())]

    def left(self) -> list[Out]:
        """Per output, what it holds of the turns."""
        return [out for out in self.outs for _ in range(len(self.values) if out.kind == "split" else 1)]

    def named(self) -> list[str]:
        """Per output, what the user calls what it is the cotangent of."""
        return [out.primal for out in self.left()]

    def roots(self) -> list[Any]:
        """The variables of the body that must be there at the end of a turn."""
        following = [slot.following for slot in self.slots if slot.kind == "carried" and slot.following is not None]
        return [*following, *(out.variable for out in self.outs if type(out.variable) is int)]

    def needed(self) -> list[Step]:
        """The steps of the body that its roots depend on."""
        given = self.given()
        wanted = {x for x in self.roots() if type(x) is int}
        found: list[Step] = []
        for step in reversed(self.program.steps):
            if any(out.number in wanted and out.number not in given for out in step.outputs):
                found.append(step)
                wanted.update(x.number for x in step.inputs)
        return found[::-1]

    def _measured(self, steps: Sequence[Step]) -> dict[int, Any]:
        """Stand-ins for arrays of the body that are there for their lengths alone, which all turns agree on."""
        variables = self.program.by_number()
        statics = [value for step in steps for value in step.params.values()]
        statics += [x.value for step in steps for x in step.inputs if isinstance(x, Const)]
        found = {n: variables.get(n) for value in statics for n in lengths_in(value)}
        return {n: np.broadcast_to(0.0, np.shape(x.value) if isinstance(x, Const) else x.shape)
                for n, x in found.items() if x is not None}  # fmt: skip

    def __call__(self, *arrays: Any) -> Any:
        """The outputs of the loop."""
        return self._run(arrays, self.needed(), None)

    def watched(self, arrays: Sequence[Any], watch: Callable[[int, Mapping[int, Any]], None]) -> None:
        """Run the body, all of it where it is the user's, and tell of each turn what its variables hold at its end."""
        self._run(arrays, self.needed() if self.backward else self.program.steps[: self.forward_steps], watch)

    def _run(self, arrays: Sequence[Any], steps: Sequence[Step], watch: Any) -> Any:
        count = len(self.values)
        space: dict[int, Any] = {c.number: c.value for c in self.program.constants}
        space.update(self._measured(steps))
        carried = {slot.variable: arrays[slot.place] for slot in self.slots if slot.kind == "carried"}
        variables = self.program.by_number() if self.lengthened else {}
        for v in carried.keys() & self.lengthened:
            like: Any = variables[v]
            carried[v] = np.broadcast_to(np.asarray(carried[v], like.dtype), like.shape)
        kept: list[list[Any]] = [[] for _ in self.outs]
        trails: dict[int, list[Any]] = {v: [x] for v, x in carried.items()}

        calls = [_Call(step) for step in steps]  # what is the same in all turns is looked up once
        for turn in range(count):
            k = count - 1 - turn if self.backward else turn
            space[self.turn] = self.values[k]
            space.update(carried)
            for slot in self.slots:
                if slot.kind == "fixed":
                    space[slot.variable] = arrays[slot.place]
                elif slot.kind == "item":
                    space[slot.variable] = arrays[slot.place + k]
                elif slot.kind == "row":
                    space[slot.variable] = arrays[slot.place][slot.first + k]
            with np.errstate(all="ignore"):
                for call in calls:
                    params = {name: sizes(space) for name, sizes in call.sized}
                    operands = [space[n] if sizes is None else sizes(space) for n, sizes in call.operands]
                    results = call.function(*operands, **call.params, **params)
                    for out, result in zip(call.outputs, results if len(call.outputs) > 1 else (results,), strict=True):
                        space[out] = result
            if watch is not None:
                watch(k, space)
            for own, left in zip(kept, self.outs, strict=True):
                if type(left.variable) is int:
                    own.append(space[left.variable])
            carried = {s.variable: space[s.following] for s in self.slots if s.kind == "carried"}
            for variable, trail in trails.items():
                trail.append(carried[variable])
        collected: list[Any] = []
        for own, left in zip(kept, self.outs, strict=True):
            if self.backward:
                own.reverse()
            if left.kind == "next":
                collected.append(carried[left.variable.variable])
            elif left.kind == "trail":
                collected.append(series(trails[left.variable.variable]))
            elif left.kind == "whole":
                collected.append(np.stack(trails[left.variable.variable]))
            elif left.kind == "final":
                collected.append(own[0 if self.backward else -1])
            elif left.kind == "stack":
                collected.append(np.stack(own))
            elif left.kind == "list":
                collected.append(series(own))
            else:
                collected += own
        return tuple(collected) if len(collected) > 1 else collected[0]


class _Call:
    """A step of a body, ready to be run in every turn."""

    def __init__(self, step: Step) -> None:
        self.function = evaluator(step.operation)
        self.operands = [
            (x.number, None if isinstance(x, Var) or x.number >= 0 else sizes_in(x.value) or _always(x.value))
            for x in step.inputs
        ]
        self.sized = [(name, sizes) for name, v in step.params.items() if (sizes := sizes_in(v)) is not None]
        sized = {name for name, _ in self.sized}
        self.params = {name: v for name, v in step.params.items() if name not in sized}
        self.outputs = [out.number for out in step.outputs]


def _always(x: Any) -> Callable[..., Any]:
    plain = plain_number(x)
    return lambda space: plain


def mentions_sizes(x: Any) -> bool:
    """Whether a static argument has a size in it."""
    if isinstance(x, tuple | list):
        return any(map(mentions_sizes, x))
    if type(x) is slice:
        return mentions_sizes((x.start, x.stop, x.step))
    return is_size(x) or mentions_sizes(getattr(x, "parts", ()))


def series(values: Sequence[Any]) -> Any:
    """Arrays of any shapes as one array of objects, so that a variable can hold them."""
    held = np.empty(len(values), object)
    for k, value in enumerate(values):
        held[k] = value
    return held


def with_outputs(loop: Loop) -> Any:
    """The body of a loop with the outputs that it has now."""
    variables = loop.program.by_number()
    return replace(loop.program, outputs=tuple(variables[v] for v in loop.roots() if type(v) is int))


def items_of(paths: Sequence[str], known: Collection[str]) -> Items | None:
    """Where items of a list stand that are reached by these paths, one after the other."""
    first = [int(m) for m in re.findall(r"\[(\d+)\]", paths[0])]
    for which in range(len(first)):
        parts = [_split(path, which) for path in paths]
        if any(p is None for p in parts):
            return None
        heads, places, tails = zip(*[p for p in parts if p is not None], strict=True)
        step = places[1] - places[0]
        even = step in (1, -1) and all(b - a == step for a, b in pairwise(places))
        if even and len(set(heads)) == 1 and len(set(tails)) == 1:
            count = 1 + max(p[1] for path in known if (p := _split(path, which)) and p[0] == heads[0])
            same = [p[2] for path in known if (p := _split(path, which)) and p[:2] == (heads[0], places[0])]
            return Items(heads[0], tails[0], places[0], step, count, tuple(same))
    return None


def _split(path: str, which: int) -> tuple[str, int, str] | None:
    """A path in front of one of the places in it, the place, and what follows."""
    found = list(re.finditer(r"\[(\d+)\]", path))
    if which >= len(found):
        return None
    return path[: found[which].start()], int(found[which][1]), path[found[which].end() :]


def loop_in(step: Step) -> Loop | None:
    """The loop that a step is, if it is one."""
    function = step.operation.function
    return function if isinstance(function, Loop) else None


def written_in(function: Any, inputs: Sequence[Any]) -> list[Any]:
    """The operands of a step that it writes into, itself or in the turns of a loop that it is."""
    if function is set_item or function is add_item:
        return [inputs[0]]
    slots = function.slots if isinstance(function, Loop) else ()
    return [inputs[slot.place] for slot in slots if slot.kind == "carried" and slot.written]


def counting_in(steps: Iterable[Step]) -> set[int]:
    """The variables that are ``np.arange`` of something, also where the last turn of a loop left that."""
    found: set[int] = set()
    for step in steps:
        loop = loop_in(step)
        if loop is not None:
            inside = counting_in(loop.program.steps)
            pairs = zip(loop.left(), step.outputs, strict=True)
            found.update(x.number for out, x in pairs if out.kind == "final" and out.variable in inside)
        elif step.operation.name == "arange":
            found.add(step.outputs[0].number)
    return found


def values_in(x: Any) -> set[int]:
    """The variables whose values a static argument mentions."""
    if is_size(x):
        head, *operands = x.expression
        return {operands[0]} if head == "value" else set().union(*map(values_in, operands))
    if isinstance(x, tuple | list):
        return set().union(*map(values_in, x))
    if type(x) is slice:
        return values_in((x.start, x.stop, x.step))
    parts = getattr(x, "parts", None)
    return values_in(parts) if isinstance(parts, tuple) else set()


def lengths_in(x: Any) -> set[int]:
    """The variables whose lengths a static argument mentions."""
    if is_size(x):
        head, *operands = x.expression
        if head in ("length", "size"):
            return {operands[0]}
        return set() if head in ("value", "turn", "number") else set().union(*map(lengths_in, operands))
    if isinstance(x, tuple | list):
        return set().union(*map(lengths_in, x))
    if type(x) is slice:
        return lengths_in((x.start, x.stop, x.step))
    parts = getattr(x, "parts", None)
    return lengths_in(parts) if isinstance(parts, tuple) else set()


def mentioned(step: Step) -> set[int]:
    """The variables whose values or lengths the static arguments of a step mention."""
    statics = (*step.params.values(), *(x.value for x in step.inputs if isinstance(x, Const) and x.number < 0))
    return values_in(statics) | lengths_in(statics)
