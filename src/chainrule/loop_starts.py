"""What the first turn of a loop is given where it becomes longer: ``h = 0.0``, of which turns make an array.

Where the turns only do with it what is the same for an array of its elements, the loop stays a loop.  Its first turn
is then thought of as given that array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice, product
from typing import Any

import numpy as np

from chainrule.dispatch import evaluator
from chainrule.loops import Slot
from chainrule.sizes import leaves_of, plain_number
from chainrule.statics import instruction

__all__ = ["lengthened", "outputs_of", "with_numbers"]

_MOST_TRIED = 100
_MOST_STARTS = 3
_ADDING = ("add", "subtract")  # what the derivative of needs no value


def lengthened(
    slots: Sequence[Slot],
    starts: Sequence[Any],
    steps: Sequence[Any],
    turns: Sequence[Mapping[int, Any]],
    values: Sequence[Any],
    plain: Sequence[bool],
) -> set[int] | None:
    """The variables of a body that are shorter in the first turn; ``None`` where the body does not hold for that.

    Args:
        slots: what the turns are given.
        starts: per slot, the value that the first turn is given.
        steps: those of the body.
        turns: per turn, the values of what it makes, by variable of the body.
        values: those of all variables of the body in a later turn.
        plain: per slot, whether what it begins with does not depend on what the function is given.
    """
    found: set[int] = set()
    for n, slot in enumerate(slots):
        if slot.kind != "carried":
            continue
        shapes = {np.shape(own[slot.following]) for own in turns if slot.following in own}
        start = np.shape(starts[n])
        if shapes == {start} or not shapes:
            continue
        even = len(shapes) == 1 and _becomes(start, *shapes)
        users = {s[0].name for s in steps if slot.variable in s[1]}
        if users <= set(_ADDING) and len(start) != max(map(len, shapes)):
            continue
        more = None
        if even and not slot.written and plain[n]:
            more = _shorter(slot.variable, start, steps, turns, values)
        if more is None:
            if any(len(shape) != len(start) for shape in shapes):
                return None
            continue
        found |= more
    return found


def _becomes(short: tuple[int, ...], long: tuple[int, ...]) -> bool:
    """Whether an array of one shape is broadcast to another."""
    try:
        return np.broadcast_shapes(short, long) == long
    except ValueError:
        return False


def _shorter(
    begun: int, shape: tuple[int, ...], steps: Sequence[Any], turns: Sequence[Mapping[int, Any]], values: Sequence[Any]
) -> set[int] | None:
    """What is shorter in the first turn as it is computed of what that begins with."""
    shapes = {begun: shape}
    for operation, inputs, _, outputs, _, _ in steps:
        if not any(type(x) is int and x in shapes for x in inputs):
            continue
        if type(outputs) is not int or not _may_be_short(operation, inputs, shapes, values):
            return None
        first, *later = (np.shape(own[outputs]) for own in turns)
        if len(set(later)) != 1 or not _becomes(first, later[0]):
            return None
        if first != later[0]:
            shapes[outputs] = first
    return set(shapes)


def _may_be_short(
    operation: Any, inputs: Sequence[Any], shapes: Mapping[int, tuple[int, ...]], values: Sequence[Any]
) -> bool:
    """Whether an operation does the same with a shorter operand as with what that is broadcast to."""
    function = operation.function
    if function is np.where or (isinstance(function, np.ufunc) and function.signature is None):
        return True
    if operation.name not in ("matmul", "dot") or inputs[0] not in shapes or inputs[1] in shapes:
        return False
    # Row by row: what is contracted is all there.
    short = shapes[inputs[0]]
    return short[-1:] == np.shape(values[inputs[0]])[-1:] != () and np.ndim(values[inputs[1]]) <= 2


def with_numbers(turns: Sequence[list[Any]], numbers: Sequence[Any], add: Callable[[Any], int]) -> list[Any]:
    """The steps of a first turn with those that Python itself computed, of a number: ``0.9 * m`` where ``m = 0.0``.

    They stay as they are where it is no first turn of the kind.

    Args:
        turns: the steps of the first turn and of the second one.
        numbers: what the loop may begin with.
        add: makes a variable for a value.
    """
    first, second = turns[:2]
    places = _aligned(first, second)
    if places is None:
        return first
    made = {v: j for j, step in enumerate(second) for v in outputs_of(step)}
    before = {v: j for j, i in enumerate(places) if i is not None for v in outputs_of(first[i])}
    begun: dict[int, list[Any]] = {}  # by what hands it on, what it may begin with
    for j, step in enumerate(second):
        i = places[j]
        for p, x in enumerate(step[1]):
            if type(x) is int and x in before and x not in made:
                own = begun.setdefault(x, [])
                if i is not None and type(first[i][1][p]) is tuple:
                    own[:] = [first[i][1][p]]
    unknown = [x for j, step in enumerate(second) if places[j] is None for x in step[1]
               if type(x) is int and x in before and x not in made]  # fmt: skip
    if not 0 < len(set(unknown)) <= _MOST_STARTS:
        return first
    literals = [_literal(n) for n in {(type(n), repr(n)): n for n in numbers}.values()]
    tried = product(*(begun[x] or literals for x in dict.fromkeys(unknown)))
    for starts in islice(tried, _MOST_TRIED):
        steps = _completed(first, second, places, made, dict(zip(dict.fromkeys(unknown), starts, strict=True)), add)
        if steps is not None:
            return steps
    return first


def outputs_of(step: Any) -> tuple[int, ...]:
    """The variables that a step makes."""
    return step[3] if type(step[3]) is tuple else (step[3],)


def _aligned(first: Sequence[Any], second: Sequence[Any]) -> list[int | None] | None:
    """Per step of the second turn, which one of the first turn it is, if any."""

    def key(step: Any) -> Any:
        return step[0], step[4], instruction(step[4], step[5]), len(step[1])

    found: list[int | None] = []
    i = 0
    for step in second:
        same = i < len(first) and key(first[i]) == key(step)
        found.append(i if same else None)
        i += same
    return found if i == len(first) else None


def _completed(
    first: Sequence[Any],
    second: Sequence[Any],
    places: Sequence[int | None],
    made: Mapping[int, int],
    starts: Mapping[int, Any],
    add: Callable[[Any], int],
) -> list[Any] | None:
    """The first turn with the steps that are missing, if it is what they give for such a start."""
    numbers: dict[int, Any] = {}  # by step of the second turn, what it would have been in the first one
    leaves: dict[int, set[Any]] = {}  # and the lengths and settings in that
    variables: dict[int, int] = {}
    steps: list[Any] = []
    for j, step in enumerate(second):
        operation, inputs, params, output, code, offset = step
        i = places[j]
        if i is not None:
            own = list(first[i][1])
            for p, x in enumerate(inputs):
                k = made.get(x, -1) if type(x) is int else -1
                if k in variables:
                    if type(own[p]) is not tuple or not _is_same(own[p][0], numbers[k], leaves[k]):
                        return None
                    own[p] = variables[k]
                elif x in starts and type(own[p]) is tuple and not _is_same(own[p][0], *_known(starts[x])):
                    return None
            steps.append((operation, tuple(own), *first[i][2:]))
            continue
        given: list[Any] = []
        values: list[Any] = []
        inside: set[Any] = set()
        for x in inputs:
            k = made.get(x, -1) if type(x) is int else -1
            if type(x) is tuple and not any(leaf[0] == "turn" for leaf in leaves_of(x[0])):
                given.append(x)
                value, own_leaves = _known(x)
            elif x in starts:
                given.append(starts[x])
                value, own_leaves = _known(starts[x])
            elif k in variables:
                given.append(variables[k])
                value, own_leaves = numbers[k], leaves[k]
            else:
                return None
            values.append(value)
            inside |= own_leaves
        if type(output) is not int or params:
            return None
        with np.errstate(all="ignore"):
            numbers[j] = evaluator(operation)(*values)
        leaves[j] = inside
        variables[j] = add(numbers[j])
        steps.append((operation, tuple(given), params, variables[j], code, offset))
    return steps


def _literal(x: Any) -> Any:
    """A number as a step has it among its operands: zeros are told apart by their sign."""
    return (x, type(x)) if type(x) is not float or x else (x, repr(x))


def _known(literal: Any) -> tuple[Any, set[Any]]:
    """The value of a literal, and the lengths and settings in it."""
    return plain_number(literal[0]), set(leaves_of(literal[0]))


def _is_same(x: Any, value: Any, leaves: set[Any]) -> bool:
    return np.ndim(x) == 0 and bool(plain_number(x) == value) and set(leaves_of(x)) == leaves
