"""What is added at slices of an array: joined where the slices tile it, added once where they are the same."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from chainrule.indexing import Index, get_item, set_item
from chainrule.ir import Const, Step, Var
from chainrule.ops import OPERATIONS
from chainrule.simplify.functions import ScatterAt, scatter
from chainrule.simplify.guards import before_clearing
from chainrule.simplify.literals import frozen_params
from chainrule.simplify.making import Making
from chainrule.simplify.normal_form import Table
from chainrule.simplify.read import Reader
from chainrule.simplify.scalars import UNIT, Coefficient, Dim, Lengths, times
from chainrule.simplify.values import Recipe, Ref, Value, function_of
from chainrule.sizes import is_size

__all__ = ["cleared_already", "slice_options"]

_WHOLE = (None, None, None)
_START = Coefficient(Fraction(0))


def slice_options(options: Making, value: Value) -> None:
    """Further ways of computing a sum with terms that were added at an index."""
    table: Table = options.table
    added = [(k, c, v, table.scatters[v]) for k, (c, v) in enumerate(value.parts) if v in table.scatters]
    _put_back(options, value, added)
    found: list[Recipe] = []
    for k, c, v, at in added:
        found += _onto(options, value, k, (c, v), at)
    if len(added) > 1:
        found += _at_the_same_place(options, value, added)
        if len(added) == len(value.parts):
            found += _tiled(options.reader, value, added)
            _interleaved(options, value, added)
    for recipe in found:
        options.recipe(value, recipe.kind, recipe.coefficient, recipe.parts, recipe.details, recipe.identity)


def cleared_already(options: Making, value: Value) -> None:
    """An array that is zero in a part already, where that part is set to zero."""
    before = before_clearing(value)
    if before is None or before[1].kind == "one":
        return
    place = _place_in(options, value)
    if before_clearing(before[1]) is not None:
        if _place_in(options, before[1]) == place:
            options.same(value, before, "part set to zero already")
    elif all(any(_vanishes(options, f, place) for f, p in v.factors if p > 0) for _, v in before[1].terms):
        options.same(value, before, "part where an exponential vanishes")


def _place_in(options: Making, value: Value) -> tuple[Any, Any]:
    """Where something is written into an array."""
    return frozen_params(value.details[1], options.reader.lengths), value.parts[2:]


def _vanishes(options: Making, value: Value, place: Any) -> bool:
    """Whether an exponential is zero at a place, where its argument was set to minus infinity."""
    if function_of(value) is not np.exp or type(value.parts[0]) is not tuple:
        return False
    coefficient, exponent = value.parts[0]
    for c, v in exponent.definition or exponent.terms:
        number = times(coefficient, c)
        written = v.parts[1] if function_of(v) is set_item else None
        if isinstance(written, Const) and written.number < 0 and not number.atoms and _place_in(options, v) == place:
            return bool(written.value == (-np.inf if number.number > 0 else np.inf))
    return False


def _put_back(options: Making, value: Value, added: Sequence[Any]) -> None:
    """Of an array a part of which was set to zero, the whole, where that part is added at its place again."""
    for k, (c, v) in enumerate(value.parts) if added else ():
        before = before_clearing(v)
        if before is None:
            continue
        scale, whole = before
        place = frozen_params(v.details[1], options.reader.lengths)
        for n, d, w, at in added:
            part: Value = w.parts[1][1]
            if (
                at.params != place
                or at.arrays != v.parts[2:]
                or not _named_once(at)
                or function_of(part) is not get_item
            ):
                continue
            read = frozen_params(part.details[1], options.reader.lengths)
            if read != place or part.parts[0] != (UNIT, whole) or part.parts[1:] != at.arrays or times(c, scale) != d:
                continue
            rest = [t for j, t in enumerate(value.parts) if j not in (k, n)]
            total = options.making(value, lambda r=rest, t=(d, whole): options.table.add((*r, t)))
            options.same(value, total, "part put back")


def _named_once(at: ScatterAt) -> bool:
    """Whether an index names no element twice: slices do not, nor masks, nor pairs of which one counts."""
    arrays = [v for _, v in at.arrays]
    if at.step.params["index"].basic or (len(arrays) == 1 and arrays[0].mask):
        return True
    counts = [v.kind == "op" and getattr(v.details[0], "name", "") == "arange" for v in arrays]
    return any(counts) and all(len(v.dims) <= 1 for v in arrays)


def _onto(options: Making, value: Value, k: int, term: Ref, at: ScatterAt) -> list[Recipe]:
    """What is added at an index is added onto the other terms, not to zeros first."""
    c, v = term
    rest = [t for n, t in enumerate(value.parts) if n != k]
    scale, base = options.making(value, lambda: options.table.add(rest))
    if base is options.table.one or base.shape != value.shape:
        return []
    amount = v.parts[1]
    parts = ((scale, base), (times(c, amount[0]), amount[1]), *at.arrays)
    return [Recipe("scatter", UNIT, parts, at.step, "added in place")]


def _at_the_same_place(options: Making, value: Value, added: Sequence[Any]) -> list[Recipe]:
    """What is added at the same index several times is added up first."""
    groups: dict[Any, list[Any]] = {}
    for entry in added:
        groups.setdefault(entry[3].index_key(), []).append(entry)
    found: list[Recipe] = []
    for group in groups.values():
        at = group[0][3]
        amounts = [(times(c, v.parts[1][0]), v.parts[1][1]) for _, c, v, _ in group]
        if len(group) < 2 or len({v.shape for _, v in amounts}) > 1:
            continue
        total = options.making(value, partial(_added, options.table, amounts, at))
        if not total[0].number:
            continue
        used = {k for k, *_ in group}
        rest = [t for k, t in enumerate(value.parts) if k not in used]
        if rest:
            found.append(Recipe("sum", UNIT, (*rest, total), None, "added at the same place"))
        elif total[1] is not value:
            found.append(Recipe("prod", total[0], ((total[1], 1),), None, "added at the same place"))
    return found


def _added(table: Table, amounts: Sequence[Ref], at: ScatterAt) -> Ref:
    return scatter(table, table.add(amounts), at)


def _tiled(reader: Reader, value: Value, added: Sequence[Any]) -> list[Recipe]:
    """Parts that were added at slices that follow one another, from the first element to the last, are joined."""
    dims = value.dims
    pieces: dict[Coefficient, tuple[Coefficient | None, Ref]] = {}
    axis: int | None = None
    for _, c, v, at in added:
        where = _place(at.step.params["index"], dims, reader.lengths)
        amount = v.parts[1]
        if where is None or at.arrays or (axis is not None and where[0] != axis) or where[1] in pieces:
            return []
        axis = where[0]
        shape = [d.length for d in dims]
        shape[axis] = len(range(shape[axis])[_plain(at.step.params["index"], axis, len(dims))])
        if amount[1].shape != tuple(shape) or not amount[1].floating:
            return []
        pieces[where[1]] = (where[2], (times(c, amount[0]), amount[1]))
    start: Coefficient | None = _START
    parts: list[Ref] = []
    while start is not None:
        if start not in pieces:
            return []
        start, part = pieces.pop(start)
        parts.append(part)
    return [] if pieces else [Recipe("joined", UNIT, tuple(parts), axis, "slices that tile an array")]


def _interleaved(options: Making, value: Value, added: Sequence[Any]) -> None:
    """What is added at ``[::2]`` and the same at ``[1::2]`` is each of its elements twice, also along several axes."""
    _, c, v, _ = added[0]
    table, rank = options.table, len(value.dims)
    amount: Ref = v.parts[1]
    if any((d, w.parts[1]) != (c, amount) or other.arrays for _, d, w, other in added) or not amount[1].floating:
        return
    starts: set[tuple[int, ...]] = set()
    steps: dict[int, int] = {}
    for *_, other in added:
        parts = _parts(other.step.params["index"], rank)
        cut = [k for k, p in enumerate(parts or ()) if (p.start, p.stop, p.step) != _WHOLE]
        if parts is None or not cut or any(parts[k].stop is not None or type(parts[k].step) is not int for k in cut):
            return
        if steps not in ({}, own := {k: parts[k].step for k in cut}) or any(is_size(parts[k].start) for k in cut):
            return
        steps = own
        starts.add(tuple(parts[k].start or 0 for k in cut))
    if starts != set(product(*map(range, steps.values()))) or len(starts) != len(added):
        return
    if any(d.length * steps.get(k, 1) != value.dims[k].length for k, d in enumerate(amount[1].dims)):
        return

    def make() -> Ref:
        lengths = options.reader.lengths
        mapping = [a for k in range(rank) for a in ([k, None] if k in steps else [k])]
        d, inner = table.view(amount, mapping, rank)
        dims = tuple(Dim(-steps[mapping[n - 1] or 0], steps[mapping[n - 1] or 0]) if a is None else amount[1].dims[a]
                     for n, a in enumerate(mapping))  # fmt: skip
        shape = tuple(x.length if x.number < 0 else 1 if x.one else lengths.number(x.count(), True) for x in dims)
        whole = tuple(1 if x.one else lengths.number(x.count(), True) for x in value.dims)
        for function, text, out in ((np.broadcast_to, shape, dims), (np.reshape, whole, value.dims)):
            row = OPERATIONS[function]
            made = Var(tuple(x.length for x in out), options.reader.dtype, None, 0)
            step = Step(row, (), {"shape": text}, (made,), None)
            key = (id(row), "interleaved", tuple(x.number for x in out), inner.number)
            inner = table.make("op", key, (row, step, 0, (0,)), ((UNIT, inner),), out)
        return times(c, d), inner

    options.same(value, options.making(value, make), "slices that interleave an array")


def _parts(index: Index, rank: int) -> list[Any] | None:
    """The slices of an index, one per axis."""
    parts = index.spelled_out(rank)
    return parts if len(parts) == rank and all(type(p) is slice for p in parts) else None


def _plain(index: Index, axis: int, rank: int) -> slice:
    parts = _parts(index, rank)
    assert parts is not None
    return slice(*(None if e is None else int(e) for e in (parts[axis].start, parts[axis].stop)))


def _place(index: Index, dims: Sequence[Any], lengths: Lengths) -> tuple[int, Coefficient, Coefficient | None] | None:
    """The one axis of which a part is taken, where that begins, and where it ends unless at the end."""
    parts = _parts(index, len(dims))
    if parts is None:
        return None
    cut = [k for k, p in enumerate(parts) if (p.start, p.stop, p.step) != _WHOLE]
    if len(cut) != 1 or parts[cut[0]].step is not None:
        return None
    (axis,) = cut
    start, stop = parts[axis].start, parts[axis].stop
    first = _START if start is None else lengths.coefficient(start)
    last = None if stop is None else lengths.coefficient(stop)
    if first is None or (stop is not None and last is None):
        return None
    return axis, first, None if last == dims[axis].count() else last
