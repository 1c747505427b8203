"""Guards and masks that a product does not need: for divisors that are not zero, and for what is zero anyway."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.indexing import set_item
from chainrule.ir import Const, is_zero
from chainrule.simplify.normal_form import Table
from chainrule.simplify.scalars import UNIT, Coefficient
from chainrule.simplify.values import Power, Ref, Value, function_of, multiply_by

__all__ = [
    "argument_of",
    "before_clearing",
    "guard_added",
    "guard_chosen",
    "guarded_by_maximum",
    "guarded_norm",
    "masked_anyway",
    "unguarded",
    "without_view",
    "zero_anyway",
]

_OF_ALL = (None, 1, 2, 2.0, np.inf, "fro", "f")  # norms that are zero where all elements are


def argument_of(value: Value, k: int = 0) -> Any:
    """An operand of an operation, where it is an array."""
    part = value.parts[k] if k < len(value.parts) else None
    return part if type(part) is tuple else None


def before_clearing(value: Value) -> Ref | None:
    """What an array was before a part of it was set to zero, where that was done."""
    if function_of(value) is not set_item or not is_zero(value.parts[1]):
        return None
    found: Ref | None = argument_of(value)
    return found


def guard_added(guard: Value, powers: dict[Value, Power]) -> None:
    """``s + (s == 0)`` is ``s`` where the product is divided by ``s`` as well: it is not finite at 0."""
    s, zero = _tested(guard) if powers.get(guard, 0) < 0 else (guard, None)
    if isinstance(zero, Const) and zero.value == 0 and powers.get(s, 0) < 0:
        powers[s] += powers.pop(guard)


def guard_chosen(guard: Value, powers: dict[Value, Power]) -> None:
    """``where(s == 0, 1, s)`` is ``s`` where the product is divided by ``s`` as well: it is not finite at 0."""
    if len(guard.parts) != 3 or type(guard.parts[0]) is not tuple or type(guard.parts[2]) is not tuple:
        return
    test, (c, s) = guard.parts[0][1], guard.parts[2]
    compared = argument_of(test) if function_of(test) is np.equal else None
    if c == UNIT and compared == (UNIT, s) and is_zero(test.parts[1]) and powers.get(s, 0) < 0:
        powers[s] += powers.pop(guard)


def guarded_norm(guard: Value, powers: dict[Value, Power]) -> None:
    """``s / (s + (s == 0)) * x`` is ``x`` where s is the norm of x, as x is zero where s is."""
    s, zero = _tested(guard) if powers.get(guard, 0) < 0 else (guard, None)
    norm = without_view(s)
    if is_zero(zero) and powers.get(s, 0) >= 1 and any(_is_norm_of(norm, x) for x, p in powers.items() if p >= 1):
        multiply_by(powers, ((s, -1), (guard, 1)))


def unguarded(table: Table, coefficient: Coefficient, powers: dict[Value, Power]) -> Coefficient:
    """The scalar factor of a product, without the guards of norms that it does not need, as those of arrays go."""
    for key, p in coefficient.atoms:
        s = _guarded_scalar(table, table.values[key[1]]) if key[0] == "v" and p < 0 else None
        if s is None:
            continue
        atoms = dict(coefficient.atoms)
        own = ("v", s.number)
        held = atoms.get(own, 0)
        if held < 0:
            atoms[own] = held + atoms.pop(key)
        elif held >= 1 and any(q >= 1 and _is_norm_of(s, x) for x, q in powers.items()):
            both = min(held, -p)
            atoms[own], atoms[key] = held - both, p + both
        coefficient = Coefficient(coefficient.number, tuple(sorted((k, q) for k, q in atoms.items() if q)))
    return coefficient


def _guarded_scalar(table: Table, value: Value) -> Value | None:
    """For ``s + (s == 0)``, where that is a number, the s."""
    if value.kind != "sum" or value.dims or len(value.parts) != 2:
        return None
    numbers = [table.values[c.atoms[0][0][1]] for c, v in value.parts if v is table.one and _is_single(c)]
    for s, test in (numbers, numbers[::-1]) if len(numbers) == 2 else ():
        if function_of(test) is np.equal and is_zero(test.parts[1]) and type(test.parts[0]) is tuple:
            compared, one = test.parts[0]
            if one is table.one and _is_single(compared) and compared.atoms[0][0][1] == s.number:
                found: Value = s
                return found
    return None


def _is_single(c: Coefficient) -> bool:
    """Whether a scalar is one that is computed at run time, and nothing else."""
    return c.number == 1 and len(c.atoms) == 1 and c.atoms[0][0][0] == "v" and c.atoms[0][1] == 1


def guarded_by_maximum(table: Table, guard: Value, powers: dict[Value, Power]) -> None:
    """``s + (s == 0)`` is ``m = maximum(s, c)`` where only s above c counts, and the product is divided by m as well.

    With ``m = maximum(s * t, c)`` it is ``m / t`` in the same way.
    """
    s, zero = _tested(guard) if powers.get(guard, 0) == -1 else (guard, None)
    small = without_view(s)
    for top, p in powers.items() if is_zero(zero) else ():
        made = without_view(top)
        operands = [*made.parts] if function_of(made) is np.maximum and top.shape == s.shape and p < 0 else []
        first = next((n for n, r in enumerate(operands) if type(r) is tuple and _has_factor(r, small)), None)
        if first is None:
            continue
        whole, other = operands[first], operands[1 - first]
        if any(q > 0 and _counts_above(without_view(f), whole, other) for f, q in powers.items()):
            c, rest = table.product(UNIT, [(f, q) for f, q in whole[1].factors if f is not small])
            if s.kind == "view":
                c, rest = table.view((c, rest), s.details, len(small.dims))
            if c == UNIT:
                multiply_by(powers, ((guard, 1), (top, -1), *rest.factors))
            return


def masked_anyway(extremum: Value, powers: dict[Value, Power]) -> None:
    """``maximum(x, 0) * (x > 0)`` is ``maximum(x, 0)``, also where a part of it was set to zero."""
    if powers.get(extremum, 0) <= 0:
        return
    before = before_clearing(extremum)
    extremum = extremum if before is None else before[1]
    if function_of(extremum) not in (np.maximum, np.minimum) or len(extremum.parts) != 2:
        return
    zeros = [p for p in extremum.parts if isinstance(p, Const) and p.value == 0]
    arguments = [p for p in extremum.parts if type(p) is tuple]
    if len(zeros) != 1 or len(arguments) != 1:
        return
    wanted = np.greater if function_of(extremum) is np.maximum else np.less
    for mask in list(powers):
        if function_of(mask) is wanted and argument_of(mask) == arguments[0]:
            zero = mask.parts[1]
            if isinstance(zero, Const) and zero.value == 0:
                del powers[mask]


def zero_anyway(mask: Value, powers: dict[Value, Power]) -> None:
    """``x * (x != 0)``, and ``x * where(x == 0, 0, 1)``, is ``x``."""
    test = mask
    if function_of(mask) is np.where:
        one = len(mask.parts) == 3 and type(mask.parts[2]) is tuple and mask.parts[2][0] == UNIT
        if not one or mask.parts[2][1].kind != "one" or not is_zero(mask.parts[1]) or type(mask.parts[0]) is not tuple:
            return
        test = mask.parts[0][1]
        if function_of(test) is not np.equal:
            return
    compared = argument_of(test)
    if compared is None or any(key[0] == "v" for key, _ in compared[0].atoms):
        return  # times a number that may be zero itself
    if is_zero(test.parts[1]) and powers.get(compared[1], 0) > 0:
        del powers[mask]


def _tested(guard: Value) -> tuple[Value, Any]:
    """For ``s + (s == c)``, the s and the c; for any other sum, ``None`` for the latter."""
    for (a, s), (b, test) in (guard.parts, guard.parts[::-1]) if len(guard.parts) == 2 else ():
        equal = without_view(test)
        compared = argument_of(equal) if function_of(equal) is np.equal else None
        if a == b == UNIT and compared is not None and without_view(compared[1]) is without_view(s):
            return s, equal.parts[1]
    return guard, None


def without_view(value: Value) -> Value:
    """The array behind a view of it, or behind itself in its full shape."""
    if value.kind == "view" or (value.kind == "op" and value.details[0] == "full"):
        inner: Value = value.parts[0][1]
        return without_view(inner)
    return value


def _is_norm_of(norm: Value, x: Value) -> bool:
    if function_of(norm) not in (np.linalg.norm, np.linalg.vector_norm):
        return False
    return norm.details[1].params.get("ord") in _OF_ALL and norm.parts[0][1] is x


def _has_factor(ref: Ref, factor: Value) -> bool:
    return ref[0] == UNIT and any(f is factor and p == 1 for f, p in ref[1].factors)


def _counts_above(share: Value, whole: Any, other: Any) -> bool:
    """Whether a factor is zero wherever an operand of a maximum is below the other one."""
    if function_of(share) is np.where and len(share.parts) == 3 and type(share.parts[2]) is tuple:
        equal, half, larger = share.parts
        if type(equal) is not tuple or not isinstance(half, Const) or function_of(equal[1]) is not np.equal:
            return False
        share = larger[1]
    if function_of(share) not in (np.greater, np.less):
        return False
    first, second = share.parts if function_of(share) is np.greater else share.parts[::-1]
    return bool(first == whole) and bool(second == other or _same_number(second, other))


def _same_number(x: Any, y: Any) -> bool:
    return isinstance(x, Const) and isinstance(y, Const) and min(x.number, y.number) < 0 and x.value == y.value
