"""New axes are inserted late, in what is computed: ``(a * b)[:, None]`` and not ``a[:, None] * b[:, None]``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.indexing import Index, get_item
from chainrule.ir import Step, Var, shape_of
from chainrule.ops import OPERATIONS
from chainrule.simplify.algebra import index_mapping, view_mapping
from chainrule.simplify.repeats import without_repeats

__all__ = ["with_late_views"]

Mapping = tuple[int | None, ...]


def with_late_views(backward: Backward) -> Backward:
    """The same record, with elementwise operations on arrays that were given the same new axes done before that.

    Views that undo one another are left out as well.
    """
    program = backward.program
    numbers = count(max(program.by_number(), default=0) + 1)
    views: dict[int, tuple[Var, Mapping]] = {}  # by number, the array that is seen, and how
    same: dict[int, Var] = {}
    steps: list[Step] = []
    changed = False
    for k, step in enumerate(program.steps):
        before = k < backward.forward_steps
        if not before:
            inputs = tuple(same.get(x.number, x) if isinstance(x, Var) else x for x in step.inputs)
            step = replace(step, inputs=inputs)
        mapping = _mapping(step) or _of_vector(step, views)
        if mapping is not None:
            (x, *_), (out,) = step.inputs, step.outputs
            assert isinstance(x, Var)
            base, inner = views.get(x.number, (x, tuple(range(len(x.shape)))))
            seen = tuple(None if a is None else inner[a] for a in mapping)
            if len(seen) == len(base.shape):  # what was dropped is of length 1, and here again
                seen = tuple(k if a is None and k not in seen else a for k, a in enumerate(seen))
            if not before and seen == tuple(range(len(base.shape))) and base.dtype == out.dtype:
                same[out.number] = base
                changed = True
                continue
            if not (before and out.name is not None):  # the user's own name for a view is a value of its own
                views[out.number] = (base, seen)
        elif not before:
            made = list(_pulled_out(step, views, numbers))
            changed |= len(made) > 1
            steps += made
            continue
        steps.append(step)
    if not changed:
        return backward
    gradients = tuple(same.get(x.number, x) if isinstance(x, Var) else x for x in backward.gradients)
    outputs = tuple(same.get(x.number, x) for x in program.outputs)
    links = {v: _moved(g, same) for v, g in backward.links.items()}
    contributions = {
        v: tuple((number, _moved(g, same)) for number, g in shares) for v, shares in backward.contributions.items()
    }
    whole = replace(program, steps=tuple(steps), outputs=outputs)
    moved = replace(backward, program=whole, gradients=gradients, links=links, contributions=contributions)
    return without_repeats(moved)


def _moved(g: Any, same: dict[int, Var]) -> Any:
    return same[g].number if type(g) is int and g in same else g


def _mapping(step: Step) -> Mapping | None:
    """The axes of a view that inserts axes, drops such of length 1 or permutes them; ``None`` for any other step."""
    if len(step.inputs) != 1 or not isinstance(step.inputs[0], Var) or not step.inputs[0].shape:
        return None
    rank = len(step.inputs[0].shape)
    read = step.operation.function is get_item
    found = index_mapping(step.params["index"], [False] * rank) if read else view_mapping(step, rank)
    return None if found is None else tuple(found)


def _of_vector(step: Step, views: dict[int, tuple[Var, Mapping]]) -> Mapping | None:
    """The axes of a vector that is reshaped, with new axes or without those that it was given; else ``None``."""
    x = step.inputs[0] if step.inputs else None
    if step.operation.function is not np.reshape or not isinstance(x, Var):
        return None
    (out,) = step.outputs
    base, mapping = views.get(x.number, (x, tuple(range(len(x.shape)))))
    if len(base.shape) != 1 or 0 not in mapping:
        return None
    shape = step.params.get("shape")
    lengths = shape if isinstance(shape, tuple) else (shape,)
    long = [k for k, n in enumerate(lengths) if type(n) is not int or n != 1]
    if len(lengths) != len(out.shape) or len(long) != 1:
        return None
    return tuple(mapping.index(0) if k in long else None for k in range(len(lengths)))


def _pulled_out(step: Step, views: dict[int, tuple[Var, Mapping]], numbers: Iterator[int]) -> Iterator[Step]:
    """An elementwise step on views that all have a new axis as one without it, and a view of that."""
    arrays = [x for x in step.inputs if shape_of(x)]
    seen = {x.number: views[x.number] for x in arrays if isinstance(x, Var) and x.number in views}
    rank = len(step.outputs[0].shape)
    function = step.operation.function
    # Products of matrices are ufuncs too.  A minus sign stays outside, where what is done with the view takes it up.
    plain = isinstance(function, np.ufunc) and function.signature is None and function is not np.negative
    plain = plain and not step.params and len(step.outputs) == 1
    if not plain or not arrays or any(x.number not in seen or len(seen[x.number][1]) != rank for x in arrays):
        yield step
        return
    new = [k for k in range(rank) if all(mapping[k] is None for _, mapping in seen.values())]
    order = next(iter(seen.values()))[1]
    if all(order == mapping for _, mapping in seen.values()) and {*order} == {*range(rank)}:
        yield from _turned(step, {n: base for n, (base, _) in seen.items()}, order, views, numbers)
        return
    if not new:
        yield step
        return
    inner: dict[int, Var] = {}
    for number, (base, mapping) in seen.items():
        kept = tuple(a for k, a in enumerate(mapping) if k not in new)
        if kept == tuple(range(len(base.shape))):
            inner[number] = base
            continue
        index = _index_of(kept)
        if index is None or len([a for a in kept if a is not None]) < len(base.shape):
            yield step
            return
        shape = tuple(1 if a is None else base.shape[a] for a in kept)
        inner[number] = Var(shape, base.dtype, None, next(numbers))
        yield Step(OPERATIONS[get_item], (base,), {"index": index}, (inner[number],), step.position)
    (out,) = step.outputs
    shape = tuple(n for k, n in enumerate(out.shape) if k not in new)
    found = Var(shape, out.dtype, None, next(numbers))
    yield Step(step.operation, tuple(inner.get(x.number, x) for x in step.inputs), {}, (found,), step.position)
    left = iter(range(len(shape)))
    mapping = tuple(None if k in new else next(left) for k in range(rank))
    views[out.number] = (found, mapping)
    index = _index_of(mapping)
    assert index is not None
    yield Step(OPERATIONS[get_item], (found,), {"index": index}, (out,), step.position)


def _turned(
    step: Step, bases: dict[int, Var], order: Mapping, views: dict[int, tuple[Var, Mapping]], numbers: Iterator[int]
) -> Iterator[Step]:
    """An elementwise step on arrays with their axes in another order as one on the arrays, and that order of it."""
    (out,) = step.outputs
    shape = tuple(out.shape[order.index(k)] for k in range(len(order)))
    found = Var(shape, out.dtype, None, next(numbers))
    yield Step(step.operation, tuple(bases.get(x.number, x) for x in step.inputs), {}, (found,), step.position)
    views[out.number] = (found, order)
    params = {} if order == tuple(reversed(range(len(order)))) else {"axes": order}
    yield Step(OPERATIONS[np.transpose], (found,), params, (out,), step.position)


def _index_of(mapping: Mapping) -> Index | None:
    """The index that inserts axes; ``None`` where axes are exchanged."""
    axes = [a for a in mapping if a is not None]
    return Index(tuple(None if a is None else slice(None) for a in mapping), False) if axes == sorted(axes) else None
