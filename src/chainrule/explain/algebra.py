"""Formulas put together so that they stay short: zeros and ones vanish, numbers fold, equal factors become powers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from chainrule.emit.material import OPPOSITE
from chainrule.explain.formula import (
    Add,
    Apply,
    Cases,
    Compare,
    Delta,
    Element,
    Formula,
    Index,
    Multiply,
    Number,
    Partial,
    Position,
    Power,
    Size,
    Sum,
)
from chainrule.explain.places import letters_in, position_with

__all__ = [
    "ONE", "ZERO", "add", "cases", "children", "compare", "delta", "divide", "free_letters", "has_delta",
    "is_number", "mapped", "multiply", "negate", "number", "opposite", "power",
    "scaled_terms", "size_factor", "size_of", "substituted", "substituted_elements", "summed", "terms_of",
]  # fmt: skip

_HALVES = (0.5, 0.25, 0.125)
ZERO = Number(0)
ONE = Number(1)


def number(value: Any, text: str = "") -> Number:
    """A number, whole where it is one."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, bool):
        plain = int(plain)
    if isinstance(plain, float) and plain.is_integer() and abs(plain) < 2**53 and not text:
        plain = int(plain)
    return Number(plain, text)


def is_number(x: Formula, value: Any = None) -> bool:
    """Whether a formula is a number, or a certain one."""
    return isinstance(x, Number) and (value is None or x.value == value)


# ---- sums, products, powers


def terms_of(x: Formula) -> tuple[Formula, ...]:
    """The terms of a sum; a formula that is none is one term."""
    return x.terms if isinstance(x, Add) else (x,)


def _factors_of(x: Formula) -> tuple[Formula, ...]:
    return x.factors if isinstance(x, Multiply) else (x,)


def scaled_terms(x: Formula) -> Iterator[tuple[Any, Formula]]:
    """The terms of a sum, each as a number and the rest."""
    for term in terms_of(x):
        factors = _factors_of(term)
        if isinstance(factors[0], Number) and not isinstance(factors[0].value, complex):
            rest = factors[1:]
            yield factors[0].value, (rest[0] if len(rest) == 1 else Multiply(rest)) if rest else ONE
        else:
            yield 1, term


def add(*terms: Formula) -> Formula:
    """A sum: flat, like terms taken together, without zeros."""
    found: dict[Formula, Any] = {}
    originals: dict[Formula, Formula] = {}
    for term in (t for x in terms for t in terms_of(x)):
        for scale, rest in scaled_terms(term):
            originals.setdefault(rest, term)
            if rest in found:
                found[rest] = found[rest] + scale
                originals[rest] = multiply(number(found[rest]), rest)
            else:
                found[rest] = scale
    kept = [originals[rest] for rest, scale in found.items() if scale != 0]
    if not kept:
        return ZERO
    return kept[0] if len(kept) == 1 else Add(tuple(kept))


def negate(x: Formula) -> Formula:
    """The formula with its sign changed."""
    if isinstance(x, Add):
        return Add(tuple(negate(t) for t in x.terms))
    return multiply(number(-1), x)


def multiply(*factors: Formula) -> Formula:
    """A product: flat, numbers in front, equal factors as powers."""
    scale: Any = 1
    texts: list[Number] = []
    powers: dict[Formula, list[Formula]] = {}
    for factor in (f for x in factors for f in _factors_of(x)):
        if isinstance(factor, Number):
            scale = scale * factor.value
            texts.append(factor)
            continue
        if isinstance(factor, Power):
            inverse = _whole_inverse(factor)
            if inverse:
                scale = scale * Fraction(1, inverse)
                continue
        base, exponent = (factor.base, factor.exponent) if isinstance(factor, Power) else (factor, ONE)
        powers.setdefault(base, []).append(exponent)
    if scale == 0:
        return ZERO
    result: list[Formula] = []
    for base, exponents in powers.items():
        if len(exponents) > 1 and all(isinstance(e, Number) for e in exponents):
            made = power(base, add(*exponents))
            if isinstance(made, Number):
                scale = scale * made.value
            elif made != ONE:
                result.extend(_factors_of(made))
        else:
            result.extend(power(base, e) for e in exponents)
    result = [x for f in result for x in _factors_of(f)]
    result = [f for k, f in enumerate(result) if not isinstance(f, Compare | Delta) or f not in result[:k]]
    if isinstance(scale, Fraction):
        if scale.denominator != 1:
            result.insert(0, Power(number(scale.denominator), number(-1)))
        scale = scale.numerator
    meaning = [t for t in texts if t.value != 1]
    front = meaning[0] if len(meaning) == 1 and meaning[0].value == scale else number(scale)
    if not result:
        return front if meaning or scale != 1 else ONE
    if scale == 1:
        return result[0] if len(result) == 1 else Multiply(tuple(result))
    return Multiply((front, *result))


def _whole_inverse(x: Power) -> int:
    """The whole number that a power is 1 over; 0 where it is none."""
    base, exponent = x.base, x.exponent
    if not (isinstance(base, Number) and isinstance(exponent, Number)):
        return 0
    whole = type(base.value) is int and type(exponent.value) is int and exponent.value < 0
    return int(base.value**-exponent.value) if whole else 0


def divide(a: Formula, b: Formula) -> Formula:
    """A quotient."""
    if is_number(b, 1):
        return a
    return multiply(a, power(b, number(-1)))


def power(base: Formula, exponent: Formula) -> Formula:
    """A power; of a product, that of each factor where the exponent is whole."""
    if is_number(exponent, 1):
        return base
    if is_number(exponent, 0) or is_number(base, 1):
        return ONE
    if isinstance(base, Number) and not base.text and is_number(exponent, -1) and base.value in _HALVES:
        return number(1 / base.value)
    whole = isinstance(exponent, Number) and isinstance(exponent.value, int)
    if isinstance(base, Power) and whole and isinstance(base.exponent, Number):
        inner = base.exponent.value
        if isinstance(inner, int) or (inner * exponent.value) % 2 != 0:  # type: ignore[attr-defined]
            return power(base.base, number(inner * exponent.value))  # type: ignore[attr-defined]
    if isinstance(base, Compare | Delta) and isinstance(exponent, Number) and exponent.value > 0:
        return base
    if isinstance(base, Multiply) and is_number(exponent, -1):
        return multiply(*(power(f, exponent) for f in base.factors))
    return Power(base, exponent)


def compare(operator: str, left: Formula, right: Formula) -> Formula:
    """1 where a comparison holds and 0 elsewhere; decided where both sides are numbers."""
    if isinstance(left, Number) and isinstance(right, Number):
        a, b = left.value, right.value
        held = {">": a > b, "<": a < b, ">=": a >= b, "<=": a <= b, "==": a == b, "!=": a != b}[operator]
        return ONE if held else ZERO
    if isinstance(left, Position) and isinstance(left.index, Index) and isinstance(right, Number | Size):
        # An index is one of its own values.
        first, end = operator == ">=" and right.value <= 0, operator == "<" and right.value == left.index.length
        if first or end:
            return ONE
    return Compare(operator, left, right)


def opposite(condition: Formula) -> Formula:
    """1 where a condition does not hold."""
    if isinstance(condition, Compare):
        return Compare(OPPOSITE[condition.operator], condition.left, condition.right)
    if isinstance(condition, Apply) and condition.function == "not":
        return condition.arguments[0]
    if isinstance(condition, Number):
        return ZERO if condition.value else ONE
    return Apply("not", (condition,))


def cases(condition: Formula, then: Formula, otherwise: Formula) -> Formula:
    """One formula where a condition holds and another elsewhere; a mask where they are numbers."""
    if isinstance(condition, Number):
        return then if condition.value else otherwise
    if then == otherwise:
        return then
    if isinstance(condition, Compare):
        if isinstance(then, Number) and is_number(otherwise, 0):
            return multiply(then, condition)
        if isinstance(otherwise, Number) and is_number(then, 0):
            return multiply(otherwise, opposite(condition))
    return Cases(condition, then, otherwise)


# ---- walking


def mapped(x: Any, change: Callable[[Any], Any]) -> Any:
    """A formula with its children changed, put together again."""
    if isinstance(x, Add):
        return add(*(change(t) for t in x.terms))
    if isinstance(x, Multiply):
        return multiply(*(change(f) for f in x.factors))
    if isinstance(x, Power):
        return power(change(x.base), change(x.exponent))
    if isinstance(x, Apply):
        return Apply(x.function, tuple(change(a) for a in x.arguments))
    if isinstance(x, Compare):
        return compare(x.operator, change(x.left), change(x.right))
    if isinstance(x, Cases):
        return cases(change(x.condition), change(x.then), change(x.otherwise))
    if isinstance(x, Sum):
        return summed(x.over, change(x.body), x.kind)
    return x


def children(x: Any) -> tuple[Formula, ...]:
    """The formulas that a formula is put together from."""
    return _CHILDREN[type(x)](x) if type(x) in _CHILDREN else ()


_CHILDREN: dict[type, Callable[[Any], tuple[Formula, ...]]] = {
    Add: lambda x: x.terms,
    Multiply: lambda x: x.factors,
    Power: lambda x: (x.base, x.exponent),
    Apply: lambda x: x.arguments,
    Compare: lambda x: (x.left, x.right),
    Cases: lambda x: (x.condition, x.then, x.otherwise),
    Sum: lambda x: (x.body,),
}


def free_letters(x: Any) -> frozenset[str]:
    """The names of the indices that a formula depends on."""
    if isinstance(x, Element):
        return frozenset().union(*map(letters_in, x.indices))
    if isinstance(x, Delta):
        return letters_in(x.left) | letters_in(x.right)
    if isinstance(x, Position):
        return letters_in(x.index)
    if isinstance(x, Partial):
        return free_letters(x.of) | free_letters(x.by)
    found = frozenset().union(*map(free_letters, children(x)))
    return found - {i.name for i in x.over} if isinstance(x, Sum) else found


def has_delta(x: Any) -> bool:
    """Whether there is a Kronecker delta in a formula."""
    return isinstance(x, Delta) or any(has_delta(c) for c in children(x))


def size_of(x: Any) -> int:
    """How many nodes a formula has."""
    return 1 + sum(size_of(c) for c in children(x))


def substituted(x: Any, given: Mapping[str, Any]) -> Any:
    """A formula with free indices exchanged for positions; what it sums over gets other letters where they collide."""
    if not given:
        return x
    if isinstance(x, Element):
        return replace(x, indices=tuple(position_with(i, given) for i in x.indices))
    if isinstance(x, Delta):
        left, right = position_with(x.left, given), position_with(x.right, given)
        return delta(left, right)
    if isinstance(x, Position):
        index = position_with(x.index, given)
        return number(index) if isinstance(index, int) else Position(index)
    if isinstance(x, Partial):
        return Partial(substituted(x.of, given), substituted(x.by, given))
    if isinstance(x, Sum):
        inner = {name: place for name, place in given.items() if name not in {i.name for i in x.over}}
        used = frozenset().union(*(letters_in(place) for place in inner.values()))
        over = list(x.over)
        for k, index in enumerate(over):
            if index.name in used:
                others = {i.name for i in over}
                other = replace(index, name=_unused(index.name, used | free_letters(x.body) | others))
                over[k] = other
                inner[index.name] = other
        return summed(tuple(over), substituted(x.body, inner), x.kind)
    return mapped(x, lambda child: substituted(child, given))


def _unused(name: str, used: frozenset[str]) -> str:
    while name in used:
        name += "′"
    return name


def substituted_elements(x: Any, given: Mapping[str, Formula]) -> Any:
    """A formula of numbers with what is named exchanged for formulas."""
    if isinstance(x, Element):
        return given.get(x.name, x) if not x.indices else x
    return mapped(x, lambda child: substituted_elements(child, given))


def delta(left: Any, right: Any) -> Formula:
    """1 where two positions are the same; decided where that is known."""
    if left == right:
        return ONE
    if isinstance(left, int) and isinstance(right, int):
        return ZERO
    return Delta(left, right)


def size_factor(index: Index) -> Formula:
    """The length of an index, as a factor."""
    return Size(index.length, index.size) if index.size else number(index.length)


def summed(over: tuple[Index, ...], body: Formula, kind: str = "sum") -> Formula:
    """A sum over indices, with what does not depend on them in front; of a reduction of another kind, as it is."""
    if not over:
        return body
    if kind != "sum":
        return Sum(over, body, kind)
    if is_number(body, 0):
        return ZERO
    if isinstance(body, Add) and any(not free_letters(t) & {i.name for i in over} for t in body.terms):
        return add(*(summed(over, t) for t in body.terms))
    used = free_letters(body)
    outside: list[Formula] = [size_factor(i) for i in over if i.name not in used]
    over = tuple(i for i in over if i.name in used)
    names = {i.name for i in over}
    inside: list[Formula] = []
    for factor in _factors_of(body):
        (inside if free_letters(factor) & names else outside).append(factor)
    if not over:
        return multiply(*outside, *inside)
    inner = multiply(*inside)
    if isinstance(inner, Sum) and inner.kind == "sum" and not {i.name for i in inner.over} & names:
        return multiply(*outside, Sum((*over, *inner.over), inner.body))
    return multiply(*outside, Sum(over, inner))
