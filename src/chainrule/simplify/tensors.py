"""Sums of products of three or more arrays, ``np.einsum``: two of them are summed first, where others need that too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from chainrule.ir import Step, Var
from chainrule.ops import OPERATIONS
from chainrule.simplify.making import Making
from chainrule.simplify.normal_form import Table
from chainrule.simplify.scalars import UNIT, Dim, times
from chainrule.simplify.values import Ref, Value, function_of

__all__ = ["Term", "contraction", "spread", "summed_in_parts", "summed_over_groups", "terms_of"]

_LETTERS = "ijklmnopqrstuvwxyzabcdefgh"
_MOST_OPERANDS = 4
_MOST_AXES = 8

Term = tuple[str, Value]
"""A letter for each axis, and the array."""


def terms_of(subscripts: str) -> tuple[list[str], str] | None:
    """The letters of each operand and of the result, where no operand has one twice; without an ellipsis."""
    left, _, result = subscripts.partition("->")
    terms = left.split(",")
    if "." in subscripts or any(len(set(t)) < len(t) for t in (*terms, result)) or len(set(left)) > _MOST_AXES:
        return None
    return terms, result


def summed_in_parts(options: Making, value: Value) -> None:
    """``einsum("ijk,jr,kr->ir", E, B, C)`` by ``einsum("ijk,kr->ijr", E, C)``, which ``E, A, C -> jr`` needs too."""
    if function_of(value) is not np.einsum or not 3 <= len(value.parts) <= _MOST_OPERANDS:
        return
    found = terms_of(value.details[1].params["subscripts"])
    if found is None or any(type(p) is not tuple or p[0] != UNIT or not p[1].floating for p in value.parts):
        return
    letters, result = found
    operands: list[Term] = [(t, p[1]) for t, p in zip(letters, value.parts, strict=True)]
    if any(len(t) != len(v.dims) for t, v in operands):
        return
    for pair in combinations(operands, 2):
        rest = [o for o in operands if o not in pair]
        needed = set(result).union(*(t for t, _ in rest))
        kept = "".join(dict.fromkeys(x for t, _ in pair for x in t if x in needed))

        def make(pair: Sequence[Term] = pair, kept: str = kept, rest: Sequence[Term] = rest) -> Ref | None:
            part = contraction(options.table, pair, kept, options.reader.dtype)
            if part is None or len(part[1].dims) != len(kept):
                return None
            whole = contraction(options.table, [(kept, part[1]), *rest], result, options.reader.dtype)
            return None if whole is None else (times(part[0], whole[0]), whole[1])

        whole = options.making(value, make)
        if whole is not None:
            options.same(value, whole, "sum of a product in parts")


def summed_over_groups(options: Making, value: Value) -> None:
    """``(a.mT @ b).reshape(g, n, i, j).sum(1)``, of several products each, is one product of what is reshaped."""
    inner = value.parts[0][1]
    if value.details != (1,) or function_of(inner) is not np.reshape or len(inner.dims) != 4:
        return
    scale, whole = inner.parts[0]
    product: Value = whole.parts[0][1] if _is_turned(whole) else whole
    if product.kind != "matmul" or [d.number for d in whole.dims[1:]] != [d.number for d in inner.dims[2:]]:
        return
    (c, u), (d, v) = product.parts
    # Of a product the transpose is a product, too: it lies where the forward pass has it.
    e, a = options.table.turned(u) if _is_turned(u) or u.kind == "prod" else (UNIT, u)
    if (
        a is u
        or not (_is_turned(u) or a.leaves)
        or any(len(x.dims) != 3 or x.dims[0].number != product.dims[0].number or not x.floating for x in (a, v))
    ):
        return
    rows = Dim(-(1 << 20) - inner.number, inner.dims[1].length * v.dims[1].length)  # the same rows of a group together

    def make() -> Ref:
        left, right = (_grouped(options, x, inner, rows) for x in (a, v))
        dims = (inner.dims[0], a.dims[2], v.dims[2])
        made = options.table.matmul(options.table.view((UNIT, left), (0, 2, 1), 3), (UNIT, right), dims)
        return made if product is whole else options.table.view(made, (0, 2, 1), 3)

    k, found = options.making(value, make)
    options.same(value, (times(times(scale, k), times(e, times(c, d))), found), "sum of matrix products")


def _is_turned(value: Value) -> bool:
    """Whether a value is the transposes of matrices."""
    return value.kind == "view" and value.details == (0, 2, 1)


def _grouped(options: Making, value: Value, like: Value, rows: Dim) -> Value:
    """Matrices below each other, those of a group in one."""
    dims = (like.dims[0], rows, value.dims[2])
    shape = (like.details[1].params["shape"][0], -1, options.reader.lengths.number(value.dims[2].count(), True))
    out = Var(tuple(d.length for d in dims), options.reader.dtype, None, 0)
    step = Step(OPERATIONS[np.reshape], (), {"shape": shape}, (out,), None)
    key = ("grouped", rows.number, value.number)
    return options.table.make("op", key, (step.operation, step, 0, (0,)), ((UNIT, value),), dims)


def contraction(table: Table, operands: Sequence[Term], result: str, dtype: Any) -> Ref | None:
    """The sum of a product over the letters that the result does not have: one value, however it is spelled."""
    if set(result) >= {x for t, _ in operands for x in t}:
        return spread(table, operands, result)
    ordered = sorted(operands, key=lambda o: (o[1].number, o[0]))
    names: dict[str, str] = {}
    lengths: dict[str, Any] = {}
    for term, v in ordered:
        for x, d in zip(term, v.dims, strict=True):
            names.setdefault(x, _LETTERS[len(names)])
            if x not in lengths or lengths[x].length == 1:
                lengths[x] = d
    own = [x for x in names if x in result]
    subscripts = ",".join("".join(names[x] for x in t) for t, _ in ordered) + "->" + "".join(names[x] for x in own)
    dims = tuple(lengths[x] for x in own)
    operation = OPERATIONS[np.einsum]
    step = Step(operation, (), {"subscripts": subscripts}, (Var(tuple(d.length for d in dims), dtype, None, 0),), None)
    refs = tuple((UNIT, v) for _, v in ordered)
    key = ("einsum", subscripts, tuple(v.number for _, v in ordered))
    made = table.make("op", key, (operation, step, 0, tuple(range(len(refs)))), refs, dims)
    return table.view((UNIT, made), [own.index(x) for x in result], len(own))


def spread(table: Table, operands: Sequence[Term], result: str) -> Ref | None:
    """A product of arrays over which nothing is summed, each letter an axis: ``x[:, :, None] * y[:, None]``."""
    rank = len(result)
    total: Ref = (UNIT, table.one)
    for term, v in operands:
        if len(term) != len(v.dims):
            return None
        mapping = [term.index(x) if x in term else None for x in result]
        total = table.multiply(total, table.view((UNIT, v), mapping, len(v.dims)))
    return total if len(total[1].dims) == rank else None
