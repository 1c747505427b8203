"""Which values are the same with their axes permuted, as ``A @ A.T`` is: by how they are made, never by their numbers.

A matrix is symmetric where the user's code makes it so: a Gram matrix, a sum, inverse or power of symmetric matrices,
an elementwise function of them, an identity matrix, an outer product of a vector with itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.ops import Operation
from chainrule.simplify.normal_form import Table
from chainrule.simplify.scalars import UNIT, Coefficient
from chainrule.simplify.values import Power, Value, function_of, spans

__all__ = ["exchanged_sums", "is_symmetric", "parity", "same_sum"]

_MATRIX_FUNCTIONS = (np.linalg.inv, np.linalg.matrix_power)
_ELEMENTWISE = (np.where, np.clip)
_ODD = (np.sign, np.tanh, np.sin, np.tan, np.sinh, np.arctan, np.arcsin, np.arcsinh, np.arctanh, np.cbrt, np.rint)
_EVEN = (np.absolute, np.fabs, np.cos, np.cosh)
_MOST_FACTORS = 5


def is_symmetric(table: Table, value: Value) -> bool:
    """Whether exchanging the last two axes of a value gives the same value."""
    rank = len(value.dims)
    return rank >= 2 and parity(table, value, (*range(rank - 2), rank - 1, rank - 2)) == 1


def same_sum(table: Table, value: Value, axes: tuple[int, ...]) -> tuple[int, Value, tuple[int, ...]]:
    """A sum that is the same up to its sign: what is summed and along which axes, and the sign.

    ``(x[:, None] - x[None]).sum(0)`` is ``-(x[:, None] - x[None]).sum(1)``; weights are exchanged as well.
    """
    for sign, other, j in exchanged_sums(table, value, axes, False):
        if (other is value and j > axes[0]) or table.find("reduce", (other.number, (j,))) is not None:
            return sign, other, (j,)
    return 1, value, axes


def exchanged_sums(table: Table, value: Value, axes: tuple[int, ...], views: bool) -> Iterator[tuple[int, Value, int]]:
    """A sum along one axis as the sum of a product with this and the next axis exchanged, along the other one.

    What is not known to be the same with its axes exchanged is seen so only where ``views`` are wanted.
    """
    rank = len(value.dims)
    if len(axes) != 1 or rank < 2 or len(value.factors) > _MOST_FACTORS:
        return
    (i,) = axes
    for j in (i + 1, i - 1):  # of axes that are farther apart the order of the others would change
        if not 0 <= j < rank or value.dims[i].length != value.dims[j].length:
            continue
        mapping = list(range(rank))
        mapping[i], mapping[j] = j, i
        sign, other = _exchanged(table, value, tuple(mapping), views)
        if sign and len(other.dims) == rank:
            yield sign, other, j


def _exchanged(table: Table, value: Value, mapping: tuple[int, ...], views: bool) -> tuple[int, Value]:
    """A product with its axes permuted, by what is known of its factors, and its sign; 0 where nothing is."""
    factors: list[tuple[Value, Power]] = []
    sign, known = 1, not views
    for f, p in value.factors:
        c, moved = _seen(table, f, mapping)
        if c.atoms or abs(c.number) != 1 or (c.number < 0 and p not in (1, -1, 2, -2, 3, -3)):
            return 0, value
        if moved is not f and f.kind not in ("view", "leaf") and not views:
            return 0, value
        known = known or moved is f
        sign *= -1 if c.number < 0 and int(p) % 2 else 1
        factors.append((moved, p))
    c, whole = table.product(UNIT, factors)
    return (sign if known and c == UNIT else 0), whole


def parity(table: Table, value: Value, mapping: tuple[int, ...]) -> int:
    """1 where a value stays the same if its axes are permuted, -1 where its sign changes, and 0 otherwise."""
    if not value.dims:
        return 1
    if any(value.dims[a].length != d.length for a, d in zip(mapping, value.dims, strict=True)):
        return 0
    key = (value.number, mapping)
    known = table.parities.get(key)
    if known is None:
        table.parities[key] = 0  # while it is looked for
        known = table.parities[key] = _parity(table, value, mapping)
    return known


def _parity(table: Table, value: Value, mapping: tuple[int, ...]) -> int:
    if value.kind == "one":
        return 1
    if value.definition is not None:
        return _of_terms(table, value.definition, mapping)
    if value.kind == "sum":
        return _of_terms(table, value.parts, mapping)
    if value.kind == "prod":
        return _of_factors(table, value, mapping)
    if value.kind == "reduce":
        return _of_sum(table, value, mapping)
    if value.kind == "matmul":
        return _of_product(table, value, mapping)
    if value.kind == "op":
        return _of_operation(table, value, mapping)
    if value.kind == "view":
        return _of_view(table, value, mapping)
    return 0


def _of_view(table: Table, value: Value, mapping: tuple[int, ...]) -> int:
    inner: Value = value.parts[0][1]
    own = list(range(len(inner.dims)))
    for k, a in zip(mapping, value.details, strict=True):
        source = value.details[k]
        if (source is None) is not (a is None):
            return 0
        if a is not None:
            own[a] = source
    return parity(table, inner, tuple(own))


def _seen(table: Table, value: Value, mapping: tuple[int, ...]) -> tuple[Coefficient, Value]:
    """A value that is broadcast to the rank of the mapping, with the axes permuted."""
    rank = len(mapping)
    missing = rank - len(value.dims)
    if not missing:
        sign = parity(table, value, mapping)
        if sign:
            return Coefficient(UNIT.number * sign), value
    return table.view((UNIT, value), mapping, rank)


def _of_terms(table: Table, terms: Sequence[Any], mapping: tuple[int, ...]) -> int:
    if len(terms) > 8:
        return 0
    own = {(v.number, c.atoms): c.number for c, v in terms}
    for sign in (1, -1):
        left = dict(own)
        for c, v in terms:
            k, moved = _seen(table, v, mapping)
            if k.atoms or left.pop((moved.number, c.atoms), None) != c.number * k.number * sign:
                break
        else:
            return sign
    return 0


def _of_factors(table: Table, value: Value, mapping: tuple[int, ...]) -> int:
    own = dict(value.factors)
    sign = 1
    for f, p in value.factors:
        k, moved = _seen(table, f, mapping)
        if k.atoms or abs(k.number) != 1 or own.pop(moved, None) != p:
            return 0
        if k.number < 0:
            if p not in (1, -1, 2, -2, 3, -3, 4, -4):
                return 0
            sign *= -1 if int(p) % 2 else 1
    return sign


def _of_sum(table: Table, value: Value, mapping: tuple[int, ...]) -> int:
    inner: Value = value.parts[0][1]
    kept = [k for k in range(len(inner.dims)) if k not in value.details]
    whole = list(range(len(inner.dims)))
    for to, source in zip(kept, mapping, strict=True):
        whole[to] = kept[source]
    return parity(table, inner, tuple(whole))


def _of_product(table: Table, value: Value, mapping: tuple[int, ...]) -> int:
    factors = _factors(table, value)
    if factors is None or mapping != (1, 0) or len(factors) > 8:
        return 0
    sign = 1
    if len(factors) % 2 == 0:
        middle = len(factors) // 2
        pair = factors[middle - 1 : middle + 1]
        if not any(inverted for _, inverted in pair):
            factors[middle - 1 : middle + 1] = [(v, False) for v in _unscaled(table, *(v for v, _ in pair))]
    for k, (own, other) in enumerate(zip(factors, factors[::-1], strict=True)):
        if 2 * k + 1 > len(factors):
            break
        if own != other:
            c, moved = _seen(table, other[0], mapping)
            if (moved, other[1]) != own or c != UNIT:
                return 0
            continue
        found = parity(table, own[0], mapping)
        if 2 * k + 1 == len(factors):
            sign = found
        elif found <= 0:
            return 0
    return sign


def _factors(table: Table, value: Value) -> list[tuple[Value, bool]] | None:
    """The matrices whose product a value is, each with whether it is inverted, as the matrix of a system is.

    ``None`` where there are vectors or stacks among them.
    """
    function = function_of(value)
    if value.kind == "matmul":
        parts = [_factors(table, v) for _, v in value.parts]
        return None if parts[0] is None or parts[1] is None else parts[0] + parts[1]
    if function is np.linalg.inv or function is np.linalg.solve:
        if any(type(p) is not tuple or len(p[1].dims) != 2 for p in value.parts):
            return None
        more = _factors(table, value.parts[1][1]) if function is np.linalg.solve else []
        return None if more is None else [(value.parts[0][1], True), *more]
    if value.kind == "view" and value.details == (1, 0):
        inner = _factors(table, value.parts[0][1])
        if inner is not None and (len(inner) > 1 or inner[0][1]):
            turned = [(*table.turned(v), inverted) for v, inverted in reversed(inner)]
            return [(v, inverted) for c, v, inverted in turned] if all(c == UNIT for c, *_ in turned) else None
    return [(value, False)] if len(value.dims) == 2 else None


def _unscaled(table: Table, left: Value, right: Value) -> list[Value]:
    """Two matrices without what scales the axis that they are multiplied along: a diagonal matrix between them."""
    found: list[Value] = []
    for v, along, across in ((left, -1, -2), (right, -2, -1)):
        kept = [e for e in v.factors if spans(e[0], across, v.dims[across]) or not spans(e[0], along, v.dims[along])]
        c, inner = table.product(UNIT, kept)
        found.append(inner if c == UNIT and inner.dims == v.dims else v)
    return found


def _of_operation(table: Table, value: Value, mapping: tuple[int, ...]) -> int:
    operation, step, _, _ = value.details
    if not isinstance(operation, Operation):
        if not value.parts:
            return 0
        c, inner = value.parts[0]
        return 1 if len(inner.dims) == len(mapping) and parity(table, inner, mapping) == 1 else 0
    function: Any = operation.function
    swap = mapping == (*range(len(mapping) - 2), len(mapping) - 1, len(mapping) - 2)
    if operation.kind == "constant" and operation.name in ("eye", "identity"):
        return int(swap and list(step.params) in (["argument 0"], ["argument 0", "dtype"]))
    if function is np.diag and not step.params:
        return int(swap and len(value.dims) == 2)
    if function is np.linalg.solve:
        return _of_product(table, value, mapping)
    if function in _MATRIX_FUNCTIONS:
        first = value.parts[0]
        return int(swap and type(first) is tuple and parity(table, first[1], mapping) == 1)
    if function in _ODD or function in _EVEN:
        first = value.parts[0]
        sign = parity(table, first[1], mapping) if type(first) is tuple and len(first[1].dims) == len(mapping) else 0
        return abs(sign) if function in _EVEN else sign
    if function in _ELEMENTWISE or (isinstance(function, np.ufunc) and function.signature is None):
        for part in value.parts:
            if type(part) is tuple and isinstance(part[1], Value) and part[1].dims:
                c, moved = _seen(table, part[1], mapping)
                if moved is not part[1] or c != UNIT:
                    return 0
            elif type(part) is not tuple and getattr(part, "number", -1) >= 0 and np.shape(part.value):
                return 0
        return 1
    return 0
