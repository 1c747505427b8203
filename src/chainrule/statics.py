"""Static arguments of steps, compared and moved from one turn of a loop to another."""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.indexing import Index
from chainrule.sizes import is_size, rebuilt

__all__ = ["canonical", "changed", "instruction", "mentioned_in", "moved", "renumbered", "shifted"]

_CACHE = dis.opmap["CACHE"]


def mentioned_in(x: Any) -> list[int]:
    """The variables whose lengths a static argument mentions."""
    found: list[int] = []
    canonical(x, found, {})
    return found


def canonical(x: Any, mentioned: list[int], loops: Mapping[int, int]) -> Any:
    """A static argument as something that can be compared between turns.

    Args:
        x: the argument.
        mentioned: takes the variables whose lengths it mentions, in order.
        loops: what the counters of loops are called.
    """
    if is_size(x):
        head, *operands = x.expression
        if head in ("length", "size") or (head == "value" and operands[0] >= 0):
            mentioned.append(operands[0])
            return (type(x).__name__, head, *operands[1:])
        if head == "name":
            return type(x).__name__, head, operands[0]
        if head == "turn":
            # The counter of a loop that is over may have been kept: as a number, which may be another one in each turn.
            return type(x).__name__, head, loops.get(operands[0], ("outer", operands[0], int(x)))
        return (type(x).__name__, head, *(canonical(e, mentioned, loops) for e in operands))
    if isinstance(x, tuple | list):
        return (type(x).__name__, *(canonical(e, mentioned, loops) for e in x))
    if type(x) is slice:
        return ("slice", *(canonical(e, mentioned, loops) for e in (x.start, x.stop, x.step)))
    if type(x) is Index:
        return ("index", x.single, *(canonical(e, mentioned, loops) for e in x.parts))
    if isinstance(x, float):
        return type(x).__name__, x.hex()
    if isinstance(x, np.ndarray) and x.dtype.kind in "biufc":
        return "array", str(x.dtype), x.shape, x.tobytes()
    try:
        hash(x)
    except TypeError:
        return "object", id(x)
    return type(x).__name__, x


def changed(x: Any, mentioned: Iterator[int], loops: Mapping[int, Any]) -> Any:
    """A static argument in terms of other variables, which are given in order, and other counters."""
    if is_size(x):

        def change(size: Any, expression: Any) -> Any:
            head, *operands = expression
            if head in ("length", "size") or (head == "value" and operands[0] >= 0):
                return (head, next(mentioned), *operands[1:])
            return loops.get(operands[0], expression) if head == "turn" else expression

        return rebuilt(x, change)
    return moved(x, lambda e: changed(e, mentioned, loops))


def renumbered(x: Any, numbers: Mapping[int, int]) -> Any:
    """A static argument whose sizes refer to other variables, where ``numbers`` has others for them."""
    mentioned = mentioned_in(x)
    if numbers.keys().isdisjoint(mentioned):
        return x
    return changed(x, iter([numbers.get(n, n) for n in mentioned]), {})


def moved(x: Any, change: Callable[[Any], Any]) -> Any:
    """A static argument with its parts changed."""
    if isinstance(x, tuple | list):
        return type(x)(map(change, x))
    if type(x) is slice:
        return slice(*map(change, (x.start, x.stop, x.step)))
    if type(x) is Index:
        return Index(tuple(map(change, x.parts)), x.single)
    return x


@lru_cache(maxsize=65536)
def instruction(code: Any, offset: int) -> int:
    """Where an instruction begins; a frame may stand in the caches behind it, depending on how often it has run."""
    inner = offset < 0
    raw = code.co_code
    offset = ~offset if inner else offset
    while offset > 0 and raw[offset] == _CACHE:
        offset -= 2
    return ~offset if inner else offset


def shifted(x: Any, by: Any) -> Any:
    """Where a range begins or ends, so much further: ``n`` for ``n - 1`` and 1."""
    if type(by) is not int:
        return x + by
    if is_size(x) and x.expression[0] == "sub" and type(x.expression[2]) is int:
        x, by = x.expression[1], by - x.expression[2]
    return x - -by if by < 0 else x + by if by else x
