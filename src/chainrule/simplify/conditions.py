"""Options for sums whose terms depend on conditions: two one-sided choices are one, and some are a clip."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.ir import Const, Step, Var, is_zero
from chainrule.ops import OPERATIONS
from chainrule.simplify.making import Making
from chainrule.simplify.scalars import UNIT, ZERO, Coefficient, inverse_of, power_of, times
from chainrule.simplify.values import Power, Recipe, Ref, Value, broadcast, function_of, smaller

__all__ = [
    "logistic_by_cases",
    "masked_already",
    "merge_choices",
    "number_by_cases",
    "tied_with_clipped",
    "unguarded_logarithm",
]

_MINUS = Coefficient(Fraction(-1))


def _split(value: Value) -> list[tuple[Value, int, Ref]]:
    """The ways in which a term is a choice: a condition, the side on which it is not zero, and what it is there."""
    found: list[tuple[Value, int, Ref]] = []
    for f, p in value.factors:
        rest = tuple(e for e in value.factors if e[0] is not f)
        chosen = p == 1 and function_of(f) is np.where and f.details[3] and type(f.parts[0]) is tuple
        if chosen and f.parts[0][0] == UNIT:
            side = f.details[3][0]
            c, inner = f.parts[side]
            found.append((f.parts[0][1], side, _product(c, inner, rest)))
        elif f.mask and f.dims:
            found.append((f, 1, (UNIT, rest)))  # type: ignore[arg-type]
    return found


def _product(c: Coefficient, inner: Value, rest: Any) -> Any:
    return c, (*inner.factors, *rest)


def merge_choices(options: Making, value: Value) -> None:
    """``where(m, a, 0) * x + where(m, 0, b) * y`` is ``where(m, a * x, b * y)``."""
    terms: tuple[Ref, ...] = value.parts
    groups: dict[Value, dict[int, dict[int, Any]]] = {}
    for k, (c, v) in enumerate(terms):
        for condition, side, (own, factors) in _split(v):
            groups.setdefault(condition, {}).setdefault(side, {}).setdefault(k, (times(c, own), factors))
    table = options.table
    for condition, sides in groups.items():
        if len(sides) != 2 or set(sides[1]) & set(sides[2]):
            continue

        def make(chosen: Any = condition, found: Any = sides) -> Ref | None:
            branches = [table.add([table.product(c, factors) for c, factors in found[s].values()]) for s in (1, 2)]
            return choice(options, value, chosen, branches[0], branches[1])

        merged = options.making(value, make)
        if merged is None or not merged[0].number:
            continue
        used = {*sides[1], *sides[2]}
        rest = [t for k, t in enumerate(terms) if k not in used]
        options.beside(value, rest, merged, "choices merged")


def number_by_cases(options: Making, value: Value) -> None:
    """``k + c * (x > 0)`` with numbers k and c is ``where(x > 0, k + c, k)``; so is what chooses between numbers."""
    numbers = [t for t in value.parts if t[1] is options.table.one]
    others = [t for t in value.parts if t[1] is not options.table.one]
    if not numbers or not value.dims or len({v for _, v in others}) != 1:
        return
    branches = _branches(options, others[0][1])
    if branches is None:
        return

    def make() -> Ref | None:
        totals = [options.table.add((*numbers, *((times(c, k), v) for c, _ in others))) for k, v in branches[1]]
        return _where(options, branches[0], [options.table.ref(*t) for t in totals])

    made = options.making(value, make)
    if made is not None:
        options.same(value, made, "number by cases")


def _branches(options: Making, value: Value) -> tuple[Value, list[Ref]] | None:
    """The condition of a choice between numbers or further such choices, and what it is in both cases."""
    one = options.table.one
    if value.mask and value.dims:
        return value, [(UNIT, one), (ZERO, one)]
    if function_of(value) is not np.where or len(value.parts) != 3 or type(value.parts[0]) is not tuple:
        return None
    refs: list[Ref] = []
    for part in value.parts[1:]:
        number = options.reader.operand(part) if isinstance(part, Const) and part.number < 0 else part
        if type(number) is not tuple or (number[1] is not one and _branches(options, number[1]) is None):
            return None
        refs.append(number)
    return value.parts[0][1], refs


def choice(options: Making, value: Value, condition: Value, first: Ref, second: Ref) -> Ref | None:
    """``where(condition, first, second)`` with what both have in common in front; ``None`` where it has no form."""
    table = options.table
    if not first[0].number or not second[0].number:
        return None
    if first[1] is second[1] and first[0] == second[0]:
        return first
    own = dict(second[1].factors)
    shared: dict[Value, Power] = {f: s for f, p in first[1].factors if (s := smaller(p, own.get(f, 0)))}
    common = first[0] if first[0] == second[0] else UNIT
    inverse = inverse_of(common)
    divided = [(v, -p) for v, p in shared.items()]
    branches = [table.product(times(c, inverse), (*v.factors, *divided)) for c, v in (first, second)]
    found = _clipped(options, condition, branches[0], branches[1]) or _where(options, condition, branches)
    if found is None:
        return None
    return table.product(times(common, found[0]), (*shared.items(), *found[1].factors))


def _where(options: Making, condition: Value, branches: Sequence[Ref]) -> Ref | None:
    table = options.table
    plain = [v is table.one for _, v in branches]
    if all(plain) and not table.double:
        return None
    masks = [not v.floating and not one for (_, v), one in zip(branches, plain, strict=True)]
    if all(masks) or (any(masks) and any(plain) and not table.double):
        return None  # it would be no array of floats, or one of double precision
    dims = broadcast(v.dims for v in (condition, branches[0][1], branches[1][1]))
    refs = ((UNIT, condition), *branches)
    made = made_step(options, np.where, dims)
    key = (id(made.operation), "made", tuple((v.number, c) for c, v in refs))
    result = table.make("op", key, (made.operation, made, 0, ()), refs, dims)
    if not result.recipes:
        result.recipes.append(Recipe("where", UNIT, refs, None, "choices merged"))
    return UNIT, result


def made_step(options: Making, function: Any, dims: Any) -> Step:
    """A step that is not of the program, for what an option makes."""
    out = Var(tuple(d.length for d in dims), options.reader.dtype, None, 0)
    return Step(OPERATIONS[function], (), {}, (out,), None)


def _clipped(options: Making, condition: Value, first: Ref, second: Ref) -> Ref | None:
    """``where(abs(e) <= d, e, d * sign(e))`` is ``clip(e, -d, d)``, for a number d that is not negative."""
    function = function_of(condition)
    if function in (np.greater, np.greater_equal):
        first, second = second, first
    elif function not in (np.less, np.less_equal):
        return None
    size, bound = condition.parts
    if type(size) is not tuple or not isinstance(bound, Const) or size[0] != UNIT:
        return None
    if function_of(size[1]) is not np.absolute or isinstance(bound.value, bool) or bound.value <= 0:
        return None
    inside = size[1].parts[0]
    scale, e = first
    below = None if type(inside) is not tuple else power_of(inside[0], -1)
    if below is None or e is not inside[1]:
        return None
    signs = [f for f, _ in second[1].factors if function_of(f) is np.sign and f.parts[0] == inside]
    limit = options.reader.lengths.coefficient(bound.value)
    scale = times(scale, below)  # of abs(e) as it stands in the condition
    if len(signs) != 1 or second[1] is not signs[0] or limit is None or second[0] != times(scale, limit):
        return None
    made = made_step(options, np.clip, e.dims)
    refs = (inside, Const(-bound.value), Const(bound.value))
    key = (id(made.operation), "made", inside[1].number, inside[0], bound.value)
    return scale, options.table.make("op", key, (made.operation, made, 0, ()), refs, e.dims)


def tied_with_clipped(options: Making, value: Value) -> None:
    """The gradient of ``minimum(x * w, clip(x) * w)``, where both are the same wherever x is within the bounds.

    There the two halves of a tie are one whole; beyond the bounds the first operand counts where it is the smaller one.
    """
    terms: tuple[Ref, ...] = value.parts
    by_factors = {(c, v): k for k, (c, v) in enumerate(terms)}
    for k, (c, v) in enumerate(terms):
        for share, p in v.factors:
            tie = _tie(share) if p == 1 else None
            if tie is None:
                continue
            equal, wins = tie
            for m, _ in ((m, q) for _, u in terms for m, q in u.factors if function_of(m) is np.equal):
                if m is equal or not _same_elsewhere(m, equal):
                    continue
                rest = [e for e in v.factors if e[0] is not share]
                product = options.making(value, lambda m=m, r=rest, c=c: options.table.product(c, (*r, (m, 1))))
                both = options.table.product(times(c, _MINUS), (*v.factors, (m, 1)))
                if (one := by_factors.get(product)) is None or (other := by_factors.get(both)) is None:
                    continue
                mask = options.making(value, lambda w=wins: _closed(options, w))
                left = [t for n, t in enumerate(terms) if n not in (k, one, other)]
                new = options.making(value, lambda r=rest, c=c, x=mask: options.table.product(c, (*r, (x, 1))))
                total = options.making(value, lambda n=new, rest=left: options.table.add((*rest, n)))
                options.same(value, total, "tie with what is clipped")
                return


def _tie(share: Value) -> tuple[Value, Value] | None:
    """The two comparisons of a share: where it is a half, and where it is whole."""
    if function_of(share) is not np.where or len(share.parts) != 3:
        return None
    equal, half, wins = share.parts
    if not isinstance(half, Const) or half.value != 0.5 or type(wins) is not tuple or type(equal) is not tuple:
        return None
    if function_of(equal[1]) is not np.equal or function_of(wins[1]) not in (np.greater, np.less):
        return None
    return equal[1], wins[1]


def _same_elsewhere(m: Value, equal: Value) -> bool:
    """Whether ``m`` compares x with x clipped, and ``equal`` the products of both with the same."""
    if any(type(p) is not tuple for p in (*m.parts, *equal.parts)):
        return False
    (a, u), (b, v) = m.parts
    if function_of(u) is not np.clip and function_of(v) is not np.clip:
        return False
    pair: list[Any] = [(c, dict(w.factors)) for c, w in equal.parts]
    for (c1, first), (c2, second) in (pair, pair[::-1]):
        if first.get(u, 0) >= 1 and second.get(v, 0) >= 1:
            first = {**first, u: first[u] - 1}
            second = {**second, v: second[v] - 1}
            same = {f: p for f, p in first.items() if p} == {f: p for f, p in second.items() if p}
            if same and times(c1, b) == times(c2, a):
                return True
    return False


def _closed(options: Making, wins: Value) -> Value:
    """``a <= b`` for ``a < b``."""
    function = np.less_equal if function_of(wins) is np.less else np.greater_equal
    operation = OPERATIONS[function]
    step = Step(operation, (), {}, (Var(wins.shape, np.dtype(bool), None, 0),), None)
    operands = tuple((r[1].number, r[0]) for r in wins.parts)
    key = (id(operation), 0, (), operands)
    return options.table.make("op", key, (operation, step, 0, ()), wins.parts, wins.dims, False)


def logistic_by_cases(options: Making, value: Value) -> None:
    """``(z > 0) - sign(z) * e / (1 + e)`` with ``e = exp(-abs(z))`` is the logistic function of z, also at 0."""
    terms: tuple[Ref, ...] = value.parts
    for k, (c, v) in enumerate(terms):
        for mask, _ in v.factors:
            if function_of(mask) not in (np.greater, np.less) or type(mask.parts[0]) is not tuple:
                continue
            z, zero = mask.parts
            z = z if function_of(mask) is np.greater else (times(_MINUS, z[0]), z[1])
            if not isinstance(zero, Const) or zero.value != 0:
                continue
            rest = [e for e in v.factors if e[0] is not mask]
            for j, (d, w) in enumerate(terms):
                found = _saturating(z, w, dict(rest)) if d.number in (c.number, -c.number) else None
                if found is None or d != times(c, found[0]):
                    continue
                _, e, below = found

                def make(m: Value = mask, e: Value = e, below: Value = below, r: Any = rest, c: Any = c) -> Ref | None:
                    chosen = _where(options, m, ((UNIT, options.table.one), (UNIT, e)))
                    return None if chosen is None else options.table.product(c, (*r, (chosen[1], 1), (below, -1)))

                made = options.making(value, make)
                others = [t for n, t in enumerate(terms) if n not in (j, k)]
                if made is not None:
                    total = options.making(value, lambda o=others, t=made: options.table.add((*o, t)))
                    options.same(value, total, "logistic by cases")
                return


def _saturating(z: Ref, w: Value, rest: dict[Value, Power]) -> tuple[Coefficient, Value, Value] | None:
    """The sign, the ``e`` and ``1 + e`` of a term ``-sign(z) * e / (1 + e)``, times the given factors."""
    powers = dict(w.factors)
    opposite = times(_MINUS, z[0]), z[1]
    sign = next((f for f, p in w.factors if p == 1 and function_of(f) is np.sign and f.parts[0] in (z, opposite)), None)
    e = next((f for f, p in w.factors if p == 1 and function_of(f) is np.exp), None)
    if sign is None or e is None or type(e.parts[0]) is not tuple:
        return None
    scale, size = e.parts[0]
    if scale != _MINUS or function_of(size) is not np.absolute or size.parts[0] not in (z, opposite):
        return None
    for below, p in w.factors:
        total = below.definition or (below.parts if below.kind == "sum" else ())
        ones = len(total) == 2 and all(c == UNIT for c, _ in total) and any(v is e for _, v in total)
        if p != -1 or not ones or not any(v.kind == "one" for _, v in total):
            continue
        if {f: q for f, q in powers.items() if f not in (sign, e, below)} == rest:
            return _MINUS if sign.parts[0] == z else UNIT, e, below
    return None


def masked_already(options: Making, value: Value) -> None:
    """``where(m, P * g, 0)`` is ``P * g`` where P is an exponential of what is minus infinity outside of m."""
    if function_of(value) is not np.where or not value.details[3] or type(value.parts[0]) is not tuple:
        return
    side = value.details[3][0]
    inner = value.parts[side][1]
    if type(inner) is Value and inner.dims == value.dims and inner.kind != "one":
        condition = value.parts[0]
        if all(any(_vanishes(f, condition, side) for f, p in v.factors if p > 0) for _, v in inner.terms):
            options.same(value, value.parts[side], "mask of an exponential")


def unguarded_logarithm(options: Making, value: Value) -> None:
    """``log(where(x == 0, 1, x))`` is ``log(x)`` where the forward pass has that: its result is not finite at 0."""
    guarded = value.parts[0] if function_of(value) is np.log else None
    if type(guarded) is not tuple or guarded[0] != UNIT or function_of(guarded[1]) is not np.where:
        return
    test, one, x = guarded[1].parts if len(guarded[1].parts) == 3 else (None, None, None)
    if type(test) is not tuple or type(x) is not tuple or function_of(test[1]) is not np.equal:
        return
    ones = one == (UNIT, options.table.one) or (isinstance(one, Const) and one.number < 0 and one.value == 1)
    if not ones or test[1].parts[0] != x or not is_zero(test[1].parts[1]):
        return
    known = options.table.find("op", (id(OPERATIONS[np.log]), 0, (), ((x[1].number, x[0]),)))
    if known is not None and known.leaves and known.dims == value.dims:
        options.same(value, (UNIT, known), "guard of a logarithm")


def _vanishes(value: Value, condition: Ref, side: int) -> bool:
    """Whether an exponential is zero where a choice does not take the given side."""
    if function_of(value) is not np.exp or type(value.parts[0]) is not tuple:
        return False
    coefficient, exponent = value.parts[0]
    terms = exponent.definition or exponent.terms
    for c, v in terms:
        number = times(coefficient, c)
        if function_of(v) is np.where and v.parts[0] == condition and number.number > 0 and not number.atoms:
            other = v.parts[3 - side]
            if isinstance(other, Const) and other.number < 0 and other.value == -np.inf:
                return True
    return False
