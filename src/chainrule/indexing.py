"""Indexing as operations: reading, writing and adding at an index, each without side effects.

An index such as ``x[rows, 1:, None]`` is split into its static part, an :class:`Index`, and the arrays
in it, which are operands like any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.sizes import is_size, where_from

__all__ = ["Index", "add_item", "add_item_in_place", "get_item", "is_apart", "set_item", "set_item_in_place"]


class _Hole:
    """Stands in an index for the array operand that goes there."""

    def __repr__(self) -> str:
        return "·"


HOLE = _Hole()


def _compared(x: Any) -> Any:
    """An end of a slice or an integer; x[t] and x[s] are not the same where t and s happen to be."""
    return where_from(x) if is_size(x) else x


class Index:
    """The static part of an index: integers, slices, ``None``, ``...`` and holes for array operands.

    Hashable and comparable, as slices are not in every Python version.
    """

    __slots__ = ("_frozen", "basic", "parts", "single")

    def __init__(self, parts: tuple[Any, ...], single: bool) -> None:
        self.parts = parts
        self.single = single
        self.basic = HOLE not in parts
        self._frozen: Any = None

    @property
    def frozen(self) -> Any:
        """The parts in a form that can be compared and hashed, made where it is asked for: most indices never are."""
        if self._frozen is None:
            self._frozen = tuple(
                ("slice", *map(_compared, (p.start, p.stop, p.step)))
                if type(p) is slice
                else (type(p).__name__, _compared(p))
                for p in self.parts
            )
        return self._frozen

    def key(self, arrays: tuple[Any, ...]) -> Any:
        """The index as NumPy takes it, with ``arrays`` in the holes."""
        if self.basic:
            return self.parts[0] if self.single else self.parts
        remaining = iter(arrays)
        filled = tuple(next(remaining) if p is HOLE else p for p in self.parts)
        return filled[0] if self.single else filled

    def spelled_out(self, rank: int) -> list[Any]:
        """The parts of an index without arrays, with a slice for each axis that an ellipsis, or nothing, stands for."""
        given = sum(p is not None and p is not Ellipsis for p in self.parts)
        found: list[Any] = []
        for p in self.parts if any(p is Ellipsis for p in self.parts) else (*self.parts, Ellipsis):
            found += [slice(None)] * (rank - given) if p is Ellipsis else [p]
        return found

    def __hash__(self) -> int:
        return hash((self.frozen, self.single))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self.frozen == other.frozen and self.single == other.single

    def text(self, names: tuple[str, ...]) -> str:
        """The index as it is written between the brackets."""
        remaining = iter(names)

        def part(p: Any) -> str:
            if p is HOLE:
                return next(remaining)
            if type(p) is slice:
                ends = ["" if e is None else str(e) for e in (p.start, p.stop)]
                return ":".join(ends) + ("" if p.step is None else f":{p.step}")
            return "..." if p is Ellipsis else str(p)

        written = ", ".join(part(p) for p in self.parts) or "()"
        return written if self.single or len(self.parts) != 1 else written + ","

    def __repr__(self) -> str:
        return f"[{self.text(('·',) * len(self.parts))}]"


def is_apart(first: Index, second: Index, rank: int) -> bool:
    """Whether two indices without arrays are known to name no element in common, whatever the lengths."""
    if not first.basic or not second.basic:
        return False
    one, other = ([p for p in index.spelled_out(rank) if p is not None] for index in (first, second))
    return any(_are_apart(p, q) or _are_apart(q, p) for p, q in zip(one, other, strict=True))


def _are_apart(p: Any, q: Any) -> bool:
    """Whether a part of an index ends before another one begins, or steps over all of it."""
    p, q = (slice(x, x + 1 if x != -1 else None) if type(x) is int else x for x in (p, q))
    if type(p) is not slice or type(q) is not slice:
        return False
    if p.stop is not None and (p.step is None or p.step > 0) and _compared(p.stop) == _compared(q.start):
        return q.step is None or bool(q.step > 0)
    ends = [0 if x.start is None else x.start for x in (p, q)]
    steps = [1 if x.step is None else x.step for x in (p, q)]
    if any(type(e) is not int or e < 0 for e in (*ends, *steps)) or steps[0] == 0:
        return False
    if type(p.stop) is int and 0 <= p.stop <= ends[1]:
        return True
    return steps[0] == steps[1] and (ends[0] - ends[1]) % steps[0] != 0


def get_item(x: Any, *arrays: Any, index: Index) -> Any:
    """``x[index]``; never a view of ``x`` that later writes could change."""
    return x[index.key(arrays)]


def set_item(x: Any, value: Any, *arrays: Any, index: Index) -> Any:
    """A copy of ``x`` with ``value`` written at the index."""
    return set_item_in_place(np.copy(x), value, *arrays, index=index)


def set_item_in_place(x: Any, value: Any, *arrays: Any, index: Index) -> Any:
    """``x[index] = value``, returning ``x``."""
    x[index.key(arrays)] = value
    return x


def add_item(x: Any, value: Any, *arrays: Any, index: Index) -> Any:
    """A copy of ``x`` with ``value`` added at the index, once per repetition of an index."""
    return add_item_in_place(np.copy(x), value, *arrays, index=index)


def add_item_in_place(x: Any, value: Any, *arrays: Any, index: Index) -> Any:
    """``np.add.at(x, index, value)``, returning ``x``."""
    key = index.key(arrays)
    if all(np.ndim(a) == 0 or np.asarray(a).dtype.kind == "b" for a in arrays):
        x[key] += value  # nothing can be named twice, and this is far faster than np.add.at
    else:
        np.add.at(x, key, value)
    return x
