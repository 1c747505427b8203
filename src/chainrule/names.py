"""Unique, legal identifiers for the variables of a program."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

__all__ = ["Namespace"]

_RESERVED = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"np", "numpy", "scipy"}


class Namespace:
    """Hands out each name once.

    A wanted name that is taken, reserved or no identifier becomes the nearest free one: ``h`` gives
    ``h``, ``h2``, ``h3``; ``params[0][1]`` gives ``params_0_1``.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def claim(self, wanted: str) -> str:
        """A free name as near to ``wanted`` as can be."""
        base = re.sub(r"\W+", "_", wanted).strip("_") or "value"
        if base[0].isdigit():
            base = f"value_{base}"
        if base in _RESERVED:
            base += "_"
        name = base
        count = self._next.get(base, 2)
        while name in self._taken:
            separator = "_" if base[-1].isdigit() else ""
            name = f"{base}{separator}{count}"
            count += 1
        self._next[base] = count
        self._taken.add(name)
        return name
