"""Sums over the turns of a loop that are taken behind it, in one go: ``dW = H.T @ dZ`` for all steps of a recurrence.

What a turn of a backward loop adds to the gradient of something that is the same in all turns is mostly a product of
two arrays.  Where both are there for all turns, stacked, one product of the stacks does the work of all turns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.indexing import HOLE, Index, add_item, get_item
from chainrule.ir import Const, Step, Var
from chainrule.loop_lifts import Build, Lifts, Stacks, fixed_number
from chainrule.loops import Loop
from chainrule.ops import OPERATIONS
from chainrule.protocol import apply
from chainrule.simplify.cost import operations_of
from chainrule.tape import record

__all__ = ["Batch", "Place", "batches_of", "cone"]

_MOST_WAYS = 12  # for one sum
_DEEPEST = 3  # steps that are done behind the loop, one after the other
_MOST_NEEDED = 4  # arrays of which they are done
Place = tuple[int, Any, Any, bool]  # rows of an axis: where they begin and end, and whether the last one comes first
_NUMBERS = ("multiply", "divide", "negative", "add", "subtract", "power")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A way to take a sum over all turns behind the loop.

    Attributes:
        needed: the variables of the body that are needed of all turns.
        operations: how many array operations the sum takes, without stacking.
        build: makes the sum out of the stacks.
        parts: the variables whose stacks are summed as they are.
        place: where what is made are the rows of the sum: the axis, and which rows.
    """

    needed: frozenset[int]
    operations: int
    build: Build
    place: Place | None = None
    parts: frozenset[int] = frozenset()


def batches_of(
    body: Backward,
    sums: Mapping[int, tuple[int, int]],
    rows: Mapping[int, int],
    others: Sequence[int],
    loop: Loop,
    stacked: Callable[[int], int],
    done: Collection[int],
    taken: Callable[[int, Index], Place | None],
    fixed: Collection[int],
) -> dict[int, Batch]:
    """The sums that are cheaper taken behind the loop, and how.

    Args:
        body: the backward pass of a turn.
        sums: by key, the variable that holds a sum so far, and the one that the turn makes of it.
        rows: by key, the variable of which a turn leaves a row of a gradient.
        others: the other variables that a turn must leave.
        loop: the loop of the forward pass.
        stacked: how many array operations it takes to have a variable of the body in all turns as one array; more than
            the turns could ever save where that cannot be.
        done: the variables that are computed for all turns before the loop.
        taken: which rows of what has this key an index picks, one in each turn.
        fixed: the variables that are the same in all turns.
    """
    made = {o.number: step for step in body.program.steps for o in step.outputs if not o.shape}
    made.update((o.number, step) for step in body.program.steps[body.forward_steps :] for o in step.outputs)
    made = {v: step for v, step in made.items() if v not in done}
    turns = len(loop.values)
    each = _Ways(dict(body.program.by_number()), made, fixed)
    ways: dict[int, list[Batch | None]] = {}
    for key, (start, end) in sums.items():
        terms = _terms(made, start, end)
        own = [[each.signed(way, v, sign) for way in each.of(v)] for sign, v in terms or ()]
        ways[key] = [None, *([_together(c) for c in product(*own)][:_MOST_WAYS] if terms else [])]
    # What the products of sums are made of is there for all turns, and rows are computed of that.
    there = frozenset().union(*(b.needed for own in ways.values() for b in own[:2] if b is not None))
    for key, (start, end) in sums.items():
        row = _row(made, start, end, partial(taken, key))
        if row is not None:
            v, place = row
            ways[key] += [Batch(b.needed, b.operations + 1, b.build, place) for b in each.rows(v, there)]
        ways[key] += each.added_at(key, start, end)
    for key, v in rows.items():
        ways[key] = [None, *each.rows(v, there)[0 if v in done else 1 :]]
    if not any(len(own) > 1 for own in ways.values()):
        return {}

    def cost(chosen: Mapping[int, Batch | None]) -> int:
        needed = frozenset().union(*(b.needed for b in chosen.values() if b is not None))
        staying = [key for key, b in chosen.items() if b is None]
        roots = [*others, *needed, *(sums[key][1] if key in sums else rows[key] for key in staying)]
        inside = sum(operations_of(step) for step in cone(made, roots))
        behind = sum(b.operations for b in chosen.values() if b is not None) + sum(key in rows for key in staying)
        return turns * inside + behind + sum(map(stacked, needed))

    best: dict[int, Batch | None] = dict.fromkeys(ways)
    least = cost(best)
    for which in (0, 1, -1):
        chosen = {key: options[:2][-1] if which == 1 else options[which] for key, options in ways.items()}
        lower, before = cost(chosen), least + 1
        while lower != before:
            before = lower
            for key, options in ways.items():
                costs = [cost({**chosen, key: b}) for b in options]
                chosen[key] = options[costs.index(min(costs))]
            lower = cost(chosen)
        if lower < least:
            best, least = dict(chosen), lower
    return {key: b for key, b in best.items() if b is not None}


def cone(made: Mapping[int, Step], roots: Sequence[int]) -> list[Step]:
    """The backward steps that variables are computed by."""
    found: dict[int, Step] = {}
    pending = list(roots)
    while pending:
        step = made.get(pending.pop())
        if step is not None and id(step) not in found:
            found[id(step)] = step
            pending += [x.number for x in step.inputs]
    return list(found.values())


def _terms(made: Mapping[int, Step], start: int, end: int) -> list[tuple[int, int]] | None:
    """What a turn adds to a sum: signs and variables; ``None`` where it does anything else with it."""
    holding = {start}
    for reading in made.values():
        if any(x.number in holding for x in reading.inputs):
            holding.update(o.number for o in reading.outputs)
    found: list[tuple[int, int]] = []
    v = end
    while v != start:
        step = made.get(v)
        if step is None or step.operation.name not in ("add", "subtract") or len(step.inputs) != 2 or step.params:
            return None
        inside = [x.number in holding for x in step.inputs]
        if sum(inside) != 1 or (inside[1] and step.operation.name == "subtract"):
            return None
        other, v = (step.inputs[1], step.inputs[0].number) if inside[0] else (step.inputs[0], step.inputs[1].number)
        if not isinstance(other, Var) or other.shape != step.outputs[0].shape:
            return None
        found.append((-1 if step.operation.name == "subtract" else 1, other.number))
    return found


def _row(
    made: Mapping[int, Step], before: int, end: int, taken: Callable[[Index], Place | None]
) -> tuple[int, Place] | None:
    """What a turn adds to one row of a sum, and which, where it does nothing else with it."""
    step = made.get(end)
    if step is None or step.operation.function is not add_item or len(step.inputs) != 2:
        return None
    base, amount = step.inputs
    place = taken(step.params["index"])
    if base.number != before or place is None or not isinstance(amount, Var):
        return None
    shape = tuple(n for k, n in enumerate(step.outputs[0].shape) if k != place[0])
    return (amount.number, place) if amount.shape == shape else None


def _together(parts: Sequence[Batch]) -> Batch:
    """The sum of several."""

    def build(stacks: Stacks) -> Any:
        total = parts[0].build(stacks)
        for part in parts[1:]:
            total = total + part.build(stacks)
        return total

    needed = frozenset().union(*(p.needed for p in parts))
    summed = frozenset().union(*(p.parts for p in parts))
    return Batch(needed, sum(p.operations for p in parts) + len(parts) - 1, build, parts=summed)


class _Ways:
    """The ways to sum what a turn adds over all turns."""

    def __init__(self, variables: Mapping[int, Any], made: Mapping[int, Step], fixed: Collection[int]) -> None:
        self.variables = variables
        self.made = made
        self.fixed = fixed

    def of(self, v: int) -> list[Batch]:
        """The ways for a variable."""
        step = self.made.get(v)
        if not self.variables[v].shape:
            return [] if step is None else list(self._numbers(step))
        found = [] if step is None else list(self._by_factors(step))
        found += [_summed(b) for b in self._lifted(v)]
        whole = frozenset((v,))
        return [*found, Batch(whole, 1, lambda stacks: np.sum(stacks(v), axis=0), parts=whole)]

    def signed(self, way: Batch, v: int, sign: int) -> Batch:
        """A way to sum a variable that is added, or subtracted."""
        return way if sign > 0 else negated(way, int(bool(self.variables[v].shape)))

    def _numbers(self, step: Step) -> Iterator[Batch]:
        """The ways to sum a number, such as the product of two vectors."""
        name = step.operation.name
        vs = [x.number for x in step.inputs if isinstance(x, Var)]
        shapes = [self.variables[v].shape for v in vs]
        if name == "negative":
            yield from (negated(way, 0) for way in self.of(vs[0]))
        elif step.outputs[0].dtype.kind != "f":
            return
        elif name in ("matmul", "dot", "vdot") and len(vs) == 2 and shapes[0] == shapes[1] != ():
            yield Batch(frozenset(vs), 1, lambda stacks: np.vdot(stacks(vs[0]), stacks(vs[1])))
        elif name == "sum" and not step.params.get("axis") and len(vs) == 1 and shapes[0]:
            yield Batch(frozenset(vs), 1, lambda stacks: np.sum(stacks(vs[0])))
        elif name == "multiply" and len(step.inputs) == 2:
            for x, other in (step.inputs, step.inputs[::-1]):
                scale = self._scalar(x) if isinstance(other, Var) else None
                if scale is not None:
                    yield from (_scaled(way, scale, 0) for way in self.of(other.number))
                    return

    def rows(self, v: int, there: Collection[int] = ()) -> list[Batch]:
        """The ways to have a variable of all turns: as the turns leave it, or computed of what they leave."""
        found = [Batch(frozenset((v,)), 0, lambda stacks: stacks(v)), *self._lifted(v)]
        known = [b.needed for b in found]
        return [*found, *(b for b in self._lifted(v, there) if there and b.needed not in known)]

    def added_at(self, key: int, before: int, end: int) -> Iterator[Batch]:
        """The way to add what turns add at rows of an array, where other rows are read in each, for all turns."""
        step = self.made.get(end)
        if step is None or step.operation.function is not add_item or len(step.inputs) != 3:
            return
        base, amount, rows = step.inputs
        index: Index = step.params["index"]
        if base.number != before or index.parts != (HOLE,) or not isinstance(amount, Var) or not isinstance(rows, Var):
            return
        if rows.dtype.kind not in "iu" or amount.shape != (*rows.shape, *step.outputs[0].shape[1:]) or not amount.shape:
            return

        def build(stacks: Stacks) -> Any:
            zeros = apply(np.zeros_like, stacks(key))
            return record(OPERATIONS[add_item], (zeros, stacks(amount.number), stacks(rows.number)), {"index": index})

        yield Batch(frozenset((amount.number, rows.number)), 1, build)

    def _lifted(self, v: int, there: Collection[int] = ()) -> Iterator[Batch]:
        """A variable of all turns, computed of what its last steps work on: of the last one's, of the last two's, …

        What is ``there`` is not computed.
        """
        inside: set[int] = set()
        edge, before = {v}, frozenset[int]()
        for depth in range(_DEEPEST):
            edge = {n for n in edge if n in self.made and not self._is_fixed(n)}
            # Of the last step and of one of those before it alone, where it works on what several make.
            parts = [{n} for n in sorted(edge)] if depth == 1 and len(edge) > 1 else []
            for more in (*parts, edge) if edge else ():
                found = self._lift(v, frozenset((*inside, *more)))
                if found is not None and found.needed != before:
                    yield found
                    before = found.needed
            inside |= edge
            edge = {x.number for n in edge for x in self.made[n].inputs if isinstance(x, Var)}.difference(there)

    def _lift(self, v: int, inside: frozenset[int]) -> Batch | None:
        """A variable of all turns, computed by the steps that make these."""
        lift = Lifts(self.variables, self.made, self.fixed, self._is_outside(inside)).of(v)
        if lift is None or not lift.varies:
            return None
        needed = frozenset(n for n in lift.needed if n not in self.fixed)
        return Batch(needed, lift.operations(), lift.build) if len(needed) <= _MOST_NEEDED else None

    def _is_outside(self, inside: frozenset[int]) -> Callable[[int], bool]:
        """Whether a variable is what some steps work on, and not what is the same in all turns or a view."""
        inputs = {x.number for n in inside for x in self.made[n].inputs} - inside
        return lambda n: n in inputs and not self._is_fixed(n)

    def _is_fixed(self, n: int) -> bool:
        return n in self.fixed or _transposed(self.made, n)[0] in self.fixed or self._is_number(n)

    def _is_number(self, n: int) -> bool:
        """Whether a variable is a number that is computed of what is the same in all turns."""
        x = self.variables[n]
        return n in self.made and isinstance(x, Var) and self._scalar(x) is not None

    def _by_factors(self, step: Step) -> Iterator[Batch]:
        name = step.operation.name
        vs = [x.number for x in step.inputs if isinstance(x, Var)]
        shapes = [self.variables[v].shape for v in vs]
        if name == "negative":
            yield from map(negated, self.of(vs[0]))
        elif name == "sum" and set(step.params) <= {"axis"} and len(vs) == 1 and shapes[0]:
            whole = (0, *(a + 1 for a in _axes(step.params.get("axis"), len(shapes[0]))))
            yield Batch(frozenset(vs), 1, lambda stacks: np.sum(stacks(vs[0]), axis=whole))
        elif name in ("matmul", "dot") and len(vs) == 2 and all(len(shape) == 2 for shape in shapes):
            (a, first), (b, second) = (_transposed(self.made, v) for v in vs)
            yield _contracted(a, b, [0, 1 if first else 2], [0, 2 if second else 1])
        elif name in ("matmul", "dot") and sorted(map(len, shapes)) == [1, 2]:
            (a, first), (b, second) = (_transposed(self.made, v) for v in vs)
            rows, columns = (1, 2 if second else 1) if len(shapes[0]) == 1 else (1 if first else 2, 1)
            yield _contracted(a, b, [0, rows], [0, columns])
        elif name == "tensordot" and len(vs) == 2 and _lists(step.params.get("axes")):
            left, right = ([0, *(a + 1 for a in own)] for own in step.params["axes"])
            yield _contracted(vs[0], vs[1], left, right)
        elif name == "einsum" and len(vs) == 2 and set(step.params) == {"subscripts"}:
            yield from self._by_subscripts(vs, step.params["subscripts"])
        elif name == "vecdot" and set(step.params) <= {"axis"} and len(vs) == 2 and len({*shapes}) == 1:
            (axis,) = _axes(step.params.get("axis", -1), len(shapes[0]))
            yield Batch(frozenset(vs), 2, lambda stacks: np.sum(stacks(vs[0]) * stacks(vs[1]), axis=(0, axis + 1)))
        elif name == "outer" and all(len(shape) == 1 for shape in shapes):
            yield _outer(vs[0], vs[-1])
        elif name == "multiply" and len(step.inputs) == 2:
            yield from self._of_product(step)

    def _by_subscripts(self, vs: list[int], subscripts: str) -> Iterator[Batch]:
        """``np.einsum`` of two operands, summed over the turns as well."""
        letter = next((x for x in "tuvwxyz" if x not in subscripts), None)
        if letter is not None and "->" in subscripts and "." not in subscripts:
            whole = letter + subscripts.replace(",", f",{letter}")
            yield Batch(frozenset(vs), 1, lambda stacks: np.einsum(whole, *map(stacks, vs)))

    def _of_product(self, step: Step) -> Iterator[Batch]:
        shape = step.outputs[0].shape
        for x, other in (step.inputs, step.inputs[::-1]):
            scale = self._scalar(x) if isinstance(other, Var) and other.shape == shape else None
            if scale is not None:
                yield from (_scaled(way, scale) for way in self.of(other.number))
                return
        x, other = step.inputs
        if not isinstance(x, Var) or not isinstance(other, Var):
            return
        if len(shape) == 2:
            ends = [self._along(v.number) for v in (x, other)]
            for (u, column), (w, row) in (ends, ends[::-1]):
                if column == 0 and row == 1:
                    yield _outer(u, w)
                    return
        if x.shape == other.shape == shape:
            a, b = x.number, other.number
            yield Batch(frozenset((a, b)), 2, lambda stacks: np.sum(stacks(a) * stacks(b), axis=0))

    def _scalar(self, x: Var | Const) -> Build | None:
        """Makes a number that is the same in all turns."""
        if isinstance(x, Const):
            return fixed_number(x.value, self.fixed)
        if x.shape:
            return None
        number, step = x.number, self.made.get(x.number)
        if number in self.fixed:
            return lambda stacks: stacks(number)
        if step is None or step.operation.name not in _NUMBERS:
            return None
        function: Any = step.operation.function
        parts = [p for y in step.inputs if (p := self._scalar(y)) is not None]
        return (lambda stacks: function(*(p(stacks) for p in parts))) if len(parts) == len(step.inputs) else None

    def _along(self, v: int) -> tuple[int, int | None]:
        """The vector that is laid along an axis of a matrix, and the axis."""
        if len(self.variables[v].shape) == 1:
            return v, 1
        step = self.made.get(v)
        if step is None or len(step.inputs) != 1 or len(getattr(step.inputs[0], "shape", ())) != 1:
            return v, None
        if step.operation.function is np.expand_dims:
            return step.inputs[0].number, 0 if step.params["axis"] in (1, -1) else 1
        if step.operation.function is not get_item:
            return v, None
        parts = list(step.params["index"].parts)
        if Ellipsis in parts:
            there = any(p is not None and p is not Ellipsis for p in parts)  # the one axis that there is
            parts[parts.index(Ellipsis) : parts.index(Ellipsis) + 1] = [] if there else [slice(None)]
        if len(parts) != 2 or any(p is not None and p != slice(None) for p in parts) or parts.count(None) != 1:
            return v, None
        return step.inputs[0].number, 1 if parts[0] is None else 0


def _outer(a: int, b: int) -> Batch:
    return Batch(frozenset((a, b)), 1, lambda stacks: stacks(a).T @ stacks(b))


def _contracted(a: int, b: int, left: list[int], right: list[int]) -> Batch:
    return Batch(frozenset((a, b)), 1, lambda stacks: np.tensordot(stacks(a), stacks(b), axes=(left, right)))


def _summed(way: Batch) -> Batch:
    return Batch(way.needed, way.operations + 1, lambda stacks: np.sum(way.build(stacks), axis=0))


def _scaled(way: Batch, scale: Build, operations: int = 1) -> Batch:
    def build(stacks: Stacks) -> Any:
        return way.build(stacks) * scale(stacks)

    return Batch(way.needed, way.operations + operations, build, parts=way.parts)


def negated(way: Batch, operations: int = 1) -> Batch:
    """The same with a minus sign, which is no array operation where it stands at a number."""
    return Batch(way.needed, way.operations + operations, lambda stacks: -way.build(stacks), parts=way.parts)


def _transposed(made: Mapping[int, Step], v: int) -> tuple[int, bool]:
    """The matrix of which a variable is the transpose, or the variable itself."""
    step = made.get(v)
    if step is not None and step.operation.function is np.transpose and not step.params:
        return step.inputs[0].number, True
    return v, False


def _axes(axis: Any, rank: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(rank))
    return tuple(int(a) % rank for a in (axis if isinstance(axis, tuple) else (axis,)))


def _lists(axes: Any) -> bool:
    """Whether the axes of a tensordot are two lists of numbers."""
    return isinstance(axes, tuple | list) and all(
        isinstance(own, tuple | list) and all(type(a) is int and a >= 0 for a in own) for own in axes
    )
