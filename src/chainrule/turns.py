"""The user's ``for`` loops while tracing: which steps belong to which turn, and what the loop runs over.

``for t in range(T)`` counts with a number that knows that it is the counter of that loop, as a length knows whose it
is.  Its turns are then the same steps, whatever it is at: ``x[t - 1]`` and ``w / (t + 1)`` say how they go on.
"""

from __future__ import annotations

import dis
import itertools
import operator
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import CodeType, GeneratorType
from typing import Any

from chainrule.positions import is_foreign
from chainrule.sizes import Size, is_size, leaves_of, on_decision
from chainrule.tape import Tape, current_tape, here
from chainrule.traced import Traced

__all__ = ["Part", "Turns", "count_of", "decided", "turns"]


class Part:
    """What a loop runs over, or a part of it: ``range(...)``, ``zip(...)``, an array, a sequence.

    Attributes:
        kind: ``"range"``, ``"zip"``, ``"enumerate"``, ``"reversed"``, ``"array"`` or ``"items"``.
        args: its arguments; parts, but for the numbers of a range.
        keywords: its keyword arguments.
    """

    __slots__ = ("args", "keywords", "kind")

    def __init__(self, kind: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        self.kind = kind
        self.args = args
        self.keywords = keywords

    def counted(self, inside: bool = False) -> tuple[Any, Any, Any] | None:
        """Start, stop and step of the first range in it; an array that is reversed, on its own, is counted down."""
        if self.kind == "reversed" and self.args[0].kind == "array" and not inside:
            shape = self.args[0].args[0].shape
            return (shape[0] - 1, -1, -1) if shape else None
        if self.kind == "range":
            start, stop, step = (0, *self.args, 1) if len(self.args) == 1 else (*self.args, 1)[:3]
            return start, stop, step
        if self.kind == "reversed" and self.args[0].kind == "range":
            start, stop, step = self.args[0].counted()
            if type(step) is int and step == 1:
                return stop - 1, start - 1, -1
            return None
        if self.kind in ("zip", "enumerate"):
            return next((found for a in self.args if isinstance(a, Part) and (found := a.counted(True))), None)
        return None


class Turns:
    """One run of a loop.

    Attributes:
        number: its place among the loops of the tape.
        part: what it runs over.
        counted: start, stop and step of its counter.
        starts: per turn, how many steps were on the tape before.
        stop: how many were on it at the end; ``None`` where the loop was left early.
        parent: the loop that was running around it, and the turn that it was in.
        code: the code of the user's that holds it, with the offset of the instruction.
        turn: the counter as it is now.
        decisions: what the counter decided: the turn, where in the code, the operation, its operands and the result.
        numbers: those that the variables of the function held when it began.
    """

    __slots__ = ("code", "counted", "decisions", "number", "numbers", "parent", "part", "starts", "stop", "turn")

    def __init__(self, number: int, part: Part, parent: tuple[int, int] | None, code: tuple[Any, int]) -> None:
        self.number = number
        self.part = part
        self.counted = part.counted()
        self.starts: list[int] = []
        self.stop: int | None = None
        self.parent = parent
        self.code = code
        self.turn: Any = 0
        self.decisions: list[tuple[int, Any, int, str, Any, Any, Any]] = []
        self.numbers: list[Any] = []

    def values(self) -> range:
        """What the counter was in each turn."""
        start, _, step = self.counted or (0, 0, 1)
        count = len(self.starts)
        return range(int(start), int(start) + count * int(step), int(step))

    def bounds(self, k: int) -> tuple[int, int]:
        """The steps of a turn."""
        stop = self.starts[k + 1] if k + 1 < len(self.starts) else self.stop
        assert stop is not None
        return self.starts[k], stop

    def count(self) -> Any:
        """How many turns a loop has that does not count: a length, where it runs over an array to its end."""
        pending = [self.part]
        while pending:
            part = pending.pop(0)
            if part.kind == "array" and int(part.args[0].shape[0]) == len(self.starts):
                return part.args[0].shape[0]
            pending += [a for a in part.args if type(a) is Part]
        return len(self.starts)

    def place(self) -> Any:
        """The number of the turn, counted from 0."""
        if self.counted is None:
            return self.turn
        start, _, step = self.counted
        if step == 1:
            return self.turn - start if start != 0 or type(start) is not int else self.turn
        return len(self.starts) - 1


def count_of(record: Turns, lists: Mapping[int, tuple[int, str, Any, int]]) -> list[Any]:
    """What says how many turns a loop has: sizes, and how the lists of the arguments are reached that it takes."""
    found: list[Any] = [x for x in (*(record.counted or ()), record.count()) if is_size(x)]
    pending = [record.part]
    while pending:
        part = pending.pop()
        pending += [a for a in part.args if type(a) is Part]
        found += [lists[id(a)][1] for a in part.args if id(a) in lists]
    return found


def decided(*sizes: Any, result: Any, code: tuple[Any, int], operation: str = "") -> None:
    """Note that lengths and settings decided what was traced: what is written holds while the decision is the same.

    Counters of loops decide nothing: how often a loop runs is said for itself.
    """
    tape = current_tape()
    if tape is None or tape.loops is None or tape.closed or not tape.inputs:
        return
    leaves = [leaf for x in sizes for leaf in leaves_of(x)]
    if not any(leaf[0] in ("length", "size", "name") for leaf in leaves) or any(leaf[0] == "turn" for leaf in leaves):
        return
    lengths = [leaf[1] for leaf in leaves if leaf[0] in ("length", "size")]
    variable = next((n for n in lengths if n in tape.inputs), tape.inputs[0])
    guard = variable, result, *code
    if not tape.guards or tape.guards[-1] != guard:
        tape.guards.append(guard)
    tape.measured.setdefault(code, []).append((operation, *sizes, result))


def _compared(operation: str, left: Any, right: Any, result: Any) -> None:
    """Note a comparison in code of the user's."""
    if operation == "hash":
        return
    if operation == "repeat":
        tape = current_tape()
        if tape is not None:
            tape.unsure = True
        return
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename == _SIZES:  # the truth of a size compares it with 0
        frame = frame.f_back
    if not is_foreign[frame.f_code.co_filename]:
        decided(left, right, result=result, code=(frame.f_code, frame.f_lasti), operation=operation)


_SIZES = leaves_of.__code__.co_filename
on_decision.append(_compared)

_BUILTINS: dict[str, Callable[..., Any]] = {"range": range, "zip": zip, "enumerate": enumerate, "reversed": reversed}

_ARITHMETIC: dict[str, Callable[..., Any]] = {k: getattr(operator, k) for k in ("add", "sub", "mul", "truediv", "pow")}


def turns(kind: str, *args: Any, **keywords: Any) -> Any:
    """What a ``for`` in a followed function runs over; or a number on the left of what may be a size."""
    operation = _ARITHMETIC.get(kind)
    if operation is not None:
        left, right = args
        if type(left) is float and is_size(right):
            return getattr(right, f"__r{kind}__")(left)
        return operation(left, right)
    tape = current_tape()
    if kind == "while":
        return _goes_on(tape, *args)
    if tape is None or tape.loops is None:
        return args[0] if kind == "for" else _BUILTINS[kind](*args, **keywords)
    if kind == "for":
        part = _part(args[0])
        # The turns of a generator's own loop hold what is done with the items: they are those of this one.
        return iter(_builtin(part)) if _generates(part) else _run(tape, part, here(), _numbers(sys._getframe(1)))
    parts = args if kind == "range" else tuple(map(_part, args))
    if kind == "enumerate":
        parts = (parts[0], *args[1:])
    return Part(kind, parts, keywords)


def _goes_on(tape: Tape | None, place: str, condition: Any) -> Any:
    """Whether a "while" goes on; what is written until it is asked again, with the next condition, is a turn."""
    if tape is None or tape.loops is None or type(condition) is not Traced:
        return condition
    frame = sys._getframe(2)
    running = tape.open[-1] if tape.open else None
    asked = (id(frame), place)
    own = running is not None and running.part.kind == "while" and running.part.args == asked
    record = running if own else None
    if not condition:
        if record is not None:
            record.stop = len(tape.steps)
            tape.open.pop()
        return False
    if record is None:
        parent = None if running is None else (running.number, len(running.starts) - 1)
        record = Turns(len(tape.loops), Part("while", asked, {}), parent, here())
        tape.loops.append(record)
        tape.open.append(record)
    record.turn = Size(len(record.starts), ("turn", record.number))
    record.starts.append(len(tape.steps))
    return True


def _counted(operation: str, left: Any, right: Any, result: Any) -> None:
    """Note what the counter of a running loop decides in the user's code."""
    tape = current_tape()
    if tape is None or not tape.open:
        return
    numbers = {leaf[1] for x in (left, right) for leaf in leaves_of(x) if leaf[0] == "turn"}
    record = next((r for r in reversed(tape.open) if r.number in numbers), None) if numbers else None
    if record is not None:
        record.decisions.append((len(record.starts) - 1, *here(), operation, left, right, result))


on_decision.append(_counted)


def _part(x: Any) -> Part:
    if type(x) is Part:
        return x
    return Part("array" if type(x) is Traced else "items", (x,), {})


def _generates(part: Part) -> bool:
    """Whether items come from a generator with a loop of its own, which goes on between them."""
    return any(_generates(x) if type(x) is Part else type(x) is GeneratorType and _loops(x.gi_code) for x in part.args)


@lru_cache(maxsize=1024)
def _loops(code: CodeType) -> bool:
    return any(own.opname in ("FOR_ITER", "SEND", "GET_YIELD_FROM_ITER") for own in dis.get_instructions(code))


def _numbers(frame: Any) -> list[Any]:
    """The numbers that a function's variables hold."""
    return [x for x in frame.f_locals.values() if type(x) in (int, float) or is_size(x)]


def _run(tape: Tape, part: Part, code: tuple[Any, int], numbers: list[Any]) -> Iterator[Any]:
    """The items of a loop; what is written between two of them is a turn."""
    assert tape.loops is not None
    outer = tape.open[-1] if tape.open else None
    parent = None if outer is None else (outer.number, len(outer.starts) - 1)
    record = Turns(len(tape.loops), part, parent, code)
    record.numbers = numbers
    tape.loops.append(record)
    tape.open.append(record)
    start, _, step = record.counted or (0, 0, 1)
    try:
        items = _items(part, record)
        for k in itertools.count():
            record.turn = Size(int(start) + k * int(step), ("turn", record.number))
            record.starts.append(len(tape.steps))
            try:
                item = next(items)
            except StopIteration:
                record.stop = record.starts.pop()
                break
            yield item
    finally:
        while tape.open and tape.open.pop() is not record:
            pass


def _items(part: Part, record: Turns) -> Iterator[Any]:
    kind, args = part.kind, part.args
    if kind == "range" or (kind == "reversed" and args[0].kind == "range"):
        counted = part.counted()
        primary = counted is not None and all(a is b for a, b in zip(counted, record.counted or (), strict=False))
        plain = range(*args) if kind == "range" else reversed(range(*args[0].args))
        if primary or (counted is not None and counted == record.counted):
            for _ in plain:
                yield record.turn
        elif counted is not None and counted[2] == 1:
            for _ in plain:
                yield record.place() + counted[0]
        else:
            yield from plain
    elif kind == "array":
        (array,) = args
        if not array.value.ndim:
            iter(array)  # raises
        for k in range(len(array.value)):
            place = record.place()
            assert int(place) == k
            yield array[place]
    elif kind == "reversed" and args[0].kind == "array":
        (array,) = args[0].args
        down = record.counted == part.counted()
        for _ in range(len(array.value)):
            yield array[record.turn if down else array.shape[0] - 1 - record.place()]
    elif kind == "reversed":
        (inner,) = args
        yield from reversed(inner.args[0]) if inner.kind == "items" else reversed(_builtin(inner))
    elif kind == "zip":
        yield from zip(*(_items(a, record) for a in args), **part.keywords)  # noqa: B905  the user's own strict=
    elif kind == "enumerate":
        start = part.keywords.get("start", args[1] if len(args) > 1 else 0)
        for item in _items(args[0], record):
            place = record.place()
            yield (place + start if start else place), item
    else:
        yield from args[0]


def _builtin(part: Part) -> Any:
    """What Python itself makes of a part that is not followed."""
    if part.kind in ("array", "items"):
        return part.args[0]
    args = [_builtin(a) if type(a) is Part else a for a in part.args]
    return _BUILTINS[part.kind](*args, **part.keywords)
