"""How the steps with algebra are read: products, sums, powers, sums along axes, views and matrix products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.calls import identity
from chainrule.indexing import Index, add_item, get_item
from chainrule.ir import Const, Step, Var
from chainrule.rules.helpers import normalise_axes
from chainrule.simplify.cholesky import half_of_symmetric, is_half_triangle, through_factor
from chainrule.simplify.linear_algebra import operation
from chainrule.simplify.properties import is_only_hit
from chainrule.simplify.read import Reader
from chainrule.simplify.scalars import UNIT, ZERO, Coefficient, power_of, times
from chainrule.simplify.scatters import on_diagonal, scattered, starts_from_zero
from chainrule.simplify.values import Ref
from chainrule.sizes import is_size
from chainrule.writing import cast

__all__ = ["ALGEBRA", "index_mapping", "view_mapping"]


def _read_multiply(reader: Reader, step: Step) -> Ref | None:
    halved = None if reader.table.forward else half_of_symmetric(reader, step)
    if halved is not None:
        return halved
    a, b = (reader.operand(x) for x in step.inputs)
    if any(reader.is_proved_zero(x) for x in step.inputs):
        return ZERO, reader.table.one
    if a is None or b is None or not a[0].number or not b[0].number:
        return None
    first, second = step.inputs
    return reader.table.multiply(reader.powers.multiplied(second, a), reader.powers.multiplied(first, b))


def _read_divide(reader: Reader, step: Step) -> Ref | None:
    a, b = (reader.operand(x) for x in step.inputs)
    below = None if b is None else reader.table.power(b, -1)
    if reader.is_proved_zero(step.inputs[0]):
        return ZERO, reader.table.one
    if a is None or below is None or not a[0].number:
        return None
    return reader.table.multiply(a, below)


def _read_add(reader: Reader, step: Step) -> Ref | None:
    factored = through_factor(reader, step)
    if factored is not None:
        return factored
    a, b = (reader.operand(x) for x in step.inputs)
    return None if a is None or b is None else reader.table.add((a, b))


def _read_subtract(reader: Reader, step: Step) -> Ref | None:
    if is_half_triangle(reader, step.outputs[0]) and not reader.table.forward:
        return reader.opaque_weights(step)
    a, b = (reader.operand(x) for x in step.inputs)
    if a is None or b is None:
        return None
    return reader.table.add((a, (times(Coefficient(Fraction(-1)), b[0]), b[1])))


def _read_negative(reader: Reader, step: Step) -> Ref | None:
    a = reader.operand(step.inputs[0])
    return None if a is None else (times(Coefficient(Fraction(-1)), a[0]), a[1])


def _read_same(reader: Reader, step: Step) -> Ref | None:
    return reader.operand(step.inputs[0]) if reader.variables[step.inputs[0].number].dtype == reader.dtype else None


def _read_cast(reader: Reader, step: Step) -> Ref | None:
    return _read_same(reader, step) if isinstance(step.inputs[0], Var) else None


def _read_power(reader: Reader, step: Step) -> Ref | None:
    base, exponent = step.inputs
    a = reader.operand(base)
    if a is None:
        return None
    p = exponent.value if isinstance(exponent, Const) and exponent.number < 0 else None
    if type(p) in (int, float) and p and p == int(p) and abs(p) <= 8:
        return reader.table.power(a, int(p))
    return reader.powers.power(reader.table, a, exponent)


def _read_exponential(reader: Reader, step: Step) -> Ref | None:
    a = reader.operand(step.inputs[0])
    if a is None:
        return None
    found = reader.powers.exponential(reader.table, a)
    if found is not None:
        return found
    whole = reader.opaque(step, 0)
    related = None if reader.table.forward else reader.exponents.related(reader.table, a, whole)
    if related is None:
        reader.exponents.note(reader.table, a, whole)
    return related or whole


def _read_fixed_power(p: int) -> Callable[[Reader, Step], Ref | None]:
    def read(reader: Reader, step: Step) -> Ref | None:
        a = reader.operand(step.inputs[0])
        return None if a is None else reader.table.power(a, p)

    return read


def _read_sum(reader: Reader, step: Step) -> Ref | None:
    x = step.inputs[0]
    if isinstance(x, Var) and "dtype" in step.params and is_only_hit(reader.table, reader.refs[x.number][1]):
        return UNIT, reader.table.one
    if len(step.inputs) != 1 or not set(step.params) <= {"axis", "keepdims"} or not isinstance(x, Var):
        return None
    ref = reader.operand(x)
    if ref is None or reader.variables[x.number].dtype != reader.dtype:
        return None
    whole = reader.whole(x)
    rank = len(whole)
    axes = normalise_axes(step.params.get("axis"), rank)
    coefficient, value = reader.table.reduce(ref, [a - rank for a in axes], whole)
    if step.operation.function is np.mean:
        for a in axes:
            below = power_of(whole[a].count(), -1)
            assert below is not None
            coefficient = times(coefficient, below)
    if step.params.get("keepdims"):
        return coefficient, value
    return reader.table.view((coefficient, value), [k for k in range(rank) if k not in axes], rank)


def view_mapping(step: Step, rank: int) -> list[int | None] | None:
    """The axes that a step permutes, inserts or drops; ``None`` where it is no such step."""
    function, params = step.operation.function, step.params
    if any(is_size(e) for p in params.values() for e in (p if isinstance(p, tuple) else (p,))):
        return None
    if function is np.transpose:
        axes = params.get("axes")
        return list(reversed(range(rank))) if axes is None else [int(a) % rank for a in axes]
    if function is np.swapaxes and set(params) == {"axis1", "axis2"}:
        mapping: list[int | None] = list(range(rank))
        a, b = params["axis1"], params["axis2"]
        mapping[a], mapping[b] = mapping[b], mapping[a]
        return mapping
    if function is np.moveaxis:
        source, destination = (normalise_axes(params[k], rank) for k in ("source", "destination"))
        placed = dict(zip(destination, source, strict=True))
        others = iter(k for k in range(rank) if k not in source)
        return [placed[k] if k in placed else next(others) for k in range(rank)]
    if function is np.squeeze:
        dropped = normalise_axes(params["axis"], rank) if params.get("axis") is not None else ()
        return [k for k in range(rank) if k not in dropped] if dropped else None
    if function is np.expand_dims:
        axis = params.get("axis")
        axes = axis if isinstance(axis, tuple) else (axis,)
        inserted = {a % (rank + len(axes)) for a in axes}
        rest = iter(range(rank))
        return [None if k in inserted else next(rest) for k in range(rank + len(axes))]
    return None


def index_mapping(index: Index, ones: Sequence[bool]) -> list[int | None] | None:
    """The axes that an index inserts or drops; ``None`` where it takes a part of an array.

    Args:
        index: the index.
        ones: for each axis, whether it is of length 1, so that an element is all of it.
    """
    if not index.basic:
        return None
    mapping: list[int | None] = []
    axis = 0
    for part in index.spelled_out(len(ones)):
        if part is None:
            mapping.append(None)
        elif type(part) is slice:
            if (part.start, part.stop, part.step) != (None, None, None):
                return None
            mapping.append(axis)
            axis += 1
        else:
            if not ones[axis] or is_size(part):
                return None
            axis += 1
    return mapping


def _indexed(step: Step, dims: Sequence[Any]) -> list[int | None] | None:
    return index_mapping(step.params["index"], [d.one for d in dims])


def _read_view(reader: Reader, step: Step) -> Ref | None:
    x = step.inputs[0]
    if (isinstance(x, Const) and x.number < 0) or len(step.inputs) != 1:
        return None
    ref = reader.operand(x)
    dims = reader.whole(x)
    if step.operation.function is np.reshape:
        mapping = _reshaped(dims, reader.lengths.dims(step.outputs[0].number))
    else:
        mapping = _indexed(step, dims) if step.operation.function is get_item else view_mapping(step, len(dims))
    return None if ref is None or mapping is None else reader.table.view(ref, mapping, len(dims))


def _reshaped(before: Sequence[Any], after: Sequence[Any]) -> list[int | None] | None:
    """The axes of what is reshaped, where that inserts or drops axes of length 1: ``x.reshape(-1, 1)``."""
    kept = [k for k, d in enumerate(before) if not d.one]
    if not kept or [before[k] for k in kept] != [d for d in after if not d.one]:
        return None
    axes = iter(kept)
    return [None if d.one else next(axes) for d in after]


def _read_added(reader: Reader, step: Step) -> Ref | None:
    """``x[:, None]`` and ``x[:, 0]`` of a kept axis are views of all of ``x``: what is added there is added to it."""
    base, amount, *arrays = step.inputs
    if not isinstance(base, Var):
        return None
    dims = reader.whole(base)
    mapping = None if arrays else _indexed(step, dims)
    if mapping is None:
        return scattered(reader, step)
    a, b = reader.refs[base.number], reader.operand(amount)
    if b is None:
        return None
    rank = len(mapping)
    inverse = [mapping.index(k) if k in mapping else None for k in range(len(dims))]
    moved = reader.table.view(b, inverse, rank)
    return moved if starts_from_zero(a) else reader.table.add((a, moved))


def _read_diagonal(reader: Reader, step: Step) -> Ref | None:
    x = step.inputs[0]
    return on_diagonal(reader, step) if isinstance(x, Var) and len(x.shape) == 1 else None


def _read_broadcast(reader: Reader, step: Step) -> Ref | None:
    return reader.operand(step.inputs[0])


def _read_matmul(reader: Reader, step: Step) -> Ref | None:
    a, b = (reader.fitted(x) for x in step.inputs)
    if a is None or b is None or step.params or not a[1].dims or not b[1].dims:
        return None
    if step.operation.function is np.dot and (len(a[1].dims) > 2 or len(b[1].dims) > 2):
        return None
    for k, other in ((0, b), (1, a)):
        unit = reader.operand(step.inputs[k])
        if unit is not None and reader.is_unit_matrix(unit[1]) and len(other[1].dims) <= 2:
            return times(unit[0], other[0]), other[1]
    if not (a[1].floating and b[1].floating):
        return None
    for k, (x, other) in enumerate(((step.inputs[0], b), (step.inputs[1], a))):
        lazy = reader.operand(x)
        if lazy is not None and lazy[1] is reader.table.one and len(reader.whole(x)) == 1 and len(other[1].dims) == 2:
            # A vector of equal numbers: all of them times the sum along the other side's axis.
            axis = -2 if k == 0 else -1
            total = reader.table.reduce(other, [axis], other[1].dims)
            total = reader.table.view(total, [1 if k == 0 else 0], 2)
            return times(lazy[0], total[0]), total[1]
    return reader.table.matmul(a, b, reader.lengths.dims(step.outputs[0].number))


def _read_einsum(reader: Reader, step: Step) -> Ref | None:
    """``np.einsum("ik,jk->ij", A, B)`` is ``A @ B.T``."""
    left, result = step.params["subscripts"].split("->")
    terms = left.split(",")
    refs = [reader.fitted(x) for x in step.inputs]
    if len(terms) != 2 or set(step.params) != {"subscripts"} or any(r is None or not r[1].floating for r in refs):
        return None
    first, second = terms
    summed = [letter for letter in first if letter in second and letter not in result]
    free = [[letter for letter in term if letter not in summed] for term in terms]
    repeated = any(len(set(term)) < len(term) or len(term) > 2 for term in (first, second, result))
    if repeated or len(summed) != 1 or sorted(free[0] + free[1]) != sorted(result):
        return None
    operands: list[Ref] = [r for r in refs if r is not None]
    for k, (term, place) in enumerate(((first, -1), (second, 0))):
        c, v = operands[k]
        if len(v.dims) != len(term):
            return None
        if term[place] != summed[0]:
            d, v = reader.table.turned(v)
            operands[k] = (times(c, d), v)
    (a, u), (b, v) = operands
    dims = tuple(x for x in (*u.dims[:-1], *v.dims[1:]))
    found = reader.table.matmul((a, u), (b, v), dims)
    turned = len(result) == 2 and list(result) != free[0] + free[1]
    return reader.table.view(found, [1, 0], 2) if turned else found


def _read_vecdot(reader: Reader, step: Step) -> Ref | None:
    """``np.vecdot(a, b, axis=0)`` is ``(a * b).sum(axis=0)``."""
    a, b = (reader.fitted(x) for x in step.inputs)
    if a is None or b is None or not set(step.params) <= {"axis"} or not a[1].floating or not b[1].floating:
        return None
    rank = len(a[1].dims)
    if rank != len(b[1].dims) or a[1].shape != b[1].shape or rank < 2:
        return None
    axis = int(step.params.get("axis", -1)) % rank
    total = reader.table.reduce(reader.table.multiply(a, b), [axis - rank], a[1].dims)
    return reader.table.view(total, [k for k in range(rank) if k != axis], rank)


def _read_outer(reader: Reader, step: Step) -> Ref | None:
    a, b = (reader.fitted(x) for x in step.inputs)
    if a is None or b is None or len(a[1].dims) != 1 or len(b[1].dims) != 1:
        return None
    return reader.table.multiply(reader.table.view(a, [0, None], 1), b)


def _known_inverse(reader: Reader, matrix: Ref) -> Ref | None:
    """The inverse of a matrix, or of its transpose, that the forward pass finds by solving for the identity matrix."""
    c, v = matrix
    d, flipped = reader.table.turned(v)
    for number, scale, turned in ((v.number, c, False), (flipped.number, times(c, d), True)):
        found = reader.inverses.get(number)
        if found is not None and number not in reader.solved and found.leaves and found.parts[0][0] == scale:
            return reader.table.turned(found) if turned else (UNIT, found)
    return None


def _read_solve(reader: Reader, step: Step) -> Ref | None:
    """``np.linalg.solve(A, np.eye(n))`` is ``np.linalg.inv(A)``, and so is what its gradient solves."""
    a, b = (reader.fitted(x) for x in step.inputs)
    unit = reader.operand(step.inputs[1])
    if a is None or b is None or len(a[1].dims) != 2 or not a[1].floating or not b[1].floating:
        return None
    table = reader.table
    if unit is not None and reader.is_unit_matrix(unit[1]):
        made = operation(table, np.linalg.inv, (a,), reader.lengths.dims(step.outputs[0].number), (), reader.dtype)
        if table.forward:
            reader.inverses.setdefault(a[1].number, made)
        return unit[0], made
    if table.forward:
        # What is solved for other right sides as well is not multiplied with the inverse, which is less accurate.
        reader.solved.add(a[1].number)
        return None
    known = _known_inverse(reader, a)
    if known is None:
        return None
    return table.matmul(known, b, reader.lengths.dims(step.outputs[0].number))


ALGEBRA: dict[Any, Callable[[Reader, Step], Ref | None]] = {
    np.multiply: _read_multiply, np.divide: _read_divide, np.add: _read_add, np.subtract: _read_subtract,
    np.negative: _read_negative, np.positive: _read_same, identity: _read_same, cast: _read_cast,
    np.power: _read_power, np.square: _read_fixed_power(2), np.reciprocal: _read_fixed_power(-1),
    np.exp: _read_exponential,
    np.sum: _read_sum, np.mean: _read_sum, np.transpose: _read_view, np.swapaxes: _read_view,
    np.expand_dims: _read_view, np.moveaxis: _read_view, np.squeeze: _read_view, get_item: _read_view,
    np.reshape: _read_view,
    np.broadcast_to: _read_broadcast,
    np.matmul: _read_matmul, np.dot: _read_matmul, np.outer: _read_outer, np.vecdot: _read_vecdot,
    add_item: _read_added, np.diag: _read_diagonal, np.einsum: _read_einsum, np.linalg.solve: _read_solve,
}  # fmt: skip
