"""What is to be written as statements, and what a step is to someone who writes it down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chainrule.dispatch import VIEWS
from chainrule.indexing import Index, add_item, get_item, set_item
from chainrule.ir import Const, Program, Step, Var
from chainrule.lengths import Symbols
from chainrule.loops import loop_in
from chainrule.sizes import counter_in, is_size

__all__ = ["Request", "apart", "is_element", "is_view", "is_write", "kept_starts", "sizes_in", "sizes_of"]

_SPLITS = frozenset("split array_split hsplit vsplit dsplit unstack broadcast_arrays".split())


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What is to be written.

    Attributes:
        program: the steps.
        symbols: which axes are equally long.
        forward_steps: how many of them are the user's.
        roots: the values that must be there at the end.
        given: variables that exist under a name and need not be computed.
        links: for forward variables their cotangents.
        wanted: names for variables that the user left unnamed.
        prefix: what stands in front of a variable's name in the name of its gradient.
        taken: names that must not be used for anything else.
        fixed: given names that must keep their value.
        fold_roots: whether a root may be written where it is returned.
        kept: whether forward values stay as they are, because the backward pass may run more than once.
        late: whether forward values are computed where they are first used, and not in front.
        forced: variables that must have a statement of their own.
        owned: given arrays that may be written into.
        handed: given variables that something else takes the place and the name of, though given names are fixed.
        alike: given variables with another variable each that has the same shape, whatever the sizes.
        renamed: what stands in the place of a name, because that is taken.
        counts: for the counters of loops, what they count up from.
        checked: whether loops are there for what values decide in their turns, too.
    """

    program: Program
    symbols: Symbols
    forward_steps: int
    roots: tuple[Var | Const, ...]
    given: Mapping[int, str]
    links: Mapping[int, Any] = field(default_factory=dict)
    wanted: Mapping[int, str] = field(default_factory=dict)
    prefix: str = "d"
    taken: tuple[str, ...] = ()
    fixed: bool = False
    fold_roots: bool = False
    kept: bool = False
    late: bool = False
    forced: frozenset[int] = frozenset()
    owned: frozenset[int] = frozenset()
    handed: frozenset[int] = frozenset()
    alike: Mapping[int, int] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[int, int] = field(default_factory=dict)
    checked: bool = False


def sizes_in(x: Any) -> Iterable[tuple[int, int | None]]:
    """The axes and sizes that a static argument mentions."""
    if is_size(x):
        head, *operands = x.expression
        if head == "length":
            yield operands[0], operands[1]
        elif head == "size":
            yield operands[0], None
        elif head not in ("number", "name", "turn", "value"):
            for e in operands:
                yield from sizes_in(e)
    elif isinstance(x, tuple | list):
        for e in x:
            yield from sizes_in(e)
    elif isinstance(x, slice):
        yield from sizes_in((x.start, x.stop, x.step))
    elif isinstance(x, Index):
        yield from sizes_in(x.parts)


def sizes_of(step: Step) -> list[tuple[int, int | None]]:
    """The axes ``(variable, axis)`` and sizes ``(variable, None)`` that a step mentions."""
    found = [s for x in step.inputs if isinstance(x, Const) and x.number < 0 for s in sizes_in(x.value)]
    loop = loop_in(step)
    if loop is not None:
        found += sizes_in(loop.header.counted)
        found += sizes_in(loop.header.count)
    return found + [s for value in step.params.values() for s in sizes_in(value)]


def kept_starts(step: Step) -> list[int]:
    """What a loop begins with and keeps in a list with what turns leave."""
    loop = loop_in(step)
    if loop is None:
        return []
    kept = {out.variable for out in loop.outs if type(out.variable) is int}
    kept |= {out.variable.variable for out in loop.outs if out.kind in ("trail", "whole")}
    starts = [step.inputs[slot.place] for slot in loop.slots if slot.kind == "carried" and slot.variable in kept]
    return [x.number for x in starts if isinstance(x, Var)]


def is_view(step: Step) -> bool:
    """Whether NumPy gives the result as a view of the first operand, or may do so."""
    if step.operation.function is get_item:
        index: Index = step.params["index"]
        return index.basic and not is_element(step)
    name = step.operation.name
    return name in VIEWS or name in _SPLITS or name == "identity"


def is_element(step: Step) -> bool:
    """Whether a step reads one element, which is a number and no view."""
    if step.operation.function is not get_item or step.outputs[0].shape:
        return False
    index: Index = step.params["index"]
    return Ellipsis not in index.parts


def apart(a: Index, b: Index, counts: Mapping[int, int]) -> bool:
    """Whether two indices surely pick no element in common: at some axis, different positions."""
    for p, q in zip(a.parts, b.parts, strict=False):
        if is_size(p) and is_size(q):
            (u, m), (v, n) = counter_in(p), counter_in(q)
            # Neither counts from the end of the array.
            if u is not None and u == v and m != n and u in counts and counts[u] + min(m, n) >= 0:
                return True
        if type(p) is int and type(q) is int:
            if p != q and (p < 0) is (q < 0):
                return True
        elif not all(type(x) in (int, slice) or is_size(x) for x in (p, q)):
            return False
    return False


def is_write(step: Step) -> bool:
    """Whether a step writes into an array: its result is a further version of its first operand."""
    return step.operation.function is set_item or step.operation.function is add_item
