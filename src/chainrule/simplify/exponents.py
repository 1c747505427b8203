"""Exponentials that are a multiple of one that is known, seen by writing both exponents out.

With ``d2 = d1 - s`` and ``d1 = (log(a / b) + s**2 / 2) / s``, as Black and Scholes have them, ``exp(-d2**2 / 2)`` is
``exp(-d1**2 / 2) * a / b``: the difference of the exponents is ``log(a / b)``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.simplify.normal_form import Table
from chainrule.simplify.overflow import may_overflow
from chainrule.simplify.powers import logarithm_of
from chainrule.simplify.scalars import UNIT, Coefficient, power_of, times
from chainrule.simplify.structure import base_terms
from chainrule.simplify.values import Power, Recipe, Ref, Value, function_of

__all__ = ["Exponents"]

_MOST_TERMS = 48  # of an exponent that is written out
_HIGHEST = 4  # power of a sum in it
_MOST_KNOWN = 4  # exponentials that a further one is compared with
_LARGEST_PART = 64  # of a fraction that a rounded number stands for
_MINUS = Coefficient(Fraction(-1))
Polynomial = dict[tuple[Value, Any], Fraction]


class Exponents:
    """The exponentials that have been read, by their exponents.

    Attributes:
        equal: exponentials, each with what it is as a multiple of another one.
    """

    def __init__(self) -> None:
        self._whole: dict[Any, Ref] = {}
        self._written_out: list[tuple[Polynomial, Ref]] = []
        self.equal: list[tuple[Value, Ref]] = []

    def note(self, table: Table, exponent: Ref, value: Ref) -> None:
        """Remember an exponential."""
        self._whole.setdefault((exponent[1].number, exponent[0]), value)
        if not table.forward and value[1].kind == "op" and value[1].dims and not may_overflow(value[1]):
            polynomial = written_out(table, exponent)
            if polynomial is not None and len(self._written_out) < _MOST_KNOWN:
                self._written_out.append((polynomial, value))

    def related(self, table: Table, exponent: Ref, whole: Ref) -> Ref | None:
        """An exponential, as it is the ``whole``, as one that is known times powers of what is in both exponents."""
        own = written_out(table, exponent) if self._written_out else None
        for polynomial, value in self._written_out if own is not None else ():
            assert own is not None
            rest = {k: n for k in own.keys() | polynomial.keys() if (n := own.get(k, 0) - polynomial.get(k, 0))}
            factors = self._factors(table, rest)
            if factors is not None:
                found = table.product(UNIT, ())
                for ref in (value, *factors):
                    found = table.product(times(found[0], ref[0]), (*found[1].factors, *ref[1].factors))
                if found[1].shape != whole[1].shape:
                    continue
                self._turned_round(table, value, found, whole)
                return found
        return None

    def _turned_round(self, table: Table, value: Ref, found: Ref, whole: Ref) -> None:
        """Let the exponential that was known be a multiple of the new one, and the new one be computed as it stands."""
        below = power_of(found[0], -1)
        if below is None or value[0] != UNIT or whole[0] != UNIT:
            return
        found[1].recipes.append(Recipe("prod", below, ((whole[1], 1),), None, ""))
        others = [(f, -p) for f, p in found[1].factors if f is not value[1]]
        self.equal.append((value[1], table.product(below, ((whole[1], 1), *others))))

    def _factors(self, table: Table, rest: dict[tuple[Value, Any], Any]) -> list[Ref] | None:
        """The exponential of a polynomial as powers of what is known; ``None`` where it is not all known."""
        factors: list[Ref] = []
        left: list[Ref] = []
        for (v, atoms), number in sorted(rest.items(), key=lambda e: (e[0][0].number, e[0][1])):
            argument = logarithm_of(table, v)
            if argument is not None and not atoms and Fraction(number).denominator == 1:
                scale = power_of(argument[0], int(number))
                if scale is None:
                    return None
                factors.append(table.product(scale, ((f, p * int(number)) for f, p in argument[1].factors)))
            else:
                left.append((Coefficient(number, atoms), v))
        if left:
            whole = table.add(left)
            for sign in (1, -1):
                known = self._whole.get((whole[1].number, whole[0] if sign > 0 else times(_MINUS, whole[0])))
                scale = None if known is None else power_of(known[0], sign)
                if known is not None and scale is not None:
                    return [*factors, table.product(scale, ((f, p * sign) for f, p in known[1].factors))]
            return None
        return factors


def written_out(table: Table, ref: Ref) -> Polynomial | None:
    """A sum of products with all sums of the forward pass opened; ``None`` where that is long."""
    pending, result = [ref], Polynomial()
    while pending:
        c, v = pending.pop()
        opened = _opened_array(table, c, v) or _opened_scalar(table, c, v)
        if opened is not None:
            pending += opened
        else:
            key = v, c.atoms
            result[key] = result.get(key, Fraction(0)) + _simple(c.number)
        if len(pending) + len(result) > _MOST_TERMS:
            return None
    return {k: n for k, n in result.items() if n}


def _simple(number: Fraction) -> Fraction:
    """The simple fraction that a rounded number stands for: 0.49999999999999994 is 1 / sqrt(2)**2."""
    near = number.limit_denominator(_LARGEST_PART)
    return near if abs(near - number) <= abs(number) / (1 << 51) else number


def _opened_array(table: Table, c: Coefficient, v: Value) -> list[Ref] | None:
    if v.kind == "sum":
        return [(times(c, k), w) for k, w in v.parts]
    # What was made last first, as what it is divided by may be in its terms.
    for f, p in sorted(v.factors, key=lambda e: -e[0].number):
        base = f.parts[0][1] if f.kind == "view" else f
        rest = tuple(e for e in v.factors if e[0] is not f)
        if function_of(base) is np.sqrt and abs(Fraction(p)) >= 2:
            # The square of a root is what it was taken of.
            argument = base.parts[0] if f is base else table.view(base.parts[0], f.details, len(base.dims))
            half = int(p / 2)
            scale = power_of(argument[0], half)
            if scale is not None and argument[1].kind != "sum":
                powers = ((g, q * half) for g, q in argument[1].factors)
                return [table.product(times(c, scale), (*rest, (f, p - 2 * half), *powers))]
        if f.kind == "sum":
            terms = list(f.parts)
        elif base.definition is not None:
            terms = base_terms(table, base, f)
        else:
            continue
        if p in range(1, _HIGHEST + 1):
            return [table.product(times(c, k), (*rest, (f, p - 1), *w.factors)) for k, w in terms]
    return None


def _opened_scalar(table: Table, c: Coefficient, v: Value) -> list[Ref] | None:
    for key, p in c.atoms:
        if key[0] != "v" or p != int(p):
            continue
        scalar = table.values[key[1]]
        rest = times(c, Coefficient(Fraction(1), ((key, -p),)))
        argument = scalar.parts[0] if function_of(scalar) is np.sqrt and type(scalar.parts[0]) is tuple else None
        if argument is not None and abs(p) >= 2 and argument[1].kind == "one":
            half = int(p / 2)
            scale = power_of(argument[0], half)
            if scale is not None:
                return [(times(times(rest, scale), _power(key, p - 2 * half)), v)]
        terms = scalar.parts if scalar.kind == "sum" else scalar.definition
        if terms is not None and 0 < p <= _HIGHEST and all(w.kind == "one" for _, w in terms):
            return [(times(times(rest, _power(key, p - 1)), k), v) for k, _ in terms]
    return None


def _power(key: Any, p: Power) -> Coefficient:
    return Coefficient(Fraction(1), ((key, p),)) if p else UNIT
