"""Steps of a turn that are done for all turns at once, on stacks of what the turns hold: ``1 - hs[1:] ** 2``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.handlers import create
from chainrule.indexing import HOLE, Index, add_item, get_item
from chainrule.ir import Const, Step, Var, shape_of
from chainrule.loops import mentions_sizes
from chainrule.ops import OPERATIONS
from chainrule.rules.helpers import normalise_axes
from chainrule.simplify.cost import operations_of
from chainrule.sizes import leaves_of, rebuilt
from chainrule.tape import record

__all__ = ["Build", "Lift", "Lifts", "Stacks", "fixed_number", "hoisted"]

Stacks = Callable[[int], Any]  # what there is of a variable of the body in all turns, stacked
Build = Callable[[Stacks], Any]

_LENGTHS = ("length", "size")
_LEAVES = (*_LENGTHS, "number", "name")
_REDUCTIONS = frozenset("sum mean max min prod".split())


@dataclass(frozen=True, slots=True, eq=False)
class Lift:
    """A variable of the body in all turns, computed of stacks.

    Attributes:
        needed: the variables of the body whose stacks it is computed of.
        steps: the steps of the body that are done for all turns at once.
        build: makes it; an array with the turns in front, or what is the same in all turns.
        varies: whether it has the turns in front.
    """

    needed: frozenset[int]
    steps: tuple[Step, ...]
    build: Build
    varies: bool = True

    def operations(self) -> int:
        """How many array operations it takes, without stacking."""
        return sum(operations_of(step) for step in self.steps)


class Lifts:
    """Finds out how variables of a body are computed for all turns at once.

    Args:
        variables: those of the body.
        made: the steps of the body that may be done so, by what they make.
        fixed: the variables that are the same in all turns.
        is_leaf: whether there is, or may be, a stack of a variable.
        windows: makes what a step picks by the counter in all turns, if it can be said.
    """

    def __init__(
        self,
        variables: Mapping[int, Any],
        made: Mapping[int, Step],
        fixed: Collection[int],
        is_leaf: Callable[[int], bool],
        windows: Callable[[Step], Callable[[], Any] | None] = lambda step: None,
    ) -> None:
        self.variables = variables
        self.made = made
        self.fixed = fixed
        self.is_leaf = is_leaf
        self.windows = windows
        self.known: dict[int, Lift | None] = {}

    def of(self, v: int) -> Lift | None:
        """How a variable is computed, if it can be."""
        if v not in self.known:
            self.known[v] = None  # while it is looked for
            self.known[v] = self._of(v)
        return self.known[v]

    def _of(self, v: int) -> Lift | None:
        if v in self.fixed:
            return Lift(frozenset((v,)), (), lambda stacks: stacks(v), False)
        if self.is_leaf(v):
            return Lift(frozenset((v,)), (), lambda stacks: stacks(v))
        step = self.made.get(v)
        return None if step is None else self.step(step)

    def step(self, step: Step) -> Lift | None:
        """How what a step makes is computed, of what its operands are in all turns."""
        if len(step.outputs) != 1:
            return None
        parts = [self._operand(x) for x in step.inputs]
        if not parts or any(p is None for p in parts):
            return None
        operands = [p for p in parts if p is not None]
        if step.operation.function is get_item and len(parts) == 1 and mentions_sizes(step.params["index"].parts):
            rows = None if operands[0].varies else self.windows(step)
            return None if rows is None else Lift(frozenset(), (step,), lambda stacks: rows())
        varies = any(p.varies for p in operands)
        ranks = [len(shape_of(x)) for x in step.inputs]
        turned = [p.varies for p in operands]
        make = _plainly(step) if not varies else _for_all(step, ranks, turned)
        if make is None:
            return None
        found = make
        steps = tuple({id(s): s for p in operands for s in (*p.steps, step)}.values())
        needed = frozenset().union(*(p.needed for p in operands))
        return Lift(needed, steps, lambda stacks: found([p.build(stacks) for p in operands]), varies)

    def _operand(self, x: Var | Const) -> Lift | None:
        if isinstance(x, Var) or x.number >= 0:
            return self.of(x.number)
        number = fixed_number(x.value, self.fixed)
        return None if number is None else Lift(frozenset(), (), number, False)


def fixed_number(value: Any, fixed: Collection[int]) -> Build | None:
    """A number of a body's that is the same in all turns, with the lengths in it as those of what the loop is given."""
    if np.shape(value):
        return None
    if any(head not in _LEAVES or (head in _LENGTHS and of[0] not in fixed) for head, *of in leaves_of(value)):
        return None  # it has the counter in it, or what there is in a turn only
    return lambda stacks: rebuilt(value, lambda _, e: (e[0], stacks(e[1]).variable, *e[2:]) if e[0] in _LENGTHS else e)


Make = Callable[[list[Any]], Any]


def _plainly(step: Step) -> Make | None:
    """The step itself, where its operands are the same in all turns."""
    function: Any = step.operation.function
    if isinstance(function, np.ufunc) and function.signature is None and not step.params:
        return lambda xs: function(*xs)
    if function is np.transpose and not step.params:
        return lambda xs: xs[0].T
    return None


def _for_all(step: Step, ranks: Sequence[int], turned: Sequence[bool]) -> Make | None:
    """A step on stacks, for operands of these ranks in one turn."""
    function: Any = step.operation.function
    rank = len(step.outputs[0].shape)
    name = step.operation.name
    if ((isinstance(function, np.ufunc) and function.signature is None) or function is np.where) and not step.params:
        return lambda xs: function(*(_spread(x, rank - own) if t else x
                                     for x, own, t in zip(xs, ranks, turned, strict=True)))  # fmt: skip
    if name in _REDUCTIONS and set(step.params) <= {"axis", "keepdims"} and callable(function):
        return _reduced(step, ranks[0])
    if name in ("matmul", "dot") and len(ranks) == 2 and not step.params:
        return _multiplied(ranks, turned)
    if name in ("tensordot", "einsum") and len(ranks) == 2:
        return _contracted(step, ranks, turned)
    if name == "outer" and list(ranks) == [1, 1]:
        return lambda xs: (xs[0][..., None] if turned[0] else xs[0][:, None]) * _spread(xs[1], int(turned[1]))
    if (
        name == "vdot"
        and turned == [True, True]
        and step.outputs[0].dtype.kind == "f"
        and ranks[0] == ranks[1] in (1, 2, 3)
    ):
        letters = "tijk"[: ranks[0] + 1]
        return lambda xs: np.einsum(f"{letters},{letters}->t", *xs)
    if function is np.vecdot and ranks[0] == ranks[1] and set(step.params) <= {"axis"}:
        axis = int(step.params.get("axis", -1))
        summed = axis if axis < 0 else axis - ranks[0]
        dot: Any = np.vecdot
        return lambda xs: dot(*xs) if summed == -1 else dot(*xs, axis=summed)
    if function is get_item and len(ranks) == 1:
        parts = step.params["index"].parts
        if any(p is HOLE or mentions_sizes(p) for p in parts):
            return None
        return lambda xs: xs[0][(slice(None), *parts)]
    if function is add_item and turned[0]:
        return _added(step, ranks, turned)
    if function is np.transpose and not step.params and rank > 1:
        return lambda xs: np.transpose(xs[0], (0, *range(rank, 0, -1)))
    if function is np.expand_dims and type(step.params.get("axis")) is int:
        inserted = step.params["axis"] % rank + 1
        return lambda xs: np.expand_dims(xs[0], inserted)
    return None


def _spread(x: Any, missing: int) -> Any:
    """A stack with further axes behind that of the turns, as NumPy puts them in front of what one turn holds."""
    return x[(slice(None),) + (None,) * missing] if missing else x


def _reduced(step: Step, rank: int) -> Make | None:
    function: Any = step.operation.function
    axis, keep = step.params.get("axis"), step.params.get("keepdims", False)
    if mentions_sizes(axis):
        return None
    moved = tuple(a + 1 for a in normalise_axes(axis, rank))
    if not moved:
        return None
    params = {"axis": moved if len(moved) > 1 else moved[0], **({"keepdims": True} if keep else {})}
    return lambda xs: function(xs[0], **params)


def _added(step: Step, ranks: Sequence[int], turned: Sequence[bool]) -> Make | None:
    """What is added at an index of each row, as ``dys[np.arange(len(dys)), targets] -= 1``."""
    index: Index = step.params["index"]
    whole = [x for x in step.inputs[2:] if isinstance(x, Var) and x.dtype.kind in "iu"]
    if index.basic:
        if any(p is Ellipsis or mentions_sizes(p) for p in index.parts):
            return None
        places = Index((slice(None), *index.parts), False)
        rank = len(np.empty(step.outputs[0].shape)[index.parts].shape)
    else:
        if any(p is not HOLE and type(p) is not int for p in index.parts) or len(whole) < len(step.inputs[2:]):
            return None
        places = Index((HOLE, *index.parts), False)
        most = max(ranks[2:])
        rank = most + ranks[0] - len(index.parts)

    def make(xs: list[Any]) -> Any:
        x, value, *arrays = xs
        if arrays:
            parts = zip(arrays, ranks[2:], turned[2:], strict=True)
            arrays = [_spread(a, most - own) if t else a for a, own, t in parts]
            arrays = [_spread(create(np.arange, (x.shape[0],), {}, x.tape), most), *arrays]
        value = _spread(value, rank - ranks[1]) if turned[1] else value
        return record(OPERATIONS[add_item], (x, value, *arrays), {"index": places})

    return make


def _multiplied(ranks: Sequence[int], turned: Sequence[bool]) -> Make | None:
    if ranks[1] == 2 and turned == [True, False] and ranks[0] in (1, 2):
        return lambda xs: xs[0] @ xs[1]
    if list(ranks) == [2, 1] and turned == [False, True]:
        return lambda xs: xs[1] @ xs[0].T
    if list(ranks) == [2, 2] or (sorted(ranks) == [1, 2] and turned == [rank == 2 for rank in ranks]):
        return lambda xs: xs[0] @ xs[1]
    if sorted(ranks) == [1, 2] and turned == [True, True]:
        subscripts = "ti,tij->tj" if ranks[0] == 1 else "tij,tj->ti"
        return lambda xs: np.einsum(subscripts, *xs)
    if list(ranks) == [1, 1]:
        dot: Any = np.vecdot
        return (lambda xs: dot(*xs)) if turned == [True, True] else lambda xs: xs[turned[1]] @ xs[turned[0]]
    return None


def _contracted(step: Step, ranks: Sequence[int], turned: Sequence[bool]) -> Make | None:
    """``np.tensordot`` or ``np.einsum`` of two operands, with the turns as a further axis in front."""
    if step.operation.function is np.einsum:
        subscripts = step.params.get("subscripts", "")
        left, _, result = subscripts.partition("->")
        letter = next((x for x in "tuvwxyz" if x not in subscripts), None)
        if letter is None or "." in subscripts or set(step.params) != {"subscripts"} or "->" not in subscripts:
            return None
        terms = [letter * t + term for t, term in zip(turned, left.split(","), strict=True)]
        return lambda xs: np.einsum(f"{','.join(terms)}->{letter}{result}", *xs)
    axes = step.params.get("axes", 2)
    if mentions_sizes(axes) or not isinstance(axes, int | tuple) or turned == [True, True]:
        return None
    sides = (range(-axes, 0), range(axes)) if isinstance(axes, int) else axes
    if any(type(a) is not list and type(a) is not range for a in sides):
        return None
    first, second = ([int(a) % rank for a in side] for side, rank in zip(sides, ranks, strict=True))
    if turned[0]:
        return lambda xs: np.tensordot(xs[0], xs[1], axes=([a + 1 for a in first], second))
    if len(first) < ranks[0] and len(second) < ranks[1]:
        return None  # the axes would come in another order
    return lambda xs: np.tensordot(xs[1], xs[0], axes=([a + 1 for a in second], first))


def hoisted(
    lifts: Lifts,
    wanted: Sequence[int],
    turns: int,
    inside: Callable[[Collection[int]], int],
    stacked: Callable[[int], int],
) -> dict[int, Lift]:
    """The variables of a body that are cheaper computed for all turns at once, before they run.

    Args:
        lifts: how variables are computed so.
        wanted: the variables that may be.
        turns: how many turns there are.
        inside: how many array operations a turn executes where these variables are at hand.
        stacked: how many it takes to have a variable of the body in all turns.
    """
    found = {v: lift for v in wanted if (lift := lifts.of(v)) is not None and lift.steps}

    def cost(chosen: Collection[int]) -> int:
        steps = {id(s): s for v in chosen for s in found[v].steps}
        needed = frozenset().union(*(found[v].needed for v in chosen))
        return turns * inside(chosen) + sum(map(operations_of, steps.values())) + sum(map(stacked, needed))

    best: list[int] = []
    least = cost(best)
    for chosen in ([], list(found)):
        lower, before = cost(chosen), -1
        while lower != before:
            before = lower
            for v in found:
                other = [w for w in found if (w in chosen) is not (w == v)]
                if cost(other) < lower:
                    chosen, lower = other, cost(other)
        if lower < least:
            best, least = chosen, lower
    return {v: found[v] for v in best}
