"""The names that the user's function has for lengths and for numbers computed from them: ``n``, ``H_out``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from chainrule.ir import Var
from chainrule.sizes import Size, is_size, leaves_of, where_from

__all__ = ["Length", "NamedLengths"]


@dataclass(frozen=True, slots=True)
class Length:
    """A number that the user's function has a name for.

    Attributes:
        variable: the last of the arrays that it is computed from; -1 where there is none.
        text: how it is computed.
        line: the user's line.
    """

    variable: int
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class NamedLengths:
    """The names for lengths and numbers of a function.

    Attributes:
        lengths: the names of lengths, with array, axis (``None`` for the size) and line.
        counts: the names of numbers that are computed from others, with the expression and the line.
        whole: the whole numbers among the arguments that keep their names.
    """

    lengths: Mapping[str, tuple[str, int | None, int]] = field(default_factory=dict)
    counts: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    whole: Mapping[str, Any] = field(default_factory=dict)

    def found(self, arrays: Mapping[str, Var]) -> tuple[dict[str, Length], dict[Any, str]]:
        """How each name is computed from these arrays, and the name of each number, by where it comes from."""
        known: dict[str, Any] = {
            name: SimpleNamespace(
                shape=tuple(Size(n, ("length", x.number, k)) for k, n in enumerate(x.shape)),
                size=Size(math.prod(x.shape), ("size", x.number)),
            )
            for name, x in arrays.items()
        }
        known.update(self.whole)
        lengths: dict[str, Length] = {}
        names: dict[Any, str] = {}
        for name, (array, axis, line) in self.lengths.items():
            if array not in arrays or (axis is not None and not arrays[array].shape):
                continue
            x = arrays[array]
            k = None if axis is None else axis % len(x.shape)
            text = f"{array}.size" if k is None else f"{array}.shape[{k}]" if len(x.shape) > 1 else f"len({array})"
            known[name] = known[array].size if k is None else known[array].shape[k]
            lengths[name] = Length(x.number, text, line)
            names.setdefault(where_from(known[name]), name)
        space = {"__builtins__": {}, "len": lambda x: x.shape[0]}
        for name, (text, line) in self.counts.items():
            try:
                value = eval(text, space, known)
            except (NameError, AttributeError, ArithmeticError, IndexError, TypeError):
                continue
            if not is_size(value):
                continue
            known[name] = value
            variables = [leaf[1] for leaf in leaves_of(value) if leaf[0] in ("length", "size")]
            lengths[name] = Length(max(variables, default=-1), text, line)
            names.setdefault(where_from(value), name)
        return lengths, names
