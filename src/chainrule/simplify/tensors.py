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
from chainrule.simplify.scalars import UNIT, times
from chainrule.simplify.values import Ref, Value, function_of

__all__ = ["Term", "contraction", "spread", "summed_in_parts", "terms_of"]

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
