"""Options for sums of products: as products of vectors and matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from operator import itemgetter
from typing import Any

import numpy as np

from chainrule.ir import Step, Var
from chainrule.ops import OPERATIONS
from chainrule.simplify.choices import ROWS
from chainrule.simplify.linear_algebra import turned_products
from chainrule.simplify.making import Making
from chainrule.simplify.scalars import UNIT, Coefficient, times
from chainrule.simplify.values import Power, Recipe, Ref, Value, broadcast, spans

__all__ = ["contract", "sums_with_known_products"]

_MOST_FACTORS = 5
_MOST_RECIPES = 40
_MOST_DOTS = 4
_LETTERS = "ijklmnop"

Factor = tuple[Value, Power]


def contract(options: Making, value: Value) -> None:
    """A sum of a product as a product of vectors or matrices."""
    inner: Value = value.parts[0][1]
    rank = len(inner.dims)
    if inner.kind != "prod" or inner.leaves:
        return
    if rank > 1 and len(value.details) == 1:
        _dots(options, value, inner)
    if any(not f.floating for f, _ in inner.factors):
        return
    if len(value.details) == rank:
        _inner_product(options, value, inner)
        for axes in ((1,), (0,)) if rank == 2 else ():
            for c, other in sums_with_known_products(options, value, inner, axes):
                if other.kind == "prod" and len(other.dims) == 2:
                    options.same(value, (c, options.total(value, other, value.details)), ROWS)
    elif rank == 2 and len(value.details) == 1:
        _vector_product(options, value, inner, value.details[0])
        for c, other in sums_with_known_products(options, value, inner, value.details):
            value.recipes.append(Recipe("reduce", c, ((UNIT, other),), (value.details, None), ROWS))
            if other.kind == "prod":
                options.same(value, (c, options.total(value, other, value.details)), ROWS)
    elif rank > 2:
        _contraction(options, value, inner)


def _inner_product(options: Making, value: Value, inner: Value) -> None:
    """``(a * b).sum()`` is the inner product of a and b."""
    whole = [(f, p) for f, p in inner.factors if f.dims == inner.dims]
    for f, p in whole:
        if p not in (1, 2):
            continue
        rest = [(g, q - (g is f)) for g, q in inner.factors if q != (g is f)]
        c, other = options.making(value, lambda r=rest: options.table.product(UNIT, r))
        if other.dims != inner.dims or (other.kind == "prod" and not options.is_known(other) and len(whole) > 2):
            continue
        if len(inner.dims) == 1:
            recipe = Recipe("matmul", c, ((UNIT, f), (UNIT, other)), None, "sum of a product")
        else:
            recipe = _called(options, value, np.vdot, {}, c, (f, other))
        if len(value.recipes) < _MOST_RECIPES:
            value.recipes.append(recipe)


def _dots(options: Making, value: Value, inner: Value) -> None:
    """``(a * b).sum(1)`` is ``np.vecdot(a, b)``, for arrays of one shape; ``np.einsum`` along any other axis.

    There ``np.vecdot`` would take several times as long, and ``np.einsum`` half as long as the product and the sum.
    """
    (axis,) = value.details
    count, rank = 0, len(inner.dims)
    if any(d.one for d in inner.dims):
        return
    letters = _LETTERS[:rank]
    params = {"subscripts": f"{letters},{letters}->{letters[:axis]}{letters[axis + 1 :]}"}
    for (c, u), (k, v) in (sorted(pair, key=lambda ref: ref[1].number) for pair in _pairs(options, value, inner)):
        if u.dims == v.dims == inner.dims and u.floating and v.floating and count < _MOST_DOTS:
            count += 1
            function, given = (np.vecdot, {}) if axis == rank - 1 else (np.einsum, params)
            value.recipes.append(_called(options, value, function, given, times(c, k), (u, v)))


def _called(
    options: Making, value: Value, function: Any, params: dict[str, Any], scale: Coefficient, pair: tuple[Value, Value]
) -> Recipe:
    """A sum of a product as a multiple of what a function makes of two arrays."""
    operation = OPERATIONS[function]
    step = Step(operation, (), params, (Var(value.shape, options.reader.dtype, None, 0),), None)
    return Recipe("op", scale, tuple((UNIT, v) for v in pair), (operation, step, 0, (0, 1)), "sum of a product")


def _halves(factors: Sequence[Factor]) -> Iterator[tuple[list[Factor], list[Factor]]]:
    """The ways of putting factors into two groups; those of equal size come in both orders."""
    for size in range(1, len(factors) // 2 + 1):
        for first in combinations(range(len(factors)), size):
            yield [factors[k] for k in first], [e for k, e in enumerate(factors) if k not in first]


def _pairs(options: Making, value: Value, inner: Value) -> Iterator[tuple[Ref, Ref]]:
    """The ways in which a product is the product of two arrays of its shape, of which one is there."""
    if any(p != int(p) for _, p in inner.factors):
        return
    units: list[Factor] = [(f, 1 if p > 0 else -1) for f, p in inner.factors for _ in range(abs(int(p)))]
    units = units if len(units) <= _MOST_FACTORS else [*inner.factors]
    found: dict[Any, Any] = {}
    for groups in _halves(units) if len(units) <= _MOST_FACTORS else ():
        if all(broadcast(f.dims for f, _ in group) == inner.dims for group in groups):
            there = [_is_there(options, group) for group in groups]
            key = frozenset(tuple(sorted((f.number, p) for f, p in group)) for group in groups)
            if any(there):
                found.setdefault(key, (-sum(there), groups))
    for _, groups in sorted(found.values(), key=itemgetter(0)):
        a, b = (options.making(value, lambda g=group: options.table.product(UNIT, g)) for group in groups)
        yield a, b


def _is_there(options: Making, group: Sequence[Factor]) -> int:
    """Whether a product is computed anyway (2), or might be; a single array is there."""
    powers: dict[Value, Power] = {}
    for f, p in group:
        powers[f] = powers.get(f, 0) + p
    if len(powers) == 1:
        return 2 if next(iter(powers.values())) == 1 else 1
    made = options.table.find("prod", tuple(sorted((f.number, p) for f, p in powers.items())))
    if made is None or not options.is_known(made):
        return 0
    return 2 if made.leaves or made.number in options.reader.made_by else 1


def _vector_product(options: Making, value: Value, inner: Value, axis: int) -> None:
    """``(x * v[:, None]).sum(0)`` is ``v @ x``, and ``(x * v).sum(1)`` is ``x @ v``."""
    table = options.table
    along, matrix = _divided_by_axis(inner, axis)
    if not along or not matrix:
        return
    c, v = options.making(value, lambda: table.product(UNIT, along))
    k, m = options.making(value, lambda: table.product(UNIT, matrix))
    if m.shape != inner.shape or v is table.one:
        return
    flat = options.making(value, lambda: table.view((UNIT, v), [axis + len(v.dims) - 2], len(v.dims)))
    if len(flat[1].dims) != 1 or flat[1].shape[0] != inner.shape[axis]:
        return
    pair = (flat, (UNIT, m)) if axis == 0 else ((UNIT, m), flat)
    value.recipes.append(Recipe("matmul", times(c, k), pair, None, "sum of a product"))
    _is_known_product(options, value, times(c, k), pair)


def _is_known_product(options: Making, value: Value, scale: Coefficient, pair: tuple[Ref, Ref]) -> None:
    """A sum that is a product of arrays which is there, so that products with the sum are products with that one."""
    (c, a), (k, b) = pair
    known = options.table.find("matmul", (a.number, b.number))
    if known is None:  # u @ A is A.T @ u
        (d, first), (e, second) = options.table.turned(b), options.table.turned(a)
        if (len(first.dims), len(second.dims)) == (len(b.dims), len(a.dims)):
            c, k = times(c, d), times(k, e)
            known = options.table.find("matmul", (first.number, second.number))
    if known is not None and known.dims == value.dims:
        options.same(value, (times(scale, times(c, k)), known), "sum of a product")


def sums_with_known_products(options: Making, value: Value, inner: Value, axes: tuple[int, ...]) -> list[Ref]:
    """``(a * (b @ c)).sum(1)`` is ``(b * (a @ c.T)).sum(1)``, where ``a @ c.T`` is there; what is summed instead."""
    table = options.table
    found: list[Ref] = []
    if len(inner.dims) != 2 or len(axes) != 1 or inner.kind != "prod":
        return found
    for known, other in turned_products(table, inner, axes, partial(options.making, value)):
        if len(known[1].dims) != 2:
            continue
        scale, whole = options.making(value, lambda k=known, o=other: table.product(k[0], ((k[1], 1), (o, 1))))
        if whole.dims == inner.dims or whole.shape[1 - axes[0]] == inner.shape[1 - axes[0]]:
            found.append((scale, whole))
    return found


def _divided_by_axis(inner: Value, axis: int) -> tuple[list[tuple[Value, Power]], list[tuple[Value, Power]]]:
    """The factors that vary along one axis only, and the others."""
    along: list[tuple[Value, Power]] = []
    others: list[tuple[Value, Power]] = []
    for f, p in inner.factors:
        only = spans(f, axis - 2, inner.dims[axis]) and not spans(f, -1 - axis, inner.dims[1 - axis])
        (along if only else others).append((f, p))
    return along, others


def _contraction(options: Making, value: Value, inner: Value) -> None:
    """``(s[:, :, None] * x).sum(1)`` is ``np.einsum("ij,ijk->ik", s, x)``: two arrays, not both with all the axes."""
    factors = inner.factors
    if len(factors) > _MOST_FACTORS:
        return
    several = len(value.details) > 1
    left = "".join(_LETTERS[k] for k in range(len(inner.dims)) if k not in value.details)
    for groups in _halves(factors):
        if not any(_is_there(options, group) for group in groups):
            continue
        pair = [options.making(value, lambda g=group: options.table.product(UNIT, g)) for group in groups]
        terms = [_lettered(options, value, inner, v) for _, v in pair]
        if any(t is None for t in terms):
            continue
        (a, u), (b, v) = (t for t in terms if t is not None)
        if len(a) == len(b) == len(inner.dims) and not several:
            continue  # _dots has these
        if set(left) <= set(a + b) and len(value.recipes) < _MOST_RECIPES:
            scale, params = times(pair[0][0], pair[1][0]), {"subscripts": f"{a},{b}->{left}"}
            value.recipes.append(_called(options, value, np.einsum, params, scale, (u, v)))


def _lettered(options: Making, value: Value, inner: Value, v: Value) -> tuple[str, Value] | None:
    """An operand without axes of length 1 and not turned, with a letter for each of its axes."""
    rank, own = len(inner.dims), len(v.dims)
    axes = [k for k in range(own) if spans(v, k - own, inner.dims[k - own])]
    c, flat = options.making(value, lambda: options.table.view((UNIT, v), axes, own))
    if c != UNIT or not flat.floating or len(flat.dims) != len(axes):
        return None
    letters = [_LETTERS[rank - own + k] for k in axes]
    if flat.kind == "view" and None not in flat.details and len(flat.details) == len(flat.parts[0][1].dims):
        letters = [letters[flat.details.index(k)] for k in range(len(letters))]
        flat = flat.parts[0][1]
    return "".join(letters), flat
