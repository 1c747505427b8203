"""Identities between functions: factors of a product that belong together, what is added at an index, tied shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.indexing import add_item
from chainrule.ir import Const, Step, Var
from chainrule.ops import OPERATIONS
from chainrule.simplify.normal_form import Table
from chainrule.simplify.scalars import UNIT, Coefficient, power_of, times
from chainrule.simplify.values import Power, Ref, Value

__all__ = ["ScatterAt", "merge_factors", "note_share", "scatter", "sum_of_scatter", "tied_share"]


def _function(value: Value) -> Any:
    return value.details[0].function if value.kind == "op" and value.details[0] != "full" else None


def _argument(value: Value, k: int = 0) -> Any:
    part = value.parts[k]
    return part if type(part) is tuple else None


def merge_factors(table: Table, powers: dict[Value, Power]) -> Ref | None:
    """Merge factors of a product that belong together, in place; what is returned is a further factor."""
    for value in list(powers):
        function = _function(value)
        if function is np.where:
            _unguarded(value, powers)
        elif function is np.sinh and powers.get(value) == 1 and not table.forward:
            _hyperbolic(table, value, powers)
        elif function is add_item and powers.get(value) == 1 and value in table.scatters:
            found = _into_scatter(table, value, powers)
            if found is not None:
                return found
    return None


@dataclass(frozen=True, slots=True, eq=False)
class ScatterAt:
    """Where amounts are added to an array of zeros."""

    step: Step
    params: Any
    zeros: Value
    arrays: tuple[Ref, ...]

    def index_key(self) -> Any:
        return self.params, tuple((v.number, c) for c, v in self.arrays)


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
                scale = power_of(times(gathered[0], Coefficient(1 / source[0].number, ())), sign)
                if scale is None or source[0].atoms:
                    continue
                del powers[value]
                for f, q in wanted.items():
                    powers[f] -= q
                    if not powers[f]:
                        del powers[f]
                amount = table.product(
                    scale, (*value.parts[1][1].factors, *((v, q * sign) for v, q in gathered[1].factors))
                )
                return scatter(table, amount, at)
    return None


def sum_of_scatter(table: Table, inner: Value, axes: tuple[int, ...]) -> Ref | None:
    """The row sums of what was added at one place per row: ``rows`` counts all rows."""
    at = table.scatters.get(inner)
    if at is None or len(inner.dims) != 2 or axes != (1,) or len(at.arrays) != 2:
        return None
    rows = at.arrays[0][1]
    index = at.step.params["index"]
    if len(index.parts) != 2 or rows.kind != "op" or rows.details[0] == "full" or rows.details[0].name != "arange":
        return None
    if list(rows.details[1].params) != ["argument 0"] or rows.dims != inner.dims[:1]:
        return None
    amount = inner.parts[1]
    return table.view(amount, [0, None], 1) if amount[1].dims else amount


def tied_share(table: Table, step: Step, parts: Sequence[Any]) -> Ref | None:
    """The shares of two operands in their maximum or minimum add up to one: the second is one minus the first."""
    condition, half, larger = step.inputs
    if not (isinstance(half, Const) and half.number < 0 and half.value == 0.5):
        return None
    if type(parts[0]) is not tuple or type(parts[2]) is not tuple:
        return None
    equal, wins = parts[0][1], parts[2][1]
    if _function(equal) is not np.equal or _function(wins) not in (np.greater, np.less):
        return None
    pair = [wins.parts[0], wins.parts[1]]
    if _function(wins) is np.less:
        pair.reverse()
    if sorted(map(str, pair)) != sorted(map(str, equal.parts)) or any(type(p) is not tuple for p in pair):
        return None
    mine = tuple((p[1].number, p[0]) for p in pair)
    other = table.shares.get(mine[::-1])
    if other is None:
        return None
    return table.add([(UNIT, table.one), (Coefficient(Fraction(-1)), other)])


def note_share(table: Table, value: Value) -> None:
    """Remember a share, so that its counterpart is known."""
    if _function(value) is not np.where or len(value.parts) != 3:
        return
    _, half, larger = value.parts
    if not (isinstance(half, Const) and half.value == 0.5) or type(larger) is not tuple:
        return
    wins = larger[1]
    if _function(wins) in (np.greater, np.less) and all(type(p) is tuple for p in wins.parts):
        pair = [(p[1].number, p[0]) for p in wins.parts]
        table.shares[tuple(pair if _function(wins) is np.greater else pair[::-1])] = value


def _unguarded(guard: Value, powers: dict[Value, Power]) -> None:
    """``np.where(s == 0, 1, s)`` is ``s`` where the product is divided by ``s`` as well: it is not finite at 0."""
    if len(guard.parts) != 3 or powers.get(guard, 0) >= 0:
        return
    condition, chosen, otherwise = guard.parts
    if not isinstance(chosen, Const) or type(condition) is not tuple or type(otherwise) is not tuple:
        return
    test, s = condition[1], otherwise[1]
    if _function(test) is not np.equal or otherwise[0] != UNIT or _argument(test) != (UNIT, s):
        return
    zero = test.parts[1]
    if isinstance(zero, Const) and zero.value == 0 and powers.get(s, 0) < 0:
        powers[s] += powers.pop(guard)


def _hyperbolic(table: Table, sinh: Value, powers: dict[Value, Power]) -> None:
    """``sinh(x) / cosh(x)`` is ``tanh(x)``, which does not overflow."""
    cosh = next((v for v, p in powers.items() if p < 0 and _function(v) is np.cosh and v.parts == sinh.parts), None)
    if cosh is None:
        return
    del powers[sinh]
    powers[cosh] += 1
    if not powers[cosh]:
        del powers[cosh]
    tanh = elementwise(table, np.tanh, sinh)
    powers[tanh] = powers.get(tanh, 0) + 1


def elementwise(table: Table, function: Any, like: Value) -> Value:
    """Another function of the operands of an elementwise operation."""
    operation = OPERATIONS[function]
    step: Step = like.details[1]
    (out,) = step.outputs
    made = Step(operation, step.inputs, {}, (Var(out.shape, out.dtype, None, out.number),), step.position)
    operands = tuple((r[1].number, r[0]) for r in like.parts)
    return table.make("op", (id(operation), 0, (), operands), (operation, made, 0, ()), like.parts, like.dims)
