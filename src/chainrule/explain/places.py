"""Positions in arrays that are computed from running indices: ``i + u``, ``2·i``, ``D - 1 - i``, kept short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.explain.formula import Index, IndexExpression

__all__ = ["interval", "letters_in", "position", "position_with"]


def letters_in(x: Any) -> frozenset[str]:
    """The names of the indices that a position is computed from."""
    if isinstance(x, Index):
        return frozenset({x.name})
    if isinstance(x, IndexExpression):
        return frozenset().union(*(letters_in(p) for p in x.parts))
    return frozenset()


def position(operator: str, *parts: Any) -> Any:
    """A position that is computed, folded where it is known."""
    if operator == "[]":
        return IndexExpression("[]", parts)
    a, b = parts
    if isinstance(a, int) and isinstance(b, int):
        return {"+": a + b, "-": a - b, "*": a * b, "//": a // b if b else 0, "%": a % b if b else 0}[operator]
    if operator in ("+", "-") and b == 0 and isinstance(b, int):
        return a
    if operator == "+" and isinstance(a, int) and a == 0:
        return b
    if operator in ("*", "//") and isinstance(b, int) and b == 1:
        return a
    if (operator == "*" and 0 in [p for p in (a, b) if isinstance(p, int)]) or (
        operator == "%" and isinstance(b, int) and b == 1
    ):
        return 0
    if operator == "*" and isinstance(a, int) and a == 1:
        return b
    if operator in ("//", "%") and isinstance(a, Index) and isinstance(b, int) and a.length <= b:
        return 0 if operator == "//" else a
    if operator == "-" and a == b:
        return 0
    digits = _digits(a, b) if operator in ("//", "%") else None
    if digits is not None:
        return digits[0 if operator == "//" else 1]
    repeated = operator in ("//", "*") and isinstance(a, IndexExpression) and a.operator == operator
    if repeated and isinstance(b, int) and isinstance(a.parts[1], int):
        return position(operator, a.parts[0], a.parts[1] * b)
    folded = _with_constant(operator, a, b)
    return IndexExpression(operator, (a, b)) if folded is None else folded


def _digits(x: Any, base: Any) -> tuple[Any, Any] | None:
    """Of ``m·2 + r`` with r below 2, what it is in front of the base 2 and behind it: m and r."""
    if not (isinstance(x, IndexExpression) and x.operator == "+"):
        return None
    high, low = x.parts
    whole = isinstance(high, IndexExpression) and high.operator == "*" and high.parts[1] == base
    return (high.parts[0], low) if whole and isinstance(low, Index) and low.length <= base else None


def _with_constant(operator: str, a: Any, b: Any) -> Any:
    """``(i + 2) - 1`` as ``i + 1``, ``(i + u) - u`` as ``i``; nothing where there is nothing to fold."""
    if operator not in ("+", "-"):
        return None
    if isinstance(b, IndexExpression) and b.operator in ("+", "-"):
        return _without_opposites(operator, a, b)
    if not isinstance(a, IndexExpression) or a.operator not in ("+", "-"):
        return None
    left, right = a.parts
    if isinstance(b, int) and isinstance(right, int):
        total = (right if a.operator == "+" else -right) + (b if operator == "+" else -b)
        return position("+", left, total) if total >= 0 else position("-", left, -total)
    if b == right and operator != a.operator:
        return left
    if operator == "-" and a.operator == "+" and b == left:
        return right
    return None


def _without_opposites(operator: str, a: Any, b: Any) -> Any:
    """``j + 1 - (j + 1 - l)`` as ``l``; nothing where nothing is both added and taken away."""
    signed = [*_signed(a, 1), *_signed(b, 1 if operator == "+" else -1)]
    constant = sum(sign * x for sign, x in signed if isinstance(x, int))
    kept: list[tuple[int, Any]] = []
    for sign, x in signed:
        if (-sign, x) in kept:
            kept.remove((-sign, x))
        elif not isinstance(x, int):
            kept.append((sign, x))
    if len(kept) == sum(not isinstance(x, int) for _, x in signed):
        return None
    kept.sort(key=lambda part: -part[0])  # what is added stands in front
    if kept and kept[0][0] < 0 and constant <= 0:
        return None
    found: Any = constant if not kept or kept[0][0] < 0 else None
    for sign, x in kept:
        found = x if found is None else IndexExpression("+" if sign > 0 else "-", (found, x))
    if isinstance(found, int) or (kept and kept[0][0] < 0) or constant == 0:
        return found
    return IndexExpression("+" if constant > 0 else "-", (found, abs(constant)))


def _signed(x: Any, sign: int) -> list[tuple[int, Any]]:
    """What a position adds and takes away."""
    if not isinstance(x, IndexExpression) or x.operator not in ("+", "-"):
        return [(sign, x)]
    left, right = x.parts
    return [*_signed(left, sign), *_signed(right, sign if x.operator == "+" else -sign)]


def position_with(x: Any, given: Mapping[str, Any]) -> Any:
    """A position with indices exchanged for positions."""
    if isinstance(x, Index):
        return given.get(x.name, x)
    if isinstance(x, IndexExpression):
        return position(x.operator, *(position_with(p, given) for p in x.parts))
    return x


def interval(x: Any) -> tuple[int, int] | None:
    """The least and the largest value of a position, where that is known."""
    if isinstance(x, int):
        return x, x
    if isinstance(x, Index):
        return 0, x.length - 1
    if not isinstance(x, IndexExpression) or x.operator == "[]":
        return None
    a, b = interval(x.parts[0]), interval(x.parts[1])
    if x.operator == "%" and b is not None and b[0] == b[1] > 0:
        return 0, b[0] - 1
    if a is None or b is None:
        return None
    if x.operator == "+":
        return a[0] + b[0], a[1] + b[1]
    if x.operator == "-":
        return a[0] - b[1], a[1] - b[0]
    if x.operator == "*":
        products = [p * q for p in a for q in b]
        return min(products), max(products)
    if x.operator == "//" and b[0] == b[1] > 0:
        return a[0] // b[0], a[1] // b[0]
    return None
