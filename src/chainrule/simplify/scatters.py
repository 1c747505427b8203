"""How steps that add at an index are read."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.dispatch import load_families
from chainrule.handlers import creation
from chainrule.indexing import HOLE, Index, add_item
from chainrule.ir import Step, Var
from chainrule.ops import OPERATIONS, Operation
from chainrule.rules import spacing as _spacing  # noqa: F401  np.zeros_like is a row of its table
from chainrule.simplify.free_steps import is_fresh
from chainrule.simplify.functions import ScatterAt, scatter
from chainrule.simplify.literals import frozen_params
from chainrule.simplify.read import Reader
from chainrule.simplify.scalars import UNIT, Dim
from chainrule.simplify.values import Ref, Value

__all__ = ["on_diagonal", "scattered", "starts_from_zero"]


def scattered(reader: Reader, step: Step) -> Ref | None:
    """What is added at an index of an array: the array and the same added to zeros."""
    base, amount, *arrays = step.inputs
    if base.number in reader.written:
        reader.written.update(out.number for out in step.outputs)
        return None  # it is written into the array that a loop adds up
    start, value = reader.refs[base.number], reader.operand(amount)
    picked = [reader.fitted(x) for x in arrays]
    if value is None or any(p is None for p in picked) or reader.variables[base.number].dtype != reader.dtype:
        return None
    if starts_from_zero(start):
        zeros = start[1]
    else:
        found = _zeros_in(start) or _zeros_for(reader, step.outputs[0])
        if found is None:
            return None
        zeros = found
    params = frozen_params(step, reader.lengths)
    ref = scatter(reader.table, value, ScatterAt(step, params, zeros, tuple(p for p in picked if p is not None)))
    return ref if starts_from_zero(start) else reader.table.add((start, ref))


def _zeros_in(ref: Ref) -> Value | None:
    """The array of zeros that something was added to before."""
    for _, v in ref[1].terms:
        for f, _ in v.factors:
            added = f.kind == "op" and isinstance(f.details[0], Operation) and len(f.parts) > 1
            if added and f.details[0].function is add_item and starts_from_zero(f.parts[0]):
                start: Value = f.parts[0][1]
                return start
    return None


def on_diagonal(reader: Reader, step: Step) -> Ref | None:
    """A vector on the diagonal of a matrix of zeros, as ``np.diag`` gives it: added at ``[i, i]``."""
    amount = reader.operand(step.inputs[0])
    zeros = _zeros_for(reader, step.outputs[0])
    out = step.outputs[0]
    if reader.table.forward or step.params or amount is None or zeros is None or len(out.shape) != 2:
        return None
    (dim,) = reader.lengths.dims(step.inputs[0].number)
    return scatter(reader.table, amount, _diagonal_of(reader, zeros, dim))


def _diagonal_of(reader: Reader, zeros: Value, dim: Dim) -> ScatterAt:
    """The index of the diagonal of a square matrix."""
    length = reader.lengths.number(dim.count(), True)
    row = creation(np.arange, 1)
    out = Var((dim.length,), np.dtype(np.intp), None, 0)
    params = {"argument 0": length}
    made = Step(row, (), params, (out,), None)
    key = (id(row), 0, tuple((n, reader.frozen(p)) for n, p in params.items()), ())
    along = reader.table.make("op", key, (row, made, 0, ()), (), (dim,), False)
    index = Index((HOLE, HOLE), False)
    step = Step(OPERATIONS[add_item], (), {"index": index}, (Var(zeros.shape, reader.dtype, None, 0),), None)
    return ScatterAt(step, (("index", reader.frozen(index)),), zeros, ((UNIT, along), (UNIT, along)))


def _zeros_for(reader: Reader, cotangent: Var) -> Value | None:
    """Zeros like the variable of the forward pass whose cotangent is made, or like one that is as long."""
    primal = reader.primals.get(cotangent.number)
    dims = reader.lengths.dims(cotangent.number)
    if primal is None or primal.shape != cotangent.shape or primal.dtype != reader.dtype:
        made = (o for s in reader.program.steps[: reader.backward.forward_steps] for o in s.outputs)
        alike = (x for x in (*reader.program.inputs, *made) if x.dtype == reader.dtype and reader.whole(x) == dims)
        primal = next(alike, None)
    if primal is None:
        return None
    dims = reader.lengths.dims(primal.number)
    load_families()
    row = OPERATIONS[np.zeros_like]
    step = Step(row, (primal,), {}, (cotangent,), None)
    return reader.table.make(
        "op", ("zeros", dims), (row, step, 0, ()), ((UNIT, reader.table.leaf(primal, dims, True)),), dims
    )


def starts_from_zero(ref: Any) -> bool:
    """Whether a value is an array of zeros, made for something to be added to."""
    if type(ref) is not tuple or ref[1].kind != "op":
        return False
    operation, step, *_ = ref[1].details
    return operation != "full" and operation.name == "zeros_like" and is_fresh(step)
