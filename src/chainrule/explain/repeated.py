"""Blocks of statements that are the same but for names, one after the other: the layers of a deep network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.explain.algebra import children
from chainrule.explain.formula import Delta, Element, Index, IndexExpression, Number, Position, Size, Sum
from chainrule.explain.forward import Reading

__all__ = ["repeated"]

_LONGEST = 8  # statements of a block


def repeated(readings: Sequence[Reading], fewest: int) -> dict[int, list[int]]:
    """Which statements stand for which: the place of the last of its kind, with the places of the others before it.

    Args:
        readings: the statements, in order.
        fewest: how many blocks are worth being told as one.
    """
    signs = [_signature(r) for r in readings]
    found: dict[int, list[int]] = {}
    taken: set[int] = set()
    for period in range(1, _LONGEST + 1):
        start = 0
        while start + period < len(signs):
            end = start
            while end + period < len(signs) and signs[end] is not None and signs[end] == signs[end + period]:
                end += 1
            count = (end - start) // period + 1
            if count >= fewest and not taken.intersection(range(start, start + count * period)):
                last = start + (count - 1) * period
                for k in range(period):
                    found[last + k] = [start + n * period + k for n in range(count - 1)]
                taken.update(range(start, start + count * period))
            start = max(end, start + 1)
    return found


def _signature(reading: Reading) -> Any:
    """The formula of a statement without its names; nothing where it has none."""
    if reading.form is None:
        return None
    names: dict[str, int] = {}
    return (_sign(reading.element, names), _sign(reading.form, names))


def _sign(x: Any, names: dict[str, int]) -> Any:
    if isinstance(x, Index):
        return "index", names.setdefault(x.name, len(names)), x.length
    if isinstance(x, IndexExpression):
        return x.operator, *(_sign(p, names) for p in x.parts)
    if isinstance(x, Element):
        return "element", names.setdefault(x.name + "[]", len(names)), *(_sign(i, names) for i in x.indices)
    if isinstance(x, Number | Size):
        return "number", x.value
    if isinstance(x, Position):
        return "position", _sign(x.index, names)
    if isinstance(x, Delta):
        return "delta", _sign(x.left, names), _sign(x.right, names)
    head = getattr(x, "function", getattr(x, "operator", "")) if not isinstance(x, Sum) else x.kind
    over = tuple(_sign(i, names) for i in x.over) if isinstance(x, Sum) else ()
    return type(x).__name__, head, over, *(_sign(c, names) for c in children(x))
