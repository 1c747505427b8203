"""Identities of matrix products: with vectors in them, inverses, traces, and in another order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from chainrule.handlers import creation
from chainrule.ir import Step, Var
from chainrule.ops import OPERATIONS, Operation
from chainrule.simplify.normal_form import Table
from chainrule.simplify.scalars import UNIT, Coefficient, Dim, times
from chainrule.simplify.values import Power, Recipe, Ref, Value, function_of, spans

__all__ = [
    "as_product",
    "inner_product",
    "is_identity",
    "known_inner",
    "known_product",
    "known_rows",
    "known_weighted",
    "operation",
    "outer_factors",
    "product_options",
    "product_with_vectors",
    "trace",
    "trace_of",
    "turned_products",
    "unit_matrix",
]

_MOST_FACTORS = 4
_LONGEST_CHAIN = 6
_MOST_CHAINS = 12
_DEEPEST = 2  # matrices at the end of a product of products
REORDERED = "products in another order"

Making = Callable[[Value, Callable[[], Any]], Any]


def operation(
    table: Table, function: Any, operands: Sequence[Ref], dims: tuple[Any, ...], linear: tuple[int, ...], dtype: Any
) -> Value:
    """An operation on values, the same as where a step applies it."""
    row = OPERATIONS[function]
    shape = tuple(d.length for d in dims)
    step = Step(row, (), {}, (Var(shape, dtype, None, 0),), None)
    key = (id(row), 0, (), tuple((v.number, c) for c, v in operands))
    return table.make("op", key, (row, step, 0, linear), tuple(operands), dims)


# ---- products with vectors in them


def _split(value: Value, whole: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[Any]]:
    """The factors of a matrix that depend on the row only, on the column only, and on both."""
    rows: list[tuple[Value, Power]] = []
    columns: list[tuple[Value, Power]] = []
    both: list[tuple[Value, Power]] = []
    for f, p in value.factors:
        row, column = spans(f, -2, whole[-2]), spans(f, -1, whole[-1])
        (both if row and column else rows if row else columns).append((f, p))
    return rows, columns, both


def product_with_vectors(table: Table, left: Ref, right: Ref, dims: tuple[Any, ...]) -> Ref | None:
    """``A @ (u * v.T)`` is ``(A @ u) * v.T``: an outer product is taken apart."""
    (a, u), (b, v) = left, right
    if not 1 <= len(u.dims) <= 2 or not 1 <= len(v.dims) <= 2:
        return None
    outside: list[tuple[Value, Power]] = []
    ends: list[Value] = []
    scale = times(a, b)
    flat = False
    for x, summed in ((u, -1), (v, -2)):
        c, inside, whole = UNIT, x, x.dims
        if x.kind == "op" and x.details[0] == "full":
            c, inside = x.parts[0]
        rows, columns, both = _split(inside, whole) if len(whole) == 2 and inside.dims else ([], [], [(x, 1)])
        kept, inner = (rows, columns) if summed == -1 else (columns, rows)
        if both or not inner or (inside is x and (x.kind != "prod" or not kept)):
            ends.append(x)
            continue
        flat = True
        if len(dims) == 2:
            outside += kept
        else:
            axis = 0 if summed == -1 else -1
            outside += [(table.view((UNIT, f), [axis % len(f.dims)], len(f.dims))[1], p) for f, p in kept]
        d, vector = table.product(UNIT, inner)
        e, vector = table.view((d, vector), [len(vector.dims) - 1 if summed == -1 else 0], len(vector.dims))
        scale = times(scale, times(c, e))
        ends.append(vector)
    if not flat:
        return None
    first, second = ends
    rank = [len(x.dims) for x in ends]
    if rank == [1, 1]:
        total = table.matmul((UNIT, first), (UNIT, second), ())
    elif rank == [2, 1]:
        total = table.matmul((UNIT, first), (UNIT, second), first.dims[:1])
        if len(dims) == 2:
            total = table.view(total, [0, None], 1)
    else:
        total = table.matmul((UNIT, first), (UNIT, second), second.dims[1:])
    return table.multiply((times(scale, total[0]), total[1]), table.product(UNIT, outside))


def known_product(table: Table, left: Value, right: Value) -> Ref | None:
    """The product of two matrices or vectors that is there already, in either order."""
    found = table.find("matmul", (left.number, right.number))
    if found is not None or len(left.dims) > 2 or len(right.dims) > 2:
        return None if found is None else (UNIT, found)
    (c, first), (d, second) = table.turned(right), table.turned(left)
    same = len(first.dims) == len(right.dims) and len(second.dims) == len(left.dims)
    flipped = table.find("matmul", (first.number, second.number)) if same else None
    if flipped is None:
        return None
    b, result = table.turned(flipped)
    return times(b, times(c, d)), result


def known_inner(table: Table, inner: Value, axes: tuple[int, ...]) -> Ref | None:
    """The sum of a product of two vectors as their product, where that is there; ``a @ (B @ c)`` is ``(a @ B) @ c``."""
    if axes != (0,) or len(inner.dims) != 1 or inner.kind != "prod" or len(inner.factors) > _MOST_FACTORS:
        return None
    for f, p in inner.factors:
        if p != 1 or f.dims != inner.dims:
            continue
        c, rest = table.product(UNIT, [e for e in inner.factors if e[0] is not f])
        if rest.dims != inner.dims or not rest.floating or not f.floating:
            continue
        for a, b in ((f, rest), (rest, f)):
            found = known_product(table, a, b)
            if found is None and b.kind == "matmul" and len(b.parts[0][1].dims) == 2:
                (_, matrix), (_, last) = b.parts
                first = known_product(table, a, matrix)
                found = None if first is None else known_product(table, first[1], last)
                if found is not None and first is not None:
                    found = times(found[0], first[0]), found[1]
                elif first is not None and (less := _cancelled(table, first, last)) is not None:
                    total: Ref = table.reduce(less, [-1], last.dims)
                    total = table.view(total, [], 1) if total[1].dims else total
                    return times(c, total[0]), total[1]
            if found is not None and not found[1].dims:
                return table.ref(times(c, found[0]), found[1])
    return None


def known_weighted(table: Table, inner: Value, axes: tuple[int, ...]) -> Ref | None:
    """``(x * v).sum(1)`` as ``x @ v``, where that is there."""
    if axes not in ((0,), (1,)) or len(inner.dims) != 2 or inner.kind != "prod" or len(inner.factors) > _MOST_FACTORS:
        return None
    rows, columns, both = _split(inner, inner.dims)
    along, across = (columns, rows) if axes == (1,) else (rows, columns)
    if not along or not both or across:
        return None
    (c, v), (d, matrix) = table.product(UNIT, along), table.product(UNIT, both)
    e, flat = table.view((UNIT, v), [len(v.dims) - 1 if axes == (1,) else len(v.dims) - 2], len(v.dims))
    if matrix.dims != inner.dims or not matrix.floating or len(flat.dims) != 1:
        return None
    known = known_product(table, matrix, flat) if axes == (1,) else known_product(table, flat, matrix)
    if known is None or len(known[1].dims) != 1:
        return None
    total: Ref = times(times(c, d), times(e, known[0])), known[1]
    return table.view(total, [0, None], 1) if axes == (1,) else total


def known_rows(table: Table, inner: Value, axes: tuple[int, ...]) -> Ref | None:
    """``(a * (b @ c)).sum(1)`` is ``(b * (a @ c.T)).sum(1)``, where ``a @ c.T`` is there and ``b`` is divided by it."""
    if axes not in ((0,), (1,)) or len(inner.dims) != 2 or inner.kind != "prod" or len(inner.factors) > _MOST_FACTORS:
        return None
    for known, other in turned_products(table, inner, axes, lambda make: make()):
        less = _cancelled(table, known, other)
        if less is not None:
            return table.reduce(less, [-1 if axes == (1,) else -2], other.dims)
    return None


def turned_products(table: Table, inner: Value, axes: tuple[int, ...], making: Any) -> Iterator[tuple[Ref, Value]]:
    """By matrix product ``b @ c`` in ``a * (b @ c)``, summed along its rows: ``a @ c.T``, if that is there, and b.

    Where it is summed along its columns: ``b.T @ a`` and c.  ``making`` makes what is needed on the way.
    """
    for f, p in inner.factors:
        product = f.parts[0][1] if f.kind == "view" and f.details == (1, 0) else f
        if p != 1 or product.kind != "matmul" or any(len(v.dims) != 2 for _, v in product.parts):
            continue
        c, rest = making(lambda f=f: table.product(UNIT, [e for e in inner.factors if e[0] is not f]))
        if rest.dims != inner.dims or not rest.floating:
            continue
        (_, first), (_, last) = product.parts
        if product is not f:
            (d, first), (e, last) = making(lambda a=last, b=first: (table.turned(a), table.turned(b)))
            c = times(c, times(d, e))
        d, turned = table.turned(last if axes == (1,) else first)
        known = known_product(table, rest, turned) if axes == (1,) else known_product(table, turned, rest)
        if known is not None:
            yield (times(times(c, d), known[0]), known[1]), first if axes == (1,) else last


def _cancelled(table: Table, first: Ref, other: Value) -> Ref | None:
    """A product in which factors cancel; ``None`` where none do."""
    c, v = table.product(first[0], (*first[1].factors, *other.factors))
    return (c, v) if len(v.factors) < len(first[1].factors) + len(other.factors) - 1 else None


# ---- traces


def trace(table: Table, matrix: Value, dtype: Any) -> Value:
    """The trace of a matrix."""
    return operation(table, np.trace, ((UNIT, matrix),), (), (0,), dtype)


def trace_of(table: Table, inner: Value, axes: tuple[int, ...], dtype: Any) -> Ref | None:
    """The sum of all elements of a matrix times the identity matrix."""
    if len(inner.dims) != 2 or axes != (0, 1) or inner.kind != "prod":
        return None
    unit = next((f for f, p in inner.factors if is_identity(f)), None)
    if unit is None:
        return None
    rest = [(f, p) for f, p in inner.factors if f is not unit]
    rows, columns, both = _split(table.product(UNIT, rest)[1], inner.dims)
    if not both:
        down, across = (table.product(UNIT, side)[1] for side in (rows, columns))
        if down is table.one or across is table.one:
            return None
        first, second = (
            table.view((UNIT, down), [0], 2)[1],
            table.view((UNIT, across), [len(across.dims) - 1], len(across.dims))[1],
        )
        return table.matmul((UNIT, first), (UNIT, second), ())
    c, matrix = table.product(UNIT, rest)
    if matrix.shape != inner.shape:
        return None
    return table.ref(c, trace(table, matrix, dtype))


def is_identity(value: Value) -> bool:
    """Whether a value is ``np.eye(n)``."""
    if value.kind != "op" or not isinstance(value.details[0], Operation):
        return False
    row, step = value.details[:2]
    named = row.kind == "constant" and row.name in ("eye", "identity")
    return named and list(step.params) in (["argument 0"], ["argument 0", "dtype"])


def as_product(table: Table, ref: Ref) -> Ref:
    """The transpose of a product of matrices as a product, if it is one: ``(a @ b).T`` is ``b.T @ a.T``."""
    coefficient, value = ref
    if value.kind != "view" or value.details != (1, 0) or value.parts[0][1].kind != "matmul":
        return ref
    (_, a), (_, b) = value.parts[0][1].parts
    if len(a.dims) != 2 or len(b.dims) != 2:
        return ref
    (c, first), (d, second) = table.turned(b), table.turned(a)
    made = table.make("matmul", (first.number, second.number), None, ((UNIT, first), (UNIT, second)), value.dims)
    if made is not value and not any(r.kind == "view" for r in made.recipes):
        made.recipes.append(Recipe("view", UNIT, ((UNIT, value.parts[0][1]),), (1, 0), "transposes through a product"))
    return times(coefficient, times(c, d)), made


def outer_factors(table: Table, value: Value, side: int, wanted: Collection[int]) -> Iterator[tuple[Value, Ref]]:
    """The first (``side`` 0) or last matrix of a product, and the product of the rest; also of a longer product.

    Of the ways to compute a product in another order, those count that end in one of the ``wanted`` values.
    """
    first: Value = value.parts[side][1]
    other: Ref = UNIT, value.parts[1 - side][1]
    yield first, other
    for _ in range(_DEEPEST):
        if first.kind != "matmul" or len(other[1].dims) != 2:
            return
        orders = [r.parts for r in first.recipes if r.kind == "matmul" and r.coefficient == UNIT]
        for parts in (*(o for o in orders if o[side][1].number in wanted), first.parts):
            (_, end), (_, inner) = parts[side], parts[1 - side]
            if len(inner.dims) != 2:
                return
            left, right = ((UNIT, inner), other) if side == 0 else (other, (UNIT, inner))
            rest = table.matmul(left, right, (left[1].dims[0], right[1].dims[1]))
            yield end, rest
        first, other = end, rest


def unit_matrix(table: Table, dim: Dim, length: Any) -> Value:
    """The identity matrix with axes of a length: one that is there, or a new one."""
    for value in table.values:
        if is_identity(value) and value.dims == (dim, dim):
            return value
    row = creation(np.eye, 1)
    step = Step(row, (), {"argument 0": length}, (Var((dim.length, dim.length), np.dtype(float), None, 0),), None)
    return table.make("op", (id(row), dim), (row, step, 0, ()), (), (dim, dim))


# ---- options


def product_options(table: Table, value: Value, dtype: Any, making: Making) -> None:
    """Further ways of computing a matrix product."""
    (_, left), (_, right) = value.parts
    if len(left.dims) > 2 or len(right.dims) > 2:
        return
    _by_solving(table, value, left, right, dtype, making)
    factors = making(value, lambda: _flattened(table, left) + _flattened(table, right))
    if 3 <= len(factors) <= _LONGEST_CHAIN:
        for c, chain in making(value, lambda: _shortened(table, factors)):
            _offer_chain(table, value, c, chain, making)


def _flattened(table: Table, value: Value) -> list[Value]:
    """The matrices whose product a value is, in order; a vector at an end."""
    plain = _untransposed(table, value)
    if plain.kind != "matmul" or len(plain.dims) != 2 or any(len(v.dims) != 2 for _, v in plain.parts):
        return [value]
    return [f for _, v in plain.parts for f in _flattened(table, v)]


def _shortened(table: Table, factors: Sequence[Value]) -> list[tuple[Coefficient, list[Value]]]:
    """A chain of matrices with neighbours replaced by their products, where those are there: all ways to do so."""
    found: dict[tuple[int, ...], tuple[Coefficient, list[Value]]] = {}
    pending = [(UNIT, [*factors])]
    while pending and len(found) < _MOST_CHAINS:
        c, chain = pending.pop()
        for k in range(len(chain) - 1 if len(chain) > 2 else 0):
            known = known_product(table, chain[k], chain[k + 1]) if _fits(chain[k], chain[k + 1]) else None
            if known is not None and known[1].dims:
                shorter = [*chain[:k], known[1], *chain[k + 2 :]]
                key = tuple(v.number for v in shorter)
                if key not in found:
                    found[key] = (times(c, known[0]), shorter)
                    pending.append(found[key])
    return [*found.values()]


def _offer_chain(table: Table, value: Value, c: Coefficient, chain: Sequence[Value], making: Making) -> None:
    """A product as that of a chain of matrices: the last or the first product is the last one to be made."""
    for split in (len(chain) - 1, 1):
        (a, u), (b, v) = (making(value, partial(_multiplied, table, part)) for part in (chain[:split], chain[split:]))
        if value not in (u, v):
            _offer(value, Recipe("matmul", times(c, times(a, b)), ((UNIT, u), (UNIT, v)), None, REORDERED))
        if len(chain) == 2:
            return


def _multiplied(table: Table, chain: Sequence[Value]) -> Ref:
    total: Ref = (UNIT, chain[0])
    for v in chain[1:]:
        total = table.matmul(total, (UNIT, v), (*total[1].dims[:-1], *v.dims[1:]))
    return total


def _untransposed(table: Table, value: Value) -> Value:
    """The transpose of a product as a product."""
    coefficient, found = as_product(table, (UNIT, value))
    return found if coefficient == UNIT else value


def inner_product(
    table: Table, first: Ref, second: Value, dtype: Any
) -> tuple[str, Coefficient, tuple[Any, ...], None]:
    """How the sum of all elements of a product is computed: kind, coefficient, parts and details of a recipe."""
    c, u = first
    if len(u.dims) == 1:
        return "matmul", c, ((UNIT, u), (UNIT, second)), None
    made = operation(table, np.vdot, ((UNIT, u), (UNIT, second)), (), (0, 1), dtype)
    return "prod", c, ((made, 1),), None


def _fits(left: Value, right: Value) -> bool:
    return bool(left.dims) and bool(right.dims) and left.dims[-1].length == right.dims[0].length


def _offer(value: Value, recipe: Recipe) -> None:
    if len(value.recipes) < 40 and not any(x[1] is value for x in recipe.parts):
        value.recipes.append(recipe)


def _by_solving(table: Table, value: Value, left: Value, right: Value, dtype: Any, making: Making) -> None:
    """``inv(A) @ B`` is ``solve(A, B)``."""
    if function_of(left) is np.linalg.inv or (left.kind == "view" and function_of(left.parts[0][1]) is np.linalg.inv):
        inverted = _inverted(table, left)
        made = making(
            value, lambda: operation(table, np.linalg.solve, (inverted, (UNIT, right)), value.dims, (1,), dtype)
        )
        _offer(value, Recipe("prod", UNIT, ((made, 1),), None, "solved instead of inverted"))
    elif function_of(right) is np.linalg.inv or (
        right.kind == "view" and function_of(right.parts[0][1]) is np.linalg.inv
    ):
        c, matrix = _inverted(table, right)
        d, flipped = table.turned(matrix)
        e, other = table.turned(left)
        if len(flipped.dims) != 2 or len(other.dims) != len(left.dims):
            return
        dims = value.dims[::-1]
        ends = ((times(c, d), flipped), (UNIT, other))
        made = making(value, lambda: operation(table, np.linalg.solve, ends, dims, (1,), dtype))
        if len(dims) == 2:
            _offer(value, Recipe("view", e, ((UNIT, made),), (1, 0), "solved instead of inverted"))
        else:
            _offer(value, Recipe("prod", e, ((made, 1),), None, "solved instead of inverted"))


def _inverted(table: Table, value: Value) -> Ref:
    """The matrix whose inverse a value is."""
    inverse: Value = value.parts[0][1] if value.kind == "view" else value
    coefficient: Coefficient = inverse.parts[0][0]
    matrix: Value = inverse.parts[0][1]
    if value.kind != "view":
        return coefficient, matrix
    c, flipped = table.turned(matrix)
    return times(coefficient, c), flipped
