"""Forms that stay finite where an exponential overflows: ``s * (1 - s)`` for ``e / (1 + e)**2``."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from chainrule.simplify.making import Making
from chainrule.simplify.overflow import may_overflow
from chainrule.simplify.scalars import UNIT, Coefficient, power_of, times
from chainrule.simplify.values import Power, Ref, Value

__all__ = ["saturated", "saturated_sum"]

_MINUS = Coefficient(Fraction(-1))


def saturated(options: Making, value: Value) -> None:
    """Products with ``e`` and powers of ``u = 1 + e``: ``e / u`` is ``1 - 1 / u``, finite where ``e`` is not."""
    powers = dict(value.factors)
    for e, p in value.factors:
        if p != 1 or not may_overflow(e):
            continue
        for u, (c, k) in _one_plus(options, e):
            rest = [(v, q) for v, q in value.factors if v is not e]
            if powers.get(u, 0) <= -1:
                _replace(options, value, (e, u, c, k), (UNIT, rest))
            else:
                found = options.making(value, lambda r=rest, u=u: _multiplied(options, r, u), True)
                if found is not None:
                    factors = [*found[1].factors, (u, -2)]
                    _replace(options, value, (e, u, c, k), (found[0], factors))


def _one_plus(options: Making, e: Value) -> list[tuple[Value, tuple[Coefficient, Coefficient]]]:
    """Sums ``c * e + k`` of the forward pass."""
    found: list[tuple[Value, tuple[Coefficient, Coefficient]]] = []
    one = options.table.one
    for total in options.table.sums.get(e.number, []):
        if len(total.parts) != 2:
            continue
        for (c, v), (k, w) in (total.parts, total.parts[::-1]):
            ref = options.table.add(total.parts)
            if v is e and w is one and ref[1].definition is not None and ref[0] == UNIT:
                found.append((ref[1], (c, k)))
    return found


def _replace(options: Making, value: Value, base: Any, rest: tuple[Coefficient, list[tuple[Value, Power]]]) -> None:
    """``e * u**-p * rest`` with ``u = c * e + k`` is ``u**(1 - p) * (1 - k / u) * rest / c``, also multiplied out."""
    e, u, c, k = base
    table = options.table
    below = power_of(c, -1)
    if below is None:
        return
    minus_k = times(times(_MINUS, k), below)
    share = _share(options, value, e, u, (below, minus_k))
    other = options.making(value, lambda: table.product(rest[0], (*rest[1], (u, 1))), True)
    options.recipe(value, "prod", other[0], ((share, 1), (other[1], 1)), None, "logistic")
    whole = options.making(value, lambda: table.product(rest[0], rest[1]), True)
    terms = ((times(other[0], below), other[1]), (times(whole[0], minus_k), whole[1]))
    options.recipe(value, "sum", UNIT, terms, None, "logistic")


def _share(options: Making, value: Value, e: Value, u: Value, scales: tuple[Coefficient, Coefficient]) -> Value:
    """``e / u`` as ``1 - 1 / u``."""
    table = options.table
    inverse = table.product(UNIT, ((u, -1),))[1]
    share: Value = options.making(value, lambda: table.product(UNIT, ((e, 1), (u, -1))), True)[1]
    # Kept as a sum: 1 - 1 / u would be read as e / u again.
    options.recipe(share, "sum", UNIT, ((scales[0], table.one), (scales[1], inverse)), None, "logistic")
    return share


def saturated_sum(options: Making, value: Value) -> None:
    """A sum of such products, all with ``e / u``, which is taken out of the sum."""
    terms = value.terms
    table = options.table
    for e, p in terms[0][1].factors:
        if p != 1 or not may_overflow(e) or any(dict(v.factors).get(e) != 1 for _, v in terms):
            continue
        for u, (c, k) in _one_plus(options, e):
            below = power_of(c, -1)
            if below is None or any(dict(v.factors).get(u, 0) > -1 for _, v in terms):
                continue
            share = _share(options, value, e, u, (below, times(times(_MINUS, k), below)))
            other = options.making(
                value,
                lambda e=e, u=u: table.add(table.product(c, (*v.factors, (e, -1), (u, 1))) for c, v in terms),
                True,
            )
            if other[0].number:
                options.recipe(value, "prod", other[0], ((share, 1), (other[1], 1)), None, "logistic")


def _multiplied(options: Making, factors: list[tuple[Value, Power]], u: Value) -> Ref | None:
    """A product times ``u**2``, where that goes into what was added at indices of ``1 / u**2``."""
    table = options.table
    sums = [v for v, p in factors if p == 1 and (v.kind == "sum" or v in table.scatters)]
    if len(sums) != 1:
        return None
    others = [(v, p) for v, p in factors if v is not sums[0]]
    terms = [table.product(c, (*v.factors, (u, 2))) for c, v in sums[0].terms]
    if any(dict(v.factors).get(u, 0) for _, v in terms):
        return None
    c, total = table.add(terms)
    return table.product(c, (*others, *total.factors)) if c.number else None
