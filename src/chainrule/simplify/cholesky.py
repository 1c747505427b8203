"""The gradient through the factor of Cholesky, where what reaches the factor has a structure of its own.

The cotangent ``G`` of the factor ``L`` gives ``X + X.T`` with ``X = L^-T F L^-1``, where ``F`` is the lower triangle of
``L.T @ G`` with half its diagonal.  This is linear in ``G``, and for two kinds of terms it is known:
``diag(c / diag(L))``, of a log-determinant, gives ``c * inv(S)``; and ``L^-T z z.T``, of a squared norm of
``z = L^-1 r``, gives ``a a.T`` with ``a = L^-T z``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.ir import Const, Step, Var
from chainrule.simplify.linear_algebra import operation
from chainrule.simplify.normal_form import Table
from chainrule.simplify.read import Reader
from chainrule.simplify.scalars import UNIT, Coefficient, times
from chainrule.simplify.symmetry import is_symmetric
from chainrule.simplify.values import Ref, Value, function_of

__all__ = ["half_of_symmetric", "is_half_triangle", "through_factor"]


def _unturned(reader: Reader, x: Var | Const) -> tuple[Var | Const, bool]:
    """A variable without the exchanges of its two axes, and whether their number is odd."""
    odd = False
    while True:
        step = reader.producers.get(x.number)
        if step is None or len(step.outputs[0].shape) != 2 or len(step.inputs) != 1:
            return x, odd
        exchanged = step.operation.function is np.transpose and not step.params
        if step.operation.function is np.swapaxes:
            exchanged = sorted(int(a) % 2 for a in step.params.values()) == [0, 1]
        if not exchanged:
            return x, odd
        odd = not odd
        x = step.inputs[0]


def _made(reader: Reader, x: Var | Const, function: Any) -> Step | None:
    step = reader.producers.get(x.number)
    return step if step is not None and step.operation.function is function else None


def is_half_triangle(reader: Reader, x: Var | Const) -> bool:
    """Whether a matrix has ones below the diagonal and halves on it, as ``np.tri(n) - 0.5 * np.eye(n)``."""
    step = _made(reader, x, np.subtract)
    if step is None:
        return False
    tri = reader.producers.get(step.inputs[0].number)
    scaled = _made(reader, step.inputs[1], np.multiply)
    if tri is None or scaled is None or tri.operation.name != "tri" or not set(tri.params) <= {"argument 0", "dtype"}:
        return False
    half, unit = scaled.inputs
    eye = reader.producers.get(unit.number)
    return (
        isinstance(half, Const)
        and half.number < 0
        and half.value == 0.5
        and eye is not None
        and eye.operation.name == "eye"
        and set(eye.params) <= {"argument 0", "dtype"}
    )


def _factor_and_cotangent(reader: Reader, total: Step) -> tuple[Var | Const, Var | Const, Var | Const] | None:
    """The factor ``L``, its cotangent and the weights, where a step adds ``X`` and ``X.T``."""
    (x, odd), (y, other) = (_unturned(reader, operand) for operand in total.inputs)
    if x is not y or odd is other:
        return None
    factors: list[Var | Const] = []
    for _ in range(2):
        solved = _made(reader, x, np.linalg.solve)
        if solved is None or solved.params:
            return None
        factor, odd = _unturned(reader, solved.inputs[0])
        if not odd:
            return None
        factors.append(factor)
        x, odd = _unturned(reader, solved.inputs[1])
        if odd is (len(factors) == 2):
            return None
    halved = _made(reader, x, np.multiply)
    if halved is None or not is_half_triangle(reader, halved.inputs[1]):
        return None
    product = _made(reader, halved.inputs[0], np.matmul)
    if product is None:
        return None
    factor, odd = _unturned(reader, product.inputs[0])
    made = _made(reader, factor, np.linalg.cholesky)
    if not odd or made is None or made.params or any(f is not factor for f in factors):
        return None
    return factor, product.inputs[1], halved.inputs[1]


def through_factor(reader: Reader, step: Step) -> Ref | None:
    """``X + X.T`` by the terms of the cotangent of the factor."""
    if reader.table.forward or len(step.outputs[0].shape) != 2:
        return None
    found = _factor_and_cotangent(reader, step)
    if found is None:
        return None
    factor, cotangent, weights = found
    matrix = reader.producers[factor.number].inputs[0]
    lower, whole, ref = reader.refs[factor.number], reader.operand(matrix), reader.operand(cotangent)
    if whole is None or ref is None or lower[0] != UNIT or lower[1].kind == "one":
        return None
    symmetric = is_symmetric(reader.table, whole[1])
    if symmetric:
        reader.symmetric_totals.add(step.outputs[0].number)
    pullback = _Pullback(reader, lower[1], whole, symmetric)
    known: list[Ref] = []
    rest: list[Ref] = []
    for c, v in ref[1].terms:
        term = pullback.term(v)
        if term is None:
            rest.append((c, v))
        else:
            known.append((times(c, term[0]), term[1]))
    if not known:
        return None
    if rest:
        known.append(pullback.mechanical(reader.table.add(rest), reader.refs[weights.number][1]))
    c, v = reader.table.add(known)
    return times(ref[0], c), v


def half_of_symmetric(reader: Reader, step: Step) -> Ref | None:
    """The gradient of a matrix that is symmetric by how it is made may be symmetric itself: half of ``X + X.T``.

    NumPy reads one triangle, so the gradient has all in that one; together with a symmetric matrix both are the same.
    """
    for x, weights in (step.inputs, step.inputs[::-1]):
        if is_half_triangle(reader, weights) and (x.number in reader.symmetric_totals or _is_total(reader, step, x)):
            c, v = reader.refs[x.number]
            return times(c, Coefficient(Fraction(1, 2))), v
    return None


def _is_total(reader: Reader, step: Step, x: Var | Const) -> bool:
    """Whether a step weighs ``X + X.T``, for the gradient of a matrix that is symmetric by how it is made."""
    primal = reader.primals.get(step.outputs[0].number)
    total = _made(reader, x, np.add)
    if primal is None or total is None or not is_symmetric(reader.table, reader.refs[primal.number][1]):
        return False
    (a, odd), (b, other) = (_unturned(reader, operand) for operand in total.inputs)
    return a is b and odd is not other


class _Pullback:
    """``X + X.T`` for the terms of a cotangent of one factor."""

    def __init__(self, reader: Reader, lower: Value, whole: Ref, symmetric: bool) -> None:
        self.table: Table = reader.table
        self.dtype = reader.dtype
        self.lower = lower
        self.whole = whole
        self.symmetric = symmetric

    def term(self, v: Value) -> Ref | None:
        """What one term gives, where it is known."""
        at = self.table.scatters.get(v)
        if at is not None:
            return self._of_log_determinant(v.parts[1]) if at.is_diagonal() else None
        pair = _pair(self.table, v)
        if pair is None:
            return None
        for a, z in (pair, pair[::-1]):
            solved = self._solved(a)
            if solved is not None and solved is z:
                return _outer(self.table, a)
        return None

    def _solved(self, a: Value) -> Value | None:
        """``z``, where a value is ``L^-T z``."""
        if function_of(a) is not np.linalg.solve:
            return None
        (c, matrix), (d, z) = a.parts
        d2, upper = self.table.turned(self.lower)
        return z if matrix is upper and c == d == d2 == UNIT else None

    def _of_log_determinant(self, amount: Ref) -> Ref | None:
        """``diag(1 / diag(L))`` gives the inverse."""
        c, w = amount
        if len(w.factors) != 1 or w.factors[0][1] != -1:
            return None
        diagonal = w.factors[0][0]
        if function_of(diagonal) not in (np.diag, np.diagonal) or diagonal.details[1].params:
            return None
        if diagonal.parts[0][1] is not self.lower or diagonal.parts[0][0] != UNIT:
            return None
        if self.symmetric:
            made = operation(self.table, np.linalg.inv, (self.whole,), self.lower.dims, (), self.dtype)
            return c, made
        inverse = operation(self.table, np.linalg.inv, ((UNIT, self.lower),), self.lower.dims, (), self.dtype)
        return c, self.table.matmul(self.table.turned(inverse), (UNIT, inverse), self.lower.dims)[1]

    def mechanical(self, rest: Ref, half: Value) -> Ref:
        """What the other terms give, as the rule computes it."""
        table, dims = self.table, self.lower.dims
        c, upper = table.turned(self.lower)
        inner = table.matmul((c, upper), rest, dims)
        scale, found = table.multiply(inner, (UNIT, half))
        for _ in range(2):
            d, found = table.turned(
                operation(table, np.linalg.solve, ((c, upper), (UNIT, found)), dims, (1,), self.dtype)
            )
            scale = times(scale, d)
        e, back = table.turned(found)
        return table.add(((scale, found), (times(scale, e), back)))


def _pair(table: Table, v: Value) -> tuple[Value, Value] | None:
    """``a`` and ``b``, where a value is ``a @ b.T``."""
    if v.kind == "matmul":
        (_, left), (_, right) = v.parts
        c, other = table.turned(right)
        return (left, other) if c == UNIT and len(left.dims) == len(other.dims) == 2 else None
    if v.kind == "prod" and len(v.factors) == 2 and all(p == 1 for _, p in v.factors):
        (f, _), (g, _) = v.factors
        column, row = (f, g) if len(f.dims) == 2 else (g, f)
        if len(column.dims) == 2 and len(row.dims) == 1 and column.kind == "view" and column.details == (0, None):
            return column.parts[0][1], row
    return None


def _outer(table: Table, a: Value) -> Ref:
    """``a @ a.T``."""
    if len(a.dims) == 1:
        return table.multiply(table.view((UNIT, a), [0, None], 1), (UNIT, a))
    return table.matmul((UNIT, a), table.turned(a), (a.dims[0], a.dims[0]))
