"""Identities between functions: factors of a product that belong together, what is added at an index, tied shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.indexing import HOLE, add_item, set_item
from chainrule.ir import Const, Step, Var, is_zero
from chainrule.ops import OPERATIONS, Operation
from chainrule.simplify.accumulated import known_accumulated
from chainrule.simplify.guards import (
    argument_of,
    before_clearing,
    guard_added,
    guard_chosen,
    guarded_by_maximum,
    guarded_norm,
    masked_anyway,
    unguarded,
    zero_anyway,
)
from chainrule.simplify.linear_algebra import known_inner, known_rows, known_weighted, trace_of
from chainrule.simplify.normal_form import Table
from chainrule.simplify.properties import (
    counted_along,
    is_untied,
    is_zero_or_one,
    known_sum,
    picked,
    vanishes,
)
from chainrule.simplify.scalars import UNIT, ZERO, Coefficient, power_of, times
from chainrule.simplify.values import Power, Ref, Value, function_of, multiply_by
from chainrule.sizes import is_size

__all__ = ["ScatterAt", "merge_factors", "note_share", "scatter", "settled", "special_sum", "tied_share"]


def merge_factors(table: Table, powers: dict[Value, Power]) -> Ref | None:
    """Merge factors of a product that belong together, in place; what is returned is a further factor."""
    for value in list(powers):
        function = function_of(value)
        if powers.get(value, 0) > 0 and len(value.dims) and is_zero_or_one(table, value):
            if not table.forward and vanishes(table, value, powers):
                return ZERO, table.one
            powers[value] = 1
            if picked(table, value, powers):
                continue
        if value in powers and (cancelled := _root_cancelled(table, value, powers)) is not None:
            return cancelled
        if value.kind == "sum":
            guard_added(value, powers)
            guarded_norm(value, powers)
            guarded_by_maximum(table, value, powers)
        elif function is np.sign and powers.get(value) == 1:
            _signed_reciprocal(value, powers)
            found = _with_sign(value, powers, table.one) if value in powers else None
            found = _size(table, value, powers) if found is None and value in powers else found
            if found is not None:
                return found
        elif function is np.greater and powers.get(value, 0) == 1 and table.double:
            found = _counted_where_kept(table, value, powers)
            if found is not None:
                return found
        elif function in (np.maximum, np.minimum, set_item):
            masked_anyway(value, powers)
        elif function is np.where and powers.get(value, 0) < 0:
            guard_chosen(value, powers)
        elif function in (np.where, np.not_equal) and powers.get(value, 0) > 0:
            zero_anyway(value, powers)
        elif function is np.sinh and powers.get(value) == 1 and not table.forward:
            _hyperbolic(table, value, powers)
        elif function is add_item and powers.get(value) == 1 and value in table.scatters:
            found = _into_scatter(table, value, powers)
            if found is not None:
                return found
    return None


def _root_cancelled(table: Table, value: Value, powers: dict[Value, Power]) -> Ref | None:
    """``x / sqrt(x)`` is ``sqrt(x)``, and ``x / sqrt(x)**2`` is 1, in place; what is returned is a further factor."""
    root = value.parts[0][1] if value.kind == "view" else value
    order = _order(root)
    argument = argument_of(root) if order else None
    if argument is None or not argument[1].dims or argument[1].kind == "sum":
        return None
    c, x = table.view(argument, value.details, len(root.dims)) if value.kind == "view" else argument
    p = Fraction(powers[value])
    sign = -1 if p * order > 0 else 1  # of the power of x that goes
    if abs(p + sign * order) > abs(p) or not all(powers.get(f, 0) / (sign * q) >= 1 for f, q in x.factors):
        return None
    scale = power_of(c, -sign)
    if scale is None or not x.factors:
        return None
    multiply_by(powers, ((value, sign * order), *((f, -sign * q) for f, q in x.factors)))
    return scale, table.one


def _order(value: Value) -> int:
    """The power by which a root is what it was taken of; 0 for what is no root."""
    function = function_of(value)
    if function is np.power and isinstance(exponent := value.parts[1], Const) and exponent.number < 0:
        raised: Any = exponent.value
        return 2 if raised == 0.5 else -2 if raised == -0.5 else 0
    return 2 if function is np.sqrt else 3 if function is np.cbrt else 0


@dataclass(frozen=True, slots=True, eq=False)
class ScatterAt:
    """Where amounts are added to an array of zeros."""

    step: Step
    params: Any
    zeros: Value
    arrays: tuple[Ref, ...]

    def index_key(self) -> Any:
        return self.params, tuple((v.number, c) for c, v in self.arrays)

    def is_element(self) -> bool:
        """Whether it is a single element."""
        parts = self.step.params["index"].parts
        places = self.step.inputs[2:]
        single = all(isinstance(x, Var) and not x.shape and x.dtype.kind in "iu" for x in places)
        known = all(type(p) is int or is_size(p) or p is HOLE for p in parts)
        return len(parts) == len(self.zeros.dims) and known and single

    def is_diagonal(self) -> bool:
        """Whether it is the diagonal of a square matrix."""
        first = self.arrays[0][1] if len(self.arrays) == 2 else None
        named = first is not None and first.kind == "op" and isinstance(first.details[0], Operation)
        if first is None or not named or first.details[0].name != "arange" or self.arrays[1][1] is not first:
            return False
        return len(first.details[1].params) == 1 and all(d.length == first.dims[0].length for d in self.zeros.dims)


def scatter(table: Table, amount: Ref, at: ScatterAt) -> Ref:
    """An amount added to zeros at an index."""
    coefficient, value = amount
    if not coefficient.number:
        return amount
    inner = (UNIT, value)
    refs = ((UNIT, at.zeros), inner, *at.arrays)
    operation = at.step.operation
    key = (id(operation), 0, at.params, tuple((v.number, c) for c, v in refs))
    made = table.make("op", key, (operation, at.step, 0, (1,)), refs, at.zeros.dims)
    table.scatters[made] = at
    return coefficient, made


def _into_scatter(table: Table, value: Value, powers: dict[Value, Power]) -> Ref | None:
    """``scatter(v) * P`` is ``scatter(v * P[index])``, where ``P[index]`` is known from the forward pass."""
    at: ScatterAt = table.scatters[value]
    for source, gathered in table.gathers.get(at.index_key(), ()):
        for sign in (1, -1):
            wanted = {f: q * sign for f, q in source[1].factors}
            if wanted and all(powers.get(f, 0) / q >= 1 for f, q in wanted.items()):
                below = power_of(source[0], -1)
                scale = None if below is None else power_of(times(gathered[0], below), sign)
                if scale is None:
                    continue
                del powers[value]
                multiply_by(powers, ((f, -q) for f, q in wanted.items()))
                amount = table.product(
                    scale, (*value.parts[1][1].factors, *((v, q * sign) for v, q in gathered[1].factors))
                )
                return scatter(table, amount, at)
    return None


def _sum_of_scatter(table: Table, inner: Value, axes: tuple[int, ...]) -> Ref | None:
    """The row sums of what was added at one place per row: ``rows`` counts all rows."""
    at = table.scatters.get(inner)
    if at is not None and axes in ((0,), (1,)) and at.is_diagonal():
        along: Ref = inner.parts[1]
        return table.view(along, [0, None], 1) if axes == (1,) and along[1].dims else along
    whole = all(d.one for k, d in enumerate(inner.dims) if k not in axes)
    if at is not None and whole and at.is_element():
        amount: Ref = inner.parts[1]
        return amount if not amount[1].dims else None
    if at is None or len(axes) != 1 or len(inner.dims) < 2 or len(at.arrays) != len(inner.dims):
        return None
    if any(p is not HOLE for p in at.step.params["index"].parts):
        return None
    # All places along the other axes, each counted along an axis of its own.
    rank = max(len(v.dims) for _, v in at.arrays)
    mapping: list[int | None] = [None] * len(inner.dims)
    for k, (_, places) in enumerate(at.arrays):
        if k in axes:
            continue
        counted = counted_along(places, inner.dims[k])
        if counted is None or rank + counted in mapping:
            return None
        mapping[k] = rank + counted
    amount = inner.parts[1]
    if any(not d.one and rank - len(amount[1].dims) + k not in mapping for k, d in enumerate(amount[1].dims)):
        return None
    return table.view(amount, mapping, rank) if amount[1].dims else amount


def special_sum(table: Table, inner: Value, axes: tuple[int, ...], dtype: Any) -> Ref | None:
    """A sum that is known by what is summed: of what was added at an index, of a known product, of a diagonal."""
    found = known_sum(table, inner, axes)
    if found is not None or table.forward:
        return found
    for look in (_sum_of_scatter, known_inner, known_weighted, known_rows, known_accumulated):
        found = look(table, inner, axes)
        if found is not None:
            return found
    return trace_of(table, inner, axes, dtype)


def tied_share(table: Table, step: Step, parts: Sequence[Any]) -> Ref | None:
    """The shares of two operands in their maximum or minimum add up to one: the second is one minus the first."""
    condition, half, larger = step.inputs
    if not (isinstance(half, Const) and half.number < 0 and half.value == 0.5):
        return None
    if type(parts[0]) is not tuple or type(parts[2]) is not tuple:
        return None
    equal, wins = parts[0][1], parts[2][1]
    if function_of(equal) is not np.equal or function_of(wins) not in (np.greater, np.less):
        return None
    pair = [wins.parts[0], wins.parts[1]]
    if function_of(wins) is np.less:
        pair.reverse()
    if list(equal.parts) not in (pair, pair[::-1]) or any(type(p) is not tuple for p in pair):
        return None
    mine = tuple((p[1].number, p[0]) for p in pair)
    other = table.shares.get(mine[::-1])
    if other is None and is_untied(table, *pair):
        table.shares[mine] = wins
        return UNIT, wins
    if other is None:
        return None
    return table.add([(UNIT, table.one), (Coefficient(Fraction(-1)), other)])


def note_share(table: Table, value: Value) -> None:
    """Remember a share, so that its counterpart is known."""
    if function_of(value) is not np.where or len(value.parts) != 3:
        return
    _, half, larger = value.parts
    if not (isinstance(half, Const) and half.value == 0.5) or type(larger) is not tuple:
        return
    wins = larger[1]
    if function_of(wins) in (np.greater, np.less) and all(type(p) is tuple for p in wins.parts):
        pair = [(p[1].number, p[0]) for p in wins.parts]
        table.shares[tuple(pair if function_of(wins) is np.greater else pair[::-1])] = value


def _size(table: Table, sign: Value, powers: dict[Value, Power]) -> Ref | None:
    """``sign(x) * x`` is ``abs(x)``."""
    argument = argument_of(sign)
    if argument is None or not argument[1].dims:
        return None
    c, x = argument
    below = power_of(c, -1)
    if below is None or not all(powers.get(f, 0) / q >= 1 for f, q in x.factors):
        return None
    multiply_by(powers, ((sign, -1), *((f, -q) for f, q in x.factors)))
    return below, elementwise(table, np.absolute, sign)


def _counted_where_kept(table: Table, mask: Value, powers: dict[Value, Power]) -> Ref | None:
    """A number where t is positive, with a part set to zero, is ``number * (m > 0)`` for ``m = maximum(t, 0)`` with it.

    In the same place, m was set to zero, as the margin of a class against itself is.
    """
    argument, zero = mask.parts
    cleared = next((v for v, p in powers.items() if p == 1 and before_clearing(v) is not None), None)
    if type(argument) is not tuple or not is_zero(zero) or cleared is None:
        return None
    scale, full = cleared.parts[0]
    if full.kind != "op" or full.details[0] != "full" or full.parts[0][1] is not table.one:
        return None
    for held in table.values:
        before = before_clearing(held)
        if held is cleared or before is None or held.parts[2:] != cleared.parts[2:]:
            continue
        _, base = before
        same = held.details[1].params["index"] == cleared.details[1].params["index"]
        larger = function_of(base) is np.maximum and len(base.parts) == 2
        if same and larger and argument in base.parts and any(is_zero(x) for x in base.parts):
            operation: Any = mask.details[0]
            parts = (UNIT, held), zero
            key = (id(operation), 0, (), ((held.number, UNIT), "zero"))
            step: Step = mask.details[1]
            made = Step(operation, step.inputs, {}, step.outputs, step.position)
            kept = table.make("op", key, (operation, made, 0, ()), parts, held.dims, False)
            multiply_by(powers, ((cleared, -1), (mask, -1)))
            return times(scale, full.parts[0][0]), kept
    return None


def _with_sign(sign: Value, powers: dict[Value, Power], one: Value) -> Ref | None:
    """``sign(x) * abs(x)`` is ``x``."""
    argument = argument_of(sign)
    size = next(
        (v for v, p in powers.items() if p >= 1 and function_of(v) is np.absolute and v.parts == sign.parts), None
    )
    if argument is None or size is None or not argument[1].dims:
        return None
    multiply_by(powers, ((sign, -1), (size, -1), *argument[1].factors))
    return argument[0], one


def _signed_reciprocal(sign: Value, powers: dict[Value, Power]) -> None:
    """``sign(x) / abs(x)`` is ``1 / x``."""
    argument = argument_of(sign)
    size = next(
        (v for v, p in powers.items() if p < 0 and function_of(v) is np.absolute and v.parts == sign.parts), None
    )
    if argument is None or size is None or argument[0] != UNIT or argument[1].kind == "prod":
        return
    multiply_by(powers, ((sign, -1), (size, 1), (argument[1], -1)))


def settled(table: Table, coefficient: Coefficient, powers: dict[Value, Power]) -> Coefficient:
    """The scalar factor of a product without guards that it does not need, and with its own factors merged as arrays'.

    ``sign(x) / abs(x)`` is ``1 / x``, ``x / sqrt(x)`` is ``sqrt(x)`` and ``x / sqrt(x)**2`` is 1.
    """
    coefficient = unguarded(table, coefficient, powers)
    factors: tuple[Any, ...] | None
    for key, p in coefficient.atoms:
        value = table.values[key[1]] if key[0] == "v" else None
        argument = None if value is None else argument_of(value)
        if value is None or argument is None or argument[1] is not table.one or not argument[0].atoms:
            continue
        own = argument[0]
        if function_of(value) is np.sign and p >= 1:
            size = next((k for k, q in coefficient.atoms if q < 0 and _is_size_of(table, k, value)), None)
            factors = None if size is None else ((key, -1), (size, 1))
            raised = power_of(own, -1)
        else:
            order = _order(value)
            sign = -1 if p * order > 0 else 1  # of the power of x that goes
            held = dict(coefficient.atoms)
            whole = order and all(held.get(k, 0) / (sign * q) >= 1 for k, q in own.atoms)
            factors = ((key, sign * order),) if whole and abs(p + sign * order) <= abs(p) else None
            raised = power_of(own, -sign)
        if factors is not None and raised is not None:
            coefficient = times(times(coefficient, Coefficient(Fraction(1), tuple(sorted(factors)))), raised)
            return settled(table, coefficient, powers)
    return coefficient


def _is_size_of(table: Table, key: Any, sign: Value) -> bool:
    size = table.values[key[1]] if key[0] == "v" else None
    return size is not None and function_of(size) is np.absolute and size.parts == sign.parts


def _hyperbolic(table: Table, sinh: Value, powers: dict[Value, Power]) -> None:
    """``sinh(x) / cosh(x)`` is ``tanh(x)``, which does not overflow."""
    cosh = next((v for v, p in powers.items() if p < 0 and function_of(v) is np.cosh and v.parts == sinh.parts), None)
    if cosh is None:
        return
    multiply_by(powers, ((sinh, -1), (cosh, 1), (elementwise(table, np.tanh, sinh), 1)))


def elementwise(table: Table, function: Any, like: Value) -> Value:
    """Another function of the operands of an elementwise operation."""
    operation = OPERATIONS[function]
    step: Step = like.details[1]
    (out,) = step.outputs
    made = Step(operation, step.inputs, {}, (Var(out.shape, out.dtype, None, out.number),), step.position)
    operands = tuple((r[1].number, r[0]) for r in like.parts)
    return table.make("op", (id(operation), 0, (), operands), (operation, made, 0, ()), like.parts, like.dims)
