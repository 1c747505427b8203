"""What is known of the entries of an array, by how it is made or because the reader says so.

Zeros and ones, sums along an axis that are known, maxima without ties.  Both sources of a fact are asked for in one
place, so that every identity that uses one works for what is assumed and for what is proved.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.indexing import HOLE, get_item, set_item
from chainrule.ir import Const, Step, Var, is_zero
from chainrule.ops import Operation
from chainrule.simplify.guards import without_view
from chainrule.simplify.scalars import UNIT, ZERO, Coefficient, Dim, power_of, times
from chainrule.simplify.values import Power, Ref, Value, function_of, multiply_by, spans
from chainrule.writing import cast

__all__ = [
    "axis_sum",
    "complementary",
    "counted_along",
    "decided",
    "is_only_hit",
    "is_untied",
    "is_zero_or_one",
    "known_sum",
    "picked",
    "suppose",
    "vanishes",
]

_MOST_TERMS = 6


def suppose(table: Any, ref: Ref, step: Step | None, shape: tuple[int, ...], facts: Collection[str]) -> None:
    """Note facts about a variable of the forward pass, given what it is read as and the step that makes it."""
    c, value = ref
    if value.shape != shape:
        return
    rank = len(shape)
    if "symmetric" in facts:
        table.parities[value.number, (*range(rank - 2), rank - 1, rank - 2)] = 1
    if c == UNIT and not {"binary", "one_hot"}.isdisjoint(facts):
        table.zeros_and_ones.add(value.number)
    below = power_of(c, -1)
    if below is not None and not {"distribution", "one_hot"}.isdisjoint(facts):
        inside = [(f, p) for f, p in value.factors if spans(f, -1, value.dims[-1])]
        outside = [(f, -p) for f, p in value.factors if not spans(f, -1, value.dims[-1])]
        k, inner = table.product(UNIT, inside)
        scale = power_of(k, -1)
        if scale is not None and inner is not table.one:
            table.known_sums[inner.number, -1] = table.product(times(below, scale), outside)
    if "nonzero" in facts:
        table.nonzero.add(value.number)
    if "joint_distribution" in facts and below is not None:
        table.known_totals[value.number] = below
    if "no_ties" in facts and step is not None:
        table.untied.add(value.number)
        if step.operation.function in (np.maximum, np.minimum) and all(type(p) is tuple for p in value.parts):
            table.untied.add(frozenset((p[1].number, p[0]) for p in value.parts))


# ---- zeros and ones


def is_zero_or_one(table: Any, value: Value) -> bool:
    """Whether an array holds zeros and ones only: an identity matrix, rows of one, a triangle, 1 less that."""
    if value.number in table.zeros_and_ones or value.mask:
        return True
    other = complementary(value)
    if other is not None:
        return is_zero_or_one(table, other)
    if value.kind == "view":
        return is_zero_or_one(table, value.parts[0][1])
    if value.kind != "op" or not isinstance(value.details[0], Operation):
        return False
    operation, step = value.details[:2]
    function: Any = operation.function
    first = value.parts[0] if value.parts and type(value.parts[0]) is tuple else None
    plain = first is not None and first[0] == UNIT and first[1].kind != "one" and is_zero_or_one(table, first[1])
    if operation.name in ("tril", "triu"):
        return plain or (first is not None and first[0] == UNIT and first[1].kind == "one")
    if function in (get_item, cast, np.reshape, np.ravel):
        return plain
    if function is set_item:
        return plain and _is_literal(step.inputs[1], 0, 1)
    return operation.kind == "constant" and operation.name in ("eye", "identity", "tri", "ones", "zeros")


def complementary(value: Value) -> Value | None:
    """The ``y`` of ``1 - y``, where a value is that."""
    terms = value.definition or (value.parts if value.kind == "sum" else ())
    for (a, one), (b, other) in (terms, terms[::-1]) if len(terms) == 2 else ():
        if one.kind == "one" and other.kind != "one" and not (a.atoms or b.atoms) and (a.number, b.number) == (1, -1):
            inner: Value = other
            return inner
    return None


def _is_literal(x: Any, *numbers: int) -> bool:
    return isinstance(x, Const) and x.number < 0 and bool(x.value in numbers)


# ---- sums along an axis


def known_sum(table: Any, inner: Value, axes: tuple[int, ...]) -> Ref | None:
    """The sum along these axes of what is known to add to something along one of them."""
    rank = len(inner.dims)
    whole = table.known_totals.get(inner.number) if len(axes) == rank else None
    if whole is not None:
        return whole, table.one
    for k in axes:
        total = axis_sum(table, inner, k)
        if total is not None:
            others = [a - rank for a in axes if a != k]
            kept = tuple(table.one_dim if a == k else d for a, d in enumerate(inner.dims))
            found: Ref = table.reduce(total, others, kept) if others else total
            return found
    return None


def axis_sum(table: Any, value: Value, axis: int) -> Ref | None:
    """What an array adds to along an axis, which stays with length 1, where that is known."""
    rank = len(value.dims)
    known: Ref | None = table.known_sums.get((value.number, axis - rank))
    if known is not None or table.forward:
        return known
    if value.definition is not None:
        return _sum_of_terms(table, value, axis)
    if value.kind == "view":
        source = value.details[axis]
        inner = value.parts[0][1]
        total = None if source is None else axis_sum(table, inner, source)
        return None if total is None else table.view(total, value.details, len(inner.dims))
    if value.kind != "op" or not isinstance(value.details[0], Operation):
        return None
    operation, step = value.details[:2]
    whole = (UNIT, table.one)
    if operation.kind == "constant" and operation.name in ("eye", "identity"):
        return whole if list(step.params) in (["argument 0"], ["argument 0", "dtype"]) else None
    first = value.parts[0] if value.parts and type(value.parts[0]) is tuple else None
    if first is None:
        return None
    base: Value = first[1]
    if operation.function is cast and base.dims == value.dims:
        total = axis_sum(table, base, axis)
    elif operation.function is get_item and axis == rank - 1 and _keeps_the_last(step, base, value):
        total = axis_sum(table, base, len(base.dims) - 1)
    elif operation.function is set_item and axis == rank - 1 and _one_in_each_row(value, step, base):
        return whole
    else:
        return None
    # Of rows that were chosen, what they add to is known only where it is the same for all.
    return (times(first[0], total[0]), total[1]) if total is not None and not total[1].dims else None


def _sum_of_terms(table: Any, value: Value, axis: int) -> Ref | None:
    """The sum of a sum, where those of all its terms are scalars: of labels that were smoothed."""
    definition = value.definition
    assert definition is not None
    totals: list[Ref] = []
    whole = value.dims
    for c, term in definition if len(definition) <= _MOST_TERMS else ():
        at = axis - len(whole) + len(term.dims)
        if at < 0 or not spans(term, axis - len(whole), whole[axis]):
            if term.dims and any(not d.one for d in term.dims):
                return None
            totals.append((times(c, whole[axis].count()), table.one))
            continue
        own = axis_sum(table, term, at)
        if own is None or own[1] is not table.one:
            return None
        totals.append((times(c, own[0]), table.one))
    found: Ref | None = table.add(t for total in totals for t in _opened(table, total)) if totals else None
    return found if found is not None and found[1] is table.one else None


def _opened(table: Any, total: Ref) -> Sequence[Ref]:
    """A scalar as its terms, where it is a multiple of a sum: ``1 - eps``."""
    c, one = total
    for key, p in c.atoms:
        scalars: Sequence[Coefficient] = ()
        if key[0] == "s" and p == 1:
            scalars = table.summands(key[1])
        elif key[0] == "v" and p == 1:
            value = table.values[key[1]]
            terms = value.definition or (value.parts if value.kind == "sum" else ())
            scalars = [k for k, v in terms if v is one] if len(terms) <= _MOST_TERMS else ()
            scalars = scalars if len(scalars) == len(terms) else ()
        if scalars:
            rest = times(c, Coefficient(Fraction(1), ((key, -1),)))
            return [(times(rest, k), one) for k in scalars]
    return [total]


def _keeps_the_last(step: Step, base: Value, value: Value) -> bool:
    """Whether an index takes whole rows: ``np.eye(k)[labels]``."""
    parts = step.params["index"].parts
    if any(p is None or p is Ellipsis for p in parts) or len(parts) > len(base.dims):
        return False
    places = [x.dtype if isinstance(x, Var) else np.asarray(x.value).dtype for x in step.inputs[1:]]
    if any(dtype.kind not in "iu" for dtype in places):
        return False  # a mask takes more than one axis
    last = parts[-1] if len(parts) == len(base.dims) else slice(None)
    return isinstance(last, slice) and last == slice(None) and value.dims[-1].length == base.dims[-1].length


def _one_in_each_row(value: Value, step: Step, base: Value) -> bool:
    """Whether a 1 is written once into each row of zeros: ``Y[np.arange(n), labels] = 1``."""
    made = base.details[0] if base.kind == "op" else None
    if not isinstance(made, Operation) or made.name not in ("zeros", "zeros_like"):
        return False
    parts = step.params["index"].parts
    places = value.parts[2:]
    rank = len(value.dims)
    if not _is_literal(step.inputs[1], 1) or len(parts) != rank or any(p is not HOLE for p in parts):
        return False
    if len(places) != rank or any(type(p) is not tuple or p[0] != UNIT for p in places):
        return False
    along = [counted_along(p[1], d) for p, d in zip(places[:-1], value.dims[:-1], strict=True)]
    # One place for each row, so that none is written twice.
    return None not in along and len(set(along)) == len(along) and len(places[-1][1].dims) <= rank - 1


def counted_along(places: Value, dim: Dim) -> int | None:
    """The axis, from the end, along which an index counts all places of an axis; it is of length 1 along all others."""
    rank = len(places.dims)
    inner = places
    if places.kind == "view":
        inner = places.parts[0][1]
        across = [k for k, a in enumerate(places.details) if a is not None]
    elif function_of(places) is np.reshape and type(places.parts[0]) is tuple:
        inner = places.parts[0][1]
        shape = places.details[1].params.get("shape", ())
        across = [k for k, n in enumerate(shape if isinstance(shape, tuple) else ()) if n != 1]
    elif function_of(places) is get_item and type(places.parts[0]) is tuple:
        inner = places.parts[0][1]
        parts = places.details[1].params["index"].parts
        across = [k for k, p in enumerate(parts) if p is not None]
        if len(parts) != rank or any(p is not None and p != slice(None) for p in parts):
            return None
    else:
        across = list(range(rank))
    made = inner.details[0] if inner.kind == "op" else None
    if len(across) != 1 or not isinstance(made, Operation) or made.name != "arange" or inner.dims != (dim,):
        return None
    return across[0] - rank if list(inner.details[1].params) == ["argument 0"] else None


# ---- what is never zero


def decided(reader: Any, step: Step, linear: Sequence[int]) -> Ref | None:
    """What a step computes where that is known: of what is proved to be zero, or is compared with zero and never is."""
    table, function = reader.table, step.operation.function
    if any(n < len(step.inputs) and reader.is_proved_zero(step.inputs[n]) for n in linear):
        return ZERO, table.one
    if function in (np.equal, np.not_equal) and table.nonzero and is_zero(step.inputs[1]):
        x = step.inputs[0]
        if isinstance(x, Var) and not table.forward and _is_nonzero(table, reader.refs[x.number][1]):
            return (ZERO if function is np.equal else UNIT), table.one
    if function is np.where and table.nonzero and reader.is_proved_zero(step.inputs[0]):
        found: Ref | None = reader.operand(step.inputs[2])
        return found
    return None


def _is_nonzero(table: Any, value: Value) -> bool:
    return without_view(value).number in table.nonzero


# ---- one in each row


def picked(table: Any, value: Value, powers: dict[Value, Power]) -> bool:
    """``y * (y * a).sum(1)`` is ``y * a`` where each row of y has a single 1; in place.

    Divided by the sum, it is ``y`` where the product has an ``a`` to be cancelled: ``a`` may be zero where y is.
    """
    for total, p in list(powers.items()):
        atom = total.parts[0][1] if total.kind == "view" else total
        if atom.kind != "reduce" or len(atom.details) != 1 or not isinstance(p, int):
            continue
        inner: Value = atom.parts[0][1]
        axis = atom.details[0]
        own = dict(inner.factors)
        if own.pop(value, 0) != 1 or len(inner.dims) != len(value.dims) or axis != len(value.dims) - 1:
            continue
        kept = [*range(axis), None]
        if axis and (total.kind != "view" or list(total.details) != kept):
            continue
        if p < 0 and any(powers.get(f, 0) + q * p < 0 for f, q in own.items()):
            continue
        if axis_sum(table, value, axis) == (UNIT, table.one):
            multiply_by(powers, ((total, -p), *((f, q * p) for f, q in own.items())))
            return True
    return False


# ---- maxima without ties


def is_untied(table: Any, first: Ref, second: Ref) -> bool:
    """Whether two operands of a maximum are assumed to differ everywhere."""
    return frozenset(((first[1].number, first[0]), (second[1].number, second[0]))) in table.untied


def is_only_hit(table: Any, value: Value) -> bool:
    """Whether a mask says where an array has its maximum, which is assumed to be at one place in each row."""
    if function_of(value) is not np.equal or any(type(p) is not tuple for p in value.parts):
        return False
    for (c, a), (d, top) in (value.parts, value.parts[::-1]):
        made = without_view(top)
        if made.number in table.untied and c == d == UNIT and made.parts[0] == (UNIT, a):
            return True
    return False


def vanishes(table: Any, value: Value, powers: dict[Value, Power]) -> bool:
    """Whether a product has ``y * (1 - y)`` with zeros and ones in it."""
    other = complementary(value)
    return other is not None and powers.get(other, 0) > 0 and powers[value] > 0 and is_zero_or_one(table, other)
